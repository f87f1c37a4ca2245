import csv
import io
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from kiridashi.evaluate.intervals import Interval
from kiridashi.report.localisation.sweep import COLUMNS, SweepRow, draw, table


def row(side: int = 16, most: int | None = None, **more: object) -> SweepRow:
    plain = SweepRow(side, most, "iou", 0.01 * side, Interval(0.5, 0.4, 0.6, 30), 0.7, 0.1)
    return replace(plain, **more)  # type: ignore[arg-type]


def test_the_table_has_every_row() -> None:
    rows = [row(8), row(16, 12, on_front=True, recommended=True)]
    read = list(csv.DictReader(io.StringIO(table(rows))))
    assert tuple(read[0]) == COLUMNS
    assert [one["candidates"] for one in read] == ["all", "12"]
    assert [one["recommended"] for one in read] == ["", "yes"]
    assert read[0]["iou"] == "0.5000"


def test_the_plot_shows_every_setting() -> None:
    rows = [
        row(8, on_front=True),
        row(16, matching="<soft>", iou=Interval(0.6, 0.5, 0.7, 30), on_front=True, recommended=True),
        row(16, 12),
    ]
    svg = draw(rows, "site & more")
    root = ElementTree.fromstring(svg)
    tips = [path[0].text or "" for path in root if path.tag.endswith("path") and len(path)]
    assert len(tips) == 3
    assert any("<soft>: 0.600" in tip for tip in tips)
    assert svg.count('r="13"') == 1
    assert "hollow" in svg
    assert "hollow" not in draw(rows[:2], "site")


@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0])
def test_one_setting_makes_a_plot(mean: float) -> None:
    one = row(iou=Interval(mean, mean, mean, 1), on_front=True, recommended=True, seconds=0.0)
    root = ElementTree.fromstring(draw([one], "site"))
    (shape,) = [path for path in root if path.tag.endswith("path") and len(path)]
    x, y = (float(value) for value in shape.attrib["transform"][10:-1].split())
    assert 70 <= x <= 680
    assert 56 <= y <= 450
