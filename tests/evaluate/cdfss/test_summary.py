import csv
import io
from dataclasses import replace

import pytest

from kiridashi.core.mask import Mask
from kiridashi.evaluate.cdfss.bridges import bridge_rows, bridges_markdown
from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.evaluate.cdfss.summary import ALL_SETS, as_csv, as_markdown, by_class, summarise
from kiridashi.evaluate.episodes import Episode
from kiridashi.evaluate.metrics import Overlap


def line(name: str, method: str, index: int, inside: int | None, union: int = 10) -> Line:
    key, episode = Key(name, 1, 0, index, method), Episode(index, "ab"[index % 2], "q", ("s",))
    if inside is None:
        return Line(key, episode, "", error="no")
    counts = Overlap(inside, union, 100 - union, 100)
    return Line(key, episode, "", counts, Mask.empty((1, 1)), 1.0, 0.5, 200.0 + index)


LINES = [
    *(line("x", "base", i, 4) for i in range(4)),
    *(line("x", "ours", i, 6) for i in range(3)),
    line("x", "ours", 3, None),
    *(line("y", "base", i, 8) for i in range(2)),
    *(line("y", "ours", i, 8) for i in range(2)),
    *(line("x", "rare", i, 5) for i in range(4)),
]


def test_one_row_a_set_and_method_and_the_means() -> None:
    rows = {(row.set, row.method): row for row in summarise(LINES, ["x", "y"], ["base", "ours", "rare"])}
    assert list(rows) == [
        ("x", "base"),
        ("x", "ours"),
        ("x", "rare"),
        ("y", "base"),
        ("y", "ours"),
        (ALL_SETS, "base"),
        (ALL_SETS, "ours"),
    ]
    ours = rows["x", "ours"]
    assert (ours.episodes, ours.failed, ours.seconds, ours.peak_mib) == (3, 1, 1.5, 202.0)
    assert ours.miou.mean == pytest.approx(0.6)
    assert ours.lead is not None
    assert ours.lead.mean == pytest.approx(0.2)
    assert rows["x", "base"].lead is None
    assert rows[ALL_SETS, "base"].miou.mean == pytest.approx(0.6)
    both = rows[ALL_SETS, "ours"]
    assert both.miou.mean == pytest.approx(0.7)
    assert both.lead is not None
    assert both.lead.mean == pytest.approx(0.1)


def test_means_have_no_difference_to_a_method_that_lacks_a_set() -> None:
    rows = summarise(LINES, ["x", "y"], ["rare", "ours"])
    assert [(row.method, row.lead) for row in rows if row.set == ALL_SETS] == [("ours", None)]


def test_one_set_has_no_means() -> None:
    assert {row.set for row in summarise(LINES[:4], ["x"], ["base"])} == {"x"}
    assert summarise([line("x", "base", 0, None)], ["x"], ["base"]) == []


def test_tables_give_percent() -> None:
    rows = summarise(LINES, ["x"], ["base", "ours"])
    text = as_markdown(rows, "base").splitlines()
    assert "mIoU minus base [95 %]" in text[0]
    assert "60.0 [60.0, 60.0]" in text[3]
    assert "+20.0 [+20.0, +20.0]" in text[3]
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [row["miou"] for row in table] == ["40.000", "60.000"]
    assert [row["lead"] for row in table] == ["", "20.000"]
    assert table[1]["failed"] == "1"


def test_classes_are_summed_before_they_are_divided() -> None:
    lines = [
        line("x", "m", 0, 1, 10),
        line("x", "m", 2, 9, 30),
        line("x", "m", 1, 5, 10),
        line("x", "m", 3, None),
    ]
    assert by_class(lines) == {"a": 0.25, "b": 0.5}


def test_how_an_answer_came_about_survives_its_line() -> None:
    answered = Line(
        Key("x", 2, 0, 0, "cav"),
        Episode(0, "a", "q", ("s", "t")),
        "",
        Overlap(1, 2, 8, 10),
        Mask.empty((2, 5)),
        provenance=({"bridge": "none"}, {"bridge": "both", "cycle IoU": "0.5"}),
    )
    back = Line.from_json(answered.to_json())
    assert back.provenance == answered.provenance
    older = {key: value for key, value in answered.to_json().items() if key != "provenance"}
    assert Line.from_json(older).provenance == ()


def test_bridges_are_counted_and_their_worth_is_paired() -> None:
    def taken(base: Line, name: str) -> Line:
        return replace(base, provenance=({"bridge": name},))

    lines = [
        *(line("x", "concat", i, 4) for i in range(4)),
        *(taken(line("x", "cav", i, 6), "none" if i else "both") for i in range(3)),
        line("x", "cav", 3, None),
        *(line("y", "concat", i, 5) for i in range(2)),
    ]
    (row,) = bridge_rows(lines, ["cav"])
    assert (row.set, dict(row.taken)) == ("x", {"none": 2, "both": 1})
    assert row.worth is not None
    assert row.worth.mean == pytest.approx(0.2)
    assert "+20.0 [+20.0, +20.0]" in bridges_markdown([row])
    (alone,) = bridge_rows([one for one in lines if one.key.method == "cav"], ["cav"])
    assert alone.worth is None
