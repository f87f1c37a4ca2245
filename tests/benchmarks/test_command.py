import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from common.command import draw, finish, make_parser
from common.tables import markdown, signed
from kiridashi.core.errors import UsageError
from kiridashi.evaluate.intervals import Interval


def test_draw_keeps_the_order_and_the_seed_decides() -> None:
    units = list(range(50))
    drawn = draw(units, 7, seed=1)
    assert len(drawn) == len(set(drawn)) == 7
    assert drawn == sorted(drawn) == draw(units, 7, seed=1)
    assert drawn != draw(units, 7, seed=2)
    assert draw(units, None, seed=1) == draw(units, 99, seed=1) == units


def test_finish_prints_the_text_and_writes_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    options = make_parser("what it does", "pictures").parse_args(["--json", str(path), "--limit", "3"])

    def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
        return {"text": "a table", "rows": [options.limit]}

    assert finish(run, options) == 0
    assert capsys.readouterr().out == "a table\n"
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["rows"] == [3]
    assert written["settings"]["limit"] == 3
    assert "text" not in written


def test_an_error_of_the_user_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
        raise UsageError("no [such] thing " + "x" * 200)

    assert finish(run, make_parser("", "pictures").parse_args([])) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "no [such] thing " + "x" * 200 + "\n"


@pytest.mark.parametrize("limit", ["0", "-1", "x"])
def test_a_limit_is_a_positive_number(limit: str) -> None:
    with pytest.raises(SystemExit):
        make_parser("", "pictures").parse_args(["--limit", limit])


def test_table_lines_up() -> None:
    assert markdown(("set", "kind", "n"), [("voc", "box", "7"), ("davis", "1 click", "1234")], names=2) == (
        "| set   | kind    |    n |\n"
        "| ----- | ------- | ---: |\n"
        "| voc   | box     |    7 |\n"
        "| davis | 1 click | 1234 |"
    )


def test_differences_show_their_sign() -> None:
    assert signed(Interval(0.1, -0.05, 0.25, 9)) == "+0.100 [-0.050, +0.250]"
