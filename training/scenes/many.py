"""Many copies of one or two things on a tray: scenes for counting."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.scenes.backgrounds import Backgrounds
from training.scenes.composed import cast_shadow
from training.scenes.cut_outs import CutOuts, draw_cut_out
from training.scenes.layer import Layer, covered, drop_hidden, paste, recoloured, warped
from training.scenes.primitives import draw_primitive
from training.scenes.scene import Pixels, Rng, Scene
from training.scenes.textures import draw_texture

FEWEST, MOST = 10, 80
PRIMITIVE_SHARE = 0.6
# A side of a copy in pixels, from which its outline can still be marked.
SMALLEST = 9


@dataclass(frozen=True)
class Lot:
    """What all copies of a scene share.

    Attributes:
        side: their longer side in pixels.
        spread: how much their sides differ, as a standard deviation of the logarithm.
        overlap: the largest part of a copy that may lie over others.
        angle: of all, or None when each lies as it fell.
        shadow: whether each casts one.
    """

    side: float
    spread: float
    overlap: float
    angle: float | None
    shadow: bool


def draw_many(
    size: tuple[int, int], cut_outs: Mapping[str, CutOuts], backgrounds: Backgrounds, rng: Rng
) -> Scene:
    """A scene of `size` (height, width) with 10 to 80 copies; fewer only where no more fit."""
    pixels, labels = _tray(size, backgrounds, rng)
    things = [_thing(cut_outs, rng) for _ in range(int(rng.choice([1, 1, 2])))]
    count = int(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST + 1))))
    lot = Lot(
        side=max(float(np.sqrt(rng.uniform(0.3, 1.0) * size[0] * size[1] / count)), SMALLEST),
        spread=float(rng.choice([0.0, 0.03, 0.15])),
        overlap=float(rng.choice([0.0, 0.03, 0.12, 0.25])),
        angle=float(rng.uniform(0, 2 * np.pi)) if rng.random() < 0.3 else None,
        shadow=bool(rng.random() < 0.6),
    )
    areas: dict[int, int] = {}
    for centre in _places(size, count, rng):
        thing = things[int(rng.integers(len(things)))]
        layer = _copy(thing, lot, centre, rng)
        here, over = covered(labels, layer)
        if here < 12 or over > lot.overlap * here:
            continue
        if lot.shadow:
            cast_shadow(pixels, layer, rng)
        number = len(areas) + 1
        paste(pixels, labels, recoloured(layer, rng, strength=0.4), number)
        areas[number] = layer.area
        if number == count:
            break
    return Scene(pixels, drop_hidden(labels, areas))


def _tray(size: tuple[int, int], backgrounds: Backgrounds, rng: Rng) -> tuple[Pixels, Pixels]:
    """Mostly a texture; what is seen in a photograph would be an uncounted object."""
    if rng.random() < 0.85:
        return draw_texture(size, rng), np.zeros(size, np.uint8)
    pixels, _ = backgrounds.draw(size, rng)
    return pixels, np.zeros(size, np.uint8)


def _thing(cut_outs: Mapping[str, CutOuts], rng: Rng) -> Pixels:
    if not cut_outs or rng.random() < PRIMITIVE_SHARE:
        return draw_primitive(rng)
    return draw_cut_out(cut_outs, rng)


def _places(size: tuple[int, int], count: int, rng: Rng) -> list[tuple[float, float]]:
    """More centres (x, y) than copies, for those that do not fit: a jittered grid or thrown at random."""
    height, width = size
    if rng.random() < 0.35:
        step = np.sqrt(height * width / count)
        rows, columns = max(round(height / step), 1), max(round(width / step), 1)
        x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        jitter = rng.uniform(0, 0.25) * step
        centres = np.stack([x.ravel() * width, y.ravel() * height], axis=1)
        centres += rng.uniform(-jitter, jitter, centres.shape)
    elif rng.random() < 0.5:
        centres = rng.uniform(0.03, 0.97, (int(2.5 * count), 2)) * (width, height)
    else:
        heap = rng.normal(0.5, 0.22, (int(3 * count), 2)) * (width, height)
        centres = np.clip(heap, 0, (width, height))
    return [(float(x), float(y)) for x, y in centres]


def _copy(thing: Pixels, lot: Lot, centre: tuple[float, float], rng: Rng) -> Layer:
    side = lot.side * float(np.exp(rng.normal(0, lot.spread)))
    angle = rng.uniform(0, 2 * np.pi) if lot.angle is None else lot.angle + rng.normal(0, 0.04)
    return warped(thing, side, centre, float(angle), rng, shear=0.03, tilt=0.02)
