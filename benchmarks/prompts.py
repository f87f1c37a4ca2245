"""Clicks and boxes: what a prompt cuts out, beside OpenCV's GrabCut from the same prompt.

    python benchmarks/prompts.py --model compact

Objects are the 8-connected components of a class that cover at least 0.5 % of a picture of
`voc2012_fewshot` (its 255 does not count), and the whole foreground of ten evenly spread frames of each
clip of `davis2016_val`. The first click is the pixel furthest from the object's border, each further one
the deepest pixel of what the mask gets most wrong (`kiridashi.evaluate.clicks`); a box is the object's
tight one.

- `1 click`: of three masks the one with the highest predicted IoU; `box`: the single mask, as SAM does for
  prompts that mean one thing; `best of 3`: of three the one that the truth would choose.
- `box, refined`: the mask fed back twice.
- `closer`: the answer before it, improved by a second look at the object's surroundings
  (`kiridashi.models.closer_look`), as `kiridashi cut` does.
- `2 clicks` to `5 clicks`: all clicks so far, and the mask before as the mask prompt.
- `GrabCut, box`, `GrabCut, click`, `filled box`: without a network.

Intervals are 95 % bootstrap intervals over pictures and over clips, because objects of one picture and
frames of one clip are alike.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from common.command import draw, finish, make_parser, open_model
from common.tables import markdown, signed
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Point, Prompt
from kiridashi.evaluate.baselines.grabcut import grabcut
from kiridashi.evaluate.clicks import first_click, next_click
from kiridashi.evaluate.intervals import Interval, grouped_mean
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.objects import Scene, SceneSource, clip_scenes, picture_scenes
from kiridashi.models.closer_look import look_closer
from kiridashi.models.promptable import Decoded, Features, PromptableModel, upscale

CLICKS = 5
FRAMES_PER_CLIP = 10
GRABCUT_BOX, GRABCUT_CLICK = "GrabCut, box", "GrabCut, click"
# GrabCut from the same prompt, which each of these is compared with object by object.
RIVALS = {
    "1 click": GRABCUT_CLICK,
    "1 click, closer": GRABCUT_CLICK,
    "box": GRABCUT_BOX,
    "box, closer": GRABCUT_BOX,
    "box, refined": GRABCUT_BOX,
}


@dataclass(frozen=True)
class Outcome:
    """IoU of one object by kind of prompt."""

    scene: str
    group: str
    coverage: float
    ious: Mapping[str, float]


def box_of(truth: Mask) -> Prompt:
    """The tight box of an object as a prompt."""
    x0, y0, x1, y1 = truth.box
    return Prompt(box=(float(x0), float(y0), float(x1), float(y1)))


def with_clicks(
    model: PromptableModel, features: Features, truth: Bitmap, ignore: Bitmap, clicks: int = CLICKS
) -> Iterator[tuple[Decoded, int, Prompt]]:
    """After each simulated click what the decoder says, which of its masks is taken, and all clicks so far.

    When nothing is left to correct, the user stops and the last mask stays.
    """
    points: list[Point] = [first_click(truth)]
    prompt = Prompt(points=(points[0],))
    decoded = model.decode(features, [prompt])
    best = int(decoded.best()[0])
    yield decoded, best, prompt
    for _ in range(clicks - 1):
        predicted = decoded.mask(0, best).to_array()
        click = next_click(truth, predicted, ignore, points)
        if click is not None:
            points.append(click)
            prompt = Prompt(points=tuple(points))
            decoded = model.correct(features, prompt, decoded.logits[0, best])
            best = int(decoded.best()[0])
        yield decoded, best, prompt


def measure_object(
    model: PromptableModel, features: Features, picture: Picture, object_: Mask, ignore: Bitmap
) -> dict[str, float]:
    """IoU of every kind of prompt on one object."""
    truth, box = object_.to_array(), box_of(object_)

    def score(mask: Mask) -> float:
        return iou(mask.to_array(), truth, ignore)

    def best_of(decoded: Decoded) -> float:
        return max(score(decoded.mask(0, index)) for index in range(decoded.logits.shape[1]))

    def closer(decoded: Decoded, index: int, prompt: Prompt) -> float:
        logits = look_closer(model, picture, prompt, upscale(decoded.logits[0, index], picture.size))
        return score(Mask.from_array(logits.numpy() > 0))

    ious: dict[str, float] = {}
    answers = with_clicks(model, features, truth, ignore)
    for count, (decoded, best, prompt) in enumerate(answers, start=1):
        name = "1 click" if count == 1 else f"{count} clicks"
        ious[name] = score(decoded.mask(0, best))
        if count in (1, CLICKS):
            ious[f"{name}, closer"] = closer(decoded, best, prompt)
        if count == 1:
            ious["1 click, best of 3"] = best_of(decoded)
    boxed = model.decode(features, [box], multimask=False)
    ious["box"] = score(boxed.mask(0))
    ious["box, closer"] = closer(boxed, 0, box)
    ious["box, best of 3"] = best_of(model.decode(features, [box]))
    ious["box, refined"] = score(model.refine(features, box).mask(0))
    ious[GRABCUT_BOX] = score(grabcut(picture, box))
    ious[GRABCUT_CLICK] = score(grabcut(picture, Prompt(points=(first_click(truth),))))
    ious["filled box"] = score(filled_box(object_))
    return ious


def filled_box(object_: Mask) -> Mask:
    """All pixels of an object's tight box."""
    return Mask(np.ones_like(object_.bitmap), object_.origin, object_.size)


