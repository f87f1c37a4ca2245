"""The work of `kiridashi evaluate wsol`, from its arguments to its folder of results."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.evaluate_wsol_methods import COARSE, FINAL, TAUGHT, TRUNKS, Teacher, training_options
from kiridashi.cli.evaluation import EvaluationEnd, model_settings, work
from kiridashi.cli.failures import tell, wants_debug
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.summary import NAMED
from kiridashi.data.atomic import write_text

if TYPE_CHECKING:
    from kiridashi.evaluate.wsol.agreement import Agreement
    from kiridashi.evaluate.wsol.items import WsolSet
    from kiridashi.evaluate.wsol.lines import Line
    from kiridashi.evaluate.wsol.run import Plan
    from kiridashi.evaluate.wsol.splits import Splitting
    from kiridashi.evaluate.wsol.summary import Row
    from kiridashi.report.wsol import WsolFolder

LABELS = ("own", "defect")
# Folder of the networks, below that of the results.
MODELS = "models"


@dataclass(frozen=True)
class WsolJob:
    """What the user asks of `evaluate wsol`; see its options."""

    data: tuple[Path, ...]
    out: Path
    methods: tuple[str, ...]
    splitting: "Splitting"
    labels: str = "own"
    pictures: Path | None = None
    side: int | None = 224
    seeds: tuple[int, ...] = (0,)
    model: str = "compact"
    area: float | None = None
    trunk: str = "compact"
    grid: int = 16
    cache: Path | None = None
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> "WsolSummary":
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, a set lacks what is asked for, or the folder cannot
                be used.
            InputError: there is no set, or a damaged one.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.evaluate.wsol.baselines import BASELINES
        from kiridashi.models.catalogue import find_card

        for name in self.methods:
            check_choice("method", name, (*TAUGHT, *BASELINES))
        check_choice("way to label (--labels)", self.labels, LABELS)
        check_choice("trunk", self.trunk, TRUNKS)
        find_card(self.model)
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the data and loading the model"):
                sets = self._sets()
                plan = self._plan(sets, display)
                # Everything that can be wrong with the splits is told before anything is written.
                total = len(plan.keys())
                folder = self._open()
            started = time.perf_counter()
            skipped = self._work(plan, folder, display, total)
        lines = folder.finish(plan.keys())
        rows, agreements = self._write(plan, folder, lines)
        told = {trial.source.name: trial.notes for trial in plan.trials}
        seconds = time.perf_counter() - started
        return WsolSummary(
            out=self.out,
            lines=lines,
            skipped=skipped,
            seconds=seconds,
            rows=rows,
            first=self.methods[0],
            told=told,
            agreements=agreements,
        )

    def _sets(self) -> list["WsolSet"]:
        from kiridashi.evaluate.wsol.sources import as_defects

        found = [self._set(path) for path in self.data]
        return [as_defects(one) for one in found] if self.labels == "defect" else found

    def _set(self, path: Path) -> "WsolSet":
        from kiridashi.core.errors import UsageError
        from kiridashi.evaluate.wsol.sources import from_labels, open_set

        if path.is_dir():
            if self.pictures is not None:
                raise UsageError(f"--pictures goes with a table of labels; {path} has pictures of its own")
            return open_set(path)
        from kiridashi.localize.labels import read_labels

        read = read_labels(path, self.pictures)
        for refused in read.refused[:NAMED]:
            tell(f"{refused.file}: {refused.reason}", "left out")
        if len(read.refused) > NAMED:
            tell(f"and {len(read.refused) - NAMED} more", "left out")
        return from_labels(path.stem, read.items, read.classes)

    def _plan(self, sets: Sequence["WsolSet"], display: Display) -> "Plan":
        from kiridashi.data.cache_folder import open_cache
        from kiridashi.evaluate.wsol.baselines import BASELINES
        from kiridashi.evaluate.wsol.run import Plan
        from kiridashi.models.loading import load_model

        model = load_model(self.model)
        teacher = Teacher(model, self.trunk, self.area, self.grid, open_cache(self.cache), display)
        return Plan(
            sets,
            self.methods,
            teacher,
            BASELINES,
            self.out / MODELS,
            self.splitting,
            self.seeds,
            self.side,
        )

    def _open(self) -> "WsolFolder":
        from kiridashi.report.wsol import WsolFolder

        split = self.splitting
        options = training_options(self.trunk, self.area, 0).to_dict()
        settings = {
            "command": "evaluate wsol",
            **model_settings(self.model),
            # The seed stands in the lines.
            "training": {key: value for key, value in options.items() if key != "seed"},
            "grid": self.grid,
            "labels": self.labels,
            "size": self.side,
            "test splits": ",".join(split.tests),
            "tune on": split.tune_on,
            "tune share": split.tune_share,
            "folds": split.folds,
        }
        return WsolFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)

    def _work(self, plan: "Plan", folder: "WsolFolder", display: Display, total: int) -> int:
        """Make the lines that are missing; gives how many were there."""
        from kiridashi.evaluate.wsol.run import run

        return work(
            lambda step: run(plan, folder, step=step, debug=wants_debug()),
            display,
            folder.path,
            total=total,
            pending=plan.pending(folder),
        )

    def _write(
        self, plan: "Plan", folder: "WsolFolder", lines: Sequence["Line"]
    ) -> tuple[list["Row"], list["Agreement"]]:
        from kiridashi.evaluate.wsol import agreement as pairs
        from kiridashi.evaluate.wsol.summary import summarise
        from kiridashi.evaluate.wsol.tables import as_csv, as_markdown
        from kiridashi.report.wsol import AGREEMENT, CSV, SCATTER, TABLE
        from kiridashi.report.wsol.scatter import draw

        names = [one.name for one in plan.sets]
        rows = summarise(lines, names, self.methods, {one.name: len(one.classes) for one in plan.sets})
        found = [
            pairs.agreement([line for line in lines if line.key.set == name], COARSE, FINAL) for name in names
        ]
        agreements = [one for one in found if one is not None]
        write_text(folder.path / TABLE, as_markdown(rows, self.methods[0]))
        write_text(folder.path / CSV, as_csv(rows))
        if agreements:
            write_text(folder.path / AGREEMENT, pairs.as_csv(agreements))
            write_text(folder.path / SCATTER, draw(agreements))
        return rows, agreements


@dataclass(frozen=True, kw_only=True)
class WsolSummary(EvaluationEnd["Line"]):
    """The end of an evaluation.

    Attributes:
        rows: of the table.
        first: the method that differences are to.
        told: how each set was divided, by its name.
        agreements: of coarse and final quality, one a set.
    """

    command = "evaluate wsol"

    rows: Sequence["Row"]
    first: str
    told: Mapping[str, str]
    agreements: Sequence["Agreement"]

    @property
    def files(self) -> Mapping[str, Path]:
        """What was written, by kind."""
        from kiridashi.report.wsol import AGREEMENT, CSV, RESULTS, SCATTER, TABLE

        names = {"results": RESULTS, "table": TABLE, "csv": CSV}
        names |= {"coarse and final": AGREEMENT, "plot": SCATTER} if self.agreements else {}
        return {kind: self.out / name for kind, name in names.items()}

    def facts(self) -> dict[str, Any]:
        """Rows, how the sets were divided, and whether final answers are better than coarse ones."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "splits": dict(self.told),
            "coarse_and_final": [
                {
                    "set": one.pairs[0].set,
                    "pairs": len(one.pairs),
                    "correlation": one.correlation,
                    "better": one.better,
                }
                for one in self.agreements
            ],
        }

    def text(self) -> str:
        """The table, how the sets were divided, and what became of coarse maps."""
        from kiridashi.evaluate.wsol.tables import as_markdown

        table = as_markdown(self.rows, self.first) if self.rows else "no question has an answer\n"
        divided = [f"{name}: {told}" for name, told in self.told.items()]
        return "\n".join([table, *divided, *map(_agreement_text, self.agreements)])

    def place(self, line: "Line") -> str:
        """Set, part, picture and method."""
        key = line.key
        return f"{key.set}, {key.part}, {key.picture}, {key.method}"


def _agreement_text(one: "Agreement") -> str:
    how = "" if one.correlation is None else f", rank correlation {one.correlation:+.2f}"
    return (
        f"{one.pairs[0].set}: {FINAL} is better than the map it starts from in {100 * one.better:.1f} % of "
        f"{len(one.pairs)}{how}"
    )
