import pytest

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.run import Outcome
from kiridashi.evaluate.ifsis.splits import Split
from kiridashi.evaluate.ifsis.summary import as_markdown, summarise
from kiridashi.evaluate.metrics.average_precision import Precision

SPLIT = Split(("cat", "dog"), ("cow",))


def outcome(method: str, seed: int, shots: int, *aps: float, setting: str = "all") -> Outcome:
    labels = SPLIT.labels if len(aps) == 3 else SPLIT.base
    precision = {label: Precision(ap, 2 * ap) for label, ap in zip(labels, aps, strict=True)}
    return Outcome(method, seed, shots, setting, precision, 0.25, 9)


def test_figures_are_means_over_classes_and_seeds() -> None:
    outcomes = [
        outcome("ours", 1, 0, 0.4, 0.4),
        outcome("ours", 0, 0, 0.2, 0.4),
        outcome("ours", 0, 5, 0.1, 0.3, 0.5),
        outcome("ours", 1, 5, 0.3, 0.5, 0.1),
        outcome("theirs", 1, 0, 0.1, 0.1),
        outcome("theirs", 0, 0, 0.1, 0.1),
        outcome("theirs", 0, 5, 0.1, 0.1, 0.2),
        outcome("theirs", 1, 5, 0.1, 0.1, 0.0),
    ]
    before, _, after, theirs = summarise(outcomes, SPLIT)
    assert before.ap.mean == pytest.approx(0.35)
    assert after.ap.mean == pytest.approx(0.3)
    assert after.bap is not None
    assert after.bap.mean == pytest.approx(0.3)
    assert after.bap50 is not None
    assert after.bap50.mean == pytest.approx(0.6)
    assert after.nap is not None
    assert (after.nap.mean, after.nap.low, after.nap.high) == pytest.approx((0.3, 0.1, 0.5))
    assert after.forgetting is not None
    assert after.forgetting.mean == pytest.approx(0.05)
    assert theirs.lead is not None
    assert (theirs.lead.mean, theirs.lead.low, theirs.lead.high) == pytest.approx((0.2, 0.1, 0.3))
    assert after.to_json()["nap"]["count"] == 2
    table = as_markdown([before, after, theirs])
    assert "+20.0 [+10.0, +30.0]" in table
    assert "250.00" in table.splitlines()[3]
    assert "250.00" not in table.splitlines()[2]


def test_a_class_without_truth_does_not_count() -> None:
    lacking = Outcome("ours", 0, 1, "all", {"cat": Precision(0.5, 1.0), "cow": Precision(0.1, 0.2)}, 0.0, 3)
    (row,) = summarise([lacking], SPLIT)
    assert row.bap is not None
    assert row.bap.mean == 0.5
    assert row.forgetting is None


def test_only_equal_seeds_can_be_compared() -> None:
    with pytest.raises(UsageError, match="same seeds"):
        summarise([outcome("a", 0, 1, 1, 1, 1), outcome("b", 1, 1, 1, 1, 1)], SPLIT)
