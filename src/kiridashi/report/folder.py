"""The output folder of a run over many pictures, safe against a kill at any moment.

A picture counts as done when its line is in `results.jsonl`: that line is written last, in one piece,
and holds all that the other files are made of. `annotations.json` is rebuilt from it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kiridashi import __version__
from kiridashi.core.adapters import coco
from kiridashi.core.adapters.overlay import draw_overlay, mark_absent
from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segments
from kiridashi.data.atomic import write_json, write_text
from kiridashi.data.lines import append_line, read_jsonl
from kiridashi.data.masks import write_mask
from kiridashi.data.pictures import write_picture
from kiridashi.data.targets import Target
from kiridashi.report.lines import dump_line
from kiridashi.report.records import Record

RUN, RESULTS, ANNOTATIONS, REPORT = "run.json", "results.jsonl", "annotations.json", "report.html"
MASKS, OVERLAYS, TRANSITIONS = "masks", "overlays", "transitions"
Drawing = Callable[[Picture, Segments], Rgb]
_LEFT_OVER = re.compile(r"\.[0-9a-f]{16}(\.\w{1,15})?")


class RunFolder:
    """The folder of one run. Make it with `open`.

    Attributes:
        path: the folder.
        records: the results so far by stem.
        with_masks: whether a mask picture is written for each target.
        categories: number of each label in `annotations.json`; None: those found, from 1 on.
        drawing: makes the overlay of a picture and its result.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        with_masks: bool,
        categories: Mapping[str, int] | None = None,
        drawing: Drawing = draw_overlay,
    ) -> None:
        self.path = path
        # Another version may give other results.
        self.settings = {"version": __version__, **settings}
        self.with_masks = with_masks
        self.categories, self.drawing = categories, drawing
        self.records: dict[str, Record] = {}

    @classmethod
    def open(
        cls,
        path: str | Path,
        settings: Mapping[str, Any],
        *,
        resume: bool = False,
        overwrite: bool = False,
        with_masks: bool = True,
        categories: Mapping[str, int] | None = None,
        drawing: Drawing = draw_overlay,
    ) -> "RunFolder":
        """Begin a run in a folder, or go on with the one that is there.

        Args:
            path: the folder; made when missing. Files that are not a run's own are left alone.
            settings: what the results depend on, as JSON; kept in `run.json`.
            resume: go on with the run in the folder.
            overwrite: remove the results of the run in the folder first.
            with_masks: whether mask pictures belong to this run.
            categories: number of every label that may come; None: those found, from 1 on.
            drawing: makes the overlay of a picture and its result.

        Raises:
            UsageError: the folder holds results and neither is asked for, the settings to resume
                with are not those of the run, or the folder cannot be written.
        """
        if resume and overwrite:
            raise UsageError("--resume and --overwrite contradict each other; give one of them")
        folder = cls(Path(path), settings, with_masks, categories, drawing)
        if folder.path.exists() and not folder.path.is_dir():
            raise UsageError(f"{folder.path}: --out names a folder, and this is a file")
        if folder._holds_results():
            check_own(folder.path)
            if not (resume or overwrite):
                raise UsageError(
                    f"{folder.path} already holds results; add --resume to go on with that run, "
                    "--overwrite to replace it, or name another --out"
                )
        folder._sweep()
        if overwrite:
            folder._clear()
        elif resume:
            folder._take_up()
        write_json(folder.path / RUN, {"settings": folder.settings}, indent=1)
        return folder

    def pending(self, targets: Sequence[Target]) -> list[Target]:
        """The targets that have no result yet, or whose file has changed since.

        Raises:
            UsageError: a stem is taken by another file's result from an earlier run in this folder.
        """
        stems = {_place(target.path): target.stem for target in targets}
        for record in list(self.records.values()):
            # The same file under another stem: its namesakes have changed, so it is done again.
            if stems.get(_place(record.file), record.stem) != record.stem:
                self._forget(record)
        left = []
        for target in targets:
            known = self.records.get(target.stem)
            if known is not None and _place(known.file) != _place(target.path):
                raise UsageError(
                    f"{self.path} already holds a result named {target.stem}, of {known.file}; name both "
                    f"pictures in one run, or take another --out for {target.path}"
                )
            if known is None or not self._is_done(known, target):
                left.append(target)
        return left

    def commit(
        self,
        target: Target,
        picture: Picture,
        segments: Segments,
        seconds: float,
        strip: Picture | None = None,
    ) -> Record:
        """Write the files of one picture, and last its line: from then on it is done.

        Args:
            target: the file.
            picture: in it.
            segments: its result.
            seconds: that it took.
            strip: the frames between reference and picture, if there are any.
        """
        absent = segments.verdict is not None and not segments.verdict.present
        if absent:
            segments = Segments(segments.size, (), segments.verdict, segments.provenance)
        if self.with_masks:
            write_mask(self.mask_path(target.stem), segments.union())
        drawn = mark_absent(picture) if absent else self.drawing(picture, segments)
        write_picture(self.overlay_path(target.stem), drawn)
        if strip is not None:
            write_picture(self.strip_path(target.stem), strip.pixels)
        else:
            self.strip_path(target.stem).unlink(missing_ok=True)
        return self._append(Record.of(str(target.path), target.stem, stamp(target.path), segments, seconds))

    def fail(self, target: Target, reason: str, seconds: float) -> Record:
        """Note why a picture has no result."""
        self._remove_files(target.stem)
        record = Record(str(target.path), target.stem, round(seconds, 4), stamp(target.path), error=reason)
        return self._append(record)

    def finish(self, targets: Sequence[Target]) -> list[Record]:
        """Bring `results.jsonl` into the order of the targets, one line each, and write `annotations.json`.

        Returns:
            The records: those of the targets first, then what earlier runs left in the folder.
        """
        first = [target.stem for target in targets if target.stem in self.records]
        asked = set(first)
        ordered = [self.records[stem] for stem in first]
        ordered += [record for stem, record in self.records.items() if stem not in asked]
        write_text(self.path / RESULTS, "".join(dump_line(record.to_json()) + "\n" for record in ordered))
        write_json(self.path / ANNOTATIONS, annotations_of(ordered, self.categories))
        return ordered

    def mask_path(self, stem: str) -> Path:
        """The mask picture of a stem."""
        return self.path / MASKS / f"{stem}.png"

    def overlay_path(self, stem: str) -> Path:
        """The overlay picture of a stem."""
        return self.path / OVERLAYS / f"{stem}.jpg"

    def strip_path(self, stem: str) -> Path:
        """The frames between reference and picture of a stem."""
        return self.path / TRANSITIONS / f"{stem}.jpg"

    def _append(self, record: Record) -> Record:
        append_line(self.path / RESULTS, dump_line(record.to_json()))
        self.records[record.stem] = record
        return record

    def _is_done(self, record: Record, target: Target) -> bool:
        files = [self.overlay_path(record.stem)] + ([self.mask_path(record.stem)] if self.with_masks else [])
        return (
            record.error is None
            and record.stamp == stamp(target.path)
            and all(file.is_file() for file in files)
        )

    def _holds_results(self) -> bool:
        # run.json alone is a run that stopped before its first result: nothing to lose.
        names = (RESULTS, ANNOTATIONS, REPORT)
        folders = (self.path / MASKS, self.path / OVERLAYS, self.path / TRANSITIONS)
        return any((self.path / name).exists() for name in names) or any(
            folder.is_dir() and any(folder.iterdir()) for folder in folders
        )

    def _take_up(self) -> None:
        """Read the results of the run in the folder, after checking that this is the same run."""
        if not self._holds_results():
            return
        before = read_settings(self.path / RUN)
        changed = differences(before, self.settings)
        if changed:
            raise UsageError(
                f"{self.path} holds a run with other settings, which --resume would mix: "
                f"{'; '.join(changed)}\n"
                "give the same settings again, or name another --out"
            )
        self.records = self._read_records()

    def _read_records(self) -> dict[str, Record]:
        path = self.path / RESULTS
        lines = read_jsonl(path) if path.is_file() else []
        # A picture that was done again has two lines; the later one holds.
        return {record.stem: record for record in map(Record.from_json, lines)}

    def _clear(self) -> None:
        """Remove the files of the run in the folder, and nothing else."""
        for record in self._read_records().values():
            self._remove_files(record.stem)
        for name in (REPORT, ANNOTATIONS, RESULTS):
            (self.path / name).unlink(missing_ok=True)

    def _forget(self, record: Record) -> None:
        self._remove_files(record.stem)
        del self.records[record.stem]

    def _remove_files(self, stem: str) -> None:
        for path in (self.mask_path(stem), self.overlay_path(stem), self.strip_path(stem)):
            # A line of a foreign results.jsonl must not reach outside of the folder.
            if path.parent.name in (MASKS, OVERLAYS, TRANSITIONS) and Path(stem).name == stem:
                path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove the temporary files that a killed run left behind."""
        for folder in (self.path, *(self.path / name for name in (MASKS, OVERLAYS, TRANSITIONS))):
            if folder.is_dir():
                sweep(folder)


def check_own(folder: Path) -> None:
    """Refuse a folder in which files of the names that a run writes were made by something else.

    Raises:
        UsageError: no run has been here.
    """
    if not (folder / RUN).is_file():
        raise UsageError(
            f"{folder} holds files that a run would replace, and no {RUN} that says a run wrote them; name "
            "another --out"
        )


def sweep(folder: Path) -> None:
    """Remove the temporary files that a killed run left behind in a folder."""
    for path in folder.glob(".*"):
        if _LEFT_OVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def annotations_of(records: Sequence[Record], categories: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The COCO document of the records that have a result; a category a label.

    Args:
        records: of pictures.
        categories: number of every label; None: those found, from 1 on.

    Raises:
        UsageError: a label has no number.
    """
    usable = [record for record in records if record.error is None]
    labels = (each["label"] for record in usable for each in record.instances)
    numbers = coco.categories(labels) if categories is None else categories
    images: list[coco.Record] = []
    entries: list[coco.Record] = []
    for image_id, record in enumerate(usable, start=1):
        segments = record.segments()
        entry = coco.image(image_id, record.file, segments.size)
        images.append(entry if record.bridge is None else entry | {"provenance": dict(record.provenance)})
        entries += coco.annotations(segments, image_id, len(entries) + 1, numbers)
    return coco.document(images, entries, numbers, {"version": __version__})


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two settings, in words; values too long to read are only named."""
    told = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        short = all(value is None or isinstance(value, str | int | float | bool) for value in (old, new))
        told.append(f"{key} was {old}, now {new}" if short else f"the {key} differ")
    return told


def stamp(path: Path) -> tuple[int, int]:
    """(bytes, time of last change in ns) of a file; zeros when it cannot be asked."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _place(path: str | Path) -> Path:
    """The file itself, however its path is written; a link stays what it is, as in `find_targets`."""
    path = Path(path)
    return path.parent.resolve() / path.name


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of an earlier run, from its `run.json`.

    Raises:
        UsageError: the file is damaged.
    """
    import json

    try:
        settings = json.loads(path.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: damaged; this run cannot be resumed, name another --out") from error
    if not isinstance(settings, dict):
        raise UsageError(f"{path}: damaged; this run cannot be resumed, name another --out")
    return settings
