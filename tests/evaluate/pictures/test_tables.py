import csv
import io

from tests.evaluate.pictures.discs import ByColour, Discs, Everything

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.pictures import Plan, measure, summarise
from kiridashi.evaluate.pictures.measures import MEASURES
from kiridashi.evaluate.pictures.tables import amount, as_csv, as_markdown, cell, money


def test_tables_hold_every_row() -> None:
    plan = Plan(Discs(), {"colour": ByColour, "everything": Everything}, most=2)
    rows = summarise(list(measure(plan)), list(plan.methods), resamples=20)
    told = as_markdown(rows, "colour").splitlines()
    assert len(told) == 2 + len(rows)
    assert "IoU minus colour" in told[0]
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [(line["class"], line["method"]) for line in table] == [(row.label, row.method) for row in rows]
    assert set(MEASURES) < set(table[0])
    assert float(table[0]["iou"]) == 100
    assert table[0]["lead_iou"] == ""
    assert float(table[1]["lead_iou"]) < 0


def test_cells() -> None:
    assert cell("iou", None) == ""
    assert cell("iou", Interval(0.5, 0.25, 0.75, 5), whole=True) == "50.0 [25.0, 75.0]"
    assert cell("hd95", Interval(5, 2.5, 7.5, 9), whole=True, signed=True) == "+5.0 [+2.5, +7.5]"
    # Of four pictures nobody knows how sure that is.
    assert cell("iou", Interval(0.5, 0.25, 0.75, 4), whole=True) == "50.0"
    assert [money(value) for value in (0.5, 99.999, 12345.6)] == ["0.50", "100.00", "12,346"]


def test_an_amount_of_few_has_no_interval() -> None:
    assert amount(Interval(1.234, 0.5, 2.0, 5)) == "1.23 [0.50, 2.00]"
    assert amount(Interval(1.234, 0.5, 2.0, 4)) == "1.23"
