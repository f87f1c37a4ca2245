from dataclasses import replace

import pytest

from kiridashi.poc.money import Measured, rate_of, worth
from kiridashi.poc.money.reckoning import bill_now, bill_then, computers, net, payback
from kiridashi.poc.site import Money
from kiridashi.report.poc.document import Rate

MONEY = Money.model_validate(
    {
        "labelling": {"minutes_per_picture": 6, "wage_per_hour": 30},
        "volume": {"pictures_per_day": 1000, "days_per_year": 200, "hours_per_day": 8, "defect_share": 0.1},
        "errors": {"false_alarm": 2, "miss": 10},
        "current": {
            "seconds_per_picture": 3.6,
            "wage_per_hour": 30,
            "cost_per_year": 500,
            "miss_rate": 0.2,
            "false_alarm_rate": 0.05,
        },
        "introduction": {
            "hardware": 1000,
            "integration": 4000,
            "upkeep_per_year": 2000,
            "labour_left": 0.5,
            "years": 2,
        },
    }
)
MEASURED = Measured("ours", Rate(0.1, 0.05, 0.2, 100), Rate(0.01, 0.0, 0.05, 60), 0.5, 20)


def test_a_year_is_added_up_by_hand() -> None:
    now = bill_now(MONEY)
    # 200,000 pictures, 3.6 s each: 200 hours of 30; 20,000 bad ones, 180,000 good ones.
    assert (now.labour, now.misses, now.false_alarms, now.running) == pytest.approx(
        (6000, 20_000 * 0.2 * 10, 180_000 * 0.05 * 2, 500)
    )
    then = bill_then(MONEY, 0.1, 0.01)
    assert (then.labour, then.misses, then.false_alarms, then.running) == pytest.approx(
        (3000, 20_000, 3600, 2250)
    )


def test_worth_adds_it_all_up() -> None:
    found = worth(MONEY, MEASURED)
    assert found.labelling == pytest.approx(20 * 6 / 60 * 30)
    assert found.once == pytest.approx(60 + 1000 + 4000)
    saving = (6000 + 40_000 + 18_000 + 500) - (3000 + 20_000 + 3600 + 2250)
    assert found.saving.value == pytest.approx(saving)
    assert found.net.value == pytest.approx(2 * saving - found.once)
    assert found.saving.low < saving < found.saving.high
    assert found.payback_months == pytest.approx(12 * found.once / saving)
    assert found.payback_worst is not None
    assert found.payback_worst > 12 * found.once / saving


def test_nothing_is_left_at_the_break_even() -> None:
    found = worth(MONEY, MEASURED)
    assert found.most_missed is not None
    assert net(MONEY, MEASURED, found.most_missed, 0.01) == pytest.approx(0, abs=1e-6)
    assert found.most_false_alarms is not None
    assert net(MONEY, MEASURED, 0.1, found.most_false_alarms) == pytest.approx(0, abs=1e-6)


def test_there_is_no_break_even_where_it_can_not_pay() -> None:
    dear = MONEY.model_copy(update={"introduction": MONEY.introduction.model_copy(update={"hardware": 1e7})})
    found = worth(dear, MEASURED)
    assert found.most_missed is None
    assert found.most_false_alarms is None
    assert found.net.high < 0


def test_computers_follow_from_the_measured_time() -> None:
    assert computers(MONEY, 0.5) == 1
    assert computers(MONEY, 30.0) == 2  # 30,000 s of work in 28,800 s
    slow = worth(MONEY, replace(MEASURED, seconds=30.0))
    assert slow.hardware == 2000


def test_savings_that_never_come_pay_nothing_back() -> None:
    assert payback(100, 0) is None
    assert payback(100, -5) is None
    assert payback(100, 50) == 24


def test_the_tornado_is_sorted_and_its_bars_hold() -> None:
    found = worth(MONEY, MEASURED)
    widths = [swing.width for swing in found.swings]
    assert widths == sorted(widths, reverse=True)
    missed = next(swing for swing in found.swings if swing.key == "missed")
    assert missed.measured
    assert missed.net_low == pytest.approx(net(MONEY, MEASURED, 0.05, 0.01))
    assert missed.net_high == pytest.approx(net(MONEY, MEASURED, 0.2, 0.01))
    cost = next(swing for swing in found.swings if swing.key == "miss_cost")
    assert (cost.low, cost.high) == pytest.approx((7, 13))
    # Misses are halved: a dearer miss makes it worth more.
    assert cost.net_high > found.net.value > cost.net_low


def test_a_share_of_bad_parts_never_exceeds_all() -> None:
    all_bad = MONEY.model_copy(update={"volume": MONEY.volume.model_copy(update={"defect_share": 1.0})})
    swing = next(one for one in worth(all_bad, MEASURED).swings if one.key == "defect_share")
    assert swing.high == 1.0


def test_rates_count_a_picture_once_and_stay_open_where_nothing_happened() -> None:
    never = rate_of([(f"p{number}", False) for number in range(12)])
    assert never.share == never.low == 0
    # Jeffreys' upper end for 0 of 12.
    assert never.high == pytest.approx(0.186, abs=0.02)
    twice = rate_of([("a", True), ("a", False), ("b", False)])
    assert (twice.share, twice.count) == (0.25, 2)
    assert 0 < twice.low < 0.25 < twice.high < 1
