"""Which pictures are learned from, on which thresholds are chosen, and on which it is measured."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.wsol.items import Item, WsolSet

# Learned from, with labels only; the names of the others are the user's.
TRAIN = "train"
# Measured on when nothing is said, the first that a set has.
USUAL_TESTS = ("test", "val")
USUAL_TUNING = "val"
# Names of `Splitting.tune_on` that are no split.
BY_RULE, NOTHING = "auto", "none"


@dataclass(frozen=True)
class Splitting:
    """How a set is divided.

    Attributes:
        tests: splits to measure on; empty: `test`, or `val` when there is no such.
        tune_on: split on which thresholds are chosen; "train": a share of it, which is then not learned from;
            "auto": `val` where it is not measured on, else a share of train; "none": thresholds are fixed.
        tune_share: of train, 0..1, of each class alike.
        folds: of a set without splits: each picture is measured in one of them, learned from in the others.

    Raises:
        UsageError: a value that cannot be.
    """

    tests: tuple[str, ...] = ()
    tune_on: str = BY_RULE
    tune_share: float = 0.1
    folds: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.tune_share < 1:
            raise UsageError(f"the share of train to tune on lies between 0 and 1, got {self.tune_share}")
        if self.folds < 2:
            raise UsageError(f"a set without splits needs 2 or more folds, got {self.folds}")
        if self.tune_on in self.tests:
            raise UsageError(
                f"thresholds chosen on {self.tune_on!r} cannot be measured on it; name another split "
                "to tune on"
            )
        if TRAIN in self.tests:
            raise UsageError("the split 'train' is learned from, so it cannot be measured on")


@dataclass(frozen=True, eq=False)
class Trial:
    """One division of one set: what is learned once.

    Attributes:
        source: the set.
        seed: of the division and of what learns.
        fold: number of the fold; 0 where the set has splits.
        learn: pictures whose labels are learned.
        tune: pictures whose truth thresholds are chosen by; none: thresholds are fixed.
        test: pictures it is measured on.
        told: the division in words, for reports.
    """

    source: WsolSet
    seed: int
    fold: int
    learn: tuple[Item, ...]
    tune: tuple[Item, ...]
    test: tuple[Item, ...]
    told: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the set that can be learned: those that a picture to learn from has."""
        learned = {label for item in self.learn for label in item.labels}
        return tuple(name for name in self.source.classes if name in learned)

    @property
    def notes(self) -> str:
        """`told`, and which classes are not asked for because there is nothing to learn them from."""
        missing = [name for name in self.source.classes if name not in self.classes]
        if not missing:
            return self.told
        return f"{self.told}; not asked for, no picture to learn from: {', '.join(missing)}"


def trials(source: WsolSet, splitting: Splitting, seed: int) -> list[Trial]:
    """The divisions of a set: one where it has splits, else one a fold.

    Raises:
        UsageError: the set does not have what is asked for.
    """
    named = {item.split for item in source.items}
    if named == {None}:
        return _folds(source, splitting, seed)
    if None in named:
        count = sum(item.split is None for item in source.items)
        raise UsageError(f"{source.name}: {count} pictures belong to no split; give all of them one, or none")
    return [_by_name(source, splitting, seed, sorted(filter(None, named)))]


def _by_name(source: WsolSet, splitting: Splitting, seed: int, named: Sequence[str]) -> Trial:
    for name in (TRAIN, *splitting.tests, *_tuning_names(splitting)):
        if name not in named:
            raise UsageError(f"{source.name} has no split {name!r}; it has: {', '.join(named)}")
    tests = splitting.tests or tuple(name for name in USUAL_TESTS if name in named)[:1]
    if not tests:
        raise UsageError(
            f"{source.name} has neither a split 'test' nor 'val'; say with --test-splits which of "
            f"{', '.join(named)} to measure on"
        )
    learn = _of(source, (TRAIN,))
    tune_on = splitting.tune_on
    if tune_on == BY_RULE:
        tune_on = USUAL_TUNING if USUAL_TUNING in named and USUAL_TUNING not in tests else TRAIN
    learn, tune, told = _tuned(source, learn, tune_on, splitting, seed)
    return Trial(
        source, seed, 0, learn, tune, _of(source, tests), f"{told}; measured on {' and '.join(tests)}"
    )


