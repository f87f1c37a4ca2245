"""The rules on results that nobody measured."""

from dataclasses import replace

import pytest

from kiridashi.evaluate.intervals import Interval
from kiridashi.poc.rules import Evidence, choose, decide
from kiridashi.poc.site import Needed
from kiridashi.report.poc.document import Bill, Cell, Decision, Kept, Option, Rate, Span, Worth


def interval(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half, 60)


def option(method: str = "ours", iou: float = 0.7, gain: float | None = 0.2, count: int = 60) -> Option:
    lead = None if gain is None else interval(gain, 0.05)
    return Option(method, 10, interval(iou, 0.05), lead, Rate(0.05, 0.02, 0.1, count), None, 10.0, 1.0, None)


def worth(net: float, half: float, method: str = "ours", months: float | None = 6.0) -> Worth:
    bill = Bill(1, 1, 1, 1)
    span = Span(net, net - half, net + half)
    return Worth(method, bill, bill, 1, 1, 1, 1, span, span, 3.0, months, months, None, None)


def cell(drop: float, plain: float = 0.7, severity: int = 3) -> Cell:
    change = interval(-drop, 0.01)
    return Cell("ours", "sensor-blur", severity, interval(plain - drop, 0.05), change, expected=True)


CLEAR = Evidence(
    option(), "forest", Needed(iou=0.5, found=0.8, seconds=2, payback_months=12), worth(50_000, 10_000)
)


def keys(evidence: Evidence) -> dict[str, Decision | None]:
    return {reason.key: reason.weight for reason in decide(evidence)[1]}


def test_a_clear_winner_goes() -> None:
    decision, reasons = decide(CLEAR)
    assert decision is Decision.GO
    assert {reason.weight for reason in reasons} == {Decision.GO}
    assert {"pays", "payback_soon", "iou_reached", "found_reached", "gain_sure", "quick_enough"} <= set(
        keys(CLEAR)
    )


def test_no_gain_stops() -> None:
    evidence = replace(CLEAR, option=option(gain=-0.2), worth=None)
    assert decide(evidence)[0] is Decision.STOP
    assert keys(evidence)["gain_none"] is Decision.STOP


def test_a_gain_that_is_not_sure_holds() -> None:
    evidence = replace(CLEAR, option=option(gain=0.01), worth=None)
    assert decide(evidence)[0] is Decision.HOLD
    assert keys(evidence)["gain_unsure"] is Decision.HOLD


def test_too_few_pictures_hold_whatever_else_is_said() -> None:
    few = option(count=6)
    assert decide(replace(CLEAR, option=few))[0] is Decision.HOLD
    hopeless = replace(CLEAR, option=few, worth=worth(-50_000, 10_000))
    assert decide(hopeless)[0] is Decision.HOLD
    assert keys(hopeless)["pays_not"] is Decision.STOP


def test_costs_that_are_not_covered_stop() -> None:
    evidence = replace(CLEAR, worth=worth(-50_000, 10_000, months=None))
    decision, reasons = decide(evidence)
    assert decision is Decision.STOP
    assert reasons[0].key == "pays_not"


def test_costs_that_may_be_covered_hold() -> None:
    assert decide(replace(CLEAR, worth=worth(5_000, 10_000)))[0] is Decision.HOLD


def test_needs_are_met_missed_or_open_by_the_interval() -> None:
    for needed, expected in ((0.6, "iou_reached"), (0.7, "iou_open"), (0.8, "iou_missed")):
        assert expected in keys(replace(CLEAR, needed=Needed(iou=needed)))
    assert decide(replace(CLEAR, needed=Needed(iou=0.8)))[0] is Decision.STOP


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"needed": Needed(payback_months=3)}, "payback_late"),
        ({"needed": Needed(seconds=0.5)}, "too_slow"),
        ({"unseen": ("light: night",)}, "unseen"),
        ({"expected": ("sensor-blur",)}, "robustness_missing"),
        ({"expected": ("sensor-blur",), "cells": (cell(0.4),)}, "not_robust"),
        ({"expected": ("sensor-blur",), "cells": (cell(0.01, plain=0.05),)}, "robustness_blank"),
        ({"empty": 4}, "too_few_without"),
        ({"empty": 0}, "none_without"),
        ({"needed": Needed(), "worth": None}, "no_goal"),
    ],
)
def test_each_open_point_holds_a_clear_winner(changes: dict[str, object], key: str) -> None:
    evidence = replace(CLEAR, **changes)  # type: ignore[arg-type]
    assert decide(evidence)[0] is Decision.HOLD
    assert keys(evidence)[key] is Decision.HOLD


def test_what_is_stood_or_not_expected_does_not_hold() -> None:
    stood = replace(CLEAR, expected=("sensor-blur",), cells=(cell(0.05), cell(0.6, severity=5)))
    assert decide(stood)[0] is Decision.GO
    assert keys(stood)["robust"] is Decision.GO
    unexpected = replace(CLEAR, cells=(cell(0.6),))
    assert decide(unexpected)[0] is Decision.GO


def test_what_time_left_out_is_only_remarked() -> None:
    evidence = replace(CLEAR, left_out=True)
    assert decide(evidence)[0] is Decision.GO
    assert keys(evidence)["left_out"] is None


def kept(high: float, before: float = 0.9, count: int = 20, name: str = "bolt") -> Kept:
    change = Interval(high - 0.2, high - 0.4, high, count)
    return Kept(name, count, before, before + change.mean, change, 0.5, 0.5, change)


@pytest.mark.parametrize(("grow", "weight"), [(True, Decision.HOLD), (None, Decision.HOLD), (False, None)])
def test_a_class_that_is_surely_lost_warns_of_further_classes(
    grow: bool | None, weight: Decision | None
) -> None:
    evidence = replace(CLEAR, taught=(kept(-0.06), kept(-0.3, name="nut")), will_grow=grow)
    assert keys(evidence)["forgets"] is weight
    assert decide(evidence)[0] is (Decision.GO if weight is None else Decision.HOLD)
    (reason,) = (one for one in decide(evidence)[1] if one.key == "forgets")
    assert reason.values["names"] == ("bolt", "nut")
    assert reason.values["name"] == "nut"
    assert reason.values["gain"] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "row",
    [
        kept(-0.04),
        # Hardly ever right before, and too few pictures.
        kept(-0.06, before=0.05),
        kept(-0.3, count=4),
        Kept("last", 20, 0.9, 0.9, None, 0.5, 0.5, None),
    ],
)
def test_what_is_not_surely_lost_does_not(row: Kept) -> None:
    assert "forgets" not in keys(replace(CLEAR, taught=(row,)))


def test_the_simple_tool_is_recommended_where_it_does() -> None:
    simple = replace(CLEAR, option=option("forest", gain=None), worth=worth(50_000, 1, "forest"))
    assert decide(simple)[0] is Decision.GO
    assert keys(simple)["baseline_best"] is None
    assert decide(replace(simple, needed=Needed(), worth=None))[0] is Decision.STOP


def test_money_chooses_the_option_and_else_the_overlap() -> None:
    sharp, cheap = option("sharp", 0.8), option("cheap", 0.6)
    assert choose([sharp, cheap], []).method == "sharp"
    assert choose([sharp, cheap], [worth(1, 0, "sharp"), worth(2, 0, "cheap")]).method == "cheap"
    assert choose([sharp, cheap], [worth(-2, 0, "sharp"), worth(3, 0, "cheap")]).method == "cheap"
    # What finds nothing loses least.
    assert choose([sharp, cheap], [worth(-9, 0, "sharp"), worth(-1, 0, "cheap")]).method == "sharp"
