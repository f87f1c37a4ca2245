"""From what a video session says about a target to the method's answer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segments
from kiridashi.models.video import ObjectResult
from kiridashi.reference.instances import LABEL, ObjectSize, split_instances, whole_object
from kiridashi.reference.presence import calibrate, judge

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class AnswerRule:
    """What turns a mask with an object score into segments with a verdict.

    Attributes:
        threshold: of the presence verdict.
        size: of the references' objects.
    """

    threshold: float
    size: ObjectSize

    @classmethod
    def fit(cls, masks: Sequence[Mask], present: Sequence[float], absent: Sequence[float]) -> Self:
        """From the references' masks and the scores of pictures with and without the object."""
        return cls(calibrate(DEFAULT_THRESHOLD, present, absent), ObjectSize.of(masks))

    def apply(
        self, result: ObjectResult, provenance: dict[str, str], *, verdict: bool, instances: bool
    ) -> Segments:
        """The object's instances, best first.

        Args:
            result: of the target.
            provenance: how it came about.
            verdict: judge presence; off, the best guess is always given.
            instances: split the answer into objects.
        """
        shown = judge(presence_score(result), self.threshold) if verdict else None
        if shown is not None and not shown.present:
            return Segments(result.size, (), shown, provenance)
        probability = result.probability(present=True)
        found = (
            split_instances(probability, self.size, LABEL) if instances else whole_object(probability, LABEL)
        )
        return Segments(result.size, tuple(found), shown, provenance)

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {"threshold": self.threshold, **asdict(self.size)}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Self:
        """Take back what `facts` gave.

        Raises:
            KeyError: a value is missing.
            TypeError: one is no number.
            ValueError: one is no number.
        """
        size = ObjectSize(float(facts["typical"]), bool(facts["uniform"]), float(facts["thickness"]))
        return cls(float(facts["threshold"]), size)


def presence_score(result: ObjectResult) -> float:
    """Probability that the object is there, 0..1."""
    return float(1 / (1 + np.exp(-result.object_score)))
