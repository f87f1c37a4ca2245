"""One mask for each region of a coarse map: the best match, or the region itself where nothing matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.components import without_specks
from kiridashi.core.mask import Mask
from kiridashi.localize.boxes import PixelBox, box_of
from kiridashi.localize.matching import FloatMap, Scores, reduce_masks, similarity
from kiridashi.localize.regions import Region
from kiridashi.localize.settings import LocaliseSettings
from kiridashi.models.grid import Gallery

Source = Literal["gallery", "sharpened", "coarse"]
Reason = Literal[
    "best match", "two masks", "sharpened", "no candidates", "poor match", "much smaller", "no place"
]

# Two masks win over one only by this much: a pair always has more ways to fit the map by chance. On training
# photographs with made-up maps 0.05 costs 0.01 of mean IoU on wide maps, 0.1 nothing.
UNION_GAIN = 0.1
# Pairs are tried among the best few: a mask that matches badly alone seldom completes another one.
PAIRED = 8
# What of a mask is small beside its largest part is left out of the answer: a stray pixel moves a box.
SPECK = 0.05
# What the decoder's answer to a map is credited with as its predicted IoU: of a mask that a filter of edges
# had a say in, the decoder cannot say how sure it is.
DRAWN_IOU = 0.8
# Candidates that a choice remembers, for the report.
REMEMBERED = 6


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mask that may be what a region shows.

    Attributes:
        mask: of the gallery, or what the decoder drew.
        score: its likeness to the region, by the measure of the settings.
        source: `gallery` or `sharpened`.
        predicted_iou: by the decoder, 0..1; None for what was made from several masks or from a map.
        joined: whether two masks of the gallery were put together.
    """

    mask: Mask
    score: float
    source: Source
    predicted_iou: float | None = None
    joined: bool = False


@dataclass(frozen=True, eq=False)
class Choice:
    """What was taken for a region.

    Attributes:
        mask: the answer; never empty.
        box: (x0, y0, x1, y1), x1 and y1 exclusive; by the settings' rule.
        score: likeness of the best candidate to the region, also where it was not taken; 0 without any.
        source: `gallery`, `sharpened` (the decoder's answer to the map) or `coarse` (the region itself).
        reason: why, as one of a few words that a program can tell apart.
        why: why, in plain words with the numbers.
        region: the region of the coarse map.
        weight: share of the map above the threshold that is in the region, 0..1.
        candidates: the best few, best first, by likeness and predicted IoU together.
    """

    mask: Mask
    box: PixelBox
    score: float
    source: Source
    reason: Reason
    why: str
    region: Mask
    weight: float
    candidates: tuple[Candidate, ...]

    @property
    def kept_coarse(self) -> bool:
        """Whether the coarse region stayed because nothing was better."""
        return self.source == "coarse"


class Pool:
    """The candidates that all regions of a picture share, reduced to the grid once.

    Args:
        found: the picture's gallery.
        settings: how many of its masks, which of them, and the grid.

    Attributes:
        masks: N masks.
        predicted_iou: (N,).
        inside: (N, side, side) float32, see `reduce_masks`.
    """

    def __init__(self, found: Gallery, settings: LocaliseSettings) -> None:
        height, width = found.size
        # The gallery has its best predicted IoU first.
        rows = [
            row
            for row, mask in enumerate(found.masks[: settings.most_candidates])
            if not (settings.drop_whole and mask.box == (0, 0, width, height))
        ]
        self.masks: list[Mask] = [found.masks[row] for row in rows]
        self.predicted_iou: Scores = found.predicted_iou[rows]
        self.inside: FloatMap = reduce_masks(self.masks, settings.side)


def choose(region: Region, pool: Pool, settings: LocaliseSettings, sharpened: Mask | None = None) -> Choice:
    """The mask for a region.

    Args:
        region: of the coarse map.
        pool: masks to choose from.
        settings: measure, thresholds, and which candidates there are.
        sharpened: the decoder's answer to the coarse map at this region, a further candidate.

    Returns:
        The candidate with the best score, its predicted IoU considered. The region itself where there is no
        candidate, where the best score is below `settings.least`, or where the best mask is of less than
        `settings.least_share` of its area.
    """
    candidates = _from_gallery(region, pool, settings)
    if sharpened is not None and not sharpened.is_empty:
        drawn = Candidate(sharpened, _score(region, sharpened, settings), "sharpened")
        own = _rank(drawn, settings)
        candidates.insert(sum(_rank(each, settings) >= own for each in candidates), drawn)
    if not candidates:
        why = "kept the coarse region: the gallery has no mask that touches it"
        return _keep(region, candidates, "no candidates", why)
    best = candidates[0]
    if best.score < settings.least:
        why = f"kept the coarse region: the best match scores {best.score:.2f}, below {settings.least:.2f}"
        return _keep(region, candidates, "poor match", why)
    if best.mask.area < settings.least_share * region.mask.area:
        share = best.mask.area / region.mask.area
        why = (
            f"kept the coarse region: the best match covers {share:.0%} of its area, "
            f"less than {settings.least_share:.0%}, so it is rather a part"
        )
        return _keep(region, candidates, "much smaller", why)
    return _take(region, candidates, settings)


