"""The pictures that are learned from, and those held aside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

# One to learn from, and two aside: of a single one no gain could be told from chance.
LEAST_SAMPLES, LEAST_ASIDE = 3, 2


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture with the mask of one class.

    Attributes:
        picture: the picture.
        mask: where the class is; not empty.
        label: the class.
        ignore: pixels of which nothing is known; None: there are none.
    """

    picture: Picture
    mask: Mask
    label: str
    ignore: Mask | None = None


@dataclass(frozen=True, eq=False)
class Division:
    """Samples parted by what they are for.

    Attributes:
        learned: that the parameters are tuned on.
        aside: that say when to stop and what was gained.
    """

    learned: tuple[Sample, ...]
    aside: tuple[Sample, ...]


def divide(samples: Sequence[Sample], share: float, seed: int) -> Division:
    """Hold a share of the pictures of each class aside, two pictures at least in all.

    A picture is on one side with all its classes.

    Raises:
        UsageError: fewer than three pictures.
    """
    digests = list(dict.fromkeys(sample.picture.digest for sample in samples))
    if len(digests) < LEAST_SAMPLES:
        raise UsageError(
            f"adapting needs {LEAST_SAMPLES} pictures with masks or more, got {len(digests)}; with fewer use "
            "`kiridashi segment`, which learns from one"
        )
    order = np.random.default_rng(seed).permutation(len(digests))
    wanted = max(LEAST_ASIDE, round(share * len(digests)))
    labels = _labels(samples)
    taken: set[str] = set()
    # In turn by class, the one with the smallest share aside first, so that each has its own there.
    while len(taken) < wanted:
        free = [digests[i] for i in order if digests[i] not in taken]
        open_labels = [label for label in labels if any(name in labels[label] for name in free)]
        label = min(open_labels, key=lambda one: len(labels[one] & taken) / len(labels[one]))
        taken.add(next(name for name in free if name in labels[label]))
    return Division(
        tuple(sample for sample in samples if sample.picture.digest not in taken),
        tuple(sample for sample in samples if sample.picture.digest in taken),
    )


def _labels(samples: Sequence[Sample]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(sample.label, set()).add(sample.picture.digest)
    return found
