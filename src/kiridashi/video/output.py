"""The folder of one clip's tracks, safe against a kill at any moment.

Frames are written as they come. Every so many frames a checkpoint holds what the run goes on from: the
tracker's memory, and how long the files were. A run that goes on cuts the files to that length, so
that it writes what an uninterrupted run would have written.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kiridashi import __version__
from kiridashi.core.adapters.overlay import colour_of, draw_overlay
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture, Rgb
from kiridashi.core.segments import Segment, Segments
from kiridashi.data.atomic import atomic_path, write_bytes, write_json
from kiridashi.data.files import one_line, reason_of
from kiridashi.data.pictures import read_picture, write_picture
from kiridashi.data.tensors import read_tensors
from kiridashi.report.folder import check_own, differences, read_settings, sweep
from kiridashi.report.lines import dump_line
from kiridashi.video import tracks
from kiridashi.video.film import SUFFIX, rate_of, write_film
from kiridashi.video.thumbnails import Thumbnails
from kiridashi.video.tracker import State, TrackedFrame

RUN, TRACKS, RLE, STRIP = "run.json", "tracks.csv", "masks.jsonl", "strip.jpg"
FILM = f"overlays{SUFFIX}"
MASKS, OVERLAYS, CHECKPOINT = "masks", "overlays", "checkpoint.safetensors"
TRACKER, THUMBNAILS, FACTS = "tracker.", "thumbnails.", "facts"
QUALITY = 88
# More unreadable frames than this are counted but not named.
MOST_COMPLAINTS = 20


class Format(StrEnum):
    """How masks are written."""

    PNG = "png"
    RLE = "rle"


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        frames: done.
        unreadable: of these, those that could not be read.
        interjections: of these, those kept out of the memory.
        found: frames in which each object was found, by id as text.
        complaints: index, name and reason of the first unreadable frames.
        lengths: of the growing files, in bytes.
        span: when the first and the last frame were, in seconds, where that is known.
        done: whether the clip is at its end.
    """

    frames: int = 0
    unreadable: int = 0
    interjections: int = 0
    found: dict[str, int] = field(default_factory=dict)
    complaints: list[tuple[int, str, str]] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    done: bool = False


