"""A folder of results that grow line by line, safe against a kill at any moment.

`results.jsonl` holds a line an answer, written in one piece when the answer is scored; everything else is
made from it. A run can be taken up again, with more lines to make.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from kiridashi import __version__
from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import write_json, write_text
from kiridashi.data.lines import append_line, read_jsonl
from kiridashi.report.folder import RESULTS, RUN, differences, read_settings, sweep
from kiridashi.report.lines import dump_line

KeyT = TypeVar("KeyT")


class Keyed(Protocol):
    """A line that knows which question it answers."""

    @property
    def key(self) -> Any:
        """There is one valid line for each."""
        ...

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        ...


LineT = TypeVar("LineT", bound=Keyed)


class LineFolder(ABC, Generic[KeyT, LineT]):
    """The folder of one evaluation. Make it with `open`.

    Attributes:
        made: names of the files that are made from the lines.
        path: the folder.
        settings: what every line depends on.
        lines: the results so far.
    """

    made: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        # Another version may give other results.
        self.settings = {"version": __version__, **settings}
        self.lines: dict[KeyT, LineT] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        settings: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> Self:
        """Begin an evaluation in a folder, or go on with the one that is there.

        Args:
            path: the folder; made when missing. Files that are not the evaluation's own are left alone.
            settings: what every line depends on, as JSON; kept in `run.json`.
            resume: go on with what the folder holds.
            overwrite: remove it first.

        Raises:
            UsageError: the folder holds results and neither is asked for, the settings to resume with
                are not those of the run, or the folder cannot be written.
            InputError: `results.jsonl` is damaged.
        """
        if resume and overwrite:
            raise UsageError("--resume and --overwrite contradict each other; give one of them")
        folder = cls(Path(path), settings)
        if folder.path.exists() and not folder.path.is_dir():
            raise UsageError(f"{folder.path}: --out names a folder, and this is a file")
        held = [name for name in (RESULTS, *cls.made) if (folder.path / name).exists()]
        if held and not (resume or overwrite):
            raise UsageError(
                f"{folder.path} already holds results; add --resume to go on with that run, "
                "--overwrite to replace it, or name another --out"
            )
        if folder.path.is_dir():
            sweep(folder.path)
        if overwrite:
            for name in held:
                (folder.path / name).unlink(missing_ok=True)
        elif held:
            folder._take_up()
        write_json(folder.path / RUN, {"settings": folder.settings}, indent=1)
        return folder

    def get(self, key: KeyT) -> LineT | None:
        """The line of a question, if there is one."""
        return self.lines.get(key)

    def append(self, line: LineT) -> None:
        """Write a line to the disk; it takes the place of an earlier one of its key."""
        append_line(self.path / RESULTS, dump_line(line.to_json()))
        self.lines[line.key] = line

    def finish(self, keys: Iterable[KeyT]) -> list[LineT]:
        """Bring `results.jsonl` into order, one line a key: those asked for first, then the others.

        Returns:
            The lines of the keys that have one.
        """
        asked = [self.lines[key] for key in keys if key in self.lines]
        known = {line.key for line in asked}
        every = asked + [line for key, line in self.lines.items() if key not in known]
        write_text(self.path / RESULTS, "".join(dump_line(line.to_json()) + "\n" for line in every))
        return asked

    @staticmethod
    @abstractmethod
    def read_line(line: Mapping[str, Any]) -> LineT:
        """Read back what a line's `to_json` gave.

        Raises:
            InputError: it is not that.
        """

    def _take_up(self) -> None:
        if not (self.path / RUN).is_file():
            raise UsageError(
                f"{self.path}: no {RUN} in it, so this run cannot be resumed; name another --out"
            )
        changed = differences(read_settings(self.path / RUN), self.settings)
        if changed:
            raise UsageError(
                f"{self.path} holds a run with other settings, which --resume would mix: "
                f"{'; '.join(changed)}\ngive the same settings again, or name another --out"
            )
        results = self.path / RESULTS
        for line in map(self.read_line, read_jsonl(results) if results.is_file() else []):
            # What was done again has two lines; the later one holds.
            self.lines[line.key] = line
