"""What docs/evaluate.md tells a reader to type is typed here."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from kiridashi.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluate.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    (code,), (typed,) = (
        re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        for language in ("python", "sh")
    )
    exec(compile(code, str(PAGE), "exec"), {})
    # Only the smaller half of the runs, to be quick.
    words = shlex.split(typed.replace("--shots 1,3 --runs 2", "--shots 1,3 --runs 1 --most 2"))
    assert main(words[1:]) == 0
    out = tmp_path / "compared"
    named = re.findall(r"^\| `([\w.]+)` \|", text, flags=re.MULTILINE)
    assert len(named) == 5
    assert all((out / name).is_file() for name in named)
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert [(row["method"], row["shots"]) for row in rows] == [
        ("forest", "1"),
        ("cosine", "1"),
        ("forest", "3"),
        ("cosine", "3"),
    ]
