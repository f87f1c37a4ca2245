"""Clips cut from real sequences with a mask in every frame."""

from pathlib import Path

import cv2
import numpy as np

from training.image.windows import FRAME
from training.scenes.scene import IGNORE, Pixels, Rng
from training.scenes.store import Store
from training.video.composed import Drawn
from training.video.motion import Values, chain, scaled, shifted, turned

HELD_OUT = frozenset({"goat", "parkour"})
REVERSED_SHARE = 0.3
STRIDES = (1, 1, 1, 2, 3)

Sequence = tuple[Store, Store]


def find_sequences(folder: Path, split: str, frames: int) -> tuple[Sequence, ...]:
    """(frames, masks) of each sequence of a split that is long enough, by name."""
    if not folder.is_dir():
        return ()
    held = split == "validation"
    paths = [path for path in sorted(folder.iterdir()) if (path / "masks").is_dir()]
    wanted = [path for path in paths if (path.name in HELD_OUT) == held]
    found = [
        (Store((path / "frames").glob("*.jpg")), Store((path / "masks").glob("*.png"))) for path in wanted
    ]
    return tuple(pair for pair in found if len(pair[1]) >= frames)


def draw_sequence(side: int, frames: int, sequences: tuple[Sequence, ...], rng: Rng) -> Drawn | None:
    """Consecutive marked frames, seen through one window that shakes a little.

    Args:
        side: S.
        frames: T.
        sequences: to draw from.
        rng: draws everything else.

    Returns:
        None if the first frame does not show the object.
    """
    pictures, masks = sequences[int(rng.integers(len(sequences)))]
    names = _names(masks.names, frames, rng)
    marks = [masks.labels(name) for name in names]
    inside = (marks[0] != 0) & (marks[0] != IGNORE)
    if not inside.any():
        return None
    views = _views(inside, side, frames, rng)
    size = (side, side)
    pixels, objects = [], []
    for name, mark, view in zip(names, marks, views, strict=True):
        picture = pictures.pixels(name)
        shrink = min(view[0, 0] ** 2 + view[1, 0] ** 2, view[0, 1] ** 2 + view[1, 1] ** 2) ** 0.5
        if shrink < 0.7:
            picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / shrink)
        label: Pixels = np.where(mark == IGNORE, IGNORE, mark != 0).astype(np.uint8)
        pixels.append(
            cv2.warpAffine(picture, view[:2], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        )
        objects.append(cv2.warpAffine(label, view[:2], size, flags=cv2.INTER_NEAREST, borderValue=IGNORE))
    return Drawn(np.stack(pixels), np.stack(objects))


def _names(names: tuple[str, ...], frames: int, rng: Rng) -> list[str]:
    stride = min(int(rng.choice(STRIDES)), (len(names) - 1) // (frames - 1))
    start = int(rng.integers(len(names) - stride * (frames - 1)))
    chosen = list(names[start : start + stride * (frames - 1) + 1 : stride])
    return chosen[::-1] if rng.random() < REVERSED_SHARE else chosen


def _views(
    inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], side: int, frames: int, rng: Rng
) -> Values:
    """(T, 3, 3) from the picture to the window: squeezed as the network's frame is, around the object."""
    height, width = inside.shape
    x, y, w, h = cv2.boundingRect(inside.astype(np.uint8))
    if side == FRAME:
        zoom, middle = 1.0, np.array([width / 2, height / 2])
    else:
        whole = rng.random() < 0.45
        zoom = side / FRAME * rng.uniform(1, 1.25) if whole else np.exp(rng.uniform(np.log(0.6), np.log(1.3)))
        middle = np.array([x + w / 2, y + h / 2])
    scale = np.array([FRAME / width, FRAME / height]) * zoom
    if side != FRAME:
        half = side / scale / 2
        middle = middle + rng.uniform(-0.5, 0.5, 2) * half
        room = np.array([width, height]) - half
        middle = np.where(room > half, np.clip(middle, half, np.maximum(room, half)), (width / 2, height / 2))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    shake = rng.normal(0, 0.004 * side, (frames, 2)) * (rng.random() < 0.5)
    return np.stack(
        [
            chain(
                shifted(-middle),
                scaled((mirror * scale[0], scale[1])),
                turned(float(rng.normal(0, 0.005))),
                shifted(side / 2 + shake[t]),
            )
            for t in range(frames)
        ]
    )
