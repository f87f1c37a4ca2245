"""What the tutorial of the first proof of concept tells a newcomer to type is typed here."""

import re
import shlex
from pathlib import Path

import pytest

from kiridashi.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "first-poc.md"


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return str(text)


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line for one in found for line in one.splitlines() if line]


def test_the_first_poc_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python"), str(PAGE), "exec"), {})
    text = block("yaml")
    for before, after in {
        "shots: [1, 5]": "shots: [1]",
        "test_pictures: 24": "test_pictures: 2",
        "robustness: [lighting-gamma, sensor-blur]": "robustness: [lighting-gamma]",
        "robustness_pictures: 4": "robustness_pictures: 1",
    }.items():
        assert before in text
        text = text.replace(before, after)
    Path("site.yaml").write_text(text, encoding="utf-8")
    assert len(commands()) == 2
    for line in commands():
        assert main(shlex.split(line)[1:]) == 0, line
    page = Path("trial/report.html").read_text(encoding="utf-8")
    assert "Can scratches be found well enough" in page
    assert "Conditions covered and not covered" in page
    other = Path("report-ja.html").read_text(encoding="utf-8")
    assert "保留" in other
    assert "data:image" not in other
