"""Chosen frames of every run with what each stage made of them; their number is bounded."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from kiridashi.core.picture import Picture, Rgb
from kiridashi.models.observing import Components, Point, Stage
from kiridashi.models.observing.points import TOKENS, VOTE
from kiridashi.report.diagnosis.drawing import (
    draw_directions,
    draw_found,
    draw_likelihood,
    draw_missing,
    small,
    strip,
)
from kiridashi.report.diagnosis.lines import Key
from kiridashi.video.diagnosis.measures import pointer_map
from kiridashi.video.diagnosis.shots import Shot
from kiridashi.video.diagnosis.watching import Sighting

# Held at most while a run is on; of these so many are shown.
HELD, SHOWN = 12, 6
# Of the strip with the frames themselves.
FRAME = "frame"


@dataclass(frozen=True, eq=False)
class _Kept:
    index: int
    picture: Picture
    found: Rgb
    seen: Mapping[str, Tensor]


class StageGallery:
    """Keeps chosen frames of the run that is on, and draws them at its end.

    How long a run will be is not known: every n-th frame is kept, and n doubles when there are too many.

    Args:
        stages: of the model.
    """

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = stages
        self._stride = 1
        self._kept: list[_Kept] = []

    def __call__(self, _key: Key, shot: Shot, sighting: Sighting) -> None:
        """One frame of a run; see `running.Gallery`."""
        # The first has a prompt, so that not every stage has seen it.
        if sighting.prompted or sighting.index % self._stride:
            return
        tile = small(shot.picture)
        found = draw_found(tile, sighting.tracked.mask)
        self._kept.append(_Kept(sighting.index, tile, found, sighting.seen))
        if len(self._kept) > HELD:
            self._stride *= 2
            self._kept = [one for one in self._kept if one.index % self._stride == 0]

    def draw(self, components: Mapping[str, Components]) -> dict[str, Rgb]:
        """The strips of the run, by stage, frames first; forgets the run.

        Args:
            components: of the stages: the same colour is the same direction in every run held against them.
        """
        held, self._kept, self._stride = self._kept, [], 1
        if not held:
            return {}
        places = np.unique(np.linspace(0, len(held) - 1, SHOWN).round().astype(int))
        kept = [held[place] for place in places]
        strips = {FRAME: strip([one.found for one in kept])}
        for stage in self._stages:
            if stage.name != TOKENS:
                strips[stage.name] = strip([_tile(stage, one, components) for one in kept])
        return strips


def _tile(stage: Stage, kept: _Kept, components: Mapping[str, Components]) -> Rgb:
    value, size = kept.seen.get(stage.name), kept.picture.size
    if value is None:
        return draw_missing(size)
    if stage.point is Point.POINTER:
        tokens = kept.seen.get(Point.DECODER)
        if tokens is None or tokens.shape[0] != value.shape[0]:
            return draw_missing(size)
        return draw_likelihood(kept.picture, _stretched(pointer_map(value, tokens)))
    if stage.name == VOTE:
        return draw_likelihood(kept.picture, value[0].sigmoid().numpy())
    if stage.name not in components:
        return draw_missing(size)
    return draw_directions(components[stage.name].project(value).numpy(), size)


def _stretched(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """From the least to the greatest as 0..1; all 0 where nothing differs."""
    low, high = float(values.min()), float(values.max())
    return ((values - low) / max(high - low, 1e-6)).numpy()
