"""A made-up inspection set: procedural surfaces with defects whose masks are exact.

For developing few-shot methods without touching the evaluation sets. A class is one site: one surface
(brushed metal, castings, wood, weave, print, plain, and scikit-image's brick, grass and gravel) with one
kind of defect. What the site fixes (colour, scale, polarity, contrast) is drawn once a class; place,
shape, exposure and noise differ from picture to picture. Contrast goes from barely visible to strong.

    python -m training.surfaces --out DIR --count 270 --seed 0
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rng = np.random.Generator
# Maps are float32: (H, W) or (H, W, 3), colours in 0..1.
Map = NDArray[np.float32]
# (x, y) in pixels, (2,) or (N, 2).
Points = NDArray[np.float64]

JPEG_QUALITY = 92
SMALLEST, LARGEST = 200, 400
# Pixels between the points of a line, and how much a crack turns per pixel (radians).
STEP = 2
JAGGED = 0.11
# A defect weaker than this many standard deviations of its surface could not be marked by anyone.
LEAST_VISIBLE = 1.2
# Spread of the channels of a surface in colour; metal and stone have little.
STRONGEST_COLOUR = dict.fromkeys(("brushed", "cast", "gravel", "brick"), 0.08)
STRONGEST_COLOUR |= {"wood": 0.15, "grass": 0.2, "weave": 0.3, "print": 0.35, "plain": 0.3}


@dataclass(frozen=True)
class Site:
    """What all pictures of one class share.

    Attributes:
        surface: key of `SURFACES`.
        defect: key of `DEFECTS`.
        size: (height, width) in pixels.
        colour: of the surface, (3,).
        scale: of its structure, about 1.
        angle: of its grain in radians.
        contrast: of the defect, 0..1.
        polarity: -1 for dark defects, +1 for light ones.
        tint: (3,) what the defect does to each channel, about 1.
    """

    surface: str
    defect: str
    size: tuple[int, int]
    colour: Map
    scale: float
    angle: float
    contrast: float
    polarity: int
    tint: Map

    @property
    def label(self) -> str:
        """The class name."""
        return f"{self.surface} {self.defect}"


def draw_site(surface: str, defect: str, rng: Rng) -> Site:
    """Draw what the pictures of a class will share."""
    height, width = (int(n) for n in rng.integers(SMALLEST, LARGEST + 1, 2))
    # Half of the sites have a monochrome camera.
    saturation = 0.0 if rng.random() < 0.5 else STRONGEST_COLOUR[surface]
    grey = rng.uniform(0.3, 0.7)
    return Site(
        surface=surface,
        defect=defect,
        size=(height, width),
        colour=_floats(np.clip(grey * (1 + rng.uniform(-saturation, saturation, 3)), 0.1, 0.85)),
        scale=float(rng.uniform(0.7, 1.5)),
        angle=float(rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])),
        contrast=float(np.exp(rng.uniform(np.log(0.12), np.log(0.55)))),
        polarity=-1 if defect == "crack" or rng.random() < 0.6 else 1,
        tint=_floats(rng.uniform(0.75, 1.25, 3) if saturation else np.ones(3)),
    )


def draw_picture(site: Site, rng: Rng) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(H, W, 3) picture and (H, W) mask of one piece of the site."""
    surface = SURFACES[site.surface](site, rng)
    alpha = DEFECTS[site.defect](site, rng)
    strength = max(site.contrast * rng.uniform(0.8, 1.25), LEAST_VISIBLE * float(surface.mean(axis=2).std()))
    if site.defect == "patch":
        marked = _replaced(site, surface, strength, rng)
    else:
        grain = 1 + 0.15 * _noise(site.size, 2.0, rng)
        marked = surface + (site.polarity * 0.6 * strength * grain)[..., None] * site.tint
    picture = surface + alpha[..., None] * (marked - surface)
    return _photograph(picture, rng), alpha > 0.5


def _photograph(scene: Map, rng: Rng) -> NDArray[np.uint8]:
    """Uneven light, exposure, a touch of blur and sensor noise."""
    height, width = scene.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    lean = rng.uniform(-0.15, 0.15, 2)
    light = rng.uniform(0.88, 1.12) * (1 + lean[0] * x + lean[1] * y - rng.uniform(0, 0.12) * (x**2 + y**2))
    lit = cv2.GaussianBlur(_floats(scene * light[..., None]), (0, 0), rng.uniform(0.4, 0.8))
    noisy = lit + rng.normal(0, rng.uniform(0.005, 0.02), (height, width, 1))
    pixels: NDArray[np.uint8] = (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8)
    return pixels


