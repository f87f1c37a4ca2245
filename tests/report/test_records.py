import json

import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.report.folder import annotations_of, differences
from kiridashi.report.lines import dump_line
from kiridashi.report.records import Record, label_counts


def made() -> Record:
    mask = Mask.from_array([[0, 1, 1], [0, 1, 0]])
    segments = Segments((2, 3), (Segment(mask, 0.75, "screw"),), Verdict(True, 0.9, 0.5), {"method": "m"})
    return Record.of("a\u2028b.png", "a_b", (10, 20), segments, 1.23456)


def test_a_record_survives_its_line() -> None:
    line = dump_line(made().to_json())
    assert len(line.splitlines()) == 1
    again = Record.from_json(json.loads(line))
    assert again.to_json() == made().to_json()
    assert again.segments()[0].mask == Mask.from_array([[0, 1, 1], [0, 1, 0]])
    assert [again.verdict, again.score, again.threshold] == ["present", 0.9, 0.5]


def test_without_a_verdict_the_best_object_gives_the_score() -> None:
    mask = Mask.from_array([[1]])
    items = (Segment(mask, 0.2, "a"), Segment(mask, 0.6, "a"))
    record = Record.of("a", "a", (0, 0), Segments((1, 1), items), 0.1)
    assert [record.verdict, record.score, record.threshold] == [None, 0.6, None]


def test_a_score_that_is_no_number_is_left_out() -> None:
    verdict = Verdict(False, float("nan"), 0.5)
    assert Record.of("a", "a", (0, 0), Segments((1, 1), (), verdict), 0.1).score is None


def test_a_failed_record_has_no_segments() -> None:
    record = Record.from_json(Record("a.png", "a", 0.0, error="cut short").to_json())
    with pytest.raises(InputError, match="cut short"):
        record.segments()


def test_a_foreign_line_is_refused() -> None:
    with pytest.raises(InputError, match="not one of ours"):
        Record.from_json({"file": "a"})


def test_annotations_have_a_category_a_label() -> None:
    failed = Record("b.png", "b", 0.0, error="cut short")
    document = annotations_of([failed, made()])
    assert len(document["images"]) == 1
    assert [each["name"] for each in document["categories"]] == ["screw"]
    (annotation,) = document["annotations"]
    assert annotation["bbox"] == [1, 0, 2, 2]
    assert annotation["area"] == 3
    assert annotation["score"] == 0.75


def test_differences_are_told_in_words() -> None:
    before = {"seed": 0, "references": ["a"], "same": 1}
    assert differences(before, {"seed": 1, "references": ["b"], "same": 1}) == [
        "the references differ",
        "seed was 0, now 1",
    ]


def test_doubtful_objects_survive_the_line_and_are_no_annotations() -> None:
    mask = Mask.from_array([[0, 1, 1], [0, 1, 0]])
    doubtful = Segments((2, 3), (), None, {}, (Segment(mask, 0.25, "screw"),))
    line = Record.of("a.png", "a", (0, 0), doubtful, 0.1).to_json()
    again = Record.from_json(json.loads(dump_line(line)))
    assert again.to_json() == line
    assert [each["score"] for each in again.doubtful] == [0.25]
    assert not again.found
    assert annotations_of([again])["annotations"] == []
    assert "doubtful" not in made().to_json()


def test_numbers_of_categories_may_be_given() -> None:
    document = annotations_of([made()], {"screw": 7, "nut": 3})
    assert {each["name"]: each["id"] for each in document["categories"]} == {"screw": 7, "nut": 3}
    assert [each["category_id"] for each in document["annotations"]] == [7]
    with pytest.raises(UsageError, match="no category number"):
        annotations_of([made()], {"nut": 3})


def test_objects_are_counted_by_label() -> None:
    failed = Record("b.png", "b", 0.0, error="cut short")
    assert label_counts([failed, made(), made()]) == {"screw": 2}
