"""How well a registry names objects whose class is known: a look from time to time, on pictures of today."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kiridashi.classes.forgetting import answer
from kiridashi.classes.registry import RegistryState
from kiridashi.classes.registry.events import Matrix
from kiridashi.classes.registry.naming import name_key


@dataclass(frozen=True)
class ClassCheck:
    """One class of the registry.

    Attributes:
        name: of the class.
        objects: of it in the data.
        right: of these, how many are named so.
        unknown: of these, how many no class takes.
        taken: number of objects of anything that are named so.
        mixed: (other class, number) that its objects are taken for, most first.
    """

    name: str
    objects: int
    right: int
    unknown: int
    taken: int
    mixed: tuple[tuple[str, int], ...]

    @property
    def recall(self) -> float | None:
        """Share of its objects that are named rightly, 0..1; None without objects."""
        return self.right / self.objects if self.objects else None

    @property
    def precision(self) -> float | None:
        """Share of what is named so that is so, 0..1; None where nothing is."""
        return self.right / self.taken if self.taken else None

    def to_json(self) -> dict[str, Any]:
        """For `--json`; shares in 0..1."""
        return {
            "name": self.name,
            "objects": self.objects,
            "right": self.right,
            "unknown": self.unknown,
            "recall": self.recall,
            "precision": self.precision,
            "mixed_up_with": dict(self.mixed),
        }


@dataclass(frozen=True)
class Check:
    """An evaluation.

    Attributes:
        classes: those of the registry, in the order of their addition.
        others: number of objects of classes that the registry does not have.
        refused: of these, how many no class takes, as it should be.
        other_names: what these are called in the data.
    """

    classes: tuple[ClassCheck, ...]
    others: int
    refused: int
    other_names: tuple[str, ...]

    @property
    def objects(self) -> int:
        """Number of objects of known classes."""
        return sum(one.objects for one in self.classes)

    @property
    def accuracy(self) -> float | None:
        """Mean recall of the classes that occur, 0..1."""
        recalls = [one.recall for one in self.classes if one.recall is not None]
        return sum(recalls) / len(recalls) if recalls else None

    def to_json(self) -> dict[str, Any]:
        """For `--json`; shares in 0..1."""
        return {
            "accuracy": self.accuracy,
            "objects": self.objects,
            "classes": [one.to_json() for one in self.classes],
            "others": {"objects": self.others, "refused": self.refused, "names": list(self.other_names)},
        }


def check(state: RegistryState, labels: Sequence[str], embeddings: Matrix) -> Check:
    """Name objects and compare with what they are.

    Args:
        state: of the registry.
        labels: N classes by name; case does not count, and a name that no class has is of another thing.
        embeddings: (N, D) of the objects, made as those of the registry.
    """
    keys = {name_key(name): name for name in state.classes}
    truths = [keys.get(name_key(label)) for label in labels]
    pairs = Counter(zip(truths, answer(state, embeddings), strict=True))
    classes = []
    for name in state.classes:
        own = {named: count for (truth, named), count in pairs.items() if truth == name}
        mixed = [(named, count) for named, count in own.items() if named is not None and named != name]
        classes.append(
            ClassCheck(
                name,
                sum(own.values()),
                own.get(name, 0),
                own.get(None, 0),
                sum(count for (_, named), count in pairs.items() if named == name),
                tuple(sorted(mixed, key=lambda one: -one[1])),
            )
        )
    others = [label for label, truth in zip(labels, truths, strict=True) if truth is None]
    return Check(tuple(classes), len(others), pairs[None, None], tuple(sorted(set(others))))