def measure_set(
    model: PromptableModel, sources: Sequence[SceneSource], title: str, console: Console
) -> list[Outcome]:
    """Every object of every scene."""
    outcomes = []
    for source in track(sources, description=title, console=console, transient=True):
        scene: Scene = source.read()
        if not scene.objects:
            continue
        features = model.encode(scene.picture)
        for object_ in scene.objects:
            ious = measure_object(model, features, scene.picture, object_, scene.ignore)
            outcomes.append(Outcome(source.name, source.group, object_.coverage, ious))
    return outcomes


def summarise(name: str, outcomes: Sequence[Outcome], seed: int) -> list[dict[str, Any]]:
    """One row a kind of prompt: the mean IoU, and the paired lead over GrabCut where there is one."""
    groups = [outcome.group for outcome in outcomes]
    rows = []
    for kind in outcomes[0].ious if outcomes else ():
        ious = np.array([outcome.ious[kind] for outcome in outcomes])
        row = {"set": name, "prompt": kind, "groups": len(set(groups))}
        row["mean_iou"] = asdict(grouped_mean(ious, groups, seed=seed))
        rival = RIVALS.get(kind)
        if rival:
            lead = ious - np.array([outcome.ious[rival] for outcome in outcomes])
            row["minus_grabcut"] = asdict(grouped_mean(lead, groups, seed=seed))
        rows.append(row)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a markdown table."""
    lines = []
    for row in rows:
        mean = Interval(**row["mean_iou"])
        lead = signed(Interval(**row["minus_grabcut"])) if "minus_grabcut" in row else ""
        lines.append((row["set"], row["prompt"], str(mean.count), str(mean), lead))
    titles = ("set", "prompt", "objects", "mean IoU [95 %]", "minus GrabCut, same prompt [95 %]")
    return markdown(titles, lines, names=2)


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Both sets; see the module."""
    model = open_model(options)
    model.require("mask_decoder", "measuring prompts")
    sets = {
        "voc2012_fewshot": picture_scenes(options.data / "voc2012_fewshot"),
        "davis2016_val": clip_scenes(options.data / "davis2016_val", FRAMES_PER_CLIP),
    }
    rows: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for name, sources in sets.items():
        outcomes = measure_set(model, draw(sources, options.limit, options.seed), name, console)
        rows += summarise(name, outcomes, options.seed)
        objects += [{"set": name} | asdict(outcome) for outcome in outcomes]
    return {"benchmark": "prompts", "text": table(rows), "rows": rows, "objects": objects}


def main(arguments: Sequence[str] | None = None) -> int:
    return finish(run, make_parser(__doc__, "pictures a set").parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
