from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.localize.test_localizer import seer, spot

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.wsol.items import Truth
from kiridashi.localize.settings import LocaliseSettings
from kiridashi.localize.sweeping import Axes, Measured, Sweep, summarise
from kiridashi.models.promptable import PromptableModel

Rows = list[list[Measured]]


def line(*points: tuple[float, float], mask: bool = True) -> list[Measured]:
    """A picture at settings of (seconds, IoU); their grids number them."""
    return [
        Measured(side, None, "iou", seconds, iou, iou if mask else None, False)
        for side, (seconds, iou) in enumerate(points, start=1)
    ]


def recommended(lines: Rows) -> int:
    (row,) = [row for row in summarise(lines) if row.recommended]
    return row.points_per_side


def front(lines: Rows) -> list[int]:
    return [row.points_per_side for row in summarise(lines) if row.on_front]


def test_the_fastest_of_the_equally_good_is_recommended() -> None:
    lines = [line((1, 0.3), (2, 0.595), (3, 0.595), (4, 0.6))] * 20
    assert recommended(lines) == 2
    assert front(lines) == [1, 2, 4]


def test_more_than_the_tolerance_behind_is_too_much() -> None:
    lines = [line((1, base - 0.011), (2, base)) for base in np.linspace(0.3, 0.9, 40)]
    assert recommended(lines) == 2
    assert front(lines) == [1, 2]


def test_chance_in_the_clock_decides_nothing() -> None:
    lines = [line((1.001, 0.5), (1.002, 0.505), (1.6, 0.5))] * 9
    assert front(lines) == [2]
    assert recommended(lines) == 2


def test_masks_count_where_all_are_known_else_boxes() -> None:
    with_masks = line((1, 0.5))
    changed = [Measured(1, None, "iou", 1.0, 0.9, 0.2, True)]
    assert summarise([with_masks, changed])[0].iou.mean == pytest.approx(0.35)
    (row,) = summarise([line((1, 0.5), mask=False), changed])
    assert row.iou.mean == pytest.approx(0.7)
    assert (row.gt_known, row.kept_coarse) == (1.0, 0.5)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 1.0]), st.floats(0, 1)), min_size=1, max_size=12))
def test_nothing_beats_the_front(points: list[tuple[float, float]]) -> None:
    rows = summarise([line(*points)])
    on_front = [row for row in rows if row.on_front]
    assert on_front
    assert sum(row.recommended for row in rows) == 1
    assert all(row.on_front for row in rows if row.recommended)
    for one in on_front:
        assert not any(
            other.seconds <= one.seconds
            and other.iou.mean >= one.iou.mean
            and (other.seconds, other.iou.mean) != (one.seconds, one.iou.mean)
            for other in rows
        )


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="no picture"):
        summarise([])
    with pytest.raises(UsageError, match="same settings"):
        summarise([line((1, 0.5)), line((1, 0.5), (2, 0.5))])
    with pytest.raises(UsageError, match="each once"):
        Axes(points_per_side=(8, 8))
    with pytest.raises(UsageError, match="each once"):
        Axes(measures=())


def test_lines_come_back() -> None:
    one = Measured(16, 4, "cosine", 0.25, 0.5, None, True)
    assert Measured.from_json(one.to_json()) == one
    with pytest.raises(InputError, match="not one of ours"):
        Measured.from_json({"points_per_side": 16})


def test_every_combination_is_measured(tiny_compact: PromptableModel) -> None:
    rows, columns = np.mgrid[:64, :96]
    disc = (rows - 32) ** 2 + (columns - 48) ** 2 < 200
    pixels = np.where(disc[..., None], 220, 40).astype(np.uint8).repeat(3, axis=2)
    picture = Picture(pixels)
    mask = Mask.from_array(disc)
    network = seer({"disc": 0.9, "other": 0.1}, disc=spot(7, 7))
    axes = Axes((2, 3), (None, 1), ("iou", "cosine"))
    sweep = Sweep(tiny_compact, network, axes, LocaliseSettings(side=14))
    assert sweep.classes == ("disc", "other")
    found = sweep.measure(picture, "disc", Truth.of_mask(mask, Mask.empty(mask.size)))
    settings: list[Any] = [
        (side, most, way) for side in (2, 3) for most in (None, 1) for way in axes.measures
    ]
    assert [one.setting for one in found] == settings
    assert all(0 <= one.box_iou <= 1 and one.mask_iou is not None and one.seconds > 0 for one in found)
    boxes = sweep.measure(picture, "disc", Truth(np.array([[30.0, 10, 60, 50]])))
    assert {one.mask_iou for one in boxes} == {None}
