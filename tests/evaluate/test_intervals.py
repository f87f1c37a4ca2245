from typing import Any

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.intervals import (
    FEW,
    LEAST,
    Interval,
    Standing,
    bootstrap_mean,
    compare,
    grouped_mean,
    paired_difference,
)

SAMPLE = np.random.default_rng(3).normal(0.5, 0.2, 400)


def test_width_agrees_with_the_standard_error() -> None:
    interval = bootstrap_mean(SAMPLE)
    half = 1.96 * SAMPLE.std() / np.sqrt(SAMPLE.size)
    assert interval.mean == pytest.approx(SAMPLE.mean())
    assert interval.high - interval.mean == pytest.approx(half, rel=0.08)
    assert interval.mean - interval.low == pytest.approx(half, rel=0.08)
    assert interval.count == 400


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.exponential(1.0, 60), resamples=400, seed=i) for i in range(200)]
    covered = np.mean([interval.low <= 1.0 <= interval.high for interval in intervals])
    assert 0.86 <= covered <= 0.98


def test_higher_level_is_wider() -> None:
    narrow, wide = bootstrap_mean(SAMPLE, level=0.5), bootstrap_mean(SAMPLE, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_seed_decides() -> None:
    assert bootstrap_mean(SAMPLE, seed=1) == bootstrap_mean(SAMPLE, seed=1)
    assert bootstrap_mean(SAMPLE, seed=1) != bootstrap_mean(SAMPLE, seed=2)


def test_one_value_has_no_spread() -> None:
    interval = bootstrap_mean([0.25])
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


def test_number_of_resamples_needs_not_fill_the_chunks() -> None:
    assert bootstrap_mean(SAMPLE, resamples=1500).mean == pytest.approx(SAMPLE.mean())


def test_pairing_shows_a_small_steady_lead() -> None:
    difference = paired_difference(SAMPLE + 0.01, SAMPLE)
    assert difference.low == pytest.approx(0.01)
    assert difference.high == pytest.approx(0.01)
    unpaired = bootstrap_mean(SAMPLE + 0.01).low - bootstrap_mean(SAMPLE).high
    assert unpaired < 0 < difference.low


@pytest.mark.parametrize("values", [[], [0.5, float("nan")], [[0.1, 0.2]]])
def test_values_that_have_no_mean_are_refused(values: Any) -> None:
    with pytest.raises(UsageError, match="finite"):
        bootstrap_mean(values)


@pytest.mark.parametrize("options", [{"level": 0.0}, {"level": 1.0}, {"resamples": 0}])
def test_impossible_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="level"):
        bootstrap_mean(SAMPLE, **options)


def test_pairs_need_one_length() -> None:
    with pytest.raises(UsageError, match="one length"):
        paired_difference([0.1, 0.2], [0.1])


def test_text_gives_mean_and_ends() -> None:
    assert str(bootstrap_mean([0.5, 0.5])) == "0.500 [0.500, 0.500]"


def test_groups_of_one_are_the_plain_bootstrap() -> None:
    names = [str(index) for index in range(SAMPLE.size)]
    grouped, plain = grouped_mean(SAMPLE, names), bootstrap_mean(SAMPLE)
    assert grouped.mean == plain.mean
    assert (grouped.low, grouped.high) == pytest.approx((plain.low, plain.high), abs=2e-3)


def test_equal_values_in_a_group_promise_no_more_than_one() -> None:
    once = bootstrap_mean(SAMPLE[:40])
    often = grouped_mean(np.repeat(SAMPLE[:40], 10), np.repeat(np.arange(40), 10).astype(str).tolist())
    assert often.count == 400
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.05)


def test_the_mean_over_groups_weighs_every_value_alike() -> None:
    interval = grouped_mean([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"])
    assert (interval.mean, interval.low, interval.high) == (0.75, 0.0, 1.0)


def test_every_value_needs_its_group() -> None:
    with pytest.raises(UsageError, match="group"):
        grouped_mean([0.5, 0.6], ["a"])
    with pytest.raises(UsageError, match="resamples"):
        grouped_mean([0.5], ["a"], resamples=0)


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "standing"),
    [
        (0.01, 0.2, True, Standing.AHEAD),
        (-0.2, -0.01, True, Standing.BEHIND),
        (-0.1, 0.2, True, Standing.OPEN),
        (0.0, 0.2, True, Standing.OPEN),
        (0.01, 0.2, False, Standing.BEHIND),
        (-0.2, -0.01, False, Standing.AHEAD),
    ],
)
def test_one_is_ahead_only_with_the_whole_interval(
    low: float, high: float, higher_is_better: bool, standing: Standing
) -> None:
    found = compare(Interval((low + high) / 2, low, high, 50), higher_is_better=higher_is_better)
    assert found.standing is standing
    assert not found.few


def test_a_handful_of_units_is_said_to_be_few() -> None:
    assert compare(Interval(0.1, 0.05, 0.2, FEW - 1)).few
    assert not compare(Interval(0.1, 0.05, 0.2, FEW)).few


def test_of_a_few_units_nothing_is_claimed() -> None:
    assert compare(Interval(0.3, 0.2, 0.4, LEAST - 1)).standing is Standing.OPEN
    assert compare(Interval(0.3, 0.2, 0.4, LEAST)).standing is Standing.AHEAD