class TrackFolder:
    """The folder of one clip. Make it with `open`.

    Args:
        path: the folder.
        mask_format: of the masks.
        overlays: whether every frame is drawn.
        film: whether a film is made of the drawn frames at the end.

    Attributes:
        path: the folder.
        progress: of the run.
        memory: the tracker's state at the checkpoint that the run goes on from; empty at its start.
    """

    def __init__(
        self, path: Path, mask_format: Format = Format.PNG, overlays: bool = False, film: bool = False
    ) -> None:
        self.path, self._format, self._overlays, self._film = path, mask_format, overlays or film, film
        self.progress = Progress()
        self.memory: dict[str, Tensor] = {}
        self._thumbnails = Thumbnails()

    @classmethod
    def open(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        *,
        mask_format: Format = Format.PNG,
        overlays: bool = False,
        film: bool = False,
        resume: bool = False,
        overwrite: bool = False,
    ) -> "TrackFolder":
        """Begin a run in a folder, or go on with the one that is there.

        Args:
            path: the folder; made when missing.
            settings: what the results depend on, as JSON; kept in `run.json`.
            mask_format: of the masks.
            overlays: draw every frame.
            film: draw every frame, and make a film of them at the end.
            resume: go on with the run in the folder.
            overwrite: remove the results of the run in the folder first.

        Raises:
            UsageError: the folder holds results and neither is asked for, the settings to resume with are
                not those of the run, or the folder cannot be written.
            InputError: the checkpoint is damaged.
        """
        if resume and overwrite:
            raise UsageError("--resume and --overwrite contradict each other; give one of them")
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: --out names a folder, and this is a file")
        folder = cls(path, mask_format, overlays, film)
        drawn = {"overlays": overlays or film, "film": film}
        settings = {"version": __version__, "format": str(mask_format), **drawn, **settings}
        if folder._holds_results():
            check_own(path)
            if not (resume or overwrite):
                raise UsageError(
                    f"{path} already holds results; add --resume to go on with that run, --overwrite to "
                    "replace it, or name another --out"
                )
            folder._sweep()
            if overwrite:
                folder._clear()
            else:
                folder._take_up(settings)
        write_json(path / RUN, {"settings": settings}, indent=1)
        if not folder.progress.frames:
            folder._begin()
        return folder

    def write(
        self,
        frame: TrackedFrame,
        picture: Picture | None,
        name: str,
        why: str = "",
        seconds: float | None = None,
    ) -> None:
        """Write one frame.

        Args:
            frame: what was found.
            picture: the frame; None when it could not be read.
            name: of the frame.
            why: the reason when it could not be read.
            seconds: when it was, where that is known.

        Raises:
            UsageError: a file cannot be written.
        """
        if self._format is Format.PNG:
            write_labels(self.path / MASKS / f"{frame.index:05d}.png", label_map(frame))
        else:
            self._append(RLE, "".join(dump_line(line) + "\n" for line in rle_lines(frame)))
        self._append(TRACKS, tracks.rows(frame, seconds))
        self._draw(frame, picture)
        self._count(frame, picture is not None, name, why)
        if seconds is not None:
            first = seconds if self.progress.span is None else self.progress.span[0]
            self.progress.span = (first, seconds)

    def checkpoint(self, memory: Mapping[str, Tensor]) -> None:
        """Keep what a later run goes on from: all frames so far, and the tracker's state after them."""
        from safetensors.torch import save

        self.progress.lengths = {name: _flush(self.path / name) for name in self._growing()}
        tensors = {f"{TRACKER}{name}": value.contiguous() for name, value in memory.items()}
        tensors |= {f"{THUMBNAILS}{name}": value for name, value in self._thumbnails.state().items()}
        facts = json.dumps(asdict(self.progress))
        write_bytes(self.path / CHECKPOINT, save(tensors, metadata={FACTS: facts}), fsync=True)

    def finish(self, memory: Mapping[str, Tensor]) -> None:
        """Draw the strip, make the film and note that the clip is at its end."""
        strip = self._thumbnails.strip()
        if strip is not None:
            write_picture(self.path / STRIP, strip, QUALITY)
        if self._film:
            drawn = (self.path / OVERLAYS / f"{index:05d}.jpg" for index in range(self.progress.frames))
            rate = rate_of(self.progress.frames, *(self.progress.span or (None, None)))
            write_film(self.path / FILM, (read_picture(path).pixels for path in drawn), rate)
        self.progress.done = True
        self.checkpoint(memory)

    def facts(self) -> dict[str, Any]:
        """How far the run is, as JSON: frames by kind, and in how many each object was found."""
        facts = asdict(self.progress)
        del facts["lengths"], facts["span"], facts["done"]
        return facts

    def _draw(self, frame: TrackedFrame, picture: Picture | None) -> None:
        wanted = self._thumbnails.wants(frame.index)
        if not (wanted or self._overlays):
            return
        drawn = overlay(frame, picture)
        if wanted:
            self._thumbnails.add(frame.index, drawn)
        if self._overlays:
            write_picture(self.path / OVERLAYS / f"{frame.index:05d}.jpg", drawn, QUALITY)

    def _count(self, frame: TrackedFrame, readable: bool, name: str, why: str) -> None:
        progress = self.progress
        progress.frames += 1
        progress.interjections += frame.is_interjection
        for object_id, one in frame.objects.items():
            key = str(object_id)
            progress.found[key] = progress.found.get(key, 0) + (one.state is State.FOUND)
        if not readable:
            progress.unreadable += 1
            if len(progress.complaints) < MOST_COMPLAINTS:
                progress.complaints.append((frame.index, name, why))

    def _growing(self) -> list[str]:
        return [TRACKS] if self._format is Format.PNG else [TRACKS, RLE]

    def _begin(self) -> None:
        write_bytes(self.path / TRACKS, tracks.header().encode())
        if self._format is Format.RLE:
            write_bytes(self.path / RLE, b"")

    def _append(self, name: str, text: str) -> None:
        path = self.path / name
        try:
            with path.open("ab", buffering=0) as stream:
                stream.write(text.encode())
        except OSError as error:
            raise UsageError(one_line(f"{path}: cannot be written: {reason_of(error)}")) from error

    def _holds_results(self) -> bool:
        # run.json alone is a run that stopped before its first frame: nothing to lose.
        files = [self.path / name for name in (TRACKS, RLE, STRIP, FILM, CHECKPOINT)]
        folders = [self.path / name for name in (MASKS, OVERLAYS)]
        return any(file.exists() for file in files) or any(
            folder.is_dir() and any(folder.iterdir()) for folder in folders
        )

    def _take_up(self, settings: Mapping[str, Any]) -> None:
        changed = differences(read_settings(self.path / RUN), settings)
        if changed:
            raise UsageError(
                f"{self.path} holds a run with other settings, which --resume would mix: "
                f"{'; '.join(changed)}\n"
                "give the same settings again, or name another --out"
            )
        if not (self.path / CHECKPOINT).is_file():
            return
        tensors, metadata = read_tensors(self.path / CHECKPOINT)
        self.progress = _read_progress(self.path / CHECKPOINT, metadata)
        self.memory = _under(tensors, TRACKER)
        self._thumbnails.restore(_under(tensors, THUMBNAILS))
        for name in self._growing():
            self._cut(self.path / name, self.progress.lengths.get(name, -1))

    def _cut(self, path: Path, length: int) -> None:
        try:
            whole = 0 <= length <= path.stat().st_size
            if whole:
                os.truncate(path, length)
        except OSError as error:
            raise UsageError(one_line(f"{path}: cannot be written: {reason_of(error)}")) from error
        if not whole:
            raise UsageError(f"{path} is not as the run left it; start anew with --overwrite")

    def _clear(self) -> None:
        """Remove the files of a run, and nothing else."""
        for name in (TRACKS, RLE, STRIP, FILM, CHECKPOINT):
            (self.path / name).unlink(missing_ok=True)
        for folder, suffix in ((MASKS, "png"), (OVERLAYS, "jpg")):
            for path in (self.path / folder).glob(f"*.{suffix}"):
                if path.stem.isdecimal():
                    path.unlink()

    def _sweep(self) -> None:
        for folder in (self.path, self.path / MASKS, self.path / OVERLAYS):
            if folder.is_dir():
                sweep(folder)


