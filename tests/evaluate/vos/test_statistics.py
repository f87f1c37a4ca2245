import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.vos.statistics import Return, returns, statistics


def test_by_hand() -> None:
    found = statistics([1.0, 0.8, 0.6, 0.5, 0.3])
    assert found.mean == pytest.approx(0.64)
    # Exactly 0.5 is not recalled.
    assert found.recall == pytest.approx(3 / 5)
    # Quarters of five frames are two frames each: (1, 0.8) and (0.5, 0.3).
    assert found.decay == pytest.approx(0.9 - 0.4)


def test_quarters_share_their_ends_and_halves_round_up() -> None:
    values = np.arange(10.0)
    # linspace(1, 10, 5) = 1, 3.25, 5.5, 7.75, 10: frames 1..3 and 8..10 (from 1).
    assert statistics(values).decay == pytest.approx(np.mean([0, 1, 2]) - np.mean([7, 8, 9]))
    # linspace(1, 11, 5) = 1, 3.5, 6, 8.5, 11: 3.5 becomes 4 and 8.5 becomes 9.
    values = np.arange(11.0)
    assert statistics(values).decay == pytest.approx(np.mean([0, 1, 2, 3]) - np.mean([8, 9, 10]))


def test_one_frame_does_not_decay() -> None:
    assert statistics([0.7]).decay == 0


def test_beyond_256_frames_the_quarters_go_on() -> None:
    values = np.repeat([1.0, 0.0], 200)
    assert statistics(values).decay == pytest.approx(1.0)


def test_no_frames_are_refused() -> None:
    with pytest.raises(UsageError, match="one or more"):
        statistics([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_bounds_and_reversal(values: list[float]) -> None:
    found, back = statistics(values), statistics(values[::-1])
    assert found.mean == pytest.approx(back.mean)
    assert found.recall == back.recall
    assert -1 <= found.decay <= 1
    # Only where both halves round alike is the last quarter the mirror of the first.
    if len(values) % 4 == 1:
        assert found.decay == pytest.approx(-back.decay)


def test_returns_by_hand() -> None:
    there = [True, False, False, True, True, True, False, True, False, True]
    j = [0.9, 0.0, 0.0, 0.2, 0.5, 0.9, 1.0, 0.4, 1.0, 0.6]
    assert returns(j, there) == [Return(3, 2, 1), Return(7, 1, None), Return(9, 1, 0)]


def test_an_object_always_in_sight_never_returns() -> None:
    assert returns([0.1, 0.9], [True, True]) == []


def test_an_object_hidden_right_after_the_first_frame_returns() -> None:
    assert returns([1.0, 0.7], [False, True]) == [Return(1, 1, 0)]


def test_an_object_that_stays_away_does_not_return() -> None:
    assert returns([0.7, 1.0], [True, False]) == []


def test_values_for_all_frames_are_needed() -> None:
    with pytest.raises(UsageError, match="2 frames and 1"):
        returns([1.0], [True, False])