def _brushed(site: Site, rng: Rng) -> Map:
    """Fine lines along the grain, some deeper, with a sheen across."""
    lines = _grain(site, rng, along=60.0, across=0.6)
    deep = _grain(site, rng, along=120.0, across=1.2)
    sheen = _noise(site.size, 60.0, rng)
    return _shade(site, 0.05 * lines + 0.03 * deep + 0.03 * sheen)


def _cast(site: Site, rng: Rng) -> Map:
    """A rough relief in slanting light."""
    relief = np.zeros(site.size, np.float32)
    for sigma, weight in ((1, 0.5), (2.5, 1), (7, 2)):
        relief += weight * _noise(site.size, sigma * site.scale, rng)
    down, across = np.gradient(relief)
    slope = _floats(across + 0.5 * down)
    return _shade(site, 0.09 * _standardised(slope) + 0.04 * _noise(site.size, 20.0, rng))


def _wood(site: Site, rng: Rng) -> Map:
    """Bent year rings with pores along the grain."""
    _, v = _coordinates(site, rng)
    bend = 14 * site.scale * _noise(site.size, 45.0, rng)
    rings = np.sin(2 * np.pi * (v + bend) / (22 * site.scale)) ** 3
    pores = np.minimum(_grain(site, rng, along=14.0, across=0.7), 0)
    in_colour = float(np.ptp(site.colour)) > 0
    warm = _floats(site.colour * [1.2, 0.95, 0.65]) if in_colour else site.colour
    return _shade(site, _floats(0.08 * rings + 0.04 * pores), warm)


def _weave(site: Site, rng: Rng) -> Map:
    """Warp and weft, one over the other, with uneven threads."""
    u, v = _coordinates(site, rng)
    period = 6.5 * site.scale
    wobble = 0.35 * _noise(site.size, 18.0, rng)
    warp, weft = np.sin(2 * np.pi * u / period + wobble), np.sin(2 * np.pi * v / period - wobble)
    over = np.sign(np.sin(np.pi * u / period)) * np.sign(np.sin(np.pi * v / period))
    threads = np.where(over > 0, warp, weft) * (1 + 0.25 * _noise(site.size, 5.0, rng))
    return _shade(site, 0.09 * threads + 0.03 * _noise(site.size, 1.0, rng))


def _print(site: Site, rng: Rng) -> Map:
    """A printed pattern of two inks, repeated, with a fine screen."""
    u, v = _coordinates(site, rng)
    period = 34 * site.scale
    motif = np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period)
    ink = 1 / (1 + np.exp(-14 * (motif - 0.25)))[..., None]
    second = _floats(np.clip(1 - site.colour[::-1], 0.15, 0.85))
    screen = 0.03 * np.sin(2 * np.pi * (u + v) / 3.1) * np.sin(2 * np.pi * (u - v) / 3.1)
    return _floats(site.colour * (1 - ink) + second * ink + screen[..., None])


def _plain(site: Site, rng: Rng) -> Map:
    """Paint or plastic: nearly even, faintly cloudy."""
    return _shade(site, 0.02 * _noise(site.size, 35.0, rng) + 0.012 * _noise(site.size, 1.5, rng))


def _photo(name: str) -> Callable[[Site, Rng], Map]:
    """A surface cut at random from one of scikit-image's texture photographs."""

    def cut(site: Site, rng: Rng) -> Map:
        sheet = _sheet(name)
        height, width = (min(int(n / (1.0 + 0.3 * site.scale)), 512) for n in site.size)
        top, left = rng.integers(0, 512 - height + 1), rng.integers(0, 512 - width + 1)
        piece = _resize(sheet[top : top + height, left : left + width], site.size)
        return _shade(site, _floats(0.5 * (piece - float(sheet.mean()))))

    return cut


@cache
def _sheet(name: str) -> Map:
    import skimage.data

    return _floats(getattr(skimage.data, name)() / 255)


SURFACES: dict[str, Callable[[Site, Rng], Map]] = {
    "brushed": _brushed,
    "cast": _cast,
    "wood": _wood,
    "weave": _weave,
    "print": _print,
    "plain": _plain,
    "brick": _photo("brick"),
    "grass": _photo("grass"),
    "gravel": _photo("gravel"),
}


def _scratch(site: Site, rng: Rng) -> Map:
    """One to three long, slightly bent lines that thin out at the ends."""
    alpha = np.zeros(site.size, np.float32)
    for _ in range(rng.integers(1, 4)):
        length = rng.uniform(0.25, 0.8) * min(site.size)
        heading = site.angle + 0.6 + rng.normal(0, 0.35)
        bend = rng.normal(0, 0.25) / length
        start = _somewhere(site, rng, margin=0.2) - 0.5 * length * _direction(heading)
        path = _path(start, heading, np.full(_steps(length), bend))
        _stroke(alpha, path, rng.uniform(1.2, 3.5) * site.scale)
    return alpha


