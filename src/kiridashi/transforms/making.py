"""Whole data sets of transformed clips, written so that a kill leaves whole clips or none.

`OUT/cut-3/CLIP/frames/00000.jpg` with `masks/00000.png`, as `kiridashi evaluate vos` reads them; for
occlusions `amodal/` has the labels as if nothing were in front. `CLIP/clip.json` says what was done to the
clip, and `OUT/cut-3/meta.json` what was done to the set.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi import __version__
from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.data.atomic import write_json
from kiridashi.data.files import check_file, one_line, reason_of
from kiridashi.data.masks import write_label_map
from kiridashi.data.pictures import write_picture
from kiridashi.evaluate.clips import Clip
from kiridashi.evaluate.vos.sets import VosSet, read_frame
from kiridashi.transforms.donor import ClipDonor, Donor, DrawnDonor
from kiridashi.transforms.frame import Frame, draws
from kiridashi.transforms.registry import CARDS, Choice, build, check_different

RECORD, META = "clip.json", "meta.json"
FRAMES, MASKS, AMODAL = "frames", "masks", "amodal"
PART = ".part-"
QUALITY = 95
MAX_RECORD_BYTES = 2**26
FORMATS = ("jpg", "png")


@dataclass(frozen=True, eq=False)
class Task:
    """One clip that is transformed in one way.

    Attributes:
        source: the set of the clip.
        clip: to transform.
        choice: how.
        out: folder of all sets.
        seed: of everything that is drawn; every clip gets draws of its own.
        suffix: `jpg` or `png`.
    """

    source: VosSet
    clip: Clip
    choice: Choice
    out: Path
    seed: int
    suffix: str

    @property
    def folder(self) -> Path:
        """Of the transformed clip."""
        return self.out / self.choice.folder / self.clip.name

    @property
    def other(self) -> Clip | None:
        """The clip that other scenes are taken from: the next one of the set."""
        clips = self.source.clips
        if len(clips) == 1:
            return None
        return clips[([clip.name for clip in clips].index(self.clip.name) + 1) % len(clips)]

    @property
    def settings(self) -> dict[str, Any]:
        """What the transformed clip depends on."""
        other = self.other
        return {
            "version": __version__,
            "transformation": self.choice.name,
            "severity": self.choice.severity,
            "seed": self.seed,
            "format": self.suffix,
            "source": self.source.fingerprint(self.clip),
            "donor": None if other is None else other.name,
            "donor_source": None if other is None else self.source.fingerprint(other),
        }

    @property
    def is_done(self) -> bool:
        """Whether just this is there already."""
        record = read_record(self.folder)
        return record is not None and record["settings"] == self.settings


@dataclass(frozen=True, eq=False)
class Plan:
    """What to make.

    Attributes:
        source: the clips.
        choices: the transformations, each of which gives a set.
        out: folder of all sets.
        seed: of everything that is drawn.
        suffix: `jpg` or `png`, of the frames.

    Raises:
        UsageError: there is no choice, one of them twice, another format, or `out` is inside of the source.
    """

    source: VosSet
    choices: Sequence[Choice]
    out: Path
    seed: int = 0
    suffix: str = "jpg"

    def __post_init__(self) -> None:
        check_different(self.choices)
        if self.suffix not in FORMATS:
            raise UsageError(f"frames are written as {' or '.join(FORMATS)}, not as {self.suffix!r}")
        if self.out.resolve() == self.source.folder.resolve():
            raise UsageError(f"{self.out}: the clips are in this folder; name another one for the results")

    def tasks(self) -> list[Task]:
        """All of them, set by set."""
        return [
            Task(self.source, clip, choice, self.out, self.seed, self.suffix)
            for choice in self.choices
            for clip in self.source.clips
        ]


@dataclass(frozen=True)
class Failure:
    """A clip that could not be transformed.

    Attributes:
        set: name of the set that lacks it.
        clip: its name.
        error: why.
    """

    set: str
    clip: str
    error: str


def begin(plan: Plan, *, resume: bool = False, overwrite: bool = False) -> list[Task]:
    """Look at what is there, and tell what is to be made.

    Args:
        plan: what to make.
        resume: keep what is there already and was made in just this way.
        overwrite: make everything anew.

    Raises:
        UsageError: clips are there and neither is asked for, or a folder of such a name is not ours.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other; give one of them")
    if plan.out.exists() and not plan.out.is_dir():
        raise UsageError(f"{plan.out}: --out names a folder, and this is a file")
    tasks = plan.tasks()
    there = [task for task in tasks if task.folder.exists()]
    strange = next((task.folder for task in there if read_record(task.folder) is None), None)
    if strange is not None:
        raise UsageError(f"{strange} is there and was not made by this command; name another --out")
    if there and not (resume or overwrite):
        raise UsageError(
            f"{there[0].folder} is there already; add --resume to make only what is missing, --overwrite to "
            "make everything anew, or name another --out"
        )
    for left in plan.out.glob(f"{PART}*"):
        shutil.rmtree(left, ignore_errors=True)
    return [task for task in tasks if overwrite or not task.is_done]


