"""The work of `kiridashi evaluate cdfss`, from its arguments to its folder of results."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.bridging import Bridging
from kiridashi.cli.classes_told import count
from kiridashi.cli.evaluate_pictures_methods import fresh_method
from kiridashi.cli.evaluation import EvaluationEnd, model_settings, work
from kiridashi.cli.failures import wants_debug
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.data.atomic import write_text

if TYPE_CHECKING:
    from kiridashi.evaluate.answering import Factory
    from kiridashi.evaluate.cdfss.bridges import BridgeRow
    from kiridashi.evaluate.cdfss.lines import Line
    from kiridashi.evaluate.cdfss.run import Plan
    from kiridashi.evaluate.cdfss.summary import Row
    from kiridashi.evaluate.cdfss.tasks import Task
    from kiridashi.report.cdfss import EvaluationFolder

# The method that chooses its way to each query.
CHOOSING = "cav"
SHOWN_SETTINGS = ("transition preset", "diffusion model")


@dataclass(frozen=True)
class CdfssJob:
    """What the user asks of `evaluate cdfss`; see its options."""

    data: tuple[Path, ...]
    out: Path
    methods: tuple[str, ...]
    shots: tuple[int, ...] = (1,)
    episodes: int | None = None
    seeds: tuple[int, ...] = (0,)
    rule: str = "own"
    side: int | None = None
    by_vote: bool = False
    model: str = "compact"
    bridging: Bridging = field(default_factory=Bridging)
    resume: bool = False
    overwrite: bool = False
    language: str = "en"
    quiet: bool = False

    def run(self) -> "EvaluationSummary":
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, a method cannot work with the model, or the
                folder cannot be used.
            InputError: a folder holds no set.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.evaluate.cdfss.drawing import RULES
        from kiridashi.evaluate.cdfss.tasks import open_tasks
        from kiridashi.models.catalogue import find_card
        from kiridashi.report.page import LANGUAGES

        check_choice("language", self.language, LANGUAGES)
        check_choice("rule", self.rule, ("own", *RULES))
        find_card(self.model)
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the data and loading the model"):
                tasks = open_tasks(self.data, rule=self.rule, side=self.side)
                plan = self._plan(tasks, display)
                folder = self._open()
            started = time.perf_counter()
            skipped = self._work(plan, folder, display)
        lines = folder.finish(plan.keys())
        rows, bridges = self._write(plan, folder, lines)
        seconds = time.perf_counter() - started
        return EvaluationSummary(
            out=self.out,
            lines=lines,
            skipped=skipped,
            seconds=seconds,
            rows=rows,
            first=self.methods[0],
            bridges=bridges,
        )

    def _plan(self, tasks: Sequence["Task"], display: Display) -> "Plan":
        from kiridashi.evaluate.cdfss.run import Plan

        factories = self._factories(display)
        return Plan(tasks, factories, self.shots, self.episodes, self.seeds, self.by_vote)

    def _factories(self, display: Display) -> dict[str, "Factory"]:
        """Makers of the methods by name."""
        from kiridashi.evaluate.baselines.named import BASELINE_NAMES
        from kiridashi.reference.methods import METHOD_NAMES

        for name in self.methods:
            check_choice("method", name, (*METHOD_NAMES, *BASELINE_NAMES))
        self.bridging.check(self.methods)
        from kiridashi.models.loading import load_model

        options = self.bridging.options(self.methods)
        model = load_model(self.model)
        more: dict[str, Any] = {} if options is None else {"options": options, "progress": display.part}
        return {
            name: partial(
                fresh_method,
                name,
                model,
                self.seeds[0],
                verdict=False,
                instances=False,
                **(more if name.startswith(CHOOSING) else {}),
            )
            for name in self.methods
        }

    def _open(self) -> "EvaluationFolder":
        from kiridashi.report.cdfss import EvaluationFolder

        # What differs between sets, and may be added later, stands in the lines.
        settings = {
            "command": "evaluate cdfss",
            **model_settings(self.model),
            "draw": self.rule,
            "size": self.side,
            "vote": self.by_vote,
            "seed": self.seeds[0],
        }
        # The usual ones are not named, so that a `cav` method can join an evaluation that had none.
        chosen = self.bridging.settings(self.methods)
        usual = Bridging().settings(self.methods)
        settings |= {key: value for key, value in chosen.items() if value != usual[key]}
        return EvaluationFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)

    def _work(self, plan: "Plan", folder: "EvaluationFolder", display: Display) -> int:
        """Make the lines that are missing; gives how many were there."""
        from kiridashi.evaluate.cdfss.run import run

        return work(
            lambda step: run(plan, folder, step=step, debug=wants_debug()),
            display,
            folder.path,
            total=len(plan.keys()),
            pending=plan.pending(folder),
        )

    def _write(
        self, plan: "Plan", folder: "EvaluationFolder", lines: Sequence["Line"]
    ) -> tuple[list["Row"], list["BridgeRow"]]:
        from kiridashi.evaluate.cdfss.bridges import bridge_rows, bridges_markdown
        from kiridashi.evaluate.cdfss.summary import as_csv, as_markdown, summarise
        from kiridashi.report.cdfss import BRIDGES, CSV, REPORT, TABLE, Evaluation, write_report

        bridges = bridge_rows(lines, [name for name in self.methods if name == CHOOSING])
        rows = summarise(lines, [task.name for task in plan.tasks], self.methods)
        write_text(folder.path / TABLE, as_markdown(rows, self.methods[0]))
        write_text(folder.path / CSV, as_csv(rows))
        if bridges:
            write_text(folder.path / BRIDGES, bridges_markdown(bridges))
        evaluation = Evaluation(rows, lines, plan.tasks, self.methods, self._facts(plan, lines), bridges)
        write_report(folder.path / REPORT, evaluation, self.language)
        return rows, bridges

    def _facts(self, plan: "Plan", lines: Sequence["Line"]) -> dict[str, str]:
        """How the run was made, by the keys of the report's texts."""
        from kiridashi.models.catalogue import find_card
        from kiridashi.report.page.messages import Messages

        say = Messages(self.language, "kiridashi.report.cdfss")
        card = find_card(self.model)
        drawn = {
            task.name: len({line.key.episode for line in lines if line.key.set == task.name})
            for task in plan.tasks
        }
        sides = {task.name: task.side for task in plan.tasks}
        bridging = self.bridging.settings(self.methods)
        told = {key.replace(" ", "_"): str(bridging[key]) for key in SHOWN_SETTINGS if key in bridging}
        return {
            "model": f"{card.name}: {card.summary}",
            "rules": "; ".join(f"{task.name}: {task.rule}" for task in plan.tasks),
            "number": "; ".join(f"{name}: {count}" for name, count in drawn.items()),
            "seeds": ", ".join(map(str, self.seeds)),
            "size": "; ".join(
                f"{name}: {say('as_it_is') if side is None else f'{side} x {side}'}"
                for name, side in sides.items()
            ),
            "several": say("by_vote" if self.by_vote else "together"),
            "switches": say("off"),
            **told,
            "timing": say("timing_note") + (say("cache_note") if bridging else ""),
        }


