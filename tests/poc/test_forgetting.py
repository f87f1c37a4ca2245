"""The arithmetic of forgetting by hand, and lists of classes that are known to keep or to forget."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poc.made_classes import SITE, ColourList, LastTakesAll, make_colours
from tests.poc.made_site import Brightness

from kiridashi.core.errors import UsageError
from kiridashi.data.lines import read_jsonl
from kiridashi.poc.forgetting import Answer, Pair, row, verdict
from kiridashi.poc.proof import Lineup, Proof
from kiridashi.poc.rules import MOST_FORGOTTEN, is_forgotten, is_kept
from kiridashi.poc.site import read_site
from kiridashi.poc.trial.growing import GrowingMaker
from kiridashi.report.poc.document import CaseReport, Decision, Forgetting, Kept


def pair(before: str | None, after: str | None, iou: tuple[float, float] = (0.8, 0.8)) -> Pair:
    return Answer(before, iou[0]), Answer(after, iou[1])


def test_a_class_by_hand() -> None:
    pairs = [
        *[pair("bolt", "bolt")] * 5,
        *[pair("bolt", "nut", (0.8, 0.1))] * 2,
        pair("bolt", "pin", (0.8, 0.4)),
        # Nothing lies there any more, an earlier class does, and it never was right.
        pair("bolt", None, (0.8, 0.0)),
        pair("plate", "nut", (0.0, 0.0)),
    ]
    found = row("bolt", pairs, ["nut", "pin"])
    assert (found.pictures, found.before, found.after) == (10, 0.9, 0.5)
    assert found.taken == (("nut", 2), ("pin", 1))
    assert found.change is not None
    assert found.change.mean == pytest.approx(-0.4)
    assert found.change.low < -0.4 < found.change.high < 0
    assert found.iou_before == pytest.approx(0.72)
    assert found.iou_change is not None
    assert found.iou_change.mean == pytest.approx((-0.7 * 2 - 0.4 - 0.8) / 10)


def test_an_earlier_class_that_lies_there_took_nothing() -> None:
    assert row("nut", [pair("nut", "bolt")] * 5, ["pin"]).taken == ()


def test_the_last_class_has_no_change() -> None:
    found = row("pin", [pair("pin", "pin")] * 5, [])
    assert (found.change, found.iou_change, found.before, found.after) == (None, None, 1, 1)


NAMES = st.sampled_from(["bolt", "nut", "pin", None])


@given(st.lists(st.tuples(NAMES, st.floats(0, 1)), min_size=1, max_size=30))
def test_answers_that_stay_are_never_forgetting(answers: list[tuple[str | None, float]]) -> None:
    found = row("bolt", [pair(name, name, (iou, iou)) for name, iou in answers], ["nut", "pin"])
    assert found.before == found.after
    assert found.taken == ()
    for change in (found.change, found.iou_change):
        assert change is not None
        assert (change.mean, change.low, change.high) == (0, 0, 0)
    assert not is_forgotten(found)
    assert is_kept(found) == (len(answers) >= 5)


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=30))
def test_what_is_taken_was_right_and_is_not(answers: list[tuple[str | None, str | None]]) -> None:
    found = row("bolt", [pair(*one) for one in answers], ["nut", "pin"])
    gone = sum(before == "bolt" != after for before, after in answers)
    come = sum(before != "bolt" == after for before, after in answers)
    assert found.change is not None
    assert found.change.mean == pytest.approx((come - gone) / len(answers))
    nowhere = sum(before == "bolt" and after is None for before, after in answers)
    assert sum(count for _, count in found.taken) == gone - nowhere


@given(st.integers(5, 40))
def test_a_class_that_loses_everything_is_forgotten_for_sure(count: int) -> None:
    found = row("bolt", [pair("bolt", "nut")] * count, ["nut"])
    assert is_forgotten(found)
    assert not is_kept(found)
    assert found.taken == (("nut", count),)


def of(before: int, after: int, count: int = 20, name: str = "bolt") -> Kept:
    """A class that is right on so many pictures, and on so many of them at the end."""
    ends = [(name if place < before else None, name if place < after else "nut") for place in range(count)]
    return row(name, [pair(*one) for one in ends], ["nut"])


LAST = row("nut", [pair("nut", "nut")] * 20, [])


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ([of(20, 20), LAST], "kept"),
        ([of(20, 19), LAST], "open"),
        ([of(20, 5), LAST], "lost"),
        ([of(20, 20), of(18, 4, name="pin"), LAST], "lost"),
        # Four pictures say nothing, nor does what was hardly ever right.
        ([of(4, 0, 4), LAST], "few"),
        ([of(1, 0), LAST], "blank"),
        ([of(1, 0), of(20, 20, name="pin"), LAST], "kept"),
        ([of(4, 0, 4), of(20, 20, name="pin"), LAST], "kept"),
        ([LAST], "blank"),
    ],
)
def test_the_verdict_goes_by_the_intervals(rows: list[Kept], key: str) -> None:
    assert verdict(rows)[0] == key


def test_the_class_that_loses_most_is_named_first() -> None:
    key, values = verdict([of(20, 8), of(20, 2, name="pin"), LAST])
    assert key == "lost"
    assert values["names"] == ("bolt", "pin")
    assert values["name"] == "pin"
    assert values["gain"] == pytest.approx(-0.9)
    assert values["high"] < -MOST_FORGOTTEN


def run(site: Path, out: Path, make: GrowingMaker | None, **options: Any) -> Proof:
    lineup = Lineup({"sharp": Brightness}, facts={"model": "none"}, growing=make)
    made = Proof(read_site(site), out, lineup, debug=True, **options)
    made.open()
    return made


def told(site: Path, out: Path, make: GrowingMaker | None, **options: Any) -> CaseReport:
    made = run(site, out, make, **options)
    made.measure()
    return made.report().cases[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_colours(tmp_path_factory.mktemp("site"))


def test_a_list_that_keeps_is_seen_to_keep(site: Path, tmp_path: Path) -> None:
    case = told(site, tmp_path / "out", ColourList)
    found = case.forgetting
    assert (found.key, found.measured, found.shots) == ("kept", True, 2)
    assert [(one.name, one.pictures, one.before, one.after) for one in found.rows] == [
        ("green", 6, 1, 1),
        ("red", 6, 1, 1),
        ("blue", 6, 1, 1),
    ]
    assert all(one.taken == () for one in found.rows)
    assert "forgets" not in {reason.key for reason in case.reasons}
    assert case.missing == ()


@pytest.mark.parametrize(("grow", "weight"), [("true", Decision.HOLD), ("false", None)])
def test_a_list_that_forgets_is_seen_to_forget(tmp_path: Path, grow: str, weight: Decision | None) -> None:
    text = SITE.replace("methods: [sharp]", f"methods: [sharp]\n    classes_will_grow: {grow}")
    out = tmp_path / "out"
    case = told(make_colours(tmp_path, text), out, LastTakesAll)
    green, red, blue = case.forgetting.rows
    assert case.forgetting.key == "lost"
    assert (green.before, green.after, green.taken) == (1, 0, (("blue", 6),))
    assert (red.before, red.after, red.taken) == (1, 0, (("blue", 6),))
    assert (blue.change, blue.after) == (None, 1)
    assert green.iou_change is not None
    assert green.iou_change.high == -1
    (reason,) = (one for one in case.reasons if one.key == "forgets")
    assert reason.weight is weight
    assert reason.values["names"] == ("green", "red")
    kept = json.loads((out / "summary.json").read_text())["cases"][0]["forgetting"]
    assert kept["verdict"] == "lost"
    assert kept["classes"][0]["named_rightly"] == [1, 0]
    assert kept["classes"][0]["taken_by"] == {"blue": 6}


def test_the_same_seed_gives_the_same_digest_and_the_answers_are_in_it(site: Path, tmp_path: Path) -> None:
    first, again = (told(site, tmp_path / name, ColourList) for name in ("a", "b"))
    other = told(site, tmp_path / "c", LastTakesAll)
    digests = [one.facts["figures sha256"] for one in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]
    lines = read_jsonl(tmp_path / "a" / "colours" / "results.jsonl")
    assert first.facts["answers"] == str(len(lines))


def test_a_run_that_stopped_in_the_middle_goes_on(site: Path, tmp_path: Path) -> None:
    class Stopping(ColourList):
        def answers(self, picture: Any) -> Any:
            if len(ColourList.looked) == 5:
                raise KeyboardInterrupt
            return super().answers(picture)

    out = tmp_path / "out"
    ColourList.looked = []
    with pytest.raises(KeyboardInterrupt):
        told(site, out, Stopping)
    known = len(read_jsonl(out / "colours" / "results.jsonl"))
    made = run(site, out, ColourList, resume=True)
    half = made.report().cases[0]
    assert [one.pictures for one in half.forgetting.rows] == [2, 2, 1]
    assert half.forgetting.key == "few"
    assert [one.key for one in half.missing] == ["missing_growing"]
    assert "left_out" in {reason.key for reason in half.reasons}
    ColourList.looked, Brightness.asked = [], []
    whole = told(site, out, ColourList, resume=True)
    assert len(ColourList.looked) == 13
    assert Brightness.asked == []
    assert len(read_jsonl(out / "colours" / "results.jsonl")) > known
    assert whole.missing == ()
    plain = told(site, tmp_path / "plain", ColourList)
    assert whole.facts["figures sha256"] == plain.facts["figures sha256"]
    assert whole.forgetting == plain.forgetting


@pytest.mark.parametrize(
    ("before", "after", "make", "key"),
    [
        ("[green, red, blue]", "merged", ColourList, "one_class"),
        ("forgetting_pictures: 6", "forgetting_pictures: 0", ColourList, "not_asked"),
        ("title: Colours", "title: Colours", None, "missing"),
    ],
)
def test_why_it_was_not_measured(
    tmp_path: Path, before: str, after: str, make: GrowingMaker | None, key: str
) -> None:
    case = told(make_colours(tmp_path, SITE.replace(before, after)), tmp_path / "out", make)
    assert case.forgetting == Forgetting(key)
    assert case.missing == ()


def test_a_model_that_refuses_costs_this_section_only(site: Path, tmp_path: Path) -> None:
    def refuse() -> ColourList:
        raise UsageError("this model draws no masks")

    case = told(site, tmp_path / "out", refuse)
    assert case.forgetting.key == "failed"
    assert case.forgetting.values == {"reason": "this model draws no masks"}
    assert case.option.missed.count == 24


def test_a_class_without_an_answer_is_named(site: Path, tmp_path: Path) -> None:
    class NoRed(ColourList):
        def add(self, name: str, references: Any, negatives: Any = ()) -> None:
            if name == "red":
                raise UsageError("no red today")
            super().add(name, references)

    found = told(site, tmp_path / "out", NoRed).forgetting
    assert [one.name for one in found.rows] == ["green", "blue"]
    assert found.untold == ("red",)
