"""The way from references to heads, and what the heads bring on references that they have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.models.promptable import PromptableModel, upscale
from kiridashi.models.sharpening import sharpen
from kiridashi.models.threads import in_order, pictures_at_once
from kiridashi.reference.adapted.learning import answer, new_head, teach
from kiridashi.reference.adapted.material import Lesson, Seen, Standard, copy_of, lesson, see
from kiridashi.reference.adapted.network import Head
from kiridashi.reference.adapted.options import HeadOptions
from kiridashi.reference.prior.estimator import Prior, PriorEstimator
from kiridashi.reference.prior.evidence import Example, FloatMap, View

# Shares of the heads in the answer that are tried on references left out; the rest is the base's.
SHARES = (0.0, 0.5, 1.0)
# References that the shares are tried on, at most.
MOST_TRIED = 12
# With one reference: negatives that are left out in turn, at most.
MOST_LEFT_OUT = 8
Look = Callable[[Picture], View]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class HeadGain:
    """What the heads brought on references that they had not seen.

    Attributes:
        base: mean IoU of `prototype`, each reference left out of what it learned from.
        adapted: of the answer as it is now given; never below `base`.
        references: how many it was measured on; 0: there was only one, of which no share can be left out.
        share: of the heads in the answer, 0..1; the rest is `prototype`'s.
    """

    base: float
    adapted: float
    references: int
    share: float


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from references.

    Attributes:
        prior: fitted to all of them.
        heads: each without its share of them; none of a single reference.
        standard: how what they read is standardised.
        gain: what they brought.
        present: presence scores of references, each left out.
        absent: of negatives, each left out.
    """

    prior: PriorEstimator
    heads: list[Head]
    standard: Standard
    gain: HeadGain
    present: list[float]
    absent: list[float]


@dataclass(frozen=True, eq=False)
class _Case:
    """A picture to learn from.

    Attributes:
        picture: itself.
        example: as the prior sees it.
        fold: the number of the estimator and of the head that do not learn from it.
    """

    picture: Picture
    example: Example
    fold: int


