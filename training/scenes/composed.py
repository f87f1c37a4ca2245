"""One to six cut-outs on a background, hiding each other, with shadows."""

from collections.abc import Mapping

import numpy as np

from training.scenes.backgrounds import Backgrounds
from training.scenes.cut_outs import CutOuts, draw_cut_out
from training.scenes.layer import Layer, blurred, drop_hidden, feathered, paste, recoloured, shade, warped
from training.scenes.scene import IGNORE, Pixels, Rng, Scene

MOST_CUT_OUTS = 6
# Side of an object in parts of the picture's shorter side.
SMALLEST, LARGEST = 0.02, 0.9


def draw_composed(
    size: tuple[int, int], cut_outs: Mapping[str, CutOuts], backgrounds: Backgrounds, rng: Rng
) -> Scene:
    """A scene of `size` (height, width); objects known in the background stay objects where visible."""
    pixels, labels = backgrounds.draw(size, rng)
    sizes = np.bincount(labels.ravel(), minlength=256)
    areas = {int(number): int(sizes[number]) for number in np.flatnonzero(sizes) if 0 < number < IGNORE}
    number = max(areas, default=0)
    for _ in range(int(rng.integers(1, MOST_CUT_OUTS + 1))):
        number += 1
        layer = _drawn(draw_cut_out(cut_outs, rng), size, rng)
        if rng.random() < 0.45:
            cast_shadow(pixels, layer, rng)
        paste(pixels, labels, layer, number)
        areas[number] = layer.area
    return Scene(pixels, drop_hidden(labels, areas))


def cast_shadow(pixels: Pixels, layer: Layer, rng: Rng) -> None:
    """Darken the picture in place by a shadow of random direction, softness and depth."""
    reach = 0.12 * max(layer.rgba.shape[:2])
    shift = float(rng.uniform(-reach, reach)), float(rng.uniform(-0.3 * reach, reach))
    shade(pixels, layer, shift, max(float(rng.uniform(0.1, 0.8)) * reach, 0.8), float(rng.uniform(0.15, 0.6)))


def _drawn(cut: Pixels, size: tuple[int, int], rng: Rng) -> Layer:
    share = (
        rng.uniform(0.12, 0.6) if rng.random() < 0.6 else np.exp(rng.uniform(*np.log([SMALLEST, LARGEST])))
    )
    angle = rng.normal(0, 0.25) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    centre = float(rng.uniform(0.06, 0.94) * size[1]), float(rng.uniform(0.06, 0.94) * size[0])
    layer = warped(cut, float(share * min(size)), centre, float(angle), rng)
    layer = recoloured(layer, rng)
    if min(layer.rgba.shape[:2]) > 16:
        if rng.random() < 0.6:
            layer = feathered(layer, float(rng.uniform(0.5, 1.3)))
        if rng.random() < 0.12:
            layer = blurred(layer, float(rng.uniform(0.6, 1.8)))
    return layer
