"""The work of `kiridashi evaluate DATA`, from its arguments to its folder of results."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.classes_told import count
from kiridashi.cli.evaluation import EvaluationEnd, model_settings, work
from kiridashi.cli.failures import ExitCode, tell, wants_debug
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.summary import NAMED
from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import write_text

if TYPE_CHECKING:
    from kiridashi.evaluate.pictures import Line, PictureSet, Plan, Row
    from kiridashi.evaluate.pictures.costs import CostRow, Prices
    from kiridashi.evaluate.pictures.tags import TagRow, Tags
    from kiridashi.evaluate.pictures.twins import Looked
    from kiridashi.report.pictures import PicturesFolder

LABELS = ("own", "any")


@dataclass(frozen=True)
class PicturesJob:
    """What the user asks of `evaluate DATA`; see its options."""

    data: Path
    out: Path
    methods: tuple[str, ...]
    shots: tuple[int, ...] = (1, 5)
    seeds: tuple[int, ...] = (0,)
    negatives: int = 0
    most: int | None = None
    labels: str = "own"
    pictures: Path | None = None
    format: str | None = None
    tags: Path | None = None
    costs: tuple[float | None, float | None] = (None, None)
    rate: float | None = None
    model: str = "compact"
    resume: bool = False
    overwrite: bool = False
    language: str = "en"
    quiet: bool = False

    def run(self) -> "PicturesEnd":
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, no class has enough pictures, a method cannot work
                with the model, or the folder cannot be used.
            InputError: there is no set, or a damaged one; or the table of conditions cannot be used.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.evaluate.pictures.tags import read_tags
        from kiridashi.report.page import LANGUAGES

        check_choice("language", self.language, LANGUAGES)
        check_choice("way to label (--labels)", self.labels, LABELS)
        settings = {**self._settings(), **model_settings(self.model)}
        prices = self._prices()
        tags = None if self.tags is None else read_tags(self.tags)
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the data and loading the model"):
                source = self._source()
                looked = self._look(source)
                plan = self._plan(source, looked)
                keys = plan.keys()
                folder = self._open(settings)
            started = time.perf_counter()
            pending = plan.pending(folder.get)
            skipped = work(
                lambda step: self._measure(plan, folder, step),
                display,
                folder.path,
                total=len(keys),
                pending=pending,
            )
            with display.waiting("working out the figures"):
                lines = folder.finish(keys)
                made = self._write(plan, looked, folder, lines, tags, prices)
        rows, by_tag, costs = made
        return PicturesEnd(
            out=self.out,
            lines=lines,
            left_out=looked.unreadable,
            skipped=skipped,
            seconds=time.perf_counter() - started,
            rows=rows,
            by_tag=by_tag,
            costs=costs,
            first=self.methods[0],
        )

    def _prices(self) -> "Prices | None":
        from kiridashi.evaluate.pictures.costs import Prices

        alarm, miss = self.costs
        if alarm is None and miss is None:
            if self.rate is not None:
                raise UsageError("--rate is for the costs; give --false-alarm-cost and --miss-cost with it")
            return None
        if alarm is None or miss is None:
            raise UsageError("give both --false-alarm-cost and --miss-cost, or neither")
        return Prices(alarm, miss, self.rate)

    def _source(self) -> "PictureSet":
        from kiridashi.evaluate.episodes import MIN_PICTURES, FewShotSet
        from kiridashi.evaluate.pictures import together
        from kiridashi.evaluate.pictures.annotated import open_annotated

        plain = all((self.data / part).is_dir() for part in ("images", "masks"))
        # Together with others a class that is in one picture counts too.
        least = 1 if self.labels == "any" else MIN_PICTURES
        source: PictureSet
        if plain and self.pictures is None and self.format is None:
            source = FewShotSet(self.data, least)
        else:
            source = open_annotated(self.data, self.pictures, self.format, least)
        return together(source) if self.labels == "any" else source

    @staticmethod
    def _look(source: "PictureSet") -> "Looked":
        """Which pictures cannot be used, and which look the same.

        Raises:
            InputError: none can be used.
        """
        from kiridashi.evaluate.pictures.twins import look_through

        looked = look_through(source)
        if all(name in looked.unreadable for names in source.classes.values() for name in names):
            first = next(iter(looked.unreadable.values()))
            raise InputError(f"{source.name}: no picture with a mask can be used; {first}")
        return looked

    def _plan(self, source: "PictureSet", looked: "Looked") -> "Plan":
        from kiridashi.cli.evaluate_pictures_methods import makers
        from kiridashi.evaluate.pictures import Plan, leave_out

        return Plan(
            leave_out(source, looked.unreadable),
            makers(self.methods, self.model),
            self.shots,
            self.seeds,
            self.negatives,
            self.most,
            known_twins=looked.twins,
        )

    def _settings(self) -> dict[str, Any]:
        """What every line depends on; what may be widened later stands in the lines."""
        return {"command": "evaluate", "labels": self.labels}

    def _open(self, settings: Mapping[str, Any]) -> "PicturesFolder":
        from kiridashi.report.pictures import PicturesFolder

        return PicturesFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)

    def _measure(self, plan: "Plan", folder: "PicturesFolder", step: Callable[[], None]) -> None:
        from kiridashi.evaluate.pictures import measure

        for line in measure(plan, folder.get, debug=wants_debug()):
            folder.append(line)
            step()

    def _write(
        self,
        plan: "Plan",
        looked: "Looked",
        folder: "PicturesFolder",
        lines: Sequence["Line"],
        tags: "Tags | None",
        prices: "Prices | None",
    ) -> tuple[list["Row"], list["TagRow"], list["CostRow"]]:
        from kiridashi.evaluate.pictures import summarise
        from kiridashi.evaluate.pictures.costs import expected_costs
        from kiridashi.evaluate.pictures.tables import as_csv, as_markdown, costs_markdown, tags_markdown
        from kiridashi.evaluate.pictures.tags import by_tags
        from kiridashi.report.pictures import CONDITIONS, COSTS, CSV, REPORT, TABLE, Comparison, write_report

        rows = summarise(lines, self.methods)
        by_tag = [] if tags is None else by_tags(lines, self.methods, tags)
        costs = [] if prices is None else expected_costs(lines, self.methods, prices)
        write_text(folder.path / TABLE, as_markdown(rows, self.methods[0]))
        write_text(folder.path / CSV, as_csv(rows))
        for name, text in ((CONDITIONS, tags_markdown(by_tag)), (COSTS, costs_markdown(costs))):
            if by_tag if name == CONDITIONS else costs:
                write_text(folder.path / name, text)
            else:
                # Of an earlier run in this folder.
                (folder.path / name).unlink(missing_ok=True)
        comparison = Comparison(plan, rows, lines, by_tag, costs, prices, self.model, looked.unreadable)
        write_report(folder.path / REPORT, comparison, self.language)
        return rows, by_tag, costs


@dataclass(frozen=True, kw_only=True)
class PicturesEnd(EvaluationEnd["Line"]):
    """The end of a comparison.

    Attributes:
        rows: of the table.
        left_out: pictures that cannot be used, and why.
        by_tag: figures by condition.
        costs: what mistakes cost.
        first: the method that differences are to.
    """

    command = "evaluate pictures"
    look_at = "report"

    rows: Sequence["Row"]
    left_out: Mapping[str, str]
    by_tag: Sequence["TagRow"]
    costs: Sequence["CostRow"]
    first: str

    @property
    def exit_code(self) -> ExitCode:
        """0 when every picture has every answer, else 3."""
        return ExitCode.SOME_FAILED if self.left_out else super().exit_code

    @property
    def files(self) -> Mapping[str, Path]:
        """What was written, by kind."""
        from kiridashi.report.pictures import CONDITIONS, COSTS, CSV, REPORT, RESULTS, TABLE

        names = {"results": RESULTS, "table": TABLE, "csv": CSV, "report": REPORT}
        names |= {"conditions": CONDITIONS} if self.by_tag else {}
        names |= {"costs": COSTS} if self.costs else {}
        return {kind: self.out / name for kind, name in names.items()}

    def facts(self) -> dict[str, Any]:
        """Rows, figures by condition, and costs."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "conditions": [row.to_json() for row in self.by_tag],
            "costs": [row.to_json() for row in self.costs],
            "left_out": [{"picture": name, "error": reason} for name, reason in self.left_out.items()],
        }

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; what was left out or failed is named also when quiet."""
        code = super().tell(quiet=quiet, as_json=as_json)
        for reason in list(self.left_out.values())[:NAMED]:
            tell(reason, "left out")
        if len(self.left_out) > NAMED:
            tell(f"and {len(self.left_out) - NAMED} more; {self.files['report']} has them", "left out")
        return code

    def text(self) -> str:
        """The tables."""
        from kiridashi.evaluate.pictures.tables import as_markdown, costs_markdown, tags_markdown

        parts = [as_markdown(self.rows, self.first) if self.rows else "no picture has an answer\n"]
        parts += [tags_markdown(self.by_tag)] if self.by_tag else []
        parts += [costs_markdown(self.costs)] if self.costs else []
        return "\n".join(parts)

    def place(self, line: "Line") -> str:
        """Class, shots, seed, picture and method."""
        key = line.key
        return f"{key.label}, {count(key.shots, 'shot')}, seed {key.seed}, {key.picture}, {key.method}"
