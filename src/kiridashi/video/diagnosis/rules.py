"""The rules of the verdict: which figure says what, and from which value on.

docs/methods/diagnose.md has the same table in words; a test holds the two together. All limits were chosen on
clips of DAVIS that may be trained on, as they are, transformed, and with faults planted into the model.

The order is that of cause and effect, so that the first rule that speaks names the main fault: a frame passes
encoder, memory, decoder, pointer and what is written, and a stage that gets nothing has nothing to give; a
camera that cuts away also hides the object.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kiridashi.models.observing import Point, Stage
from kiridashi.models.observing.points import TOKENS
from kiridashi.report.diagnosis.finding import Figure, Finding, Verdict, Where
from kiridashi.report.diagnosis.lines import (
    CLEAN,
    SELF_TEST,
    TRANSFORMATION,
    TRIED,
    FrameFigures,
    Key,
    Line,
)
from kiridashi.transforms import CARDS
from kiridashi.video.diagnosis.answering import FITTING, HEEDING
from kiridashi.video.gate import GateOptions

# A probe that parts object and background this well has them parted.
PARTED = 0.9
# Before a frame, whose areas its own is held against; not the last ones, as things hide step by step.
LONGEST_AGO, SHORTEST_AGO = 10, 4
# Frames of a clip that is too short for a rule of change to speak.
LEAST_CHANGES = 4
LEAST_MOVES = 2
Evidence = Mapping[str, Figure]


@dataclass(frozen=True)
class Rule:
    """When a fault is told.

    Attributes:
        name: of the finding.
        where: it lies.
        limit: of the figure.
        above: True: the rule speaks from the limit on; False: below it.
        figure: what it looks at, in words, for the table.
    """

    name: str
    where: Where
    limit: float
    above: bool
    figure: str

    def finding(self, value: float | None, **evidence: Figure) -> Finding | None:
        """The finding if the figure is beyond the limit."""
        if value is None or (value < self.limit if self.above else value >= self.limit):
            return None
        ratio = value / self.limit if self.above else self.limit / max(value, 1e-3)
        return Finding(self.where, self.name, self.limit, ratio, {"value": value, **evidence})


# Of the model, on the self-test.
ENCODER = Rule("encoder", Where.MODEL, 0.9, False, "AUROC of the probe on the encoder's map")
WRITTEN = Rule(
    "written", Where.MODEL, 0.9, False, "AUROC of what was written, against the mask that was found"
)
VOTE = Rule("memory", Where.MODEL, 0.85, False, "AUROC of what the memory says, on the vote")
RECALL = Rule("memory", Where.MODEL, 0.3, False, "mean J where the decoder, asked directly, is right")
DECODER = Rule("decoder", Where.MODEL, 0.25, False, "IoU that is lost when another place is asked for")
FROZEN = Rule("frozen", Where.MODEL, 0.99999, True, "cosine of the decoder's tokens in successive frames")
SILENT = Rule("pointer", Where.MODEL, 1e-3, False, "length of the object pointer")
WANDERING = Rule("wandering", Where.MODEL, 0.7, False, "cosine of the pointers of successive frames")
# Of the clip as it is.
CUT = Rule("cut", Where.CLIP, 0.55, True, "fall of a frame's likeness to the one before, below its median")
FLICKER = Rule("flicker", Where.CLIP, 0.05, True, "median step between successive changes of ln(light)")
DRIFT = Rule("drift", Where.CLIP, 0.5, True, "range of ln(light) over the clip")
DARK = Rule("dark", Where.CLIP, 0.12, False, "median luminance, 0..1")
GRAIN = Rule("noise", Where.CLIP, 10.0, True, "median grain, of 255")
BLUR = Rule("blur", Where.CLIP, 0.42, True, "median blur effect, 0..1")
HIDDEN = Rule("hidden", Where.CLIP, 0.5, False, "area of the object over that of a few frames before")
PANNING = Rule(
    "panning",
    Where.CLIP,
    0.8,
    False,
    "median likeness of a frame to the one before, where the object is lost",
)
MOVEMENT = Rule("movement", Where.CLIP, 0.4, False, "median IoU of the object with itself a frame before")
SMALL = Rule("small", Where.CLIP, 4.0, False, "places of the memory's grid that the object covers")
LOST = Rule("lost", Where.CLIP, 0.4, False, "J&F of frames that show the object, else share with it found")

# Under transformations.
DROP = Rule("weak", Where.ROBUSTNESS, 0.2, True, "J&F lost against the clip as it is")
FELL = 0.1
# In what the clip changes by itself from frame to frame; what a tenth of the frames exceed.
MOVED, HIGH = 2.0, 0.9
VIEWPOINT = "T6"

RULES = (
    *(ENCODER, WRITTEN, VOTE, RECALL, DECODER, FROZEN, SILENT, WANDERING),
    *(CUT, FLICKER, DRIFT, DARK, GRAIN, BLUR, PANNING, MOVEMENT, HIDDEN, SMALL, LOST),
    DROP,
)


def judge(lines: Sequence[Line], stages: Sequence[Stage], grid: int) -> Verdict:
    """The verdict on the runs of a diagnosis.

    Args:
        lines: of the runs; those of the self-test and of the clip as it is are asked for.
        stages: of the model, in order.
        grid: places of the memory's map, all together.
    """
    usable = {line.key: line for line in lines if line.error is None}
    tests = [line for key, line in usable.items() if key.kind == SELF_TEST]
    cleans = [line for key, line in usable.items() if key.kind == CLEAN]
    model = [one for line in tests for one in model_findings(line, stages)]
    clip = [one for line in cleans for one in clip_findings(line, grid, trusted=not model)]
    weaknesses, stands, untried = [], [], []
    for key, line in usable.items():
        if key.kind == TRANSFORMATION and cleans:
            found = weakness(line, cleans[0], stages)
            if found is None and line.tests.get(TRIED) == 0:
                untried.append(key.label)
            elif found is None:
                stands.append(key.label)
            else:
                weaknesses.append(found)
    weaknesses.sort(key=lambda one: -one.strength)
    parted = parting_stage(cleans[0], stages) if cleans else None
    return Verdict((*model, *clip), tuple(weaknesses), tuple(stands), parted, tuple(untried))


def model_findings(test: Line, stages: Sequence[Stage]) -> list[Finding]:
    """The first stage of the model that fails its self-test, if one does."""
    for rule in (_encoder, _written, _memory, _decoder, _pointer):
        found = rule(test, stages)
        if found is not None:
            return [found]
    return []


def clip_findings(clean: Line, grid: int, *, trusted: bool) -> list[Finding]:
    """What is wrong with the clip.

    Args:
        clean: the clip as it is.
        grid: places of the memory's map.
        trusted: whether the model is sound: without, and without true masks, what was found says nothing.
    """
    found = [*_of_pixels(clean)]
    if trusted or clean.j_and_f is not None:
        found += _of_tracks(clean, grid)
    return found


def _encoder(test: Line, _: Sequence[Stage]) -> Finding | None:
    return ENCODER.finding(_median(test.values(Point.ENCODER, "probe", seen=True)))


def _written(test: Line, stages: Sequence[Stage]) -> Finding | None:
    if not any(stage.holds_share for stage in stages):
        return None
    # Also of the frame with the prompt: where the object is lost at once, nothing else is written.
    found = [frame.stages[Point.WRITTEN].value for frame in test.frames if Point.WRITTEN in frame.stages]
    return WRITTEN.finding(_median([value for value in found if value is not None]))


def _memory(test: Line, stages: Sequence[Stage]) -> Finding | None:
    memory = [stage for stage in stages if stage.point is Point.MEMORY]
    region = test.region
    if any(stage.holds_share for stage in stages):
        return VOTE.finding(
            _median(test.values(memory[-1].name, "component", seen=True)),
            encoder=_median(test.values(Point.ENCODER, "probe", seen=True)) or 0.0,
        )
    if region is None or test.tests.get(FITTING, 0.0) < PARTED / 2:
        return None
    return RECALL.finding(region.mean, encoder=_median(test.values(Point.ENCODER, "probe", seen=True)) or 0.0)


def _decoder(test: Line, _: Sequence[Stage]) -> Finding | None:
    fitting = test.tests.get(FITTING, 0.0)
    found = DECODER.finding(test.tests.get(HEEDING), fitting=fitting)
    if found is not None:
        return found
    steady = test.values(TOKENS, "steady")
    return FROZEN.finding(min(steady, default=None), fitting=fitting)


def _pointer(test: Line, _: Sequence[Stage]) -> Finding | None:
    lengths = test.values(Point.POINTER, "value")
    return SILENT.finding(_median(lengths)) or WANDERING.finding(
        _median(test.values(Point.POINTER, "steady")), length=_median(lengths) or 0.0
    )


def _of_pixels(clean: Line) -> Iterator[Finding]:
    yield from _told(_cut(clean))
    lit = [frame.facts for frame in clean.frames[1:] if frame.facts]
    # Of frames that show different places, the light cannot be compared.
    changes = [facts["change"] if facts["alike"] >= PANNING.limit else 0.0 for facts in lit]
    if len(changes) >= LEAST_CHANGES:
        steps = [
            abs(after["change"] - before["change"])
            for before, after in pairwise(lit)
            if min(before["alike"], after["alike"]) >= PANNING.limit
        ]
        flicker = FLICKER.finding(_median(steps), percent=100 * float(np.median(np.abs(np.expm1(changes)))))
        yield from _told(flicker)
        if flicker is None:
            yield from _told(DRIFT.finding(float(np.ptp(np.cumsum(changes)))))
    yield from _told(DARK.finding(_fact(clean, "light"), clipped=100 * (_fact(clean, "clipped") or 0.0)))
    yield from _told(GRAIN.finding(_fact(clean, "noise")))
    yield from _told(BLUR.finding(_fact(clean, "blur")))
    alike = [frame.facts["alike"] for frame in clean.frames[1:] if "alike" in frame.facts]
    # A camera may move as it likes while the object is found.
    if len(alike) >= LEAST_CHANGES and not all(frame.found for frame in clean.followed):
        yield from _told(PANNING.finding(_median(alike)))


def _cut(clean: Line) -> Finding | None:
    """Frames unlike the scene, and a jump: the gate alone takes something near for another scene."""
    away = [index for index, frame in enumerate(clean.frames) if is_away(frame)]
    alike = [frame.facts["alike"] for frame in clean.frames[1:] if "alike" in frame.facts]
    if not away or not alike:
        return None
    return CUT.finding(
        float(np.median(alike)) - min(alike),
        frames=len(away),
        first=away[0],
        distance=max(frame.distance for frame in clean.frames),
        back=_back(clean.frames[away[0] :]),
    )


def is_away(frame: FrameFigures) -> bool:
    """Whether a frame is unlike all that is remembered of the scene."""
    return frame.distance >= GateOptions().distance


def _of_tracks(clean: Line, grid: int) -> list[Finding]:
    found = []
    cuts = _cut(clean) is not None
    scene = [frame for frame in clean.frames if not (cuts and is_away(frame))]
    # Where it was away in between, nothing is known of how it moved.
    overlaps = [
        frame.overlap
        for before, frame in pairwise(scene)
        if before.there and frame.there and frame.overlap is not None
    ]
    found += _told(MOVEMENT.finding(_median(overlaps) if len(overlaps) >= LEAST_MOVES else None))
    hidden, share = hiding(scene)
    found += _told(HIDDEN.finding(share, frames=hidden, missed=sum(not frame.found for frame in scene)))
    areas = [area for frame in scene if (area := _area(frame)) > 0]
    found += _told(SMALL.finding(None if not areas else grid * (_median(areas) or 0.0)))
    if not found:
        found += _told(_lost(clean, scene))
    return found


def _lost(clean: Line, scene: Sequence[FrameFigures]) -> Finding | None:
    there = [frame for frame in scene if frame.there and not frame.prompted]
    if clean.seen_j_and_f is None or not there:
        # Without true masks a lost object has none: how often it was found is all there is.
        rows = [frame for frame in scene if not frame.prompted]
        return LOST.finding(
            float(np.mean([frame.found for frame in rows])) if rows else None, found=_found(clean)
        )
    return LOST.finding(clean.seen_j_and_f, found=_found(clean))


def hiding(frames: Sequence[FrameFigures]) -> tuple[int, float | None]:
    """In how many frames an object is much smaller than just before, and the smallest share of its area."""
    areas = [_area(frame) for frame in frames]
    shares = []
    for index, area in enumerate(areas):
        before = [
            one for one in areas[max(0, index - LONGEST_AGO) : max(0, index - SHORTEST_AGO + 1)] if one > 0
        ]
        if before:
            shares.append(area / float(np.median(before)))
    return sum(share < HIDDEN.limit for share in shares), min(shares, default=None)


def weakness(line: Line, clean: Line, stages: Sequence[Stage]) -> Finding | None:
    """What a transformation does, if it does much."""
    before, after = clean.seen_j_and_f, line.seen_j_and_f
    if after is None:
        return None
    drop = (1.0 if before is None else before) - after
    broken, moved = breaking_stage(line, clean, stages), moved_stage(line, stages)
    return DROP.finding(
        drop,
        transformation=line.key.name,
        severity=line.key.severity,
        j_and_f=after,
        before=1.0 if before is None else before,
        stage=broken or moved or "decision",
        how="parted" if broken else "moved" if moved else "decision",
    )


def breaking_stage(line: Line, clean: Line, stages: Sequence[Stage]) -> str | None:
    """The first stage at which the object's places are parted worse by `FELL` than in the clip as it is."""
    for stage in stages:
        before, after = (_median(one.values(stage.name, "probe", seen=True)) for one in (clean, line))
        if before is not None and after is not None and before - after >= FELL:
            return stage.name
    return None