class Fitting:
    """One learning.

    Args:
        model: sharpens the base's priors.
        look: gives what prior and heads read of a picture.
        options: of the learning.
        seed: of all that is random.
        progress: told (steps done, steps in all).
    """

    def __init__(
        self,
        model: PromptableModel,
        look: Look,
        options: HeadOptions,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.model = model
        self.look = look
        self.options = options
        self.seed = seed
        self.progress = progress

    def run(self, references: Sequence[Reference], negatives: Sequence[Negative]) -> Learned:
        """Learn from at least one reference and any number of negatives."""
        folds = min(self.options.folds, len(references))
        shown = [
            _Case(one.picture, Example(self.look(one.picture), one.mask), number % folds)
            for number, one in enumerate(references)
        ]
        refused = [
            _Case(one.picture, Example(self.look(one.picture), None, one.mask), number % folds)
            for number, one in enumerate(negatives)
        ]
        prior = self._prior([*shown, *refused], None)
        priors = [self._prior([*shown, *refused], fold) for fold in range(folds)] if folds > 1 else [prior]
        standard = Standard.of([case.example.view for case in shown])
        judged = [priors[case.fold].predict(case.example.view) for case in (*shown, *refused)]
        heads: list[Head] = []
        gain = HeadGain(0.0, 0.0, 0, 0.0)
        # What a head brings is measured on references that it has not seen: a single one leaves none.
        if folds > 1:
            cases = [*shown, *refused]
            groups = self._material(cases, judged, priors, standard)
            heads = self._heads(cases, groups, folds)
            gain = self._weigh(shown, judged, [group[0].seen for group in groups], heads)
        # Of a single reference the prior has seen it, and the score says nothing of a new picture.
        present = [guess.presence for guess in judged[: len(shown)]] if folds > 1 else []
        absent = self._absent(shown, refused, judged[len(shown) :], folds)
        return Learned(prior, heads, standard, gain, present, absent)

    def _absent(
        self, shown: Sequence[_Case], refused: Sequence[_Case], judged: Sequence[Prior], folds: int
    ) -> list[float]:
        """Presence of each negative by a prior that has not seen it.

        One of which only a part is marked may hold the object elsewhere: it tells nothing.
        """
        whole = [number for number, case in enumerate(refused) if case.example.outside is None]
        if folds > 1:
            return [judged[number].presence for number in whole]
        scores = []
        for number in whole[:MOST_LEFT_OUT]:
            others = [*shown, *refused[:number], *refused[number + 1 :]]
            scores.append(self._prior(others, None).predict(refused[number].example.view).presence)
        return scores

    def _prior(self, cases: Sequence[_Case], without: int | None) -> PriorEstimator:
        return PriorEstimator(self.seed).fit([case.example for case in cases if case.fold != without])

    def _material(
        self,
        cases: Sequence[_Case],
        judged: Sequence[Prior],
        priors: Sequence[PriorEstimator],
        standard: Standard,
    ) -> list[list[Lesson]]:
        """The lessons of each case."""

        def make(number: int) -> list[Lesson]:
            case = cases[number]
            return self._lessons(number, case, judged[number], priors[case.fold], standard, len(cases))

        threads = pictures_at_once(self.model)
        return [result() for _, result in in_order(range(len(cases)), make, threads)]

    def _lessons(
        self, number: int, case: _Case, guess: Prior, prior: PriorEstimator, standard: Standard, cases: int
    ) -> list[Lesson]:
        """A picture and, of a reference, its copies; with priors that have not seen it."""
        inside, outside = case.example.inside, case.example.outside
        own = [lesson(see(case.example.view, case.picture, guess.map, standard), inside, outside)]
        for index in range(self.options.copies(cases) if inside is not None else 0):
            rng = np.random.default_rng((self.seed, number, index))
            picture, mask = copy_of(case.picture, inside or Mask.empty(case.picture.size), self.options, rng)
            view = self.look(picture)
            own.append(lesson(see(view, picture, prior.predict(view).map, standard), mask, None))
        return own

    def _heads(self, cases: Sequence[_Case], groups: Sequence[Sequence[Lesson]], folds: int) -> list[Head]:
        done, steps, ticking = 0, folds * self.options.steps, Lock()
        heads = [new_head(self.seed + fold) for fold in range(folds)]

        def tick() -> None:
            nonlocal done
            with ticking:
                done += 1
                if self.progress is not None:
                    self.progress(done, steps)

        def learn(fold: int) -> Head:
            lessons = [
                one for case, group in zip(cases, groups, strict=True) if case.fold != fold for one in group
            ]
            return teach(heads[fold], lessons, self.options, self.seed + fold, tick)

        # A second thread gives one small network nothing: each is taught by a thread of its own, and the
        # system shares out the cores, of which one would idle when three heads took turns on two.
        threads = folds if torch.get_num_threads() > 1 else 1
        return [result() for _, result in in_order(range(folds), learn, threads)]

    def _weigh(
        self, shown: Sequence[_Case], judged: Sequence[Prior], seen: Sequence[Seen], heads: Sequence[Head]
    ) -> HeadGain:
        """The share of the heads that finds the references best; a head is asked of what it has not seen."""
        ious: dict[float, list[float]] = {share: [] for share in SHARES}
        for case, guess, one in list(zip(shown, judged, seen, strict=False))[:MOST_TRIED]:
            own = head_probability([heads[case.fold]], one, case.picture.size)
            base = sharpen(self.model, case.picture, guess.map).probability
            for share in SHARES:
                found = Mask.from_array(share * own + (1 - share) * base > 0.5)
                ious[share].append(found.iou(case.example.inside or Mask.empty(case.picture.size)))
        means = {share: float(np.mean(values)) for share, values in ious.items()}
        best = max(SHARES, key=lambda share: (means[share], share))
        return HeadGain(means[0.0], means[best], len(ious[best]), best)


def head_probability(heads: Sequence[Head], seen: Seen, size: tuple[int, int]) -> FloatMap:
    """(H, W) probability of the object by the heads together, at a picture's size."""
    probability: NDArray[np.float32] = upscale(answer(heads, seen), size).sigmoid().numpy()
    return probability
