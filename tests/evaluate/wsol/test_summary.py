import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kiridashi.evaluate.metrics.levels import THRESHOLDS
from kiridashi.evaluate.metrics.localisation import localised
from kiridashi.evaluate.wsol.agreement import agreement
from kiridashi.evaluate.wsol.agreement import as_csv as pairs_csv
from kiridashi.evaluate.wsol.baselines import BASELINES
from kiridashi.evaluate.wsol.lines import Key, Line
from kiridashi.evaluate.wsol.run import Plan, run
from kiridashi.evaluate.wsol.sample import draws, interval
from kiridashi.evaluate.wsol.scoring import Curves, Score
from kiridashi.evaluate.wsol.sources import open_set
from kiridashi.evaluate.wsol.splits import Splitting
from kiridashi.evaluate.wsol.summary import Row, summarise
from kiridashi.evaluate.wsol.tables import as_csv, as_markdown
from kiridashi.evaluate.wsol.thresholds import FIXED, best_for_boxes, choose, decide

T = len(THRESHOLDS)
Rows = Callable[..., dict[str, Row]]


@pytest.fixture
def rows(tmp_path: Path, store: Any, lessons: Any) -> Rows:
    """rows(folder, splitting, names=None, **methods): the rows of a run by method."""

    def make(
        data: Path, splitting: Splitting | None = None, names: tuple[str, ...] = (), **methods: Any
    ) -> Any:
        source = open_set(data)
        plan = Plan(
            [source],
            names or tuple(methods),
            lessons(methods),
            BASELINES,
            tmp_path,
            splitting or Splitting(folds=2),
            side=None,
        )
        run(plan, store)
        keys = plan.keys()
        lines = [store.lines[key] for key in keys]
        found = summarise(lines, [source.name], plan.methods, {source.name: len(source.classes)})
        return {row.method: row for row in found}

    return make


def curve(**ious: float) -> np.ndarray:
    """(T,) zeros but for t30=0.6 and the like."""
    values = np.zeros(T)
    for name, iou in ious.items():
        values[int(name[1:])] = iou
    return values


def line(part: str, picture: str, box: np.ndarray, method: str = "m", **more: Any) -> Line:
    key = Key("set", 0, 0, part, picture, "cat", method)
    return Line(key, "data", Score(more.pop("rank", 0), Curves(box, box, box), **more))


def test_the_threshold_is_chosen_on_the_tuning_pictures() -> None:
    lines = [
        line("tune", "a", curve(t30=0.6, t70=0.9)),
        line("tune", "b", curve(t30=0.5, t70=0.4)),
        line("test", "c", curve(t30=0.2, t70=0.8)),
    ]
    answers, choices = decide(lines)
    assert [(one.box, one.chosen) for one in choices] == [(30, True)]
    assert [one.box_iou for one in answers] == [0.2]
    (row,) = summarise(lines, ["set"], ["m"], {"set": 2})
    assert (row.gt_known.mean, row.thresholds, row.tuned) == (0, (0.3,), True)
    # The oracle looks at the test picture.
    assert row.oracle is not None
    assert (row.oracle.gt_known.mean, row.oracle.threshold) == (1, 0.7)


def test_of_equally_many_right_boxes_the_better_ones_count() -> None:
    curves = np.stack([curve(t10=0.5, t20=0.9), curve(t10=0.5, t20=0.6)])
    assert best_for_boxes(curves) == 20
    # One more right box weighs more than any mean.
    assert best_for_boxes(np.stack([curve(t10=0.5, t20=1), curve(t10=0.5, t20=0.49)])) == 10


def test_without_tuning_the_threshold_is_the_fixed_one() -> None:
    assert (choose([]).box, choose([]).chosen) == (FIXED, False)
    (row,) = summarise([line("test", "c", curve(t50=0.8))], ["set"], ["m"], {"set": 2})
    assert (row.gt_known.mean, row.thresholds, row.tuned) == (1, (0.5,), False)
    assert "0.50 (fixed)" in as_markdown([row], "m")


def test_a_perfect_map(animals: Path, rows: Rows, bright: Any) -> None:
    row = rows(animals, bright=bright(0.3))["bright"]
    assert (row.answers, row.pictures, row.failed) == (4, 4, 0)
    # Low thresholds take in what is around; the tuning pictures say so.
    assert row.thresholds[0] > 0.3
    for figure in (row.gt_known, row.top1, row.mean_iou, row.pxap):
        assert figure is not None
        assert (figure.mean, figure.low, figure.high) == (1, 1, 1)
    # The contour's rectangle is a pixel wider: 64 of 81, right at 0.3, 0.5 and 0.7.
    assert row.max_box_acc is not None
    assert row.max_box_acc_v2 is not None
    assert (row.max_box_acc.mean, row.max_box_acc_v2.mean) == (1, 1)
    # Of two classes the true one is always among the best five; every picture has an object.
    assert (row.top5, row.presence, row.fallback) == (None, None, None)


def test_the_class_counts_for_top_1(animals: Path, rows: Rows, bright: Any) -> None:
    row = rows(animals, bright=bright(wrong=True))["bright"]
    assert row.top1 is not None
    assert (row.gt_known.mean, row.top1.mean) == (1, 0)