def _folds(source: WsolSet, splitting: Splitting, seed: int) -> list[Trial]:
    if splitting.tests or splitting.tune_on not in (BY_RULE, NOTHING, TRAIN):
        raise UsageError(
            f"{source.name} has no splits, so it is measured in folds; leave --test-splits and --tune-on out"
        )
    if len(source.items) < splitting.folds:
        raise UsageError(
            f"{source.name} has {len(source.items)} pictures, too few for {splitting.folds} folds; "
            "ask for fewer, or give more pictures"
        )
    fold_of: dict[str, int] = {}
    # Dealing goes on where the last group ended, so that small groups do not all fill the first folds.
    for items in _groups(source.items, seed):
        for item in items:
            fold_of[item.id] = len(fold_of) % splitting.folds
    found = []
    for fold in range(splitting.folds):
        rest = tuple(item for item in source.items if fold_of[item.id] != fold)
        tune_on = TRAIN if splitting.tune_on == BY_RULE else splitting.tune_on
        learn, tune, told = _tuned(source, rest, tune_on, splitting, seed)
        test = tuple(item for item in source.items if fold_of[item.id] == fold)
        found.append(
            Trial(source, seed, fold, learn, tune, test, f"{told}; measured in {splitting.folds} folds")
        )
    return found


def _tuned(
    source: WsolSet, learn: tuple[Item, ...], tune_on: str, splitting: Splitting, seed: int
) -> tuple[tuple[Item, ...], tuple[Item, ...], str]:
    """What is learned from, what is tuned on, and both in words."""
    if tune_on == NOTHING:
        return learn, (), "thresholds fixed"
    if tune_on != TRAIN:
        tune = tuple(item for item in _of(source, (tune_on,)) if _measurable(item))
        told = f"thresholds chosen on {tune_on}"
    else:
        tune = _share(learn, splitting.tune_share, seed)
        kept = {item.id for item in tune}
        learn = tuple(item for item in learn if item.id not in kept)
        told = f"thresholds chosen on {100 * splitting.tune_share:g} % of train, held back from learning"
    if not tune:
        raise UsageError(
            f"{source.name}: no picture with a box or mask to choose thresholds on; use --tune-on none for "
            "fixed ones, or a larger --tune-share"
        )
    return learn, tune, told


def _share(items: Sequence[Item], share: float, seed: int) -> tuple[Item, ...]:
    """Of each group of labels a share, but never all of it."""
    taken: list[Item] = []
    for group in _groups([item for item in items if _measurable(item)], seed):
        count = min(max(1, round(share * len(group))), len(group) - 1)
        taken += group[:count]
    return tuple(sorted(taken, key=lambda item: item.id))


def _groups(items: Sequence[Item], seed: int) -> list[list[Item]]:
    """The items by their labels, each group in random order."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in sorted(items, key=lambda item: item.id):
        groups.setdefault(tuple(sorted(item.labels)), []).append(item)
    shuffled = []
    for labels, group in sorted(groups.items()):
        rng = np.random.default_rng([seed, zlib.crc32("\n".join(labels).encode())])
        shuffled.append([group[place] for place in rng.permutation(len(group))])
    return shuffled


def _measurable(item: Item) -> bool:
    return item.marked and bool(item.labels)


def _of(source: WsolSet, names: Sequence[str]) -> tuple[Item, ...]:
    return tuple(item for item in source.items if item.split in names)


def _tuning_names(splitting: Splitting) -> tuple[str, ...]:
    return () if splitting.tune_on in (BY_RULE, NOTHING) else (splitting.tune_on,)
