"""The work of `kiridashi evaluate vos`, from its arguments to its folder of results."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.evaluation import EvaluationEnd, model_settings, work
from kiridashi.cli.failures import wants_debug
from kiridashi.cli.progress import Display
from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import write_text

if TYPE_CHECKING:
    from kiridashi.evaluate.vos.lines import Line
    from kiridashi.evaluate.vos.run import Plan
    from kiridashi.evaluate.vos.sets import VosSet
    from kiridashi.evaluate.vos.summary import Row
    from kiridashi.evaluate.vos.trackers import Method
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.report.vos import VosFolder


@dataclass(frozen=True)
class VosJob:
    """What the user asks of `evaluate vos`; see its options."""

    data: tuple[Path, ...]
    out: Path
    methods: tuple[str, ...]
    results: tuple[str, ...] = ()
    split: str | None = None
    model: str = "compact"
    threads: int | None = None
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> "VosSummary":
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, the model cannot follow objects, or the folder
                cannot be used.
            InputError: there is no set, or a damaged one.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the data and loading the model"):
                plan = self._plan()
                folder = self._open()
            started = time.perf_counter()
            skipped = self._work(plan, folder, display)
        lines = folder.finish(plan.keys())
        rows = self._write(plan, folder, lines)
        seconds = time.perf_counter() - started
        return VosSummary(
            out=self.out,
            lines=lines,
            skipped=skipped,
            seconds=seconds,
            rows=rows,
            first=plan.methods[0].name,
        )

    def _plan(self) -> "Plan":
        from kiridashi.evaluate.vos.run import Plan
        from kiridashi.evaluate.vos.sets import open_set
        from kiridashi.models.catalogue import find_card

        find_card(self.model)
        methods = self._methods()
        sets: list[VosSet] = [open_set(path, self.split) for path in self.data]
        return Plan(sets, methods, self.threads or os.cpu_count() or 1)

    def _methods(self) -> list["Method"]:
        from kiridashi.cli.evaluate_vos_methods import WITH_MODEL, methods
        from kiridashi.evaluate.vos.trackers import BASELINES, saved_method

        saved = [saved_method(name, Path(folder)) for name, folder in map(_pair, self.results)]
        clash = [one.name for one in saved if one.name in (*WITH_MODEL, *BASELINES)]
        if clash:
            raise UsageError(f"--results: {clash[0]} is the name of a method; give these masks another one")
        return [*methods(self.methods, self._load), *saved]

    def _load(self) -> "PromptableModel":
        from kiridashi.models.loading import load_model

        return load_model(self.model)

    def _open(self) -> "VosFolder":
        from kiridashi.report.vos import VosFolder

        settings = {"command": "evaluate vos", **model_settings(self.model)}
        return VosFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)

    def _work(self, plan: "Plan", folder: "VosFolder", display: Display) -> int:
        """Make the lines that are missing; gives how many were there."""
        from kiridashi.evaluate.vos.run import run

        return work(
            lambda step: run(plan, folder, step=step, debug=wants_debug()),
            display,
            folder.path,
            total=len(plan.tasks()),
            pending=len(plan.pending(folder)),
            unit="clips",
        )

    def _write(self, plan: "Plan", folder: "VosFolder", lines: Sequence["Line"]) -> list["Row"]:
        from kiridashi.evaluate.vos.summary import summarise
        from kiridashi.evaluate.vos.tables import as_csv, as_markdown, objects_csv
        from kiridashi.report.vos import CSV, OBJECTS, TABLE

        methods = [one.name for one in plan.methods]
        rows = summarise(lines, [one.name for one in plan.sets], methods)
        write_text(folder.path / TABLE, as_markdown(rows, lines, methods[0]))
        write_text(folder.path / CSV, as_csv(rows))
        write_text(folder.path / OBJECTS, objects_csv(lines))
        return rows


@dataclass(frozen=True, kw_only=True)
class VosSummary(EvaluationEnd["Line"]):
    """The end of an evaluation.

    Attributes:
        rows: of the table.
        first: the tracker that differences are to.
    """

    command = "evaluate vos"
    counted = ("followed", "followed")

    rows: Sequence["Row"]
    first: str

    @property
    def files(self) -> Mapping[str, Path]:
        """What was written, by kind."""
        from kiridashi.report.vos import CSV, OBJECTS, RESULTS, TABLE

        names = {"results": RESULTS, "table": TABLE, "csv": CSV, "objects": OBJECTS}
        return {kind: self.out / name for kind, name in names.items()}

    def facts(self) -> dict[str, Any]:
        """Rows."""
        return {"rows": [row.to_json() for row in self.rows]}

    def text(self) -> str:
        """The tables."""
        from kiridashi.evaluate.vos.tables import as_markdown

        return as_markdown(self.rows, self.lines, self.first) if self.rows else "no clip has a result\n"

    def place(self, line: "Line") -> str:
        """Set, clip and tracker."""
        key = line.key
        return f"{key.set}, {key.clip}, {key.method}"


def _pair(text: str) -> tuple[str, str]:
    name, _, folder = text.partition("=")
    if not name.strip() or not folder:
        raise UsageError(f"--results: expected NAME=DIR, got {text!r}")
    return name.strip(), folder
