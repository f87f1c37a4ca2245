"""Speed and memory of compact beside stock `Sam2Model` of transformers, built as sam2.1-tiny (1024 px).

    python benchmarks/compact_speed.py

The stock model has random weights: time and memory do not depend on them. Both sides take turns in one
process, so a busy machine slows both; medians are reported, and as ratios stock / ours, with the smallest and
the largest ratio of a pair. Each side starts from the same picture, resized to its own input by the same
code, and is asked for:

- `encode`: what the decoder needs of a picture.
- `decode`: three masks for one click.
- `grid`: everything from 16 x 16 points; ours by the fast grid, stock by the algorithm of SAM 2
  (peers/stock_grid.py). A decoder without trained weights is made lively (peers/lively_decoder.py), with
  thresholds at quantiles of what it gives; what remains unequal is how many masks pass.

Peak memory is the operating system's figure of one process each that encodes and decodes one click, and of
one that only loads the libraries.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Idle threads must sleep, or two of them collapse beside another busy process. Read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from rich.console import Console
from transformers import Sam2Config, Sam2Model

from common.command import finish, positive
from common.pictures import given_or_coffee
from common.tables import markdown
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.catalogue import find_card
from kiridashi.models.grid import GridSettings, gallery
from kiridashi.models.loading import load_model
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import Features, PromptableModel
from peers.lively_decoder import enliven, mark, thresholds
from peers.stock_grid import stock_grid

OURS, STOCK, LIBRARIES = "ours", "stock", "libraries"
PER_SIDE = 16
MEBIBYTE = 2**20
Job = Callable[[], Any]


@dataclass(frozen=True)
class Timing:
    """Seconds of one job on both sides, pair by pair."""

    ours: tuple[float, ...]
    stock: tuple[float, ...]

    def record(self) -> dict[str, float]:
        """Medians, and how many times faster ours is."""
        ours, stock = statistics.median(self.ours), statistics.median(self.stock)
        pairs = [theirs / mine for mine, theirs in zip(self.ours, self.stock, strict=True)]
        ratios = {"ratio": stock / ours, "least_ratio": min(pairs), "greatest_ratio": max(pairs)}
        return {"ours_s": ours, "stock_s": stock, **ratios, "repeats": len(pairs)}


def build_stock(seed: int) -> PromptableModel:
    """`Sam2Model` at its default sizes, which are those of sam2.1-tiny, with random weights."""
    torch.manual_seed(seed)
    card = replace(find_card("sam2.1-tiny"), name="stock sam2.1-tiny, random weights", trained=frozenset())
    return PromptableModel(Sam2Model(Sam2Config()), card)


def our_jobs(model: PromptableModel, picture: Picture, grid: bool = True) -> dict[str, Job]:
    """Encoding, decoding and the grid of ours; encoding passes the cache by."""
    features = model.encode_input(to_input(picture, model.card), picture.size)
    click = Prompt(points=((picture.size[1] / 2, picture.size[0] / 2, 1),))
    jobs: dict[str, Job] = {
        "encode": lambda: model.encode_input(to_input(picture, model.card), picture.size),
        "decode": lambda: model.decode(features, [click]),
    }
    if grid:
        seen, settings = _ready_for_grid(model, features)
        jobs["grid"] = lambda: gallery(model, seen, settings)
    return jobs


def stock_jobs(model: PromptableModel, picture: Picture, grid: bool = True) -> dict[str, Job]:
    """The same by the library's own forward, and the grid by the stock algorithm."""
    net, centre = model.net, torch.full((1, 1, 1, 2), model.card.image_size / 2)
    label = torch.ones(1, 1, 1, dtype=torch.int32)
    embeddings = net.get_image_embeddings(to_input(picture, model.card))
    jobs: dict[str, Job] = {
        "encode": lambda: net.get_image_embeddings(to_input(picture, model.card)),
        "decode": lambda: net(
            image_embeddings=embeddings, input_points=centre, input_labels=label, multimask_output=True
        ),
    }
    if grid:
        seen, settings = _ready_for_grid(model, model.encode(picture))
        jobs["grid"] = lambda: stock_grid(model, seen, settings)
    return jobs


def _ready_for_grid(model: PromptableModel, features: Features) -> tuple[Features, GridSettings]:
    if "mask_decoder" in model.card.trained:
        return features, GridSettings(PER_SIDE)
    features = mark(features)
    enliven(model, features)
    predicted_iou, stability = thresholds(model, features)
    return features, GridSettings(PER_SIDE, predicted_iou=predicted_iou, stability=stability)


