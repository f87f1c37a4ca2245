"""The work of `kiridashi localize sweep`."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kiridashi.classes.samples import Unusable
from kiridashi.cli.classes_told import Told, count
from kiridashi.cli.columns import columns
from kiridashi.cli.failures import Interrupted
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import write_json, write_text
from kiridashi.data.files import one_line
from kiridashi.report.line_folder import LineFolder

if TYPE_CHECKING:
    from kiridashi.cli.localize_opening import Opened
    from kiridashi.evaluate.wsol.items import Item, WsolSet
    from kiridashi.localize.settings import LocaliseSettings
    from kiridashi.localize.sweeping import Axes, Measured, Sweep
    from kiridashi.report.localisation.sweep import SweepRow

CSV, PLOT, RECOMMENDED = "sweep.csv", "sweep.svg", "recommended.json"
ALL = "all"
Question = tuple[str, str]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class SweepLine:
    """All settings on one picture and class.

    Attributes:
        key: id of the picture, and the class.
        rows: one a setting.
    """

    key: Question
    rows: "tuple[Measured, ...]"

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        return {
            "picture": self.key[0],
            "label": self.key[1],
            "settings": [row.to_json() for row in self.rows],
        }


class SweepFolder(LineFolder[Question, SweepLine]):
    """The folder of one sweep. Make it with `open`."""

    made = (CSV, PLOT, RECOMMENDED)

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> SweepLine:
        """Read back what `SweepLine.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        from kiridashi.localize.sweeping import Measured

        try:
            rows = tuple(Measured.from_json(row) for row in line["settings"])
            return SweepLine((str(line["picture"]), str(line["label"])), rows)
        except (KeyError, TypeError) as error:
            raise InputError(f"a line of the sweep's results.jsonl is not one of ours ({error!r})") from error


@dataclass(frozen=True)
class SweepJob:
    """What the user asks of `localize sweep`; see its options."""

    data: Path
    model: Path
    out: Path
    pictures: Path | None = None
    split: str | None = None
    points_per_side: str = "8,16,24,32"
    candidates: str = "all,16"
    matching: str = "iou,soft-iou,cosine,inside-outside"
    limit: int = 100
    sam: str | None = None
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            UsageError: the options do not fit together, or the folder cannot be used.
            InputError: the data or the MODEL folder cannot be used, or no picture of the data has a truth.
            ModelUnavailableError: a model's files are not here.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.localize.sweeping import Sweep, summarise

        axes = self._axes()
        began = time.perf_counter()
        with Display(quiet=self.quiet) as display:
            with display.waiting("loading the model and reading the data"):
                opened = self._open()
                source, refused = self._source()
                questions = self._questions(source, opened.network.classes)
                folder = self._open_folder(opened, source, axes)
            sweep = Sweep(opened.sam, opened.network, axes, _base(opened.facts.inspects))
            failed = [*refused, *self._measure(display, folder, sweep, source, questions)]
        keys = [(item.id, label) for item, label in questions]
        lines = folder.finish(keys)
        if not lines:
            raise InputError(f"no picture could be measured; {failed[0].file}: {failed[0].reason}")
        rows = summarise([line.rows for line in lines])
        self._write(rows, source, len(lines))
        return self._told(rows, source, len(lines), failed, time.perf_counter() - began)

    def _axes(self) -> "Axes":
        from kiridashi.localize.settings import MEASURES
        from kiridashi.localize.sweeping import Axes

        names = _list(self.matching, "--matching", str)
        for name in names:
            check_choice("way of matching", name, MEASURES)
        axes = Axes(
            points_per_side=_list(self.points_per_side, "--points-per-side", int),
            candidates=_list(
                self.candidates, "--candidates", lambda word: None if word == ALL else int(word)
            ),
            measures=tuple(measure for name in names for measure in MEASURES if measure == name),
        )
        # What the settings refuse is refused before anything is loaded.
        axes.settings(_base())
        return axes

    def _open(self) -> "Opened":
        from kiridashi.cli.localize_opening import open_model

        return open_model(self.model, self.sam)

    def _source(self) -> "tuple[WsolSet, list[Unusable]]":
        from kiridashi.evaluate.wsol.sources import from_labels, open_set
        from kiridashi.localize.labels import read_labels

        if self.data.is_dir():
            if self.pictures is not None:
                raise UsageError("--pictures goes with a CSV or COCO file, DATA is a folder")
            return open_set(self.data), []
        labels = read_labels(self.data, self.pictures)
        refused = [Unusable(one.file, one.reason) for one in labels.refused]
        return from_labels(self.data.stem, labels.items, labels.classes), refused

    def _questions(self, source: "WsolSet", classes: Sequence[str]) -> "list[tuple[Item, str]]":
        """Pictures with the class to look for, drawn by the seed."""
        items = self._of_split(source)
        marked = [item for item in items if item.marked and item.labels]
        if not marked:
            raise InputError(
                one_line(
                    f"{self.data}: no picture has a box or a mask to measure by; give boxes (x0, y0, x1, "
                    "y1 in the CSV) or masks"
                )
            )
        # A network of one class, defect for instance, is asked for that one whatever the defect is called.
        only = classes[0] if len(classes) == 1 else None
        questions = [
            (item, label) for item in marked for label in item.labels if label in classes or only is not None
        ]
        if not questions:
            raise UsageError(
                one_line(
                    f"{self.data} has pictures of {', '.join(source.classes[:8])}, the model knows "
                    f"{', '.join(classes[:8])}: they have no class in common"
                )
            )
        order = np.random.default_rng(self.seed).permutation(len(questions))
        return [questions[place] for place in order[: self.limit]]

    def _of_split(self, source: "WsolSet") -> "list[Item]":
        named = sorted({item.split for item in source.items if item.split is not None})
        if self.split is None:
            if len(named) > 1:
                raise UsageError(
                    f"{source.name} has the splits {', '.join(named)}; say with --split on which to choose, "
                    "and report figures of another one"
                )
            return list(source.items)
        if named:
            check_choice("split", self.split, named)
        else:
            raise UsageError(f"{source.name} has no splits; leave --split out")
        return [item for item in source.items if item.split == self.split]

    def _open_folder(self, opened: "Opened", source: "WsolSet", axes: "Axes") -> SweepFolder:
        card = opened.sam.card
        settings = {
            "command": "localize sweep",
            "network": opened.digest,
            "model": card.name,
            "model file": card.sha256 or card.source,
            "data": source.fingerprint,
            "points per side": ",".join(map(str, axes.points_per_side)),
            "candidates": ",".join(ALL if most is None else str(most) for most in axes.candidates),
            "matching": ",".join(axes.measures),
        }
        return SweepFolder.open(self.out, settings, resume=self.resume, overwrite=self.overwrite)

    def _measure(
        self,
        display: Display,
        folder: SweepFolder,
        sweep: "Sweep",
        source: "WsolSet",
        questions: "Sequence[tuple[Item, str]]",
    ) -> list[Unusable]:
        """Measure what is not measured yet; what cannot be is told."""
        pending = [(item, label) for item, label in questions if folder.get((item.id, label)) is None]
        failed: list[Unusable] = []
        done = len(questions) - len(pending)
        try:
            with display.bar("sweep", len(pending), unit="answers") as step:
                for item, label in pending:
                    try:
                        folder.append(_line(sweep, source, item, label))
                    except InputError as error:
                        path = one_line(str(item.path))
                        failed.append(Unusable(path, one_line(str(error)).removeprefix(f"{path}: ")))
                    done += 1
                    step()
        except KeyboardInterrupt as error:
            raise Interrupted(done, len(questions), self.out, unit="answers") from error
        return failed

    def _write(self, rows: "Sequence[SweepRow]", source: "WsolSet", pictures: int) -> None:
        from kiridashi.report.localisation.sweep import draw, table

        title = f"{source.name}: {count(pictures, 'picture')}"
        write_text(self.out / CSV, table(rows))
        write_text(self.out / PLOT, draw(rows, title))
        write_json(self.out / RECOMMENDED, _recommendation(rows), indent=1)

    def _told(
        self,
        rows: "Sequence[SweepRow]",
        source: "WsolSet",
        pictures: int,
        failed: Sequence[Unusable],
        seconds: float,
    ) -> Told:
        chosen = _recommended(rows)
        front = sorted((row for row in rows if row.on_front), key=lambda row: row.seconds)
        cells: list[tuple[str, ...]] = [
            ("  grid", "candidates", "matching", "s/picture", "mean IoU", "GT-known", "kept coarse")
        ]
        cells += [_cells(row) for row in front]
        lines = [
            f"{count(pictures, 'picture')} of {source.name}, {len(rows)} settings, {seconds:.0f} s",
            "settings that no other beats in speed and accuracy:",
            *columns(cells, right=[3, 4, 5, 6]),
            f"recommended: {_words(chosen)}",
            "these pictures have chosen it: report figures of other ones",
            f"look at {self.out / PLOT}",
        ]
        document = {
            "command": "localize sweep",
            "out": str(self.out),
            "pictures": pictures,
            "recommended": _recommendation(rows),
            "settings": len(rows),
            "seconds": round(seconds, 3),
            "files": {name: str(self.out / name) for name in (CSV, PLOT, RECOMMENDED)},
        }
        return Told(lines, document, left_out=failed)


def _base(inspects: bool = False) -> "LocaliseSettings":
    from kiridashi.localize.settings import LocaliseSettings, for_inspection

    settings = LocaliseSettings()
    return for_inspection(settings) if inspects else settings


def _line(sweep: "Sweep", source: "WsolSet", item: "Item", label: str) -> SweepLine:
    from kiridashi.data.pictures import read_picture

    picture = read_picture(item.path)
    truth = source.truth(item, label, picture)
    classes = sweep.classes
    asked = label if label in classes else classes[0]
    return SweepLine((item.id, label), tuple(sweep.measure(picture, asked, truth)))


def _list(text: str, option: str, read: Callable[[str], Value]) -> tuple[Value, ...]:
    """The values of `a,b,c`.

    Raises:
        UsageError: one that cannot be read.
    """
    try:
        return tuple(dict.fromkeys(read(word.strip()) for word in text.split(",") if word.strip()))
    except ValueError as error:
        raise UsageError(f"{option} is a list such as 8,16; got {text[:60]!r}") from error


def _recommended(rows: "Sequence[SweepRow]") -> "SweepRow":
    return next(row for row in rows if row.recommended)


def _recommendation(rows: "Sequence[SweepRow]") -> dict[str, Any]:
    row = _recommended(rows)
    return {
        "points_per_side": row.points_per_side,
        "candidates": row.candidates,
        "matching": row.matching,
        "seconds": round(row.seconds, 4),
        "mean_iou": round(row.iou.mean, 4),
        "interval": [round(row.iou.low, 4), round(row.iou.high, 4)],
        "options": _words(row),
    }


def _words(row: "SweepRow") -> str:
    """As options of `localize predict`."""
    most = "" if row.candidates is None else f" --candidates {row.candidates}"
    return f"--points-per-side {row.points_per_side}{most} --matching {row.matching}"


def _cells(row: "SweepRow") -> tuple[str, ...]:
    interval = f"{row.iou.mean:.3f} [{row.iou.low:.3f}, {row.iou.high:.3f}]"
    return (
        f"  {row.points_per_side} x {row.points_per_side}",
        ALL if row.candidates is None else str(row.candidates),
        row.matching + (" *" if row.recommended else ""),
        f"{row.seconds:.3f}",
        interval,
        f"{row.gt_known:.3f}",
        f"{row.kept_coarse:.3f}",
    )
