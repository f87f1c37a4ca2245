"""The frames that a diagnosis looks at: of the clip, transformed, or made of its first frame alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.targets import find_targets
from kiridashi.transforms import Choice, build
from kiridashi.transforms import Frame as TransformFrame
from kiridashi.transforms.donor import ClipDonor, Donor
from kiridashi.transforms.viewpoint import Viewpoint
from kiridashi.video.clip import Clip

# Frames of the self-test: the camera hardly moves, and where the object is, is known to the pixel.
SELF_TEST_FRAMES = 6
SELF_TEST_SEVERITY = 1
# From the place of a frame in the clip to the object's mask in it; None: not known.
Reference = Callable[[int], Mask | None]


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame to look at.

    Attributes:
        picture: the frame.
        mask: where the object is, in its size; None: not known.
        source: place in the clip, or in the self-test, of what it shows; None: it shows something else.
        changed: whether it is another frame, or another one here, than in the clip as it is.
    """

    picture: Picture
    mask: Mask | None
    source: int | None
    changed: bool = False


def clean_shots(clip: Clip, reference: Reference, most: int) -> Iterator[Shot]:
    """The first frames of a clip as they are.

    Args:
        clip: the frames.
        reference: their masks.
        most: frames to look at.

    Raises:
        InputError: the first frame cannot be used, or a mask is not of the frames' size.
    """
    for frame in clip.frames():
        if frame.index >= most:
            return
        if frame.picture is None:
            if not frame.index:
                raise InputError(f"{clip.name}: the first frame ({frame.name}) cannot be used: {frame.why}")
            # What cannot be read cannot be transformed either: it is left out, and its place stays its own.
            continue
        mask = reference(frame.index)
        if mask is not None and mask.size != frame.picture.size:
            given, wanted = (f"{width} x {height}" for height, width in (mask.size, frame.picture.size))
            raise InputError(
                f"{clip.name}: the mask of frame {frame.index} is {given} pixels, the frame {wanted}"
            )
        yield Shot(frame.picture, mask, frame.index)


def transformed_shots(shots: Iterator[Shot], choice: Choice, seed: int, donor: Donor) -> Iterator[Shot]:
    """Frames of a clip under a transformation, their masks with them.

    Args:
        shots: of the clip; one without a mask counts as without the object.
        choice: the transformation and its severity.
        seed: of what it draws.
        donor: of another scene.
    """
    transform = build(choice, seed, donor)
    sources: list[int] = []
    place = 0
    for index, shot in enumerate(shots):
        sources.append(index if shot.source is None else shot.source)
        frame = TransformFrame(shot.picture.pixels, _labels(shot), index)
        for made in transform(frame, index):
            source = None if made.source is None else sources[made.source]
            picture = Picture(made.pixels, f"{shot.picture.name}, {choice.folder}")
            moved = made.source != place
            changed = moved or not np.array_equal(made.pixels, shot.picture.pixels)
            yield Shot(picture, Mask.from_array(made.labels), source, changed)
            place += 1


def self_test_shots(first: Shot, seed: int) -> Iterator[Shot]:
    """The first frame as a slightly moving camera would see it: a clip that every sound model can follow.

    Args:
        first: with its mask.
        seed: of the movement.
    """
    view = Viewpoint(SELF_TEST_SEVERITY, seed)
    frame = TransformFrame(first.picture.pixels, _labels(first), 0)
    for index in range(SELF_TEST_FRAMES):
        for made in view(frame, index):
            yield Shot(Picture(made.pixels, f"self-test {index}"), Mask.from_array(made.labels), index)


class FolderDonor(ClipDonor):
    """Frames of another clip, a folder of pictures.

    Args:
        path: of the folder.

    Raises:
        InputError: there are no pictures in it.
    """

    def __init__(self, path: Path) -> None:
        files = [target.path for target in find_targets([path]) if target.path.parent == path]
        if not files:
            raise InputError(f"{path}: no pictures in this folder; another scene is a folder of frames")
        super().__init__(files)


def _labels(shot: Shot) -> NDArray[np.uint8]:
    if shot.mask is None:
        return np.zeros(shot.picture.size, dtype=np.uint8)
    return shot.mask.to_array().astype(np.uint8)
