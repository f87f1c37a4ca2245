"""Does `track` know when an object is not there, and is the object followed after it was away?

    python benchmarks/lost_and_found.py

Clips of `davis2016_val` in which the object is away for a while, so that the truth is known: other scenes
are put in between (T1) or cut to (T2), a board covers the object (T3), or it is painted over (T8); see
`kiridashi.transforms`. Three trackers follow it from its first mask, on the same encodings:

- `track`: what `kiridashi track` does.
- `track, no gate`: frames unlike all before are looked at like any other; the score alone rejects.
- `writes everything`: neither gate nor score; every frame is remembered with what was found in it.

The first table is about "found": of all frames after the first, the share that is judged rightly, the share
of frames called found in which the object is there (precision), of those in which it is there the share
called found (recall), and of those in which it is away the share called lost. The second is about masks:
J&F by the rules of DAVIS in the frames with the object before it was first away, and in those after it; how
often it was found again, J reaching 0.5 before it went again. Means are over clips, with 95 % bootstrap
intervals over clips; leads are paired by clip.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from common.command import draw, finish, make_parser, open_model, positive
from common.tables import markdown, signed
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.intervals import Interval, bootstrap_mean, paired_difference
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.metrics.boundary import boundary_f
from kiridashi.evaluate.vos.sets import open_set
from kiridashi.evaluate.vos.statistics import returns
from kiridashi.models.promptable import PromptableModel
from kiridashi.transforms.making import Plan, Task, transformed
from kiridashi.transforms.registry import parse_choices
from kiridashi.video.tracker import State, Tracker, TrackerOptions

TRACK, UNGATED, EVERYTHING = "track", "track, no gate", "writes everything"
TRANSFORMS = "interjection:3,cut:3,occlusion:5,removal:3"
OBJECT = 1


@dataclass(frozen=True)
class Seen:
    """What one tracker said of one frame.

    Attributes:
        there: whether the object is in the frame.
        found: whether the tracker says so.
        j: region similarity of its mask.
        f: boundary measure.
    """

    there: bool
    found: bool
    j: float
    f: float


@dataclass(frozen=True)
class Outcome:
    """One tracker on one clip.

    Attributes:
        clip: name of the clip.
        frames: all but the first, in order.
    """

    clip: str
    frames: tuple[Seen, ...]

    @property
    def rates(self) -> dict[str, float]:
        """Accuracy, precision and recall of "found", and the share of absences noticed."""
        there = np.array([one.there for one in self.frames])
        found = np.array([one.found for one in self.frames])
        return {
            "accuracy": float((there == found).mean()),
            "precision": _share(there, found),
            "recall": _share(found, there),
            "noticed": _share(~found, ~there),
        }

    @property
    def first_away(self) -> int:
        """Index of the first frame without the object; the number of frames if there is none."""
        return next((index for index, one in enumerate(self.frames) if not one.there), len(self.frames))

    def j_and_f(self, after: bool) -> float:
        """Mean of J and F of the frames with the object, before it was first away or after; else NaN.

        The last frame of a clip does not count.
        """
        first = self.first_away
        part = self.frames[first:-1] if after else self.frames[:first]
        values = [(one.j + one.f) / 2 for one in part if one.there]
        return float(np.mean(values)) if values else float("nan")

    @property
    def returned(self) -> tuple[int, int]:
        """How often the object came back, and how often it was found again."""
        came = returns([one.j for one in self.frames], [one.there for one in self.frames])
        # One that is away in the first frame of `frames` was there in the given one.
        return len(came), sum(one.took is not None for one in came)


def _share(of: np.ndarray[Any, np.dtype[np.bool_]], among: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    return float(of[among].mean()) if among.any() else float("nan")


def trackers(model: PromptableModel) -> dict[str, Tracker]:
    """Fresh ones, that share what the model has encoded."""
    return {
        TRACK: Tracker(model),
        UNGATED: Tracker(model, TrackerOptions(gate=None)),
        EVERYTHING: Tracker(model, TrackerOptions(threshold=0.0, gate=None)),
    }


def follow(model: PromptableModel, clip: str, frames: Iterator[tuple[Picture, Mask]]) -> dict[str, Outcome]:
    """All trackers through a clip, from its first mask."""
    arms = trackers(model)
    seen: dict[str, list[Seen]] = {name: [] for name in arms}
    for index, (picture, truth) in enumerate(frames):
        true = truth.to_array()
        for name, tracker in arms.items():
            one = tracker.step(picture, None if index else {OBJECT: truth})[OBJECT]
            if index:
                mask = one.mask.to_array()
                score = iou(mask, true), boundary_f(mask, true)
                seen[name].append(Seen(not truth.is_empty, one.state is State.FOUND, *map(float, score)))
    return {name: Outcome(clip, tuple(values)) for name, values in seen.items()}


def frames_of(task: Task, most: int | None) -> Iterator[tuple[Picture, Mask]]:
    """Pictures and masks of a transformed clip, all objects as one."""
    for index, frame in enumerate(transformed(task)):
        if index == most:
            return
        yield Picture(frame.pixels, f"{task.clip.name} {index}"), Mask.from_array(frame.objects)


def summarise(outcomes: Mapping[str, Sequence[Outcome]], seed: int) -> list[dict[str, Any]]:
    """Of every tracker: rates, J&F before and after, leads over the one that writes everything, returns."""
    worst = [one.j_and_f(after=True) for one in outcomes[EVERYTHING]]
    rows = []
    for name, clips in outcomes.items():
        after = [one.j_and_f(after=True) for one in clips]
        row: dict[str, Any] = {"tracker": name, "clips": len(clips)}
        for figure in ("accuracy", "precision", "recall", "noticed"):
            row[figure] = _mean([one.rates[figure] for one in clips], seed)
        row["before"] = _mean([one.j_and_f(after=False) for one in clips], seed)
        row["after"] = _mean(after, seed)
        pairs = [(own, other) for own, other in zip(after, worst, strict=True) if own == own]
        row["lead"] = (
            asdict(paired_difference(*map(list, zip(*pairs, strict=True)), seed=seed)) if pairs else None
        )
        came, again = zip(*(one.returned for one in clips), strict=True)
        row["returns"], row["found_again"] = sum(came), sum(again)
        row["by_clip"] = {one.clip: value for one, value in zip(clips, after, strict=True)}
        rows.append(row)
    return rows


def _mean(values: Sequence[float], seed: int) -> dict[str, Any] | None:
    """Of the clips that have the figure; None where none has."""
    sample = [value for value in values if value == value]
    return asdict(bootstrap_mean(sample, seed=seed)) if sample else None


def tables(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """States, then masks, by transformation and tracker."""
    states, masks = [], []
    for transformation, rows in records.items():
        for row in rows:
            name = (transformation, row["tracker"])
            states.append(
                (*name, *(_told(row[one]) for one in ("accuracy", "precision", "recall", "noticed")))
            )
            lead = (
                "" if row["tracker"] == EVERYTHING or row["lead"] is None else signed(Interval(**row["lead"]))
            )
            again = f"{row['found_again']} of {row['returns']}"
            masks.append((*name, _told(row["before"]), _told(row["after"]), lead, again))
    head = ["clips with", "tracker"]
    first = markdown([*head, "rightly judged", "precision", "recall", "absence noticed"], states)
    titles = [*head, "J&F before", "J&F after", f"after, minus {EVERYTHING}", "found again"]
    return f"{first}\n\n{markdown(titles, masks)}"


def _told(figure: Mapping[str, Any] | None) -> str:
    return "" if figure is None else str(Interval(**figure))


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All transformations; see the module."""
    model = open_model(options)
    source = open_set(options.data / options.set, None)
    # Nothing is written: the frames are used as they are made.
    plan = Plan(source, parse_choices(options.transforms), Path("unused"), options.seed)
    names = {clip.name for clip in draw(source.clips, options.limit, options.seed)}
    records: dict[str, list[dict[str, Any]]] = {}
    for choice in plan.choices:
        outcomes: dict[str, list[Outcome]] = {}
        for task in (one for one in plan.tasks() if one.choice == choice and one.clip.name in names):
            with console.status(f"{choice.folder}, {task.clip.name}"):
                done = follow(model, task.clip.name, frames_of(task, options.frames))
            for name, outcome in done.items():
                outcomes.setdefault(name, []).append(outcome)
        if not any(one.first_away < len(one.frames) for one in outcomes[TRACK]):
            raise UsageError(f"{choice.folder}: the object is never away; take more --frames or another kind")
        records[choice.folder] = summarise(outcomes, options.seed)
    return {"benchmark": "lost_and_found", "text": tables(records), "records": records}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, "clips")
    parser.add_argument("--set", default="davis2016_val", help="name of the set in --data")
    parser.add_argument("--transforms", default=TRANSFORMS, help=f"NAME:SEVERITY,...; default {TRANSFORMS}")
    parser.add_argument("--frames", type=positive, help="only the first frames of each clip")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads())
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    return finish(run, options)


if __name__ == "__main__":
    sys.exit(main())