def _crack(site: Site, rng: Rng) -> Map:
    """A jagged random walk with a few branches."""
    alpha = np.zeros(site.size, np.float32)
    length = rng.uniform(0.4, 0.9) * min(site.size)
    heading = rng.uniform(0, 2 * np.pi)
    start = _somewhere(site, rng, margin=0.3) - 0.5 * length * _direction(heading)
    width = rng.uniform(1.4, 3.0) * site.scale
    trunk = _path(start, heading, rng.normal(0, JAGGED, _steps(length)))
    _stroke(alpha, trunk, width)
    for _ in range(rng.integers(0, 4)):
        joint = int(rng.integers(len(trunk) // 5, 4 * len(trunk) // 5))
        side = heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        turns = rng.normal(0, JAGGED, _steps(length * rng.uniform(0.1, 0.35)))
        _stroke(alpha, _path(trunk[joint], side, turns), 0.75 * width)
    return alpha


def _spot(site: Site, rng: Rng) -> Map:
    """One to six small, nearly round marks."""
    alpha = np.zeros(site.size, np.float32)
    for _ in range(rng.integers(1, 7)):
        radius = rng.uniform(4, 14) * site.scale
        alpha = np.maximum(alpha, _blob(site, rng, radius, ragged=0.12, softness=1.2))
    return alpha


def _stain(site: Site, rng: Rng) -> Map:
    """One or two ragged, soft-edged areas, darker towards the rim."""
    alpha = np.zeros(site.size, np.float32)
    for _ in range(rng.integers(1, 3)):
        blob = _blob(site, rng, rng.uniform(0.08, 0.22) * min(site.size), ragged=0.5, softness=4.0)
        inner = cv2.GaussianBlur(blob, (0, 0), 7.0)
        alpha = np.maximum(alpha, blob * np.where(blob > 0.5, 1.25 - 0.5 * inner, 1.0))
    return np.minimum(alpha, 1)


def _patch(site: Site, rng: Rng) -> Map:
    """One area with fairly sharp edges."""
    return _blob(site, rng, rng.uniform(0.12, 0.28) * min(site.size), ragged=0.3, softness=1.0)


DEFECTS: dict[str, Callable[[Site, Rng], Map]] = {
    "scratch": _scratch,
    "spot": _spot,
    "stain": _stain,
    "crack": _crack,
    "patch": _patch,
}


def _replaced(site: Site, surface: Map, strength: float, rng: Rng) -> Map:
    """The surface inside a patch: blurred or roughened as the site has it, a little lighter or darker."""
    if site.scale > 1.1:
        worn = cv2.GaussianBlur(surface, (0, 0), 3.0)
    else:
        worn = surface + min(0.35 * strength, 0.1) * _noise(site.size, 1.3, rng)[..., None]
    return _floats(worn + site.polarity * 0.35 * strength * site.tint)


def _blob(site: Site, rng: Rng, radius: float, ragged: float, softness: float) -> Map:
    """Soft-edged blob: an ellipse whose radius wobbles with low-frequency noise; 0.5 on its outline."""
    centre = _somewhere(site, rng, margin=0.12)
    y, x = np.mgrid[: site.size[0], : site.size[1]]
    turn, stretch = rng.uniform(0, np.pi), np.exp(rng.normal(0, 0.25))
    dx, dy = x - centre[0], y - centre[1]
    u = (dx * np.cos(turn) + dy * np.sin(turn)) * stretch
    v = (dy * np.cos(turn) - dx * np.sin(turn)) / stretch
    outline = radius * (1 + ragged * _noise(site.size, max(radius / 3, 1.0), rng))
    return _floats(1 / (1 + np.exp(np.clip((np.hypot(u, v) - outline) / (softness / 2), -50, 50))))


def _path(start: Points, heading: float, turns: NDArray[np.float64]) -> Points:
    """(N, 2) points STEP pixels apart; `turns` (N,) is the change of heading per pixel."""
    headings = heading + STEP * np.cumsum(turns)
    points: Points = start + STEP * np.cumsum(_direction(headings), axis=0)
    return points


def _steps(length: float) -> int:
    return max(int(length / STEP), 6)


def _direction(heading: float | NDArray[np.float64]) -> Points:
    """Unit vectors, (2,) or (N, 2)."""
    return np.stack([np.cos(heading), np.sin(heading)], axis=-1)


def _stroke(alpha: Map, path: Points, width: float) -> None:
    """Draw a tapering line into `alpha`, four times oversampled for subpixel widths."""
    fine = 4
    canvas = np.zeros((alpha.shape[0] * fine, alpha.shape[1] * fine), np.uint8)
    taper = np.sin(np.linspace(0.15, np.pi - 0.15, len(path) - 1)) ** 0.5
    for a, b, share in zip(path[:-1], path[1:], taper, strict=True):
        thickness = max(round(float(width * share * fine)), 1)
        ends = [tuple(int(n) for n in np.round(point * fine)) for point in (a, b)]
        cv2.line(canvas, ends[0], ends[1], 255, thickness)
    small = cv2.resize(canvas, alpha.shape[::-1], interpolation=cv2.INTER_AREA)
    np.maximum(alpha, small / np.float32(255), out=alpha)


def _noise(size: tuple[int, int], sigma: float, rng: Rng) -> Map:
    """Smooth Gaussian noise with standard deviation 1."""
    shrink = max(int(sigma / 3), 1)
    small = (size[0] // shrink + 8, size[1] // shrink + 8)
    field = cv2.GaussianBlur(_floats(rng.normal(size=small)), (0, 0), sigma / shrink)[4:-4, 4:-4]
    return _standardised(_resize(field, size))


def _grain(site: Site, rng: Rng, along: float, across: float) -> Map:
    """Noise stretched along the site's grain, standard deviation 1."""
    side = int(np.hypot(*site.size)) + 4
    speckle = _floats(rng.normal(size=(side, side)))
    streaks = cv2.GaussianBlur(speckle, (0, 0), sigmaX=along, sigmaY=across * site.scale)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(np.degrees(site.angle)), 1.0)
    turned = cv2.warpAffine(streaks, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    top, left = (side - site.size[0]) // 2, (side - site.size[1]) // 2
    return _standardised(turned[top : top + site.size[0], left : left + site.size[1]])


def _coordinates(site: Site, rng: Rng) -> tuple[Map, Map]:
    """Coordinates along and across the grain, shifted at random."""
    y, x = np.mgrid[: site.size[0], : site.size[1]]
    shift = rng.uniform(0, 100, 2)
    cos, sin = np.cos(site.angle), np.sin(site.angle)
    return _floats(x * cos + y * sin + shift[0]), _floats(y * cos - x * sin + shift[1])


def _shade(site: Site, relief: Map, colour: Map | None = None) -> Map:
    """Colour times one plus relief."""
    base = site.colour if colour is None else colour
    return _floats(base * (1 + 1.2 * relief[..., None]))


def _somewhere(site: Site, rng: Rng, margin: float) -> Points:
    """(x, y) at least `margin` of the size from the border."""
    height, width = site.size
    return np.array([rng.uniform(margin, 1 - margin) * width, rng.uniform(margin, 1 - margin) * height])


def _resize(field: Map, size: tuple[int, int]) -> Map:
    return _floats(cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC))


def _standardised(field: Map) -> Map:
    """Mean 0, standard deviation 1."""
    return _floats((field - field.mean()) / (field.std() + 1e-6))


def _floats(array: object) -> Map:
    return np.asarray(array, dtype=np.float32)


def write_set(folder: Path, count: int, seed: int) -> int:
    """Write about `count` pictures, equally many of each class, in the layout that `FewShotSet` reads.

    Args:
        folder: is created; existing pictures of the same name are replaced.
        count: is rounded down to a multiple of the number of classes, at least two of each.
        seed: equal seeds write equal sets.

    Returns:
        The number of pictures written.
    """
    pairs = [(surface, defect) for surface in SURFACES for defect in DEFECTS]
    each = max(count // len(pairs), 2)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    items = []
    for index, (surface, defect) in enumerate(pairs):
        site = draw_site(surface, defect, np.random.default_rng([seed, index]))
        for number in range(each):
            picture, mask = draw_picture(site, np.random.default_rng([seed, index, number + 1]))
            name = f"{surface}_{defect}_{number:02d}"
            Image.fromarray(picture).save(folder / "images" / f"{name}.jpg", quality=JPEG_QUALITY)
            Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{name}.png")
            items.append({"id": name, "class": site.label})
    meta = {"classes": {"0": "background", "1": "the item's class"}, "seed": seed, "items": items}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    return len(items)


def main() -> None:
    """Write a set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=270)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.out}: {write_set(options.out, options.count, options.seed)} pictures")


if __name__ == "__main__":
    main()
