"""Check an annotated set, tell and write what was found, and repair what is safe."""

import json
from dataclasses import dataclass
from pathlib import Path

from kiridashi.cli.classes_told import count
from kiridashi.cli.columns import columns
from kiridashi.cli.data_job import BRING, Source, choice, tell_problems
from kiridashi.cli.failures import ExitCode
from kiridashi.cli.progress import progress_bar, waiting
from kiridashi.core.errors import UsageError
from kiridashi.data.formats import AnnotatedSet
from kiridashi.data.formats.opening import find_format
from kiridashi.data.sets import KINDS, Checked, Repaired, check_set, repair_set
from kiridashi.report.dataset import PROBLEMS, write_problems, write_report
from kiridashi.report.folder import REPORT
from kiridashi.report.page.messages import LANGUAGES


@dataclass(frozen=True)
class CheckJob:
    """One check.

    Attributes:
        source: the set.
        out: folder of the report; None: no report.
        repair: folder of the repaired set; None: no repair.
        to: its format; None: that of the set.
        likeness: decode the pictures and compare them.
        bring: how the picture files come into the repaired set.
        overwrite: replace an earlier report.
        language: of the report.
        quiet: say nothing but errors.
        as_json: print one summary.
    """

    source: Source
    out: Path | None
    repair: Path | None
    to: str | None
    likeness: bool
    bring: str
    overwrite: bool
    language: str
    quiet: bool
    as_json: bool

    def run(self) -> int:
        """Do it.

        Raises:
            UsageError: options that cannot be met.
            InputError: the set cannot be used.
        """
        how = choice(self.bring, BRING, "--bring")
        if self.language not in LANGUAGES:
            raise UsageError(f"--language is one of {', '.join(LANGUAGES)}; got {self.language!r}")
        if self.to is not None:
            find_format(self.to)
        self._check_out()
        annotated = self.source.read()
        silent = self.quiet or self.as_json
        with waiting("reading", quiet=silent):
            entries = [(picture.name, picture.path, picture.split) for picture in annotated]
        with progress_bar("checking", len(entries), quiet=silent) as step:
            checked = check_set(annotated, likeness=self.likeness, progress=step)
        repaired = None
        if self.repair is not None:
            with waiting("repairing", quiet=silent):
                repaired = repair_set(annotated, checked, self.repair, self.to, pictures=how)
        if self.out is not None:
            files = {name: path for name, path, _ in entries if path is not None}
            splits = dict.fromkeys(split for _, _, split in entries if split is not None)
            write_problems(self.out / PROBLEMS, checked)
            facts = self._facts(annotated, list(splits))
            write_report(self.out / REPORT, checked, files, facts, self.language)
        code = ExitCode.SOME_FAILED if checked.errors else ExitCode.DONE
        self._tell(annotated, checked, repaired, code)
        return code

    def _check_out(self) -> None:
        if self.out is None or self.overwrite:
            return
        if any((self.out / name).exists() for name in (PROBLEMS, REPORT)):
            raise UsageError(
                f"{self.out} already holds a report; add --overwrite to replace it, or name another --out"
            )

    def _facts(self, annotated: AnnotatedSet, splits: list[str]) -> dict[str, str]:
        facts = {
            "path": str(self.source.data),
            "format": annotated.format,
            "classes": ", ".join(f"{label} {name}" for label, name in list(annotated.classes.items())[:60])
            or "-",
        }
        if splits:
            facts["splits"] = ", ".join(splits)
        if self.repair is not None:
            facts["repaired"] = str(self.repair)
        return facts

    def _tell(
        self, annotated: AnnotatedSet, checked: Checked, repaired: Repaired | None, code: ExitCode
    ) -> None:
        if self.as_json:
            told = {
                "command": "data check",
                "data": str(self.source.data),
                "format": annotated.format,
                "pictures": checked.pictures,
                "annotations": checked.annotations,
                "without_objects": checked.empty,
                "errors": checked.errors,
                "warnings": len(checked.problems) - checked.errors,
                "problems": checked.counts,
                "groups": [list(group) for group in checked.groups],
                "out": None if self.out is None else str(self.out),
                "repaired": None if repaired is None else self._repaired(repaired),
                "exit_code": int(code),
            }
            print(json.dumps(told, ensure_ascii=True))
            return
        if not self.quiet:
            print("\n".join(self._lines(annotated, checked, repaired)))
        tell_problems([one for one in checked.problems if KINDS[one.kind].severity == "error"], "error found")

    def _repaired(self, repaired: Repaired) -> dict[str, object]:
        return {
            "out": str(self.repair),
            "pictures": repaired.written.pictures,
            "annotations": repaired.written.annotations,
            "left_out": list(repaired.left_out),
            "done": dict(repaired.done),
        }

    def _lines(self, annotated: AnnotatedSet, checked: Checked, repaired: Repaired | None) -> list[str]:
        counts = f"{count(checked.pictures, 'picture')}, {count(checked.annotations, 'object')}"
        lines = [f"{annotated.format}: {counts}, {count(checked.empty, 'picture')} without an object"]
        rows = [
            [
                KINDS[kind].severity,
                f"{number:,}",
                KINDS[kind].title,
                KINDS[kind].repair or "to be decided by you",
            ]
            for kind, number in checked.counts.items()
        ]
        titles = ["", "count", "problem", "what --repair does"]
        lines += columns([titles, *rows], right=(1,)) if rows else ["no problem found"]
        if repaired is not None:
            lines.append(
                f"repaired set in {self.repair}: {count(repaired.written.pictures, 'picture')}, "
                f"{count(repaired.written.annotations, 'object')}; "
                f"{count(len(repaired.left_out), 'picture')} left out"
            )
        if self.out is not None:
            lines.append(f"look at {self.out / REPORT}")
        return lines