def no_place(size: tuple[int, int]) -> Choice:
    """For a class that is present while its coarse map says nothing of where: the whole picture.

    Args:
        size: (height, width) of the picture.
    """
    whole = Mask(np.ones(size, dtype=bool), (0, 0), size)
    why = "the coarse map says nothing of where: the whole picture stays"
    return Choice(whole, whole.box, 0.0, "coarse", "no place", why, whole, 1.0, ())


def _take(region: Region, candidates: list[Candidate], settings: LocaliseSettings) -> Choice:
    best = candidates[0]
    # The published rule takes the mask as it is and cleans only for the box.
    mask = best.mask if settings.box == "closed" else without_specks(best.mask, SPECK)
    reason: Reason = (
        "sharpened" if best.source == "sharpened" else "two masks" if best.joined else "best match"
    )
    what = {
        "best match": "the mask of the gallery that matches best",
        "two masks": "two masks of the gallery together match better than any alone",
        "sharpened": "the decoder's own answer to the coarse map matches best",
    }[reason]
    return Choice(
        mask=mask,
        box=box_of(mask, settings.box),
        score=best.score,
        source=best.source,
        reason=reason,
        why=f"{what} ({best.score:.2f})",
        region=region.mask,
        weight=region.weight,
        candidates=tuple(candidates[:REMEMBERED]),
    )


def _keep(region: Region, candidates: list[Candidate], reason: Reason, why: str) -> Choice:
    score = candidates[0].score if candidates else 0.0
    mask = region.mask
    shown = tuple(candidates[:REMEMBERED])
    return Choice(mask, mask.box, score, "coarse", reason, why, mask, region.weight, shown)


def _from_gallery(region: Region, pool: Pool, settings: LocaliseSettings) -> list[Candidate]:
    """The best few masks of the gallery and, where it wins clearly, a union of two; best first."""
    near = _in_reach(region, pool, settings)
    if not near.size:
        return []
    scores = _similarity(region, pool.inside, settings)
    ranks = (scores + settings.quality * pool.predicted_iou)[near]
    # Equal ranks keep the gallery's order: the better predicted IoU first.
    order = near[np.argsort(-ranks, kind="stable")[: max(REMEMBERED, PAIRED)]]
    found = [
        Candidate(pool.masks[row], float(scores[row]), "gallery", float(pool.predicted_iou[row]))
        for row in order
    ]
    best = max(each.score for each in found)
    joined = _union(region, pool, order[:PAIRED], best, settings) if settings.unions else None
    return [joined, *found] if joined else found


def _in_reach(region: Region, pool: Pool, settings: LocaliseSettings) -> NDArray[np.intp]:
    """The rows of the masks that share a cell with the region; of all where it stands for the whole map."""
    if not settings.by_component or not pool.masks:
        return np.arange(len(pool.masks))
    own = reduce_masks([region.mask], settings.side)[0] > 0
    return np.flatnonzero((pool.inside[:, own] > 0).any(axis=1))


def _union(
    region: Region, pool: Pool, rows: NDArray[np.intp], to_beat: float, settings: LocaliseSettings
) -> Candidate | None:
    """The pair of overlapping or adjacent masks whose union clearly beats the best single one, if any."""
    inside = pool.inside[rows]
    first, second = np.nonzero(np.triu(_adjacent(inside), 1))
    if not first.size:
        return None
    a, b = inside[first], inside[second]
    # Within a cell of both edges, how much they share is not known: as much as by chance.
    scores = _similarity(region, a + b - a * b, settings)
    best = int(np.argmax(scores))
    if scores[best] < to_beat + UNION_GAIN:
        return None
    mask = pool.masks[rows[first[best]]] | pool.masks[rows[second[best]]]
    score = _score(region, mask, settings)
    return Candidate(mask, score, "gallery", joined=True) if score >= to_beat + UNION_GAIN else None


def _adjacent(inside: FloatMap) -> NDArray[np.bool_]:
    """(N, N) whether two masks share a cell or lie in neighbouring ones."""
    there = (inside > 0).astype(np.uint8)
    wider = np.stack([cv2.dilate(each, np.ones((3, 3), np.uint8)) for each in there])
    count = len(inside)
    touch = wider.reshape(count, -1).astype(np.float32) @ there.reshape(count, -1).T.astype(np.float32)
    adjacent: NDArray[np.bool_] = touch > 0
    return adjacent


def _rank(candidate: Candidate, settings: LocaliseSettings) -> float:
    predicted = DRAWN_IOU if candidate.predicted_iou is None else candidate.predicted_iou
    return candidate.score + settings.quality * predicted


def _score(region: Region, mask: Mask, settings: LocaliseSettings) -> float:
    return float(_similarity(region, reduce_masks([mask], settings.side), settings)[0])


def _similarity(region: Region, inside: FloatMap, settings: LocaliseSettings) -> Scores:
    return similarity(region.target, inside, settings.measure, settings.threshold, settings.cells)


def distinct(choices: Sequence[Choice], same: float) -> list[Choice]:
    """Choices without those whose mask another one already has; the one of the heavier region stays.

    Args:
        choices: of one class.
        same: IoU above which two masks are one object.
    """
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda each: -each.weight):
        if all(choice.mask.iou(other.mask) <= same for other in kept):
            kept.append(choice)
    return kept
