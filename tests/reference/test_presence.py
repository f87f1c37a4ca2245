import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.reference.presence import SHARE, calibrate, judge

scores = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def test_without_examples_the_default_stands() -> None:
    assert calibrate(0.5, [], []) == 0.5


@given(present=scores, absent=scores)
def test_the_threshold_parts_what_can_be_parted(present: list[float], absent: list[float]) -> None:
    threshold = calibrate(0.5, present, absent)
    assert 0 <= threshold <= 1
    if max(absent) < min(present):
        assert max(absent) < threshold <= min(present) or max(absent) <= threshold < min(present)


@given(present=scores)
def test_references_alone_set_it_by_their_mean(present: list[float]) -> None:
    threshold = calibrate(0.25, present, [])
    assert 0 <= threshold <= max(present)
    assert threshold == pytest.approx(SHARE * sum(present) / len(present))


@given(absent=scores)
def test_strong_negatives_raise_the_threshold(absent: list[float]) -> None:
    threshold = calibrate(0.5, [], absent)
    assert threshold >= max(absent)
    assert threshold >= 0.5


def test_a_verdict_counts_the_threshold_itself_as_present() -> None:
    assert judge(0.5, 0.5).present
    assert not judge(0.49, 0.5).present
