"""From frames that were sighting to their figures, one frame at a time."""

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.j_and_f import score_frame
from kiridashi.models.observing import Components, Moments, Point, Stage
from kiridashi.report.diagnosis.lines import FrameFigures, StageFigures
from kiridashi.video.diagnosis.facts import FrameFacts
from kiridashi.video.diagnosis.measures import (
    LEAST,
    Probe,
    ProbeFit,
    component_auroc,
    distance,
    median,
    pointer_map,
    raw_distance,
    share_of,
    sides_of,
)
from kiridashi.video.diagnosis.measures import auroc as auroc_of
from kiridashi.video.diagnosis.watching import OBJECT, Sighting
from kiridashi.video.tracker import State

# Frames after the prompt whose stages the probes learn from.
PROBE_FRAMES = 3
# Frames without a prompt that distances to the memory are taken to, besides those with one.
REMEMBERED = 2
# Of the frames with a prompt the first always stays, and the newest others.
MOST_PROMPTED = 4


class CleanRun:
    """What transformed copies are compared with: the stages of the clean clip, in half precision.

    Bounded by the number of frames that are looked at and by `observing.SIDE`.

    Args:
        stages: of the model.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = stages
        self.moments = {stage.name: Moments() for stage in stages if stage.is_map}
        self._maps: dict[int, dict[str, Tensor]] = {}
        self._fits = {stage.name: ProbeFit() for stage in stages if stage.is_map}
        self._masks: dict[int, Mask] = {}
        self._learned = 0

    def add(self, sighting: Sighting) -> None:
        """Take in a frame of the clip as it is, in order."""
        place = sighting.source
        if place is None:
            return
        self._maps[place] = {name: value.half() for name, value in sighting.seen.items()}
        for name, value in sighting.seen.items():
            if name in self.moments:
                self.moments[name].add(value)
        mask = sighting.reference
        self._masks[place] = mask
        if sighting.prompted or mask.is_empty or self._learned >= PROBE_FRAMES:
            return
        self._learned += 1
        for name, fit in self._fits.items():
            if name in sighting.seen:
                value = sighting.seen[name]
                fit.add(value, share_of(mask, _size(value)))

    def at(self, place: int | None) -> Mapping[str, Tensor]:
        """The stages of a frame of the clip; empty where there is none."""
        return self._maps.get(-1 if place is None else place, {})

    def restored(self, sighting: Sighting) -> Sighting:
        """A sighting of the clip with the stages that are kept of it."""
        stages = {name: value.float() for name, value in self.at(sighting.source).items()}
        return replace(sighting, seen=stages)

    def mask(self, place: int) -> Mask | None:
        """Where the object is in a frame of the clip: its true mask, or what was found."""
        return self._masks.get(place)

    def components(self) -> dict[str, Components]:
        """The strongest directions of each stage with places that was seen."""
        return {name: one.components() for name, one in self.moments.items() if one.count}

    def probes(self) -> dict[str, Probe]:
        """A probe for each stage with places."""
        fitted = {name: fit.fit() for name, fit in self._fits.items()}
        return {name: probe for name, probe in fitted.items() if probe is not None}

    def natural(self) -> dict[str, float]:
        """Median change of each stage from one frame to the next."""
        places = sorted(self._maps)
        found = {}
        for stage in self.stages:
            pairs = (
                (self._maps[before].get(stage.name), self._maps[after].get(stage.name))
                for before, after in itertools.pairwise(places)
            )
            changes = [
                raw_distance(one.float(), other.float())
                for one, other in pairs
                if one is not None and other is not None and one.shape == other.shape
            ]
            found[stage.name] = median(changes) or 0.0
        return found


@dataclass(frozen=True, eq=False)
class Scale:
    """What the figures of all runs of a clip are held against.

    Attributes:
        clean: the clip as it is.
        natural: of it.
        probes: fitted to it.
    """

    clean: CleanRun
    natural: Mapping[str, float]
    probes: Mapping[str, Probe]

    @classmethod
    def of(cls, clean: CleanRun) -> "Scale":
        """Of a clean run that is at its end."""
        return cls(clean, clean.natural(), clean.probes())


class Measurer:
    """Measures the frames of one run in turn; keeps what its memory distances need.

    Args:
        stages: of the model.
        scale: to hold against.
        scored: whether J and F are measured; without true masks the clean clip has none.
    """

    def __init__(self, stages: Sequence[Stage], scale: Scale, *, scored: bool) -> None:
        self._stages, self._scale, self._scored = stages, scale, scored
        self._prompted: list[Mapping[str, Tensor]] = []
        self._recent: deque[Mapping[str, Tensor]] = deque(maxlen=REMEMBERED)
        self._before: Mapping[str, Tensor] = {}
        self._mask: Mask | None = None

    def __call__(self, sighting: Sighting, facts: FrameFacts | None = None) -> FrameFigures:
        """The figures of the next frame."""
        tracked, mask = sighting.tracked, sighting.reference
        clean = self._scale.clean.at(sighting.source)
        stages = {
            stage.name: self._stage(stage, sighting.seen, clean.get(stage.name), mask, tracked.mask)
            for stage in self._stages
            if stage.name in sighting.seen
        }
        j, f = self._score(sighting)
        figures = FrameFigures(
            source=sighting.source,
            found=tracked.state is State.FOUND,
            why=str(tracked.why),
            score=tracked.score,
            area=tracked.mask.coverage,
            there=not mask.is_empty,
            overlap=None if self._mask is None or self._mask.size != mask.size else mask.iou(self._mask),
            truth_area=mask.coverage,
            j=j,
            f=f,
            distance=sighting.distance,
            prompted=sighting.prompted,
            stages=stages,
            facts={} if facts is None else facts.to_json(),
        )
        self._remember(sighting, mask)
        return figures

    def _stage(
        self, stage: Stage, seen: Mapping[str, Tensor], clean: Tensor | None, mask: Mask, found: Mask
    ) -> StageFigures:
        value = seen[stage.name]
        share = share_of(mask, _size(value)) if stage.is_map else None
        unit = self._scale.natural.get(stage.name, 0.0)
        raw = natural = inside = outside = None
        if clean is not None and clean.shape == value.shape:
            apart = distance(value, clean.float(), share)
            raw = apart.all
            natural, inside, outside = (_over(one, unit) for one in (apart.all, apart.inside, apart.outside))
        before = self._before.get(stage.name)
        steady = None
        if before is not None and before.shape == value.shape:
            # Zeros have no direction, but they are the same.
            same = torch.equal(value, before)
            steady = 1.0 if same else float(F.cosine_similarity(value.flatten(), before.flatten(), dim=0))
        if share is None:
            return StageFigures(
                raw=raw,
                natural=natural,
                memory=self._to_memory(stage.name, value, unit),
                component=self._pointing(value, seen, mask) if stage.point is Point.POINTER else None,
                value=float(value.norm()),
                steady=steady,
            )
        probe = self._scale.probes.get(stage.name)
        return StageFigures(
            raw=raw,
            natural=natural,
            inside=inside,
            outside=outside,
            memory=self._to_memory(stage.name, value, unit),
            probe=None if probe is None else probe.auroc(value, share),
            component=component_auroc(value, share),
            value=self._agreement(value, found) if stage.holds_share else None,
            steady=steady,
        )

    @staticmethod
    def _agreement(memory: Tensor, found: Mask) -> float | None:
        """AUROC of the share that was written, against the mask that it was written of."""
        return auroc_of(memory[-1], *sides_of(share_of(found, _size(memory))))

    def _pointing(self, pointer: Tensor, seen: Mapping[str, Tensor], mask: Mask) -> float | None:
        """How well the decoded pointer parts the object, whichever way round."""
        tokens = seen.get(Point.DECODER)
        if tokens is None or tokens.shape[0] != pointer.shape[0]:
            return None
        found = auroc_of(pointer_map(pointer, tokens), *sides_of(share_of(mask, _size(tokens))))
        return None if found is None else max(found, 1 - found)

    def _to_memory(self, name: str, value: Tensor, unit: float) -> float | None:
        """To the nearest remembered frame."""
        kept = (held[name] for held in (*self._prompted, *self._recent) if name in held)
        distances = [raw_distance(value, one) for one in kept if one.shape == value.shape]
        return _over(min(distances), unit) if distances else None

    def _score(self, sighting: Sighting) -> tuple[float | None, float | None]:
        mask = sighting.truth
        if not self._scored or mask is None:
            return None, None
        found, truth = (one.to_array().astype(np.uint8) for one in (sighting.tracked.mask, mask))
        j, f = score_frame(found, truth, [OBJECT])
        return float(j[0]), float(f[0])

    def _remember(self, sighting: Sighting, mask: Mask) -> None:
        if sighting.prompted:
            self._prompted.append(sighting.seen)
            if len(self._prompted) > MOST_PROMPTED:
                del self._prompted[1]
        elif sighting.tracked.state is State.FOUND:
            self._recent.append(sighting.seen)
        self._before, self._mask = sighting.seen, mask


def _size(value: Tensor) -> tuple[int, int]:
    return int(value.shape[-2]), int(value.shape[-1])


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None or unit <= LEAST else value / unit
