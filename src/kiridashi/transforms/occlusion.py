"""T3: something passes in front of the objects."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kiridashi.transforms.frame import MOST, Frame, draws
from kiridashi.transforms.schedule import Episodes

LENGTH = 12
# Frames in which it comes, and as many in which it goes.
RAMP = 3
MARGIN = 0.15
CELL = 8


class Occlusion:
    """A patterned board slides over the objects from one side, stays for a while, and slides back.

    At its deepest it covers 20, 40, 60, 80 or 100 % of the pixels of the objects, all taken together.

    Args:
        severity: 1..5.
        seed: of the moment, the side and the pattern.
    """

    def __init__(self, severity: int, seed: int) -> None:
        self._share = severity / MOST
        self._episodes = Episodes.draw(seed, "occlusion", LENGTH)
        rng = draws(seed, "occlusion", "board")
        self._mirrored, self._upright = bool(rng.integers(2)), bool(rng.integers(2))
        cells = rng.integers(30, 226, (64, 64, 3)).astype(np.uint8)
        self._pattern = cells.repeat(CELL, axis=0).repeat(CELL, axis=1)

    def __call__(self, frame: Frame, index: int, /) -> Sequence[Frame]:
        """The frame with the board in front; labels are of what is still seen, `amodal` of all."""
        place = self._episodes.place(index)
        if place is None or not frame.objects.any():
            return (frame,)
        share = self._share * min(1.0, (place + 1) / RAMP, (LENGTH - place) / RAMP)
        board = self._board(frame.objects, share)
        height, width = frame.size
        side = len(self._pattern)
        tiled = np.tile(self._pattern, (-(-height // side), -(-width // side), 1))[:height, :width]
        pixels = np.where(board[..., None], tiled, frame.pixels)
        labels = np.where(board, np.uint8(0), frame.labels)
        return (replace(frame, pixels=pixels, labels=labels, amodal=frame.labels),)

    def _board(self, objects: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
        """(H, W) where the board is: a rectangle that covers the wanted share, to within a column."""
        view = objects.T if self._upright else objects
        view = view[:, ::-1] if self._mirrored else view
        rows, columns = np.flatnonzero(view.any(axis=1)), np.flatnonzero(view.any(axis=0))
        covered = np.cumsum(view.sum(axis=0)) / view.sum()
        # The tiny term keeps a share of 1 from asking for more than there is.
        end = int(np.searchsorted(covered, share - 1e-9)) + 1
        around = round(MARGIN * max(np.ptp(rows), np.ptp(columns))) + 1
        board = np.zeros(view.shape, dtype=bool)
        top, left = max(rows[0] - around, 0), max(columns[0] - around, 0)
        board[top : rows[-1] + 1 + around, left:end] = True
        board = board[:, ::-1] if self._mirrored else board
        return board.T if self._upright else board
