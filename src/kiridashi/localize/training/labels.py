"""Labels as numbers: the matrix of a set, what is learned from, what is held aside, and class balance."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.localize.training.options import Labels

# With fewer pictures, a share of them says nothing about when to stop.
LEAST_SET = 20
LEAST_CLASSES = 2


@dataclass(frozen=True, eq=False)
class Targets:
    """What is to be learned.

    Attributes:
        matrix: (N, C) float32, 1 where a picture has a class; a row of zeros: nothing is there.
        single: every picture has exactly one label, and there is more than one class.
    """

    matrix: Tensor
    single: bool

    @property
    def has_object(self) -> Tensor:
        """(N,) bool."""
        return self.matrix.any(dim=1)


def targets_of(labels: Sequence[Set[str]], classes: Sequence[str], kind: Labels) -> Targets:
    """The label matrix of a set.

    Args:
        labels: of each picture; none: nothing is there.
        classes: in the order of the columns.
        kind: see `TrainingOptions.labels`.

    Raises:
        UsageError: no pictures or classes; a label that is no class; a class without pictures; labels
            that are not of the kind asked for; or pictures that are all alike, from which nothing can be
            learned.
    """
    _check(labels, classes)
    places = {name: place for place, name in enumerate(classes)}
    matrix = torch.zeros(len(labels), len(classes))
    for row, some in enumerate(labels):
        for label in some:
            matrix[row, places[label]] = 1
    is_single = bool((matrix.sum(dim=1) == 1).all()) and len(classes) >= LEAST_CLASSES
    if kind == "single" and not is_single:
        raise UsageError("labels=single needs exactly one label a picture and two classes; take labels=auto")
    return Targets(matrix, is_single and kind != "multiple")


def split_pictures(matrix: Tensor, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of the pictures to learn from and of those held aside.

    Each combination of labels gives its share, rounded down: none of them is left with nothing to learn from.

    Args:
        matrix: (N, C) of the labels.
        share: of the pictures to hold aside, 0..0.5.
        seed: draws them.
    """
    everything = list(range(len(matrix)))
    if not share or len(matrix) < LEAST_SET:
        return everything, []
    groups: dict[tuple[float, ...], list[int]] = {}
    for number, row in enumerate(matrix.tolist()):
        groups.setdefault(tuple(row), []).append(number)
    rng = np.random.default_rng([seed, 1])
    aside: list[int] = []
    for key in sorted(groups):
        drawn = rng.permutation(groups[key])
        aside += [int(number) for number in drawn[: int(share * len(drawn))]]
    return sorted(set(everything) - set(aside)), sorted(aside)


def balance(targets: Targets, cap: float) -> Tensor:
    """(C,) weights that make up for rare classes, for `label_loss`.

    One label a picture: proportional to one over the number of the class's pictures, of mean 1 over the
    pictures, at most `cap`. Else: pictures without the class over pictures with it, from 1 to `cap`:
    common classes are not held down.
    """
    counts = targets.matrix.sum(dim=0).clamp(min=1)
    total = len(targets.matrix)
    if targets.single:
        return (total / (len(counts) * counts)).clamp(max=cap)
    return ((total - counts) / counts).clamp(min=1, max=cap)


def _check(labels: Sequence[Set[str]], classes: Sequence[str]) -> None:
    if not labels or not classes:
        raise UsageError(
            f"training needs pictures with labels: got {len(labels)} pictures and {len(classes)} classes"
        )
    if len(set(classes)) != len(classes):
        raise UsageError(f"each class is named once, got {', '.join(classes)}")
    found = set().union(*labels)
    if unknown := sorted(found - set(classes)):
        raise UsageError(f"label {unknown[0]!r} is none of the classes {', '.join(classes)}")
    if missing := [name for name in classes if name not in found]:
        raise UsageError(f"no picture has the label {missing[0]!r}; add one or leave the class out")
    if all(set(some) == found for some in labels):
        names = ", ".join(classes)
        raise UsageError(
            f"every picture has the same labels ({names}), so that there is nothing to tell apart: a map is "
            "learned from the contrast; add pictures in which it is not to be seen (label OK), or another "
            "class"
        )