@dataclass(frozen=True, kw_only=True)
class EvaluationSummary(EvaluationEnd["Line"]):
    """The end of an evaluation.

    Attributes:
        rows: of the table.
        first: the method that differences are to.
        bridges: taken by the method that chooses.
    """

    command = "evaluate cdfss"
    look_at = "report"

    rows: Sequence["Row"]
    first: str
    bridges: Sequence["BridgeRow"] = ()

    @property
    def files(self) -> Mapping[str, Path]:
        """What was written, by kind."""
        from kiridashi.report.cdfss import BRIDGES, CSV, REPORT, RESULTS, TABLE

        names = {"results": RESULTS, "table": TABLE, "csv": CSV, "report": REPORT}
        names |= {"bridges": BRIDGES} if self.bridges else {}
        return {kind: self.out / name for kind, name in names.items()}

    def facts(self) -> dict[str, Any]:
        """Rows, and the bridges taken."""
        bridges = {"bridges": [row.to_json() for row in self.bridges]} if self.bridges else {}
        return {"rows": [row.to_json() for row in self.rows], **bridges}

    def failure(self, line: "Line") -> dict[str, Any]:
        """Which picture was the query, too."""
        return {**line.key._asdict(), "query": line.episode.query, "error": line.error}

    def text(self) -> str:
        """The tables."""
        from kiridashi.evaluate.cdfss.bridges import bridges_markdown
        from kiridashi.evaluate.cdfss.summary import as_markdown

        told = as_markdown(self.rows, self.first) if self.rows else "no episode has an answer\n"
        return told + ("\n" + bridges_markdown(self.bridges) if self.bridges else "")

    def place(self, line: "Line") -> str:
        """Set, shots, episode, query and method."""
        key = line.key
        shots = count(key.shots, "shot")
        return f"{key.set}, {shots}, episode {key.episode} ({line.episode.query}), {key.method}"
