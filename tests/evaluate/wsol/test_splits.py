from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.wsol.items import Item, PlainSet
from kiridashi.evaluate.wsol.sources import open_set
from kiridashi.evaluate.wsol.splits import Splitting, Trial, trials


def ids(items: tuple[Item, ...]) -> set[str]:
    return {item.id for item in items}


def apart(trial: Trial) -> bool:
    parts = (trial.learn, trial.tune, trial.test)
    return len(set().union(*map(ids, parts))) == sum(map(len, parts))


def only(source: PlainSet, *splits: str) -> PlainSet:
    return replace(source, items=tuple(item for item in source.items if item.split in splits))


def test_thresholds_are_chosen_on_val_where_it_is_not_measured_on(animals: Path) -> None:
    (trial,) = trials(open_set(animals), Splitting(), 0)
    assert (len(trial.learn), ids(trial.tune)) == (10, {f"val{n}" for n in range(4)})
    assert ids(trial.test) == {f"test{n}" for n in range(4)}
    assert trial.told == "thresholds chosen on val; measured on test"


def test_without_a_split_to_tune_on_a_share_of_train_is_held_back(animals: Path) -> None:
    (trial,) = trials(only(open_set(animals), "train", "val"), Splitting(tune_share=0.2), 0)
    assert ids(trial.test) == {f"val{n}" for n in range(4)}
    # A fifth of the five of each class.
    assert Counter(item.labels for item in trial.tune) == {("cat",): 1, ("dog",): 1}
    assert len(trial.learn) == 8
    assert apart(trial)
    assert "20 % of train, held back" in trial.told


def test_everything_can_be_said(animals: Path) -> None:
    source = open_set(animals)
    (both,) = trials(source, Splitting(("val", "test")), 0)
    assert len(both.test) == 8
    assert apart(both)
    assert "train" in both.told
    (other,) = trials(source, Splitting(("val",), "test"), 0)
    assert (ids(other.tune), len(other.learn)) == ({f"test{n}" for n in range(4)}, 10)
    (fixed,) = trials(source, Splitting(tune_on="none"), 0)
    assert (fixed.tune, len(fixed.learn), fixed.told) == ((), 10, "thresholds fixed; measured on test")


def test_the_draw_hangs_on_the_seed_alone(animals: Path) -> None:
    source = only(open_set(animals), "train", "val")
    backwards = replace(source, items=source.items[::-1])
    drawn = [ids(trials(one, Splitting(), seed)[0].tune) for one in (source, backwards) for seed in range(4)]
    assert drawn[:4] == drawn[4:]
    assert len({frozenset(one) for one in drawn}) > 1


def test_a_set_without_splits_is_measured_in_folds(tiles: Path) -> None:
    found = trials(open_set(tiles), Splitting(folds=3), 0)
    assert [trial.fold for trial in found] == [0, 1, 2]
    assert all(map(apart, found))
    tested = [item.id for trial in found for item in trial.test]
    assert len(tested) == len(set(tested)) == 12
    # Each fold has its share of each class.
    assert [Counter(item.labels for item in trial.test)[("crack",)] for trial in found] == [2, 2, 2]
    for trial in found:
        assert len(trial.learn) + len(trial.tune) + len(trial.test) == 12
        # Nothing can be tuned on a picture of nothing.
        assert all(item.labels for item in trial.tune)


def test_a_class_with_one_picture_is_learned(animals: Path) -> None:
    source = only(open_set(animals), "train", "test")
    rare = replace(source.items[0], labels=("fox",))
    (trial,) = trials(replace(source, items=(rare, *source.items[1:])), Splitting(), 0)
    assert rare in trial.learn


@pytest.mark.parametrize(
    ("splitting", "told"),
    [
        ({"tests": ("dev",)}, "no split 'dev'; it has: test, train, val"),
        ({"tune_on": "dev"}, "no split 'dev'"),
        ({"tests": ("val",), "tune_on": "val"}, "cannot be measured on it"),
        ({"tests": ("train",)}, "learned from"),
        ({"tune_share": 1.0}, "between 0 and 1"),
        ({"folds": 1}, "2 or more"),
    ],
)
def test_what_cannot_be_is_said(animals: Path, splitting: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        trials(open_set(animals), Splitting(**splitting), 0)  # type: ignore[arg-type]


def test_sets_that_do_not_fit_are_refused(animals: Path, tiles: Path) -> None:
    source, folded = open_set(animals), open_set(tiles)
    with pytest.raises(UsageError, match="neither a split 'test' nor 'val'"):
        trials(only(source, "train"), Splitting(), 0)
    with pytest.raises(UsageError, match="1 pictures belong to no split"):
        trials(
            replace(source, items=(replace(source.items[0], split=None), *source.items[1:])), Splitting(), 0
        )
    with pytest.raises(UsageError, match="leave --test-splits"):
        trials(folded, Splitting(("test",)), 0)
    with pytest.raises(UsageError, match="too few for 20 folds"):
        trials(folded, Splitting(folds=20), 0)
    bare = replace(source, items=tuple(replace(item, marked=False) for item in source.items))
    with pytest.raises(UsageError, match="--tune-on none"):
        trials(bare, Splitting(), 0)
