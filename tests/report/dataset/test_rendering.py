import json
from pathlib import Path

import pytest
from tests.data.formats.made import write_png

from kiridashi.data.formats import Problem
from kiridashi.data.sets import KINDS, Checked
from kiridashi.report.dataset import render, write_problems


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_kind_has_a_line_in_every_language(language: str) -> None:
    checked = Checked(tuple(Problem(kind, "a.png", "text") for kind in KINDS), 5, 6, 1, ())
    page = render(checked, {}, {"format": "coco"}, language)
    assert all(f">{kind}<" in page for kind in KINDS)


def test_names_from_outside_are_text_and_groups_have_pictures(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png")
    problem = Problem("near-duplicate", "<script>x</script>", "2 pictures", others=("a.png",))
    page = render(Checked((problem,), 2, 0, 2, (("a.png", "gone.png"),)), {"a.png": path}, {"path": "x"})
    assert "<script>" not in page
    assert page.count("data:image/jpeg;base64,") == 1


def test_a_sound_set_and_a_long_list() -> None:
    assert "No problem was found" in render(Checked((), 1, 1, 0, ()), {}, {})
    many = Checked(tuple(Problem("orphan", None, str(n)) for n in range(300)), 1, 1, 0, ())
    assert "100 more are in problems.jsonl" in render(many, {}, {})


def test_errors_come_first_line_by_line(tmp_path: Path) -> None:
    problems = (Problem("near-duplicate", "a", "x", others=("b",)), Problem("damaged", "c", "y", "7"))
    write_problems(tmp_path / "p.jsonl", Checked(problems, 3, 1, 0, ()))
    lines = [json.loads(text) for text in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(one["kind"], one["annotation"], one["others"]) for one in lines] == [
        ("damaged", "7", []),
        ("near-duplicate", None, ["b"]),
    ]
