"""How many of a picture's objects a grid of points finds, beside regions of even colour.

    python benchmarks/grid_recall.py --model compact

The objects are those of `prompts.py` in `voc2012_fewshot`: the 8-connected components of a class that
cover at least 0.5 % of the picture. One is found at IoU 0.5 (0.7) when some mask of the picture overlaps it
that much; ignored pixels do not count. The grids are 16 x 16 and 32 x 32, each with and without
`skip_covered`; the baseline is Felzenszwalb's regions at three scales, tuned as fine as the grid.
Intervals are 95 % bootstrap intervals over pictures; leads over the regions are paired by object. The
seconds of a grid do not hold encoding, which is printed by itself.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from common.command import draw, finish, make_parser, open_model
from common.tables import markdown, signed
from kiridashi.core.mask import Bitmap, Mask
from kiridashi.core.segments import Segments
from kiridashi.evaluate.baselines.regions import segment_regions
from kiridashi.evaluate.intervals import Interval, grouped_mean
from kiridashi.evaluate.objects import Scene, SceneSource, picture_scenes
from kiridashi.models.grid import GridSettings, segment_everything
from kiridashi.models.promptable import Features, PromptableModel

THRESHOLDS = (0.5, 0.7)
SIDES = (16, 32)
# What is measured: masks from a scene and its features, of which it may use either.
Finder = Callable[[Scene, Features], Segments]


@dataclass(frozen=True)
class Outcome:
    """What one finder made of one scene.

    Attributes:
        scene: its name.
        best: the best IoU that each object is met with.
        masks: number of masks.
        seconds: without encoding.
    """

    scene: str
    best: tuple[float, ...]
    masks: int
    seconds: float


def best_ious(objects: Sequence[Mask], found: Sequence[Mask], ignore: Bitmap) -> tuple[float, ...]:
    """The highest IoU of each object with any mask; ignored pixels do not count.

    Args:
        objects: of one picture, free of ignored pixels.
        found: masks of the same picture.
        ignore: (H, W) bool.
    """
    if ignore.any():
        found = [Mask.from_array(mask.to_array() & ~ignore) for mask in found]
    return tuple(max((one.iou(mask) for mask in found), default=0.0) for one in objects)


def finders(model: PromptableModel) -> dict[str, Finder]:
    """Each grid with and without skipping, and the regions as fine as it."""
    every: dict[str, Finder] = {}
    for side in SIDES:
        every[regions_name(side)] = partial(_find_regions, side)
        every[f"grid {side}"] = partial(_find_by_grid, model, GridSettings(side))
        skipping = GridSettings(side, skip_covered=True)
        every[f"grid {side}, skip covered"] = partial(_find_by_grid, model, skipping)
    return every


def _find_regions(side: int, scene: Scene, _: Features) -> Segments:
    return segment_regions(scene.picture, side)


def _find_by_grid(model: PromptableModel, settings: GridSettings, _: Scene, features: Features) -> Segments:
    return segment_everything(model, features, settings)


def regions_name(side: int) -> str:
    """The baseline's name at the fineness of a grid."""
    return f"regions {side}"


def rival_of(name: str) -> str | None:
    """The regions that are as fine as a grid; None for regions themselves."""
    return next((regions_name(side) for side in SIDES if name.startswith(f"grid {side}")), None)


def measure(
    model: PromptableModel, sources: Sequence[SceneSource], every: Mapping[str, Finder], console: Console
) -> tuple[dict[str, list[Outcome]], list[float]]:
    """Every finder on every scene with objects, and the seconds of each encoding."""
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    encoding = []
    for source in track(sources, description="grids", console=console, transient=True):
        scene = source.read()
        if not scene.objects:
            continue
        began = time.perf_counter()
        features = model.encode(scene.picture)
        encoding.append(time.perf_counter() - began)
        for name, find in every.items():
            began = time.perf_counter()
            found = find(scene, features)
            seconds = time.perf_counter() - began
            best = best_ious(scene.objects, [segment.mask for segment in found], scene.ignore)
            outcomes[name].append(Outcome(source.name, best, len(found), seconds))
    return dict(outcomes), encoding


def summarise(outcomes: Mapping[str, Sequence[Outcome]], seed: int) -> list[dict[str, Any]]:
    """One row a finder: recall at each threshold, masks and seconds a picture."""
    hits = {name: {level: _hits(rows, level) for level in THRESHOLDS} for name, rows in outcomes.items()}
    summary = []
    for name, rows in outcomes.items():
        groups = [row.scene for row in rows for _ in row.best]
        rival = rival_of(name)
        row: dict[str, Any] = {"finder": name}
        for level in THRESHOLDS:
            row[f"recall_{level}"] = asdict(grouped_mean(hits[name][level], groups, seed=seed))
            if rival:
                lead = hits[name][level] - hits[rival][level]
                row[f"minus_regions_{level}"] = asdict(grouped_mean(lead, groups, seed=seed))
        row["masks_per_picture"] = float(np.mean([row.masks for row in rows]))
        row["median_seconds"] = float(np.median([row.seconds for row in rows]))
        row["pictures"] = [asdict(row) for row in rows]
        summary.append(row)
    return summary


def _hits(rows: Sequence[Outcome], level: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 for each object that is met, in the order of the scenes, else 0."""
    return np.array([best >= level for row in rows for best in row.best], dtype=np.float64)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a markdown table."""
    lines = []
    for row in rows:
        cells = [row["finder"], str(row[f"recall_{THRESHOLDS[0]}"]["count"])]
        for level in THRESHOLDS:
            lead = row.get(f"minus_regions_{level}")
            cells += [str(Interval(**row[f"recall_{level}"])), signed(Interval(**lead)) if lead else ""]
        cells += [f"{row['masks_per_picture']:.1f}", f"{row['median_seconds']:.2f}"]
        lines.append(cells)
    titles = ["finder", "objects"]
    for level in THRESHOLDS:
        titles += [f"recall at {level} [95 %]", "minus regions [95 %]"]
    return markdown([*titles, "masks/picture", "s/picture"], lines)


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The whole set; see the module."""
    model = open_model(options)
    model.require("mask_decoder", "segmenting everything")
    sources = draw(picture_scenes(options.data / "voc2012_fewshot"), options.limit, options.seed)
    outcomes, encoding = measure(model, sources, finders(model), console)
    rows = summarise(outcomes, options.seed)
    encode_s = float(np.median(encoding)) if encoding else 0.0
    text = f"{table(rows)}\n\nencoding a picture: {encode_s:.2f} s (median)"
    return {"benchmark": "grid_recall", "text": text, "encode_s": encode_s, "rows": rows}


def main(arguments: Sequence[str] | None = None) -> int:
    return finish(run, make_parser(__doc__, "pictures").parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
