"""Faults planted into a model or a clip: does the diagnosis name the right one?

    python benchmarks/planted_faults.py --set davis_train --frames 20
    python benchmarks/planted_faults.py

Every clip is diagnosed with every fault, and as it is. The diagnosis gets the frames and the first frame's
mask alone. A fault counts as named when the verdict's main finding is of the stage or the cause that it was
planted in; a clip as it is, when the verdict is "no fault". `among` counts it as well where another finding
is the main one.

A low frame rate is a fault only where the object outruns it: where its true masks overlap from frame to
frame by less than the rule's limit. Elsewhere "no fault" is the right answer. The rules were chosen on
`davis_train`; `davis2016_val`, the default, was in no choice.

Transformed copies are not followed here: the verdict on a clip does not need them.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from common.command import draw, finish, make_parser, open_model, positive
from common.faults import FAULTS, planted
from common.tables import markdown
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.clips import Clip, find_clips
from kiridashi.models.observing import stages_of
from kiridashi.models.promptable import PromptableModel
from kiridashi.transforms import Choice, Frame, build
from kiridashi.transforms.donor import ClipDonor, DrawnDonor
from kiridashi.video.clip import Frame as ClipFrame
from kiridashi.video.diagnosis.rules import MOVEMENT, judge
from kiridashi.video.diagnosis.running import Setup, run_clean, run_self_test

# What the verdict may call a fault of a stage.
NAMES = {
    "movement": ("movement", "panning"),
    "decoder": ("decoder", "frozen"),
    "pointer": ("pointer", "wandering"),
}
# Faults of a clip, as transformations in a strength that harms, with what the verdict calls them.
CLIP_FAULTS = {
    "cut:3": "cut",
    "interjection:3": "cut",
    "occlusion:4": "hidden",
    "removal:3": "hidden",
    "lighting-flicker:3": "flicker",
    "sensor-blur:4": "blur",
    "sensor-noise:4": "noise",
    "speed:5": "movement",
}
CLEAN = "as it is"
# A fault of the model shows in its self-test; of the clip a few frames will do.
MODEL_FRAMES = 8


@dataclass(frozen=True, eq=False)
class Made:
    """A clip in memory, as the diagnosis reads one.

    Attributes:
        name: of it.
        pictures: its frames.
        masks: the object in each.
    """

    name: str
    pictures: Sequence[Picture]
    masks: Sequence[Mask]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pictures[0].size

    @property
    def fingerprint(self) -> str:
        """Nobody resumes a benchmark."""
        return self.name

    @property
    def expected(self) -> int:
        """Frames."""
        return len(self.pictures)

    def frames(self, start: int = 0) -> Iterator[ClipFrame]:
        """The frames from `start` on."""
        for index in range(start, len(self.pictures)):
            yield ClipFrame(index, str(index), self.pictures[index])


@dataclass(frozen=True)
class Outcome:
    """One diagnosis.

    Attributes:
        clip: its name.
        fault: that was planted.
        wanted: names that are right; none: no fault.
        told: names of all findings, the main one first.
    """

    clip: str
    fault: str
    wanted: tuple[str, ...]
    told: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether the main finding is the right one."""
        return self.told[0] in self.wanted if self.told else not self.wanted

    @property
    def is_among(self) -> bool:
        """Whether the right one is among the findings."""
        return self.is_right or any(name in self.wanted for name in self.told)


def changed(clip: Clip, other: Clip, fault: str, most: int, seed: int) -> Made:
    """A clip with a transformation of `CLIP_FAULTS`, or as it is."""
    name, _, severity = fault.partition(":")
    choice = Choice("identity", 0) if fault not in CLIP_FAULTS else Choice(name, int(severity))
    transform = build(choice, seed, ClipDonor(other.frames))
    frames: list[Frame] = []
    for index in range(len(clip)):
        if len(frames) >= most:
            break
        picture, mask = clip.read(index)
        frames += transform(Frame(picture.pixels, mask.to_array().astype(np.uint8), index), index)
    kept = frames[:most]
    pictures = [Picture(frame.pixels, f"{clip.name} {index}") for index, frame in enumerate(kept)]
    return Made(clip.name, pictures, [Mask.from_array(frame.labels) for frame in kept])