def make(
    plan: Plan, pending: Sequence[Task], *, step: Callable[[], None] = lambda: None, debug: bool = False
) -> list[Failure]:
    """Make transformed clips, and the `meta.json` of every set.

    A clip that fails is told and left out, and the others go on.

    Args:
        plan: what to make.
        pending: of `begin`.
        step: called after each clip.
        debug: let defects through instead of telling them.

    Raises:
        UsageError: a file cannot be written.
    """
    failures = []
    for task in pending:
        try:
            _make_clip(task)
        except UsageError:
            raise
        except KiridashiError as error:
            failures.append(Failure(task.choice.folder, task.clip.name, one_line(str(error))))
        # A defect that one clip brings out must not cost the others.
        except Exception as error:
            if debug:
                raise
            reason = one_line(f"unexpected {type(error).__name__}: {reason_of(error)}")
            failures.append(Failure(task.choice.folder, task.clip.name, reason))
        _write_meta(plan, task.choice)
        step()
    return failures


def read_record(folder: Path) -> dict[str, Any] | None:
    """What was done to a clip; None where there is no clip of ours."""
    path = folder / RECORD
    try:
        check_file(path, MAX_RECORD_BYTES)
        record = json.loads(path.read_text(encoding="utf-8"))
    except (InputError, OSError, ValueError):
        return None
    return record if _is_record(record) else None


def _is_record(record: Any) -> bool:
    return isinstance(record, dict) and all(
        isinstance(record.get(part), dict) for part in ("settings", "item")
    )


def transformed(task: Task) -> Iterator[Frame]:
    """The frames of a transformed clip, one by one.

    Raises:
        InputError: a file of the clip, or of the one that other scenes are taken from, cannot be used.
    """
    transform = build(task.choice, _own_seed(task), _donor(task))
    for index in range(len(task.clip)):
        picture, labels = read_frame(task.clip, index)
        yield from transform(Frame(picture.pixels, labels, index), index)


def _make_clip(task: Task) -> None:
    part = task.out / f"{PART}{task.choice.folder}-{task.clip.name}"
    try:
        item = _write_frames(task, part)
        write_json(part / RECORD, {"settings": task.settings, "item": item})
        _put_in_place(part, task.folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_frames(task: Task, part: Path) -> dict[str, Any]:
    sources: list[int | None] = []
    objects: set[int] = set()
    absent = 0
    for number, frame in enumerate(transformed(task)):
        write_picture(part / FRAMES / f"{number:05d}.{task.suffix}", frame.pixels, QUALITY)
        write_label_map(part / MASKS / f"{number:05d}.png", frame.labels)
        if task.choice.name == "occlusion":
            whole = frame.labels if frame.amodal is None else frame.amodal
            write_label_map(part / AMODAL / f"{number:05d}.png", whole)
        sources.append(frame.source)
        objects |= {int(value) for value in np.unique(frame.labels) if value}
        absent += not frame.labels.any()
    return {
        "seq": task.clip.name,
        "frames": len(sources),
        "objects": sorted(objects),
        "frames_without_objects": absent,
        "source_frames": len(task.clip),
        "sources": sources,
    }


def _put_in_place(part: Path, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
    except OSError as error:
        raise UsageError(one_line(f"{folder}: cannot be written: {reason_of(error)}")) from error


def _write_meta(plan: Plan, choice: Choice) -> None:
    folder = plan.out / choice.folder
    records = (read_record(path) for path in sorted(folder.iterdir())) if folder.is_dir() else ()
    items = [
        {**record["item"], **{name: record["settings"].get(name) for name in ("seed", "donor")}}
        for record in records
        if record is not None
    ]
    if not items:
        return
    card = CARDS[choice.name]
    document = {
        "transformation": {
            "name": card.name,
            "family": card.family,
            "summary": card.summary,
            "severity": choice.severity,
        },
        "source": plan.source.name,
        "version": __version__,
        "items": items,
    }
    write_json(folder / META, document, indent=1)


def _donor(task: Task) -> Donor:
    other = task.other
    return DrawnDonor(_own_seed(task)) if other is None else ClipDonor(other.frames)


def _own_seed(task: Task) -> int:
    """Of a clip, whatever the order and number of the others."""
    return int(draws(task.seed, "clip", task.clip.name).integers(2**31))
