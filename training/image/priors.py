"""Rough ideas of where an object is, as every job of the product makes them: what the decoder sharpens."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Rng = np.random.Generator
Map = NDArray[np.float32]
MOST_LOGIT = 8.0
# A decoder that is only shown wrong priors learns not to believe a right one.
EXACT_SHARE = 0.25


def spoil(cover: Map, others: Map, rng: Rng) -> Map:
    """A prior in logits from the exact one.

    Args:
        cover: (s, s) share of each cell that the object covers.
        others: (s, s) the same of everything that might be mistaken for it.
        rng: what goes wrong, and how much.

    Returns:
        (s, s) logits within +-8: displaced, swollen, cut, coarse, faint, with distractors, or several
        of these.
    """
    if rng.random() < EXACT_SHARE:
        return _as_logits(cover, rng)
    side = cover.shape[0]
    extent = float(np.sqrt(max((cover > 0.5).sum(), 1)))
    prior = cover
    if rng.random() < 0.5:
        prior = _displaced(prior, extent, rng)
    if rng.random() < 0.4:
        prior = _swollen(prior, extent, rng)
    if rng.random() < 0.25:
        prior = prior * _half_plane(cover, rng)
    if rng.random() < 0.4:
        prior = np.maximum(prior, others * np.float32(rng.uniform(0.2, 0.9)))
    if rng.random() < 0.3:
        prior = np.clip(prior + _cloud(side, rng), 0, 1)
    if rng.random() < 0.5:
        prior = _coarse(prior, rng)
    if rng.random() < 0.4:
        prior = cv2.GaussianBlur(prior, (0, 0), float(rng.uniform(0.5, 3.0)))
    return _as_logits(prior, rng)


def elsewhere(cover: Map, truth: Map, rng: Rng) -> Map:
    """(s, s) the shape of an object moved to where it does not touch `truth`; empty if there is no room."""
    side = cover.shape[0]
    for _ in range(8):
        shift = rng.integers(-side // 2, side // 2 + 1, 2)
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        moved = cv2.warpAffine(cover, matrix, (side, side))
        if moved.sum() > 4 and (moved * truth).sum() < 0.02 * moved.sum():
            return _map(moved)
    return np.zeros_like(cover)


def _displaced(prior: Map, extent: float, rng: Rng) -> Map:
    side = prior.shape[0]
    centre = float(side) / 2, float(side) / 2
    mass = max(float(prior.sum()), 1e-6)
    axis = np.arange(side, dtype=np.float32) + 0.5
    centre = float((prior.sum(0) * axis).sum()) / mass, float((prior.sum(1) * axis).sum()) / mass
    matrix = cv2.getRotationMatrix2D(centre, float(rng.normal(0, 8)), float(np.exp(rng.normal(0, 0.12))))
    matrix[:, 2] += rng.normal(0, 0.08 * extent, 2)
    return _map(cv2.warpAffine(prior, matrix, (side, side)))


def _swollen(prior: Map, extent: float, rng: Rng) -> Map:
    radius = max(1, round(float(rng.uniform(0, 0.12)) * extent))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    return _map(change(prior, kernel))


def _half_plane(cover: Map, rng: Rng) -> Map:
    """Keeps what lies on one side of a line through a cell of the object."""
    rows, columns = np.nonzero(cover > 0.5)
    if not len(rows):
        return np.ones_like(cover)
    chosen, angle = rng.integers(len(rows)), rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[: cover.shape[0], : cover.shape[1]]
    side = (x - columns[chosen]) * np.cos(angle) + (y - rows[chosen]) * np.sin(angle)
    return _map(side > 0)


def _cloud(side: int, rng: Rng) -> Map:
    noise = rng.normal(0, 1, (side // 4, side // 4)).astype(np.float32)
    smooth = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return _map(smooth * rng.uniform(0.05, 0.35))


def _coarse(prior: Map, rng: Rng) -> Map:
    side = prior.shape[0]
    factor = int(rng.choice([2, 4, 8]))
    small = cv2.resize(prior, (side // factor, side // factor), interpolation=cv2.INTER_AREA)
    way = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_NEAREST
    return _map(cv2.resize(small, (side, side), interpolation=way))


def _as_logits(prior: Map, rng: Rng) -> Map:
    """Hard, confident or faint."""
    kind = rng.random()
    if kind < 0.3:
        strength = float(rng.uniform(4, MOST_LOGIT))
        return _map(np.where(prior > 0.5, strength, -strength))
    if kind < 0.6:
        # A decoder's own logits: steep at the border.
        return _map(np.clip((prior - 0.5) * rng.uniform(8, 24), -MOST_LOGIT, MOST_LOGIT))
    low, high = rng.uniform(0.0, 0.25), rng.uniform(0.55, 1.0)
    probability = np.clip(low + (high - low) * prior, 1e-4, 1 - 1e-4)
    return _map(np.clip(np.log(probability / (1 - probability)), -MOST_LOGIT, MOST_LOGIT))


def _map(values: ArrayLike) -> Map:
    return np.asarray(values, dtype=np.float32)
