"""What the jobs of `kiridashi evaluate` share: their loop, their settings of a model, and how they end."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from kiridashi.cli.failures import ExitCode, Interrupted, tell
from kiridashi.cli.progress import Display
from kiridashi.cli.summary import NAMED


class AnswerLine(Protocol):
    """A line of `results.jsonl`."""

    @property
    def key(self) -> Any:
        """Question and method, a named tuple."""
        ...

    @property
    def error(self) -> str | None:
        """Why there is no result; None where there is one."""
        ...


LineT = TypeVar("LineT", bound=AnswerLine)


def work(
    make: Callable[[Callable[[], None]], None],
    display: Display,
    folder: Path,
    *,
    total: int,
    pending: int,
    unit: str = "answers",
) -> int:
    """Make the lines that are missing.

    Args:
        make: does it, and calls its argument after each line.
        display: running; shows a bar.
        folder: of the results.
        total: number of lines that there will be.
        pending: number of lines that are missing.
        unit: what the bar counts.

    Returns:
        How many were there before.

    Raises:
        Interrupted: Ctrl-C; what is finished is in the folder.
    """
    skipped = done = total - pending
    try:
        with display.bar("evaluate", pending, unit=unit) as advance:

            def step() -> None:
                nonlocal done
                done += 1
                advance()

            make(step)
    except KeyboardInterrupt as error:
        raise Interrupted(done, total, folder, unit=unit) from error
    return skipped


def model_settings(name: str) -> dict[str, str]:
    """What every line of a run depends on, as to the model.

    Raises:
        UsageError: there is no such model.
    """
    from kiridashi.models.catalogue import find_card

    card = find_card(name)
    return {"model": card.name, "model file": card.sha256 or card.source}


@dataclass(frozen=True, kw_only=True)
class EvaluationEnd(ABC, Generic[LineT]):
    """The end of an evaluation.

    Attributes:
        out: the folder of the results.
        lines: of the run.
        skipped: of them, those that an earlier run had made.
        seconds: of this run.
    """

    # The verb; what a line is called, in several, and how one that was there before is; what to look at.
    command: ClassVar[str]
    counted: ClassVar[tuple[str, str]] = ("answers", "answered")
    look_at: ClassVar[str] = "table"

    out: Path
    lines: Sequence[LineT]
    skipped: int
    seconds: float

    @property
    def failed(self) -> list[LineT]:
        """Lines without a result."""
        return [line for line in self.lines if line.error is not None]

    @property
    def exit_code(self) -> ExitCode:
        """0 when every question has every answer, else 3."""
        return ExitCode.SOME_FAILED if self.failed else ExitCode.DONE

    @property
    @abstractmethod
    def files(self) -> Mapping[str, Path]:
        """What was written, by kind."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What `--json` tells of the results, shares in 0..1."""

    @abstractmethod
    def text(self) -> str:
        """What is printed of the results."""

    @abstractmethod
    def place(self, line: LineT) -> str:
        """Which question and method a line is of, in a few words."""

    def failure(self, line: LineT) -> dict[str, Any]:
        """What `--json` tells of a line without a result."""
        return {**line.key._asdict(), "error": line.error}

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "command": self.command,
            "out": str(self.out),
            **self.facts(),
            self.counted[0]: len(self.lines),
            "failed": [self.failure(line) for line in self.failed],
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
            "files": {kind: str(path) for kind, path in self.files.items()},
            "exit_code": int(self.exit_code),
        }

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; what failed is named on standard error also when quiet."""
        if as_json:
            print(json.dumps(self.to_json()))
        elif not quiet:
            several, before = self.counted
            print(self.text())
            known = f", {self.skipped} {before} before" if self.skipped else ""
            print(f"{len(self.lines)} {several}{known}, {self.seconds:.1f} s")
            print(f"look at {self.files[self.look_at]}")
        for line in self.failed[:NAMED]:
            tell(f"{self.place(line)}: {line.error}", "not done")
        if len(self.failed) > NAMED:
            tell(f"and {len(self.failed) - NAMED} more; {self.files['results']} has them all", "not done")
        return self.exit_code
