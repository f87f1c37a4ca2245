"""What a batch says at its end, to a person and to a program."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiridashi.cli.batch import Outcome
from kiridashi.cli.classes_told import count
from kiridashi.cli.failures import ExitCode, tell
from kiridashi.cli.progress import rate_text
from kiridashi.report.records import bridge_counts, label_counts

# More names than this are in results.jsonl rather than on the screen.
NAMED = 10


@dataclass(frozen=True)
class Summary:
    """The end of a batch.

    Attributes:
        command: the verb.
        out: the folder of the results.
        outcome: what was done.
        learning: seconds for loading the model and learning from the references.
        files: what was written, by kind.
        by_class: whether the objects are of classes that are to be told apart.
    """

    command: str
    out: Path
    outcome: Outcome
    learning: float
    files: Mapping[str, Path]
    by_class: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """0 when every target has a result, else 3."""
        return ExitCode.SOME_FAILED if self.outcome.failed else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        records = self.outcome.records
        usable = [record for record in records if record.error is None]
        return {
            "command": self.command,
            "out": str(self.out),
            "pictures": len(records),
            "present": sum(record.present is True for record in usable),
            "absent": sum(record.present is False for record in usable),
            "instances": sum(len(record.instances) for record in usable),
            **(self._classes() if self.by_class else {}),
            **({"bridges": taken} if (taken := bridge_counts(usable)) else {}),
            "failed": [{"file": record.file, "error": record.error} for record in self.outcome.failed],
            "skipped": self.outcome.skipped,
            "seconds": {"learning": round(self.learning, 3), "pictures": round(self.outcome.seconds, 3)},
            "files": {kind: str(path) for kind, path in self.files.items()},
            "exit_code": int(self.exit_code),
        }

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; failed inputs are named on standard error also when quiet."""
        if as_json:
            print(json.dumps(self.to_json(), ensure_ascii=True))
        elif not quiet:
            print("\n".join(self._lines()))
        failed = self.outcome.failed
        for record in failed[:NAMED]:
            tell(f"{record.file}: {record.error}", "not done")
        if len(failed) > NAMED:
            tell(f"and {len(failed) - NAMED} more; {self.files['results']} has them all", "not done")
        return self.exit_code

    def _classes(self) -> dict[str, Any]:
        usable = [record for record in self.outcome.records if record.error is None]
        return {
            "classes": label_counts(usable),
            "doubtful": sum(len(record.doubtful) for record in usable),
        }

    def _lines(self) -> list[str]:
        told = self.to_json()
        lines = [f"{count(told['pictures'], 'picture')}: {', '.join(self._parts(told))}"]
        fresh = len(self.outcome.records) - self.outcome.skipped
        if fresh > 0 and self.outcome.seconds > 0:
            lines.append(f"{self.outcome.seconds:.1f} s, {rate_text(fresh / self.outcome.seconds)}")
        if found := told.get("classes"):
            named = [f"{name} {number}" for name, number in list(found.items())[:NAMED]]
            more = [f"{len(found) - NAMED} more classes"] if len(found) > NAMED else []
            lines.append(f"found: {', '.join([*named, *more])}")
        if taken := told.get("bridges"):
            lines.append(f"bridges taken: {', '.join(f'{name} {number}' for name, number in taken.items())}")
        kind = "report" if "report" in self.files else "overlays"
        lines.append(f"look at {self.files[kind]}")
        return lines

    def _parts(self, told: Mapping[str, Any]) -> list[str]:
        parts = []
        if told["present"] or told["absent"]:
            parts += [f"present in {told['present']}", f"absent in {told['absent']}"]
        parts.append(count(told["instances"], "object"))
        if told.get("doubtful"):
            parts.append(f"{told['doubtful']} doubtful")
        if told["skipped"]:
            parts.append(f"{told['skipped']} finished before")
        if told["failed"]:
            parts.append(f"{len(told['failed'])} not done")
        return parts
