"""Short clips with the exact mask of one object in every frame."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kiridashi.core.errors import UsageError
from training.scenes.photometric import photographed
from training.scenes.scene import Pixels, Rng
from training.video.composed import Drawn, draw_composed
from training.video.material import Material, find_material
from training.video.motion import smooth
from training.video.sequences import draw_sequence
from training.video.stills import draw_still

KINDS = ("composed", "stills", "sequences")
SHARES = {"composed": 0.5, "stills": 0.2, "sequences": 0.3}
# Of the object in the first frame.
LEAST_PIXELS = 60
MOST_TRIES = 50
TARGET = 1


@dataclass(frozen=True, eq=False)
class Clip:
    """T frames of a window of S pixels.

    Attributes:
        pixels: (T, S, S, 3) uint8, RGB.
        objects: (T, S, S) uint8: 1 the object to follow, 2..254 others, 0 the rest, 255 unknown.
    """

    pixels: Pixels
    objects: Pixels


class ClipMaker:
    """Draws clips; equal generators draw equal clips.

    Args:
        data: folder of the training sets; see `training.scenes.SceneMaker`.
        sources: folder of `training.scenes.fetch`, or None.
        shares: how often each kind of `KINDS` is drawn. A kind whose pictures are missing leaves its
            share to the others.
        split: "train", or "validation" for held-out pictures, cut-outs and sequences.
        side: S, at most 512.
        frames: T, at least 2.

    Raises:
        UsageError: an unknown kind or nothing to draw from.
    """

    def __init__(
        self,
        data: Path,
        sources: Path | None,
        shares: Mapping[str, float] | None,
        split: str,
        side: int,
        frames: int,
    ) -> None:
        wanted = dict(SHARES if shares is None else shares)
        if unknown := sorted(set(wanted) - set(KINDS)):
            raise UsageError(f"unknown kinds of clips {unknown}; take some of {', '.join(KINDS)}")
        self._side, self._frames = side, frames
        drawers = self._drawers(find_material(data, sources, split, frames))
        kinds = [kind for kind in KINDS if kind in drawers and wanted.get(kind, 0) > 0]
        if not kinds:
            raise UsageError(f"{data}: no clips can be drawn from here; look at the training data")
        self._used = [drawers[kind] for kind in kinds]
        weights = np.array([wanted[kind] for kind in kinds])
        self._weights = weights / weights.sum()

    def draw(self, rng: Rng) -> Clip:
        """A clip whose first frame shows the object.

        Raises:
            RuntimeError: the pictures hold nothing to follow.
        """
        drawer = self._used[int(rng.choice(len(self._used), p=self._weights))]
        for _ in range(MOST_TRIES):
            drawn = drawer(rng)
            if drawn is not None and np.count_nonzero(drawn.objects[0] == TARGET) >= LEAST_PIXELS:
                return self._filmed(drawn, rng)
        raise RuntimeError(f"no object in {MOST_TRIES} clips; look at the training data")

    def _drawers(self, material: Material) -> dict[str, Callable[[Rng], Drawn | None]]:
        side, frames = self._side, self._frames
        drawers: dict[str, Callable[[Rng], Drawn | None]] = {}
        if material.cut_outs:
            drawers["composed"] = lambda rng: draw_composed(
                side, frames, material.cut_outs, material.backgrounds, rng
            )
        if material.photographs is not None:
            photographs = material.photographs
            drawers["stills"] = lambda rng: draw_still(side, frames, photographs.draw(rng), rng)
        if material.sequences:
            drawers["sequences"] = lambda rng: draw_sequence(side, frames, material.sequences, rng)
        return drawers

    def _filmed(self, drawn: Drawn, rng: Rng) -> Clip:
        """The same camera and file format for all frames, and light that drifts."""
        tall = photographed(drawn.pixels.reshape(-1, self._side, 3), rng).reshape(drawn.pixels.shape)
        light = np.exp(smooth(self._frames, 0.02, 0.04, rng)) if rng.random() < 0.6 else np.ones(self._frames)
        lit = [cv2.convertScaleAbs(frame, alpha=float(gain)) for frame, gain in zip(tall, light, strict=True)]
        return Clip(np.stack(lit), drawn.objects)
