"""The fast grid against SAM 2's stock algorithm: same masks, on the same weights, in the same run.

    python benchmarks/fast_grid.py --model compact
    python benchmarks/fast_grid.py --model sam2.1-tiny-random

Stock and fast take turns, so a busy machine slows both; medians are reported. Where the weights of the
mask decoder are not trained, they are random ones made lively (see peers/lively_decoder.py) and the
thresholds of predicted IoU and stability are quantiles of what they give, the same for both sides.
The last line is JSON.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional
from transformers import Sam2VideoConfig, Sam2VideoModel

from common.pictures import given_or_coffee
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import find_card
from kiridashi.models.grid import FoldedDecoder, Gallery, GridSettings, gallery
from kiridashi.models.grid import gallery as fast
from kiridashi.models.grid.zoom import Patch
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import Features, PromptableModel
from peers import stock_grid as stock
from peers.lively_decoder import enliven, mark, thresholds

RANDOM_TINY = "sam2.1-tiny-random"
LIVELY = "random decoder made lively; thresholds at quantiles: 25 % of masks pass, 60 % of these are stable"
# Idle threads must sleep, or two of them collapse beside another busy process. Read when torch loads.
WAIT_POLICY = "OMP_WAIT_POLICY"


@dataclass(frozen=True, eq=False)
class Contest:
    """What both sides work on.

    Attributes:
        model: the model.
        features: of the picture.
        settings: the same for both.
        weights: in words.
        encode_s: seconds that encoding took.
    """

    model: PromptableModel
    features: Features
    settings: GridSettings
    weights: str
    encode_s: float


def prepare(name: str, picture: Picture, grid: int) -> Contest:
    model = _random_tiny() if name == RANDOM_TINY else load_model(name)
    model.encode(Picture(picture.pixels[::-1].copy(), name="warm-up"))
    start = time.perf_counter()
    features = model.encode(picture)
    seconds = time.perf_counter() - start
    if name != RANDOM_TINY and "mask_decoder" in model.card.trained:
        return Contest(model, features, GridSettings(grid), "trained, the model's thresholds", seconds)
    features = mark(features)
    enliven(model, features)
    iou, stability = thresholds(model, features)
    settings = GridSettings(grid, predicted_iou=iou, stability=stability)
    return Contest(model, features, settings, LIVELY, seconds)


def _random_tiny() -> PromptableModel:
    torch.manual_seed(0)
    card = replace(find_card("sam2.1-tiny"), name=RANDOM_TINY)
    return PromptableModel(Sam2VideoModel(Sam2VideoConfig()), card)


def measure(contest: Contest, repeats: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Last results and median seconds (wall and processor) of each side, which take turns."""
    skipping = replace(contest.settings, skip_covered=True)
    sides: dict[str, Callable[[], Any]] = {
        "stock": lambda: stock.stock_grid(contest.model, contest.features, contest.settings),
        "fast": lambda: gallery(contest.model, contest.features, contest.settings),
        "skip_covered": lambda: gallery(contest.model, contest.features, skipping),
    }
    results: dict[str, Any] = {}
    wall: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        for name, run in sides.items():
            start, used = time.perf_counter(), time.process_time()
            results[name] = run()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    median = statistics.median
    return results, {name: {"wall_s": median(wall[name]), "cpu_s": median(cpu[name])} for name in sides}


