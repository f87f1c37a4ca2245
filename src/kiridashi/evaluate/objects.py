"""The objects of a set that prompts and grids are measured on.

The rule: in a picture with a map of classes, an object is an 8-connected component of one class that covers
at least `LEAST_SHARE` of the picture; touching objects of one class count as one. In a clip it is the whole
foreground of a frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kiridashi.core.errors import InputError, SizeMismatchError, UsageError
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture
from kiridashi.data.masks import LabelMap, read_label_map
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.clips import Clip, find_clips
from kiridashi.evaluate.episodes import IGNORE

LEAST_SHARE = 0.005


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and its objects.

    Attributes:
        picture: the picture.
        objects: each of the picture's size and not empty.
        ignore: (H, W) bool, pixels that do not count when a prediction is scored.
    """

    picture: Picture
    objects: tuple[Mask, ...]
    ignore: Bitmap


@dataclass(frozen=True)
class SceneSource:
    """A scene that is read when it is asked for.

    Attributes:
        name: of the picture.
        group: scenes of one group are not independent: the clip, or the picture itself.
        read: reads it.
    """

    name: str
    group: str
    read: Callable[[], Scene]


def objects_of(labels: LabelMap, least_share: float = LEAST_SHARE) -> tuple[Mask, ...]:
    """The objects of a map of classes, by class and then largest first.

    Args:
        labels: (H, W), 0 is background and 255 is ignored.
        least_share: an object covers at least this share of the picture, in 0..1.

    Raises:
        UsageError: the share is outside 0..1.
    """
    if not 0 <= least_share <= 1:
        raise UsageError(f"the least share of an object is in 0..1, got {least_share}")
    least = max(1, int(np.ceil(least_share * labels.size)))
    classes = [int(number) for number in np.unique(labels) if number not in (0, IGNORE)]
    return tuple(part for number in classes for part in split_components(labels == number, least))


def picture_scenes(folder: Path) -> list[SceneSource]:
    """The scenes of a set of `images/` with maps of classes in `masks/`, by name; each its own group.

    Raises:
        InputError: the folder holds no such pairs.
    """
    maps = {path.stem: path for path in (folder / "masks").glob("*.png")}
    pairs = [(path, maps[path.stem]) for path in sorted(folder.glob("images/*")) if path.stem in maps]
    if not pairs:
        raise InputError(f"{folder}: no pictures; a set holds images/ and masks/ with equal names")
    return [SceneSource(path.stem, path.stem, partial(_read_pair, path, labels)) for path, labels in pairs]


def clip_scenes(folder: Path, per_clip: int = 10) -> list[SceneSource]:
    """Frames of the clips of a set, evenly spread from the first to the last; a clip is a group.

    Args:
        folder: of the set.
        per_clip: frames of each clip at most, at least 1.

    Raises:
        InputError: there are no clips.
        UsageError: fewer than one frame a clip.
    """
    if per_clip < 1:
        raise UsageError(f"frames a clip must be at least 1, got {per_clip}")
    return [
        SceneSource(f"{clip.name}/{clip.frames[index].stem}", clip.name, partial(_read_frame, clip, index))
        for clip in find_clips(folder)
        for index in np.unique(np.linspace(0, len(clip) - 1, per_clip).round().astype(int)).tolist()
    ]


def _read_pair(picture_path: Path, label_path: Path) -> Scene:
    picture, labels = read_picture(picture_path), read_label_map(label_path)
    if labels.shape != picture.size:
        raise SizeMismatchError(picture.size, (labels.shape[0], labels.shape[1]), label_path.name)
    return Scene(picture, objects_of(labels), labels == IGNORE)


def _read_frame(clip: Clip, index: int) -> Scene:
    picture, mask = clip.read(index)
    objects = () if mask.is_empty else (mask,)
    return Scene(picture, objects, np.zeros(picture.size, dtype=bool))