def take_turns(
    ours: Mapping[str, Job], stock: Mapping[str, Job], repeats: Mapping[str, int]
) -> dict[str, Timing]:
    """Every job on both sides in turn, as often as `repeats` says."""
    timings = {}
    for name, count in repeats.items():
        seconds: dict[str, list[float]] = defaultdict(list)
        # A job that is repeated is short: it gets an unmeasured first run.
        warm_ups = 1 if count > 1 else 0
        for turn in range(-warm_ups, count):
            for side, jobs in ((OURS, ours), (STOCK, stock)):
                began = time.perf_counter()
                jobs[name]()
                if turn >= 0:
                    seconds[side].append(time.perf_counter() - began)
        timings[name] = Timing(tuple(seconds[OURS]), tuple(seconds[STOCK]))
    return timings


def peak_bytes() -> int:
    """The most memory that this process has held, as the operating system counts it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_peak(side: str, options: argparse.Namespace) -> int:
    """Peak memory of one side in a process of its own."""
    command = [sys.executable, __file__, "--peak", side, "--model", options.model]
    command += ["--threads", str(options.threads), "--seed", str(options.seed)]
    command += ["--picture", str(options.picture)] if options.picture else []
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(answer.stdout)["peak_bytes"])


@torch.inference_mode()
def run_peak(options: argparse.Namespace) -> int:
    """What `measure_peak` starts: encode and decode one click, and print the peak."""
    picture = given_or_coffee(options.picture)
    if options.peak == OURS:
        jobs = our_jobs(load_model(options.model), picture, grid=False)
    elif options.peak == STOCK:
        jobs = stock_jobs(build_stock(options.seed), picture, grid=False)
    else:
        jobs = {}
    for job in jobs.values():
        job()
    print(json.dumps({"peak_bytes": peak_bytes()}))
    return 0


@torch.inference_mode()
def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Memory, then speed; see the module."""
    # First of all: on Linux a new process starts from the peak of the one that it was started by.
    with console.status("memory"):
        peaks = {side: measure_peak(side, options) for side in (LIBRARIES, OURS, STOCK)}
    picture = given_or_coffee(options.picture)
    with console.status("speed"):
        model, stock = load_model(options.model), build_stock(options.seed)
        repeats = {"encode": options.repeats, "decode": options.repeats, "grid": options.grid_repeats}
        timings = take_turns(our_jobs(model, picture), stock_jobs(stock, picture), repeats)
    jobs = {name: timing.record() for name, timing in timings.items()}
    trained = "trained" if "mask_decoder" in model.card.trained else "random decoder made lively"
    sides = {
        OURS: {"model": model.card.name, "input": model.card.image_size, "weights": trained},
        STOCK: {"model": stock.card.name, "input": stock.card.image_size, "weights": "random, made lively"},
    }
    record = {"sides": sides, "picture": list(picture.size), "jobs": jobs, "peak_bytes": peaks}
    return {"benchmark": "compact_speed", "text": report(record), **record}


def report(record: Mapping[str, Any]) -> str:
    """The table, and what was compared."""
    rows: list[tuple[str, ...]] = [
        (
            name,
            f"{job['ours_s']:.3f} s",
            f"{job['stock_s']:.3f} s",
            f"{job['ratio']:.1f}",
            f"{job['least_ratio']:.1f} to {job['greatest_ratio']:.1f}",
            str(job["repeats"]),
        )
        for name, job in record["jobs"].items()
    ]
    peaks = record["peak_bytes"]
    own = {side: max(peaks[side] - peaks[LIBRARIES], 1) for side in (OURS, STOCK)}
    for name, sizes in (("peak memory", peaks), ("peak memory above the libraries", own)):
        cells = [f"{sizes[side] / MEBIBYTE:.0f} MiB" for side in (OURS, STOCK)]
        rows.append((name, *cells, f"{sizes[STOCK] / sizes[OURS]:.1f}", "", "1"))
    lines = [
        f"{side}: {facts['model']} at {facts['input']} px, {facts['weights']}"
        for side, facts in record["sides"].items()
    ]
    titles = ("job", OURS, STOCK, "stock / ours", "pairs", "repeats")
    return "\n".join(lines) + "\n\n" + markdown(titles, rows)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="compact", help="a name of the catalogue or a model folder")
    parser.add_argument("--repeats", type=positive, default=5, help="of encode and decode")
    parser.add_argument("--grid-repeats", type=positive, default=1)
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the stock model's weights")
    parser.add_argument("--picture", type=Path, help="default: a picture that scikit-image ships")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--peak", choices=(LIBRARIES, OURS, STOCK), help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    return run_peak(options) if options.peak else finish(run, options)


if __name__ == "__main__":
    sys.exit(main())
