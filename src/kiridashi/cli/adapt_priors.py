"""Priors as `segment` would make them, for `adapt` to learn and to be measured on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiridashi.adapt.samples import Sample
    from kiridashi.adapt.tasks import FloatMap
    from kiridashi.models.promptable import PromptableModel

# Each share of a class gets its priors from the others.
FOLDS = 3
# Samples of a class that priors are learned from, at most.
MOST = 30


def cross_fitted(model: "PromptableModel", samples: Sequence["Sample"], seed: int) -> list["FloatMap | None"]:
    """For each sample a prior from other samples of its class; None for a class of one sample."""
    from kiridashi.models.loading import compact_eye
    from kiridashi.reference.prior.estimator import PriorEstimator
    from kiridashi.reference.prior.evidence import Example, look

    eye = compact_eye(model)
    found: list[FloatMap | None] = [None] * len(samples)
    for label in dict.fromkeys(sample.label for sample in samples):
        places = [place for place, sample in enumerate(samples) if sample.label == label]
        views = [look(eye, samples[place].picture) for place in places]
        folds = min(FOLDS, len(places))
        for fold in range(folds if folds > 1 else 0):
            others = [index for index in range(len(places)) if index % folds != fold][:MOST]
            examples = [Example(views[index], samples[places[index]].mask) for index in others]
            estimator = PriorEstimator(seed).fit(examples)
            for index in range(fold, len(places), folds):
                found[places[index]] = estimator.predict(views[index]).map
    return found