def wanted(fault: str, clip: Made) -> tuple[str, ...]:
    """What the verdict should say."""
    if fault in FAULTS:
        stage = FAULTS[fault][1]
        return NAMES.get(stage, (stage,))
    name = CLIP_FAULTS.get(fault)
    if name is None or (name == MOVEMENT.name and not outruns(clip)):
        return ()
    return NAMES.get(name, (name,))


def outruns(clip: Made) -> bool:
    """Whether the object leaves its own place from frame to frame."""
    pairs = zip(clip.masks, clip.masks[1:], strict=False)
    overlaps = [mask.iou(before) for before, mask in pairs if not (mask.is_empty or before.is_empty)]
    return bool(overlaps) and float(np.median(overlaps)) < MOVEMENT.limit


def diagnose(model: PromptableModel, clip: Made, fault: str, seed: int) -> Outcome:
    """Plant a fault and ask for the verdict."""
    right = wanted(fault, clip)
    with planted(model, fault) if fault in FAULTS else nullcontext(model) as faulty:
        setup = Setup(
            model=faulty,
            clip=clip,
            first=clip.masks[0],
            truth=lambda _: None,
            scored=False,
            frames=MODEL_FRAMES if fault in FAULTS else len(clip.pictures),
            seed=seed,
            donor=DrawnDonor(seed),
        )
        lines = [run_self_test(setup)[0], run_clean(setup)[0]]
    height, width = model.net.prompt_encoder.image_embedding_size
    verdict = judge(lines, stages_of(model), height * width)
    return Outcome(clip.name, fault, right, tuple(one.name for one in verdict.findings))


def measure(
    model: PromptableModel,
    clips: Sequence[Clip],
    pool: Sequence[Clip],
    options: argparse.Namespace,
    console: Console,
) -> list[Outcome]:
    """Every fault on every clip; other scenes come from the next clip of the set."""
    faults = [
        fault for fault in (CLEAN, *FAULTS, *CLIP_FAULTS) if not options.faults or fault in options.faults
    ]
    outcomes = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(clips) * len(faults))
        for clip in clips:
            other = pool[(pool.index(clip) + 1) % len(pool)]
            for fault in faults:
                progress.update(task, description=f"{clip.name}, {fault}")
                made = changed(clip, other, fault, options.frames, options.seed)
                outcomes.append(diagnose(model, made, fault, options.seed))
                progress.advance(task)
    return outcomes


def tables(outcomes: Sequence[Outcome]) -> str:
    """Shares by kind of fault, then all that went wrong."""
    kinds = {
        "planted in the model": [one for one in outcomes if one.fault in FAULTS],
        "planted in the clip": [one for one in outcomes if one.fault in CLIP_FAULTS and one.wanted],
        "all planted": [one for one in outcomes if one.wanted],
        "no fault": [one for one in outcomes if not one.wanted],
    }
    rows = [
        (kind, f"{sum(one.is_right for one in each)} of {len(each)}", f"{sum(one.is_among for one in each)}")
        for kind, each in kinds.items()
        if each
    ]
    faults = dict.fromkeys(one.fault for one in outcomes)
    by_fault = [
        (fault, f"{sum(one.is_right for one in each)} of {len(each)}")
        for fault in faults
        if (each := [one for one in outcomes if one.fault == fault])
    ]
    wrong = [
        (one.clip, one.fault, " or ".join(one.wanted) or "no fault", ", ".join(one.told) or "no fault")
        for one in outcomes
        if not one.is_right
    ]
    parts = [markdown(["", "named first", "among"], rows), markdown(["fault", "named first"], by_fault)]
    if wrong:
        parts.append(markdown(["clip", "planted", "right", "told"], wrong))
    return "\n\n".join(parts)


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All clips and faults; see the module."""
    pool = find_clips(Path(options.data) / options.set)
    clips = draw(pool, options.limit, options.seed)
    outcomes = measure(open_model(options), clips, pool, options, console)
    rows = [asdict(one) | {"right": one.is_right} for one in outcomes]
    return {"benchmark": "planted_faults", "text": tables(outcomes), "rows": rows}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, "clips")
    parser.add_argument("--set", default="davis2016_val", help="folder of clips below --data")
    parser.add_argument("--frames", type=positive, default=24, help="of each clip at most")
    known = (CLEAN, *FAULTS, *CLIP_FAULTS)
    parser.add_argument(
        "--faults", nargs="+", choices=known, metavar="FAULT", help=f"only these: {', '.join(known)}"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    return finish(run, parse(arguments))


if __name__ == "__main__":
    sys.exit(main())
