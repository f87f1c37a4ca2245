from datetime import UTC, datetime, timedelta, timezone

import pytest

from kiridashi.classes.registry import Registry, Statistic
from kiridashi.core.errors import UsageError

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_rows_are_read_back_in_order_of_time(registry: Registry) -> None:
    rows = [
        Statistic(START + timedelta(hours=2), "b.png", "d2", None, None, 3),
        Statistic(START, "a.png", "d1", "bolt", 0.5, 1, 0.25, 2),
        Statistic(START + timedelta(hours=1), "a.png", "d1", "nut", 0.75, 1, 0.5, 3),
    ]
    registry.record_statistics(rows)
    registry.record_statistics([])
    in_order = [rows[1], rows[2], rows[0]]
    assert registry.statistics() == in_order
    assert registry.statistics(since=START + timedelta(hours=1)) == in_order[1:]
    # Thirteen o'clock in London is twenty-two in Tokyo.
    tokyo = datetime(2026, 1, 1, 22, tzinfo=timezone(timedelta(hours=9)))
    assert registry.statistics(since=tokyo) == in_order[1:]
    assert registry.state().event == 1


def test_times_have_a_zone(registry: Registry) -> None:
    naive = START.replace(tzinfo=None)
    with pytest.raises(UsageError, match="time zone"):
        Statistic(naive, "a.png", "d1", None, None)
    with pytest.raises(UsageError, match="time zone"):
        registry.statistics(since=naive)
