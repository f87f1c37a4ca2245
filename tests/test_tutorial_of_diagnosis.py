"""What the tutorial of `diagnose` tells a newcomer to type is typed here."""

import json
import shlex
from pathlib import Path

import pytest
from tests.test_docs import ROOT, blocks, commands

from kiridashi.cli import main

TUTORIAL = "docs/tutorials/why-is-it-lost.md"


def test_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(TUTORIAL, "python")
    exec(compile(code, TUTORIAL, "exec"), {})
    typed = commands(TUTORIAL)
    assert len(typed) == 2
    for line in typed:
        assert main(shlex.split(line)[1:]) == 0, line
    told = capsys.readouterr().out
    # What the page tells.
    page = (ROOT / TUTORIAL).read_text(encoding="utf-8")
    for said in ("flickering: the light flickers", "steady: no fault found", "It stands: speed-2."):
        assert said in told
        assert said in page
    assert json.loads((tmp_path / "why" / "verdict.json").read_text())["fault"] == "flicker"
    assert (tmp_path / "better" / "report.html").is_file()
