"""What happens in a run, written down as it happens: lines of JSON, and MLflow for those who have it."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from kiridashi.core.errors import UsageError
from kiridashi.data.lines import append_line
from kiridashi.report.lines import dump_line

Now = Callable[[], datetime]
# MLflow takes texts of parameters up to this length.
_LONGEST = 250


class Sink(Protocol):
    """Takes what a run has to say."""

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Something happened."""
        ...

    def finish(self, facts: Mapping[str, str], figures: Mapping[str, float], files: Sequence[Path]) -> None:
        """The run is over."""
        ...


class LineSink:
    """Events as lines of a JSON Lines file, with the time.

    Args:
        path: of the file; lines are appended.
        now: the time.
    """

    def __init__(self, path: Path, now: Now = lambda: datetime.now(UTC)) -> None:
        self._path, self._now = path, now

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """A line on the disk."""
        at = self._now().isoformat(timespec="seconds")
        append_line(self._path, dump_line({"at": at, "event": name, **facts}))

    def finish(self, facts: Mapping[str, str], figures: Mapping[str, float], files: Sequence[Path]) -> None:
        """A last line with the figures."""
        del facts
        self.event("finished", {"figures": dict(figures), "files": [path.name for path in files]})


class MlflowSink:
    """A run in MLflow: what it depends on as parameters, figures as metrics, files as artifacts.

    Where it goes is MLflow's own matter (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME).

    Args:
        name: of the run.

    Raises:
        UsageError: MLflow is not installed.
    """

    def __init__(self, name: str) -> None:
        try:
            self._mlflow: Any = importlib.import_module("mlflow")
        except ImportError as error:
            raise UsageError("--mlflow needs MLflow: pip install mlflow") from error
        self._name = name

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Events stay in the lines: MLflow has figures and files."""

    def finish(self, facts: Mapping[str, str], figures: Mapping[str, float], files: Sequence[Path]) -> None:
        """One run with all of it."""
        with self._mlflow.start_run(run_name=self._name):
            self._mlflow.log_params({key: value[:_LONGEST] for key, value in facts.items()})
            self._mlflow.log_metrics(dict(figures))
            for path in files:
                self._mlflow.log_artifact(str(path))


class Journal:
    """Hands everything to every sink.

    Args:
        sinks: that listen.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)

    def __call__(self, event: str, /, **facts: object) -> None:
        """Something happened."""
        for sink in self._sinks:
            sink.event(event, facts)

    def finish(self, facts: Mapping[str, str], figures: Mapping[str, float], files: Sequence[Path]) -> None:
        """The run is over."""
        for sink in self._sinks:
            sink.finish(facts, figures, files)