def moved_stage(line: Line, stages: Sequence[Stage]) -> str | None:
    """The first stage at which the object's places leave what is natural; of a moved camera none is told."""
    if CARDS[line.key.name].family == VIEWPOINT:
        return None
    for stage in stages:
        inside = line.values(stage.name, "inside")
        if inside and float(np.quantile(inside, HIGH)) >= MOVED:
            return stage.name
    return None


def breaking_stages(lines: Sequence[Line], stages: Sequence[Stage]) -> dict[Key, str]:
    """`breaking_stage` of every transformation that has one."""
    clean = next((line for line in lines if line.key.kind == CLEAN and line.error is None), None)
    if clean is None:
        return {}
    changed = [line for line in lines if line.key.kind == TRANSFORMATION and line.error is None]
    found = {line.key: breaking_stage(line, clean, stages) for line in changed}
    return {key: stage for key, stage in found.items() if stage is not None}


def parting_stage(clean: Line, stages: Sequence[Stage]) -> str | None:
    """The first stage at which a probe parts object and background."""
    for stage in stages:
        parted = _median(clean.values(stage.name, "probe", seen=True))
        if parted is not None and parted >= PARTED:
            return stage.name
    return None


def _back(frames: Sequence[FrameFigures]) -> int:
    """Frames from the scene's return until the object is found; -1: one of both never happens."""
    home = next((place for place, frame in enumerate(frames) if not is_away(frame)), None)
    if home is None:
        return -1
    return next((place for place, frame in enumerate(frames[home:]) if frame.found), -1)


def _area(frame: FrameFigures) -> float:
    return frame.area if frame.truth_area is None else frame.truth_area


def _found(line: Line) -> float:
    rows = [frame for frame in line.followed if frame.there is not False]
    return 100 * float(np.mean([frame.found for frame in rows])) if rows else 0.0


def _fact(clean: Line, name: str) -> float | None:
    return _median([frame.facts[name] for frame in clean.frames if name in frame.facts])


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _told(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]
