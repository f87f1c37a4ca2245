import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluate.pictures.discs import ByColour, Discs, Everything

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.pictures import ALL, Line, Plan, measure
from kiridashi.evaluate.pictures.costs import Prices, best_threshold, expected_costs
from kiridashi.evaluate.pictures.tables import costs_markdown

PLAN = Plan(Discs(), {"colour": ByColour, "everything": Everything}, shots=(1,), seeds=(0, 1))


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return list(measure(PLAN))


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans(), st.sampled_from([1.0, 5.0])),
        min_size=1,
    )
)
def test_no_threshold_costs_less(items: list[tuple[float, bool, float]]) -> None:
    scores, there, weights = (np.array(part) for part in zip(*items, strict=True))

    def cost(cut: float) -> float:
        stopped = scores >= cut
        return float(weights[stopped != there].sum())

    best = best_threshold(scores, there, weights)
    assert cost(best) == pytest.approx(min(cost(cut) for cut in (-math.inf, 0.15, 0.3, 0.7, math.inf)))


def test_a_perfect_method_costs_nothing_and_a_useless_one_as_if_there_were_none(lines: list[Line]) -> None:
    rows = {
        (row.label, row.method): row
        for row in expected_costs(lines, list(PLAN.methods), Prices(2, 50, rate=0.1))
    }
    assert {label for label, _ in rows} == {ALL, "red", "blue"}
    perfect, useless = rows[ALL, "colour"], rows[ALL, "everything"]
    assert (perfect.own.mean, perfect.chosen.mean, perfect.oracle) == (0, 0, 0)
    assert (perfect.stop_all, perfect.pass_all) == pytest.approx((0.9 * 2, 0.1 * 50))
    # It stops everything.
    assert useless.own.mean == pytest.approx(0.9 * 2)
    assert useless.oracle == pytest.approx(min(0.9 * 2, 0.1 * 50))
    # To pass everything is no threshold on a score.
    assert rows["red", "everything"].threshold is None
    assert "pass all" in costs_markdown(list(rows.values()))


def test_the_threshold_follows_the_prices(lines: list[Line]) -> None:
    """A method whose scores overlap: dear misses lower the threshold, dear alarms raise it."""
    rng = np.random.default_rng(0)
    noisy = [
        replace(line, score=replace(line.score, score=float(rng.normal(0.6 if line.there else 0.4, 0.15))))
        for line in lines
        if line.score is not None
    ]
    dear_miss, dear_alarm = (
        next(row for row in expected_costs(noisy, ["colour"], prices) if row.label == "red")
        for prices in (Prices(1, 100, 0.5), Prices(100, 1, 0.5))
    )
    assert dear_miss.threshold is not None
    assert dear_alarm.threshold is not None
    assert dear_miss.threshold < dear_alarm.threshold
    for row in (dear_miss, dear_alarm):
        assert row.oracle <= row.chosen.mean + 1e-12


def test_without_pictures_of_a_kind_the_costs_are_not_known(lines: list[Line]) -> None:
    assert expected_costs([line for line in lines if line.there], ["colour"], Prices(1, 1)) == []


@pytest.mark.parametrize(
    ("alarm", "miss", "rate"), [(-1, 1, None), (0, 0, None), (math.nan, 1, None), (1, 1, 0.0), (1, 1, 1.5)]
)
def test_prices_that_cannot_be(alarm: float, miss: float, rate: float | None) -> None:
    with pytest.raises(UsageError):
        Prices(alarm, miss, rate)