@contextmanager
def stopwatches(targets: Sequence[tuple[Any, str, str]]) -> Iterator[dict[str, float]]:
    """Seconds spent in some functions, (owner, attribute, label) each, while the context lasts."""
    spent: dict[str, float] = defaultdict(float)

    def timed(function: Callable[..., Any], label: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[label] += time.perf_counter() - start

        return call

    with ExitStack() as stack:
        for owner, attribute, label in targets:
            wrapped = timed(getattr(owner, attribute), label)
            stack.enter_context(patch.object(owner, attribute, wrapped))
        yield spent


def breakdown(contest: Contest) -> dict[str, dict[str, float]]:
    """Seconds of the parts of one fast and one stock run."""
    module = sys.modules[fast.__module__]
    targets = [
        (FoldedDecoder, "share", "shared part of the picture"),
        (FoldedDecoder, "attend", "transformer"),
        (FoldedDecoder, "tokens", "final attention"),
        (FoldedDecoder, "logits", "mask upscaling"),
        (Patch, "upscale", "stability at the picture's size"),
        (module, "choose", "selection"),
    ]
    parts = {
        "fast": _parts(targets, lambda: gallery(contest.model, contest.features, contest.settings)),
        "stock": _parts(
            [(stock, "decode_points", "decoder"), (functional, "interpolate", "upscaling to the picture")],
            lambda: stock.stock_grid(contest.model, contest.features, contest.settings),
        ),
    }
    # Suppression upscales what it cannot rule out; that part is counted apart.
    parts["fast"]["suppression"] = parts["fast"].pop("selection") - parts["fast"][targets[4][2]]
    return parts


def _parts(targets: Sequence[tuple[Any, str, str]], run: Callable[[], Any]) -> dict[str, float]:
    start = time.perf_counter()
    with stopwatches(targets) as spent:
        run()
    total = time.perf_counter() - start
    parts = {label: spent[label] for _, _, label in targets}
    inner = parts.get("stability at the picture's size", 0.0) if "selection" in parts else 0.0
    return parts | {"rest": total - sum(parts.values()) + inner}


def agreement(reference: Sequence[Mask], found: Sequence[Mask]) -> dict[str, float]:
    """How well each reference mask is met by the best of the found ones."""
    best = [max((mask.iou(other) for other in found), default=0.0) for mask in reference]
    return {
        "masks": len(found),
        "mean_iou": statistics.fmean(best) if best else 1.0,
        "recall_at_0.5": statistics.fmean(iou >= 0.5 for iou in best) if best else 1.0,
        "recall_at_0.9": statistics.fmean(iou >= 0.9 for iou in best) if best else 1.0,
    }


def contest_record(name: str, contest: Contest, repeats: int) -> dict[str, Any]:
    results, seconds = measure(contest, repeats)
    stock_masks = [Mask.from_array(mask.numpy()) for mask in results["stock"].masks]
    plain: Gallery = results["fast"]
    skipping: Gallery = results["skip_covered"]
    wall = {side: figures["wall_s"] for side, figures in seconds.items()}
    return {
        "model": name,
        "weights": contest.weights,
        "picture": list(contest.features.size),
        "input": contest.model.card.image_size,
        "grid": contest.settings.points_per_side,
        **vars(contest.settings.thresholds(contest.model.card.grid)),
        "repeats": repeats,
        "encode_s": contest.encode_s,
        "seconds": seconds,
        "ratio": wall["stock"] / wall["fast"],
        "ratio_cpu": seconds["stock"]["cpu_s"] / seconds["fast"]["cpu_s"],
        "stock_masks": len(stock_masks),
        "fast": agreement(stock_masks, plain.masks),
        "skip_covered": agreement(stock_masks, skipping.masks)
        | {"decoded_points": skipping.decoded, "ratio_to_fast": wall["fast"] / wall["skip_covered"]},
        "breakdown_s": breakdown(contest),
        "machine": _machine(),
    }


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "wait_policy": os.environ.get(WAIT_POLICY),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def report(record: dict[str, Any]) -> None:
    height, width = record["picture"]
    side, fast_side, skipping = record["grid"], record["fast"], record["skip_covered"]
    print(f"{record['model']} at {record['input']} px, picture {width} x {height}, grid {side} x {side}")
    print(f"weights: {record['weights']}")
    print(f"thresholds: predicted IoU {record['predicted_iou']:.3f}, stability {record['stability']:.3f}")
    print(f"encode       {record['encode_s']:8.2f} s (once, for all)")
    for name, figures in record["seconds"].items():
        print(f"{name:12s} {figures['wall_s']:8.2f} s wall {figures['cpu_s']:8.2f} s processor")
    print(f"fast is {record['ratio']:.1f} times faster (processor time: {record['ratio_cpu']:.1f})")
    print(f"masks: stock {record['stock_masks']}, fast {fast_side['masks']}")
    print(f"mean IoU of stock's masks with fast's: {fast_side['mean_iou']:.4f}")
    print(
        f"skip_covered: {skipping['decoded_points']} points decoded, {skipping['masks']} masks, "
        f"{skipping['ratio_to_fast']:.1f} times faster than fast, recall of stock's masks "
        f"{skipping['recall_at_0.5']:.2f} at IoU 0.5, {skipping['recall_at_0.9']:.2f} at 0.9"
    )
    for name, parts in record["breakdown_s"].items():
        print(f"where {name} spends its time:")
        for label, spent in parts.items():
            print(f"  {label:34s} {spent:8.3f} s")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", default="compact", help=f"compact, {RANDOM_TINY}, or any model of the catalogue"
    )
    parser.add_argument("--grid", type=int, default=16, help="points a side")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="default: a picture that scikit-image ships")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    contest = prepare(options.model, given_or_coffee(options.picture), options.grid)
    record = contest_record(options.model, contest, options.repeats)
    report(record)
    print(json.dumps(record))
    return 0


if __name__ == "__main__":
    if WAIT_POLICY not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {WAIT_POLICY: "PASSIVE"})
    sys.exit(main())
