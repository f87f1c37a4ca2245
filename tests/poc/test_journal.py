import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.data.lines import read_jsonl
from kiridashi.poc.journal import Journal, LineSink, MlflowSink


def test_events_become_lines_with_their_time(tmp_path: Path) -> None:
    sink = LineSink(tmp_path / "log.jsonl", lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    journal = Journal([sink])
    journal("begin", unit="sharp", answers=3)
    journal.finish({"seed": "0"}, {"a/iou": 0.5}, [tmp_path / "report.html"])
    first, last = read_jsonl(tmp_path / "log.jsonl")
    assert first == {"at": "2026-01-02T03:04:05+00:00", "event": "begin", "unit": "sharp", "answers": 3}
    assert last["event"] == "finished"
    assert last["figures"] == {"a/iou": 0.5}
    assert last["files"] == ["report.html"]


class FakeRun:
    def __enter__(self) -> "FakeRun":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_mlflow_gets_one_run_with_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []
    fake = ModuleType("mlflow")

    def start_run(run_name: str) -> FakeRun:
        calls.append(("run", run_name))
        return FakeRun()

    fake.start_run = start_run  # type: ignore[attr-defined]
    for name in ("log_params", "log_metrics", "log_artifact"):
        setattr(fake, name, lambda value, name=name: calls.append((name, value)))
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    journal = Journal([MlflowSink("Covers")])
    journal("begin", unit="sharp")
    journal.finish({"seed": "0", "long": "x" * 999}, {"a/iou": 0.5}, [tmp_path / "report.html"])
    assert calls == [
        ("run", "Covers"),
        ("log_params", {"seed": "0", "long": "x" * 250}),
        ("log_metrics", {"a/iou": 0.5}),
        ("log_artifact", str(tmp_path / "report.html")),
    ]


def test_mlflow_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match="pip install mlflow"):
        MlflowSink("Covers")
