"""Simulated prompts: what a user or a job tells the decoder about an object of a window."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.image.priors import elsewhere, spoil
from training.image.windows import IGNORE, Window

Rng = np.random.Generator
Map = NDArray[np.float32]
STRIDE = 4
LEAST_PIXELS = 40
# An object that fills the window teaches nothing: every mask of everything is right.
MOST_SHARE = 0.9
ABSENT_SHARE = 0.12
UNION_SHARE = 0.2
MOST_CLICKS = 6


@dataclass(frozen=True)
class Layout:
    """Which tokens a prompt has; all prompts of one slot of a batch share it, so that none needs padding.

    Attributes:
        clicks: number of points.
        box: whether there is a box.
        prior: whether there is a dense prior.
    """

    clicks: int
    box: bool
    prior: bool


@dataclass(frozen=True, eq=False)
class Task:
    """One prompt and its answer.

    Attributes:
        truth: (s, s) share of each cell that the object covers.
        counts: (s, s) 0 where nothing is known, else 1.
        points: (K, 3) x, y in window pixels and label.
        box: (4,) in window pixels, zeros when the layout has none.
        prior: (s, s) logits, zeros when the layout has none.
    """

    truth: Map
    counts: Map
    points: Map
    box: Map
    prior: Map


def draw_layouts(slots: int, rng: Rng) -> list[Layout]:
    """The layouts of a step: a click, a box and a prior always, the rest by chance."""
    always = [Layout(1, False, False), Layout(0, True, False), _prior_layout(rng)]
    drawn = [*always, *(_any_layout(rng) for _ in range(slots - len(always)))]
    return drawn[:slots]


def _prior_layout(rng: Rng) -> Layout:
    return Layout(int(rng.choice([0, 0, 0, 1, 2, 3, 4])), bool(rng.random() < 0.4), prior=True)


def _any_layout(rng: Rng) -> Layout:
    kind = rng.random()
    if kind < 0.4:
        return Layout(1, False, False)
    if kind < 0.55:
        return Layout(0, True, False)
    if kind < 0.75:
        return Layout(int(rng.integers(2, MOST_CLICKS + 1)), False, False)
    if kind < 0.85:
        return Layout(int(rng.integers(1, 3)), True, False)
    return _prior_layout(rng)


def object_numbers(window: Window) -> NDArray[np.int64]:
    """Numbers of the objects with enough pixels in the window, and not nearly all of them."""
    areas = np.bincount(window.objects.ravel(), minlength=256)
    areas[0] = areas[IGNORE] = 0
    return np.flatnonzero((areas >= LEAST_PIXELS) & (areas <= MOST_SHARE * window.objects.size))


def make_task(window: Window, layout: Layout, rng: Rng) -> Task:
    """A prompt of a layout for one of the window's objects (there is at least one).

    A prior may also mean several objects, or something that is not there.
    """
    numbers = object_numbers(window)
    chosen = np.array([rng.choice(numbers)])
    if layout.prior and not layout.clicks and len(numbers) > 1 and rng.random() < UNION_SHARE:
        chosen = rng.choice(numbers, rng.integers(2, min(len(numbers), 6) + 1), replace=False)
    inside = np.isin(window.objects, chosen)
    truth = _cells(inside)
    counts = (_cells(window.objects == IGNORE) < 0.5).astype(np.float32)
    others = _cells((window.objects > 0) & (window.objects < IGNORE) & ~inside)
    prior = np.zeros_like(truth)
    if layout.prior:
        if not layout.clicks and rng.random() < ABSENT_SHARE:
            inside = cv2.resize(elsewhere(truth, truth + others, rng), inside.shape[::-1]) > 0.5
            prior = spoil(_cells(inside), np.zeros_like(truth), rng)
            truth = np.zeros_like(truth)
        else:
            prior = spoil(truth, others, rng)
    points = _clicks(inside, window.objects == IGNORE, layout, prior, rng)
    box = _box(inside, rng) if layout.box else np.zeros(4, np.float32)
    return Task(truth, counts, points, box, prior)


def _cells(mask: NDArray[np.bool_]) -> Map:
    side = mask.shape[0] // STRIDE
    shares = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shares, dtype=np.float32)


def _clicks(
    inside: NDArray[np.bool_], unknown: NDArray[np.bool_], layout: Layout, prior: Map, rng: Rng
) -> Map:
    """The first click on the object (where a prior misses it), then some on it and some beside it."""
    found = np.zeros_like(inside)
    if layout.prior and layout.clicks:
        found = cv2.resize(prior, inside.shape[::-1]) > 0
    missed, wrong = inside & ~found, found & ~inside & ~unknown
    beside = _ring(inside) & ~unknown
    points = np.zeros((layout.clicks, 3), np.float32)
    for index in range(layout.clicks):
        positive = (index == 0 and not layout.prior) or rng.random() < 0.55
        places = (missed if missed.any() else inside) if positive else (wrong if wrong.any() else beside)
        if not places.any():
            places, positive = inside, True
        deep = index == 0 and rng.random() < 0.5
        x, y = _deepest(places) if deep else _anywhere(places, rng)
        points[index] = x + 0.5, y + 0.5, float(positive)
    return points


def _anywhere(places: NDArray[np.bool_], rng: Rng) -> tuple[int, int]:
    flat = np.flatnonzero(places)
    y, x = divmod(int(rng.choice(flat)), places.shape[1]) if len(flat) else (0, 0)
    return x, y


def _deepest(places: NDArray[np.bool_]) -> tuple[int, int]:
    depth = cv2.distanceTransform(np.pad(places, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)


def _ring(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    small = cv2.resize(inside.astype(np.uint8), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
    radius = max(2, round(0.25 * float(np.sqrt(max(small.sum(), 1)))))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    wide = cv2.resize(cv2.dilate(small, kernel), inside.shape[::-1], interpolation=cv2.INTER_NEAREST)
    ring: NDArray[np.bool_] = (wide > 0) & ~inside
    return ring


def _box(inside: NDArray[np.bool_], rng: Rng) -> Map:
    """Tight half of the time, else each side off by a tenth of the box at most."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    side = inside.shape[0]
    if not len(rows):
        corner = rng.uniform(0, side * 0.6, 2)
        return np.array([*corner, *(corner + side * 0.3)], np.float32)
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
    if rng.random() < 0.5:
        size = np.tile(box[2:] - box[:2], 2)
        box += (np.clip(rng.normal(0, 0.04, 4), -0.1, 0.1) * size).astype(np.float32)
    return np.clip(box, 0, side).astype(np.float32)
