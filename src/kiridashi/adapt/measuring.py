"""How well a model answers boxes, clicks and priors of samples: what tuning is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kiridashi.adapt.samples import Sample
from kiridashi.adapt.tasks import FloatMap, plain_tasks
from kiridashi.core.mask import Mask
from kiridashi.evaluate.intervals import Interval, paired_difference
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.sharpening import sharpen

KINDS = ("box", "click", "prior")


@dataclass(frozen=True)
class Quality:
    """Mean IoU of each sample by kind of question, in the order of the samples.

    Attributes:
        ious: by kind, one number a sample.
    """

    ious: Mapping[str, tuple[float, ...]]

    @property
    def score(self) -> float:
        """The mean over samples and kinds."""
        return float(np.mean(self.by_sample()))

    def mean(self, kind: str) -> float:
        """Over the samples, of one kind."""
        return float(np.mean(self.ious[kind]))

    def by_sample(self) -> list[float]:
        """Of each sample, over the kinds."""
        return [float(np.mean(values)) for values in zip(*self.ious.values(), strict=True)]


def measure(model: PromptableModel, samples: Sequence[Sample], priors: Sequence[FloatMap | None]) -> Quality:
    """Ask a model what users and `segment` will ask: tight boxes, one click, and priors brought to the edges.

    Args:
        model: as it stands.
        samples: one at least.
        priors: of each sample, made without it; where there is none, the kind is left out of all.
    """
    kinds = KINDS if all(prior is not None for prior in priors) else KINDS[:2]
    ious: dict[str, list[float]] = {kind: [] for kind in kinds}
    for sample, prior in zip(samples, priors, strict=True):
        features = model.encode(sample.picture)
        for task in plain_tasks(sample):
            decoded = model.decode(features, task.prompts, multimask=task.multimask)
            found = [decoded.mask(number) for number in range(len(task.prompts))]
            scores = [_iou(one, truth, sample) for one, truth in zip(found, task.truths, strict=True)]
            ious[task.kind].append(float(np.mean(scores)))
        if prior is not None and "prior" in ious:
            probability = sharpen(model, sample.picture, prior).probability
            ious["prior"].append(_iou(Mask.from_array(probability > 0.5), sample.mask, sample))
    return Quality({kind: tuple(values) for kind, values in ious.items()})


def gain_of(before: Quality, after: Quality) -> dict[str, Any]:
    """Means before and after by kind, and the difference with its interval, paired by sample."""
    difference: Interval = paired_difference(after.by_sample(), before.by_sample())
    return {
        "samples": len(before.by_sample()),
        "before": {kind: before.mean(kind) for kind in before.ious},
        "after": {kind: after.mean(kind) for kind in after.ious},
        "mean": difference.mean,
        "low": difference.low,
        "high": difference.high,
    }


def _iou(found: Mask, truth: Mask, sample: Sample) -> float:
    if sample.ignore is None or sample.ignore.is_empty:
        return found.iou(truth)
    counted = ~sample.ignore.to_array()
    return Mask.from_array(found.to_array() & counted).iou(Mask.from_array(truth.to_array() & counted))
