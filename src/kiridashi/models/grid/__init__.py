"""Segment everything with a grid of points: the stock masks in a fraction of the time."""

from kiridashi.models.grid.folded_decoder import FoldedDecoder
from kiridashi.models.grid.gallery import Gallery, gallery, segment_everything
from kiridashi.models.grid.points import grid_points
from kiridashi.models.grid.settings import GridSettings

__all__ = [
    "FoldedDecoder",
    "Gallery",
    "GridSettings",
    "gallery",
    "grid_points",
    "segment_everything",
]