def label_map(frame: TrackedFrame) -> NDArray[np.uint8]:
    """(H, W) uint8 of object ids, 0 background; where objects overlap the surer one wins."""
    labels = np.zeros(frame.size, dtype=np.uint8)
    for object_id, one in sorted(frame.objects.items(), key=lambda item: (item[1].score, -item[0])):
        if not one.mask.is_empty:
            labels[one.mask.slices][one.mask.bitmap] = object_id
    return labels


def rle_lines(frame: TrackedFrame) -> list[dict[str, Any]]:
    """One record for each object: frame, object, state, score and the COCO run lengths of its mask."""
    return [
        {
            "frame": frame.index,
            "object": name,
            "state": str(one.state),
            "score": round(one.score, 4),
            "segmentation": one.mask.to_rle(),
        }
        for name, one in frame.objects.items()
    ]


def overlay(frame: TrackedFrame, picture: Picture | None) -> Rgb:
    """The frame with every found object in the colour of its id; a frame that could not be read is black."""
    if picture is None:
        return np.zeros((*frame.size, 3), dtype=np.uint8)
    found = [(name, one) for name, one in frame.objects.items() if one.state is State.FOUND]
    segments = Segments(frame.size, tuple(Segment(one.mask, one.score, str(name)) for name, one in found))
    return draw_overlay(picture, segments, shades=[colour_of(name) for name, _ in found])


def write_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    """Write an (H, W) uint8 label map atomically as an 8-bit grey PNG.

    Raises:
        UsageError: the file cannot be written.
    """
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(labels).save(temporary, format="PNG")


def _flush(path: Path) -> int:
    """Wait until a file is on the disk; its length."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
        return os.fstat(stream.fileno()).st_size


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _read_progress(path: Path, metadata: Mapping[str, str]) -> Progress:
    try:
        progress = Progress(**json.loads(metadata[FACTS]))
        if not isinstance(progress.frames, int) or progress.frames < 0:
            raise ValueError("a number of frames below zero")
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); start anew with --overwrite") from error
    return progress
