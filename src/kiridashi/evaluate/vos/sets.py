"""Sets of clips with label maps: `SET/CLIP/frames` with `masks`, one such clip, or DAVIS as published."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.picture import Picture
from kiridashi.data.files import unusable
from kiridashi.data.masks import read_label_map
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.clips import Clip, find_clips, open_clip
from kiridashi.evaluate.texts import fingerprint, inside, lines_of

Labels = NDArray[np.uint8]
# Pixels of nobody's; the only value of a mask of one object that was saved as black and white.
VOID = 255
# The first frame is given, and the last one does not count: three leave one to measure.
LEAST_FRAMES = 3
PICTURES, ANNOTATIONS, LISTS = "JPEGImages", "Annotations", "ImageSets"
RESOLUTIONS = ("480p", "Full-Resolution")
YEARS = ("2017", "2016", "480p")


@dataclass(frozen=True)
class VosSet:
    """Clips on which trackers are measured.

    Attributes:
        name: of the folder.
        clips: at least one, by name.
        folder: what fingerprints are relative to.
    """

    name: str
    clips: tuple[Clip, ...]
    folder: Path

    def fingerprint(self, clip: Clip) -> str:
        """Changes when a frame or a mask of a clip does."""
        return fingerprint(self.folder, (*clip.frames, *clip.masks))


def open_set(folder: Path, split: str | None = None) -> VosSet:
    """The set of a folder, whichever of the three layouts it has.

    Args:
        folder: `CLIP/frames` with `CLIP/masks` in it, or `frames` with `masks`, or `JPEGImages` with
            `Annotations` (and `ImageSets`) of DAVIS 2016 or 2017.
        split: list of clips in `ImageSets`; None: `val` where there are lists, else every clip.

    Raises:
        InputError: it has none of them, a frame has no mask, or there is no such split.
    """
    name = folder.resolve().name
    if (folder / PICTURES).is_dir():
        return VosSet(name, _published(folder, split), folder)
    if split is not None:
        raise InputError(f"{folder}: no split {split!r}; only a DAVIS folder with {LISTS}/ has splits")
    if (folder / "frames").is_dir():
        return VosSet(name, (open_clip(name, folder / "frames", folder / "masks"),), folder)
    return VosSet(name, tuple(find_clips(folder)), folder)


def read_frame(clip: Clip, index: int) -> tuple[Picture, Labels]:
    """A frame and its label map as stored.

    Raises:
        InputError: a file cannot be used, or a label is above 255.
        SizeMismatchError: the label map is not of the frame's size.
    """
    picture = read_picture(clip.frames[index])
    return picture, read_labels(clip.masks[index], picture.size)


def read_labels(path: Path, size: tuple[int, int] | None = None) -> Labels:
    """A label map of at most 8 bits.

    Args:
        path: the file.
        size: (height, width) that it must have.

    Raises:
        InputError: the file cannot be used, or a label is above 255.
        SizeMismatchError: it has another size.
    """
    labels = read_label_map(path)
    if labels.max() > VOID:
        raise unusable(path, f"labels of a clip go up to {VOID}, found {labels.max()}")
    if size is not None and labels.shape != size:
        raise SizeMismatchError(size, (labels.shape[0], labels.shape[1]), path.name)
    return labels.astype(np.uint8)


def objects_in(labels: Labels) -> tuple[int, ...]:
    """The objects of a first frame: its labels but 0, and but 255 (void) unless that is the only one.

    As in the public evaluator, an object that only comes later is not measured.
    """
    values = [int(value) for value in np.unique(labels) if value]
    return tuple(value for value in values if value != VOID) or tuple(values)


def _published(folder: Path, split: str | None) -> tuple[Clip, ...]:
    pictures, annotations = (_resolution(folder / part) for part in (PICTURES, ANNOTATIONS))
    names = _names(folder, split)
    if names is None:
        names = sorted(path.name for path in annotations.iterdir() if path.is_dir())
    if not names:
        raise InputError(f"{folder}: no clips in {annotations}")
    return tuple(open_clip(name, pictures / name, annotations / name) for name in names)


def _resolution(folder: Path) -> Path:
    for name in RESOLUTIONS:
        if (folder / name).is_dir():
            return folder / name
    raise InputError(f"{folder}: expected a folder {' or '.join(RESOLUTIONS)} in it")


def _names(folder: Path, split: str | None) -> list[str] | None:
    lists = [folder / LISTS / year / f"{split or 'val'}.txt" for year in YEARS]
    for path in lists:
        if path.is_file():
            # DAVIS 2016 lists the two files of every frame, DAVIS 2017 the clips.
            names = list(dict.fromkeys(_clip_of(line) for line in lines_of(path)))
            return [inside(folder, name, path).name for name in names]
    if split is not None:
        raise InputError(f"{folder}: no list of the split {split!r}; looked for {lists[0]}")
    return None


def _clip_of(line: str) -> str:
    parts = line.split()[0].strip("/").split("/")
    return parts[-2] if len(parts) > 1 else parts[0]
