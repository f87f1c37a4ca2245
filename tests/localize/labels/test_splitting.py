from pathlib import Path

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.localize.labels import LabelledPicture, by_split


def items(count: int, label: str, split: str | None = None) -> list[LabelledPicture]:
    return [LabelledPicture(Path(f"{label}{place}.png"), frozenset(label), split) for place in range(count)]


def test_the_labels_own_splits_are_kept() -> None:
    every = [*items(4, "a", "train"), *items(3, "b"), *items(5, "c", "val"), *items(7, "d", "test")]
    split = by_split(every)
    assert (len(split.train), len(split.aside), len(split.unseen)) == (7, 5, 7)
    assert split.classes == ("a", "b")


def test_without_splits_all_is_learned_from() -> None:
    every = items(3, "a")
    split = by_split(every)
    assert split.train == tuple(every)
    assert split.aside == split.unseen == ()


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to learn from"):
        by_split(items(5, "a", "test"))