def test_top_5_is_for_more_than_five_classes() -> None:
    lines = [line("test", str(n), curve(t50=0.8), rank=n) for n in range(6)]
    (row,) = summarise(lines, ["set"], ["m"], {"set": 6})
    assert row.top1 is not None
    assert row.top5 is not None
    assert row.top1.mean == pytest.approx(1 / 6)
    assert row.top5.mean == pytest.approx(5 / 6)


def test_methods_are_compared_on_the_same_questions(animals: Path, rows: Rows, bright: Any) -> None:
    found = rows(animals, names=("centre", "good", "whole"), good=bright(refuses="test0"))
    assert found["centre"].lead_gt_known is None
    good, whole = found["good"], found["whole"]
    assert (good.answers, good.failed) == (3, 1)
    assert good.lead_gt_known is not None
    assert (good.lead_gt_known.mean, good.lead_gt_known.count) == (1 - found["centre"].gt_known.mean, 3)
    assert good.lead_pxap is not None
    assert good.lead_pxap.mean > 0.5
    # The whole picture has no map.
    assert (whole.pxap, whole.lead_pxap, whole.max_box_acc, whole.oracle, whole.thresholds) == (
        *(None, None, None, None),
        (),
    )


def test_the_fallback_is_judged(animals: Path, rows: Rows, decides: Any) -> None:
    row = rows(animals, Splitting(("val", "test"), "train"), decides=decides)["decides"]
    kept = row.fallback
    assert kept is not None
    # Of places 0 to 3 in val and in test, column 4 is bright in 0, 1 and 2.
    assert (kept.share, kept.turned_down) == (0.75, 6)
    # The mask that was turned down was perfect, and so was the one that was taken.
    assert (kept.right, kept.taken_right) == (0, 1)
    assert row.gt_known.mean == 0.25
    told = as_markdown([row], "decides")
    assert "right when kept" in told
    assert " own | " in told


def test_nothing_there_is_told_by_the_scores(tiles: Path, rows: Rows, bright: Any) -> None:
    row = rows(tiles, bright=bright())["bright"]
    assert row.presence is not None
    assert (row.presence.mean, row.answers, row.pictures) == (1, 10, 10)
    # Two folds with a threshold each.
    assert len(row.thresholds) == 2
    assert "presence" in as_markdown([row], "bright")


def test_pictures_are_drawn_with_all_that_was_asked_of_them() -> None:
    weights = draws(("a", "b", "a", "c"), 50)
    assert weights.shape == (50, 4)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert np.array_equal(weights, draws(("a", "b", "a", "c"), 50))


def test_intervals_are_those_of_the_bootstrap() -> None:
    ious = np.array([0.9] * 30 + [0.1] * 20)
    found = interval(lambda rows: localised(ious, rows), draws([str(n) for n in range(50)]))
    # A binomial share of 50: its deviation is 0.0693.
    assert found.mean == 0.6
    assert found.low == pytest.approx(0.6 - 1.96 * 0.0693, abs=0.021)
    assert found.high == pytest.approx(0.6 + 1.96 * 0.0693, abs=0.021)


def test_tables_say_what_is_an_oracle(animals: Path, rows: Rows, bright: Any) -> None:
    found = list(rows(animals, names=("bright", "centre"), bright=bright()).values())
    told = as_markdown(found, "bright")
    results, oracle = told.split("Oracle:")
    assert "MaxBoxAcc" not in results
    assert "oracle GT-known" in oracle
    assert "GT-known minus bright" in results
    table = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["method"] for row in table] == ["bright", "centre"]
    assert float(table[0]["gt_known"]) == 100
    assert table[0]["lead_gt_known"] == ""
    assert set(found[0].to_json()) >= {"gt_known", "oracle", "fallback", "by_seed"}


def test_a_method_without_answers_has_no_row(animals: Path, rows: Rows, bright: Any) -> None:
    found = rows(animals, names=("bad", "good"), bad=bright(refuses="test"), good=bright())
    assert set(found) == {"good"}
    # There is nothing to compare it with.
    assert found["good"].lead_gt_known is None
    assert as_markdown([], "bad") != ""


def test_coarse_and_final_quality_are_paired() -> None:
    lines = []
    for number, (coarse, final) in enumerate([(0.1, 0.3), (0.4, 0.3), (0.5, 0.8), (0.9, 0.95)]):
        lines.append(line("test", str(number), curve(t50=coarse), "coarse"))
        lines.append(line("test", str(number), curve(), "final", own_iou=final, fallback=number == 1))
    found = agreement(lines, "coarse", "final")
    assert found is not None
    assert [(pair.coarse, pair.final, pair.fallback) for pair in found.pairs] == [
        (0.1, 0.3, False),
        (0.4, 0.3, True),
        (0.5, 0.8, False),
        (0.9, 0.95, False),
    ]
    # Ranks 1 2 3 4 and 1.5 1.5 3 4.
    assert found.correlation == pytest.approx(0.9486833)
    assert found.better == 0.75
    assert pairs_csv([found]).splitlines()[1] == "set,0,cat,0.1000,0.3000,0"
    assert agreement(lines, "coarse", "ghost") is None
    few = agreement(lines[:4], "coarse", "final")
    assert few is not None
    assert few.correlation is None
