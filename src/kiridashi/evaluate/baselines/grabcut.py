"""One object by prompts without a decoder: GrabCut (Rother, Kolmogorov and Blake, 2004)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.evaluate.baselines.edges import upscale_mask

ITERATIONS = 5
WORKING_SIDE = 512
# Shares of the longer side: what a point marks for certain, how far its object may reach, and
# beyond which all is background.
POINT_RADIUS, LIKELY_REACH, FARTHEST_REACH = 0.012, 0.12, 0.35
# Shares of a prior's extent: widened by the first it holds the object (GrabCut shrinks better than it
# grows); widened by the second, all beyond is background.
PRIOR_SLACK, PRIOR_REACH = 0.1, 0.35
# Pieces smaller than this share of the largest are dropped.
LEAST_PIECE = 0.05

Trimap = NDArray[np.uint8]


def grabcut(picture: Picture, prompt: Prompt) -> Mask:
    """Cut out what the prompt means.

    The box bounds the object; points are sure to be on it or beside it; a prior says what is likely.
    Where GrabCut finds nothing to tell apart, the prior or the box itself is the answer.

    Args:
        picture: of any size; worked on at `WORKING_SIDE` pixels at most.
        prompt: inside the picture.

    Returns:
        A mask of the picture's size; it is not empty unless the prior is.
    """
    canvas = _Canvas.of(picture, prompt)
    start = canvas.start()
    found = canvas.pick(_run(canvas.pixels, start))
    if not found.any():
        found = canvas.pick(np.isin(start, (cv2.GC_FGD, cv2.GC_PR_FGD)))
    return Mask.from_array(upscale_mask(found, picture.pixels))


@dataclass(frozen=True, eq=False)
class _Canvas:
    """Picture and prompt at the working size.

    Attributes:
        pixels: (h, w, 3) uint8.
        on: (x, y) of the points on the object.
        beside: (x, y) of the points beside it.
        box: (x0, y0, x1, y1), x1 and y1 exclusive; None when there is none.
        prior: (h, w) bool, or None.
    """

    pixels: NDArray[np.uint8]
    on: list[tuple[int, int]]
    beside: list[tuple[int, int]]
    box: tuple[int, int, int, int] | None
    prior: Bitmap | None

    @classmethod
    def of(cls, picture: Picture, prompt: Prompt) -> "_Canvas":
        height, width = picture.size
        scale = min(1.0, WORKING_SIDE / max(height, width))
        w, h = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(picture.pixels, (w, h), interpolation=cv2.INTER_AREA)
        points = [
            (min(int(x * w / width), w - 1), min(int(y * h / height), h - 1), label)
            for x, y, label in prompt.points
        ]
        box = prior = None
        if prompt.box is not None:
            x0, y0, x1, y1 = prompt.box
            left, top = min(max(int(x0 * w / width), 0), w - 1), min(max(int(y0 * h / height), 0), h - 1)
            right, bottom = int(np.ceil(x1 * w / width)), int(np.ceil(y1 * h / height))
            box = (left, top, min(max(right, left + 1), w), min(max(bottom, top + 1), h))
        if prompt.prior is not None:
            prior = (
                cv2.resize(np.asarray(prompt.prior, dtype=np.float32), (w, h), interpolation=cv2.INTER_AREA)
                >= 0.5
            )
        on = [(x, y) for x, y, label in points if label == 1]
        beside = [(x, y) for x, y, label in points if label == 0]
        return cls(pixels, on, beside, box, prior)

    def start(self) -> Trimap:
        """What is known before any pixel is looked at, in GrabCut's four values."""
        state = np.full(self.pixels.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
        if self.prior is not None:
            state[~self._near_prior(PRIOR_REACH)] = cv2.GC_BGD
            state[self._near_prior(PRIOR_SLACK)] = cv2.GC_PR_FGD
        elif self.box is None:
            state[~self._discs(self.on, FARTHEST_REACH)] = cv2.GC_BGD
            state[self._discs(self.on, LIKELY_REACH)] = cv2.GC_PR_FGD
        if self.box is not None:
            inside = self._filled_box()
            state[~inside] = cv2.GC_BGD
            if self.prior is None:
                state[inside] = cv2.GC_PR_FGD
        state[self._discs(self.on, POINT_RADIUS)] = cv2.GC_FGD
        state[self._discs(self.beside, POINT_RADIUS)] = cv2.GC_BGD
        return state

    def pick(self, found: Bitmap) -> Bitmap:
        """The pieces under a point on the object; without such points, all but the specks."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
        if count <= 1:
            return found
        under = np.unique(labels[self._discs(self.on, POINT_RADIUS)]) if self.on else np.empty(0, dtype=int)
        kept = under[under > 0]
        if not kept.size:
            areas = stats[1:, cv2.CC_STAT_AREA]
            kept = np.flatnonzero(areas >= LEAST_PIECE * areas.max()) + 1
        picked: Bitmap = np.isin(labels, kept)
        return picked

    def _discs(self, centres: list[tuple[int, int]], reach: float) -> Bitmap:
        """Discs around the points; `reach` is a share of the longer side."""
        drawn = np.zeros(self.pixels.shape[:2], dtype=np.uint8)
        for centre in centres:
            cv2.circle(drawn, centre, round(reach * max(drawn.shape)), 1, thickness=-1)
        return drawn.astype(bool)

    def _filled_box(self) -> Bitmap:
        inside = np.zeros(self.pixels.shape[:2], dtype=bool)
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            inside[y0:y1, x0:x1] = True
        return inside

    def _near_prior(self, share: float) -> Bitmap:
        if self.prior is None or not self.prior.any():
            return np.zeros(self.pixels.shape[:2], dtype=bool)
        rows, cols = np.flatnonzero(self.prior.any(axis=1)), np.flatnonzero(self.prior.any(axis=0))
        extent = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
        reach = max(1, round(share * extent))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        near: Bitmap = cv2.dilate(self.prior.astype(np.uint8), kernel).astype(bool)
        return near


def _run(pixels: NDArray[np.uint8], start: Trimap) -> Bitmap:
    """GrabCut from a start; nothing where it lacks one of the two sides, or cannot tell them apart."""
    foreground = np.isin(start, (cv2.GC_FGD, cv2.GC_PR_FGD))
    nothing: Bitmap = np.zeros(start.shape, dtype=bool)
    if not foreground.any() or foreground.all():
        return nothing
    state = start.copy()
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # Its clustering draws random numbers: equal input must give equal masks.
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(pixels[..., ::-1].copy(), state, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return nothing
    found: Bitmap = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return found
