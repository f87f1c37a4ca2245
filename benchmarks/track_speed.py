"""Time per frame of our video session beside transformers' own, on the same weights in the same run.

    python benchmarks/track_speed.py
    python benchmarks/track_speed.py --networks sam2.1-tiny-random,edgetam-random --random-frames 9

All sides follow one object from its first mask and take turns frame by frame, in changing order, so that a
busy machine slows all of them; each encodes every frame anew. Reported are medians over the frames at which
the memory is full, and by how much the stock session's is longer, with the least and the greatest ratio of a
single frame.

- `ours`: the session that `kiridashi track` follows with.
- `ours, by attention`: only of a model that recalls by matching: the stock session's algorithm on our side.
- `stock`: the library's streaming session, as it comes.

`compact` follows clips of `davis2016_val`, with J&F by the rules of `benchmarks/tracking.py` and its
difference to the stock session; the memory attention of `compact` was not trained, for which its stock
session pays. The other networks have the published architecture and random weights, because time does not
depend on them: a few frames at 1024 px, and how far the masks of both sides agree.
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from rich.console import Console
from transformers import EdgeTamVideoConfig, EdgeTamVideoModel, Sam2VideoConfig, Sam2VideoModel

from common.command import draw, finish, make_parser, open_model, positive
from common.stock_session import StockSession
from common.tables import markdown, signed
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.clips import find_clips
from kiridashi.evaluate.intervals import Interval, bootstrap_mean, paired_difference
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.metrics.boundary import boundary_f
from kiridashi.models.catalogue import find_card
from kiridashi.models.edgetam.repvit import RepVitTrunkConfig, register_repvit_trunk
from kiridashi.models.positions import forget_positions
from kiridashi.models.promptable import PromptableModel
from video_memory import frames as drawn_frames

OURS, ATTENTION, STOCK = "ours", "ours, by attention", "stock"
TINY, EDGETAM = "sam2.1-tiny-random", "edgetam-random"
OBJECT = 1
# Frames after which the memories that differ in time are full (6 of SAM 2).
FULL = 6
# Of the decoder of random weights: an object that is there, or there are no masks to compare.
PRESENT = 4.0
Step = Callable[[Picture, Mask | None], Mask]


@dataclass(frozen=True)
class Run:
    """One side on one clip.

    Attributes:
        seconds: of each frame, the first included.
        j: of each frame; empty where the truth is not known.
        f: the same.
    """

    seconds: tuple[float, ...]
    j: tuple[float, ...]
    f: tuple[float, ...]

    @property
    def j_and_f(self) -> float:
        """Without the first frame, which is given, and the last."""
        return float(np.mean(self.j[1:-1]) + np.mean(self.f[1:-1])) / 2


def sides(model: PromptableModel, size: tuple[int, int]) -> dict[str, Step]:
    """Fresh sessions of every side on the weights of a model."""
    starts = {OURS: _ours(model)}
    if model.card.recalls_by_matching:
        starts[ATTENTION] = _ours(PromptableModel(model.net, replace(model.card, recalls_by_matching=False)))
    net = copy.deepcopy(model.net)
    stock = PromptableModel(net, model.card)
    forget_positions(net)
    return starts | {STOCK: StockSession(stock, size).step}


def _ours(model: PromptableModel) -> Step:
    # Without the encodings of another side.
    session = PromptableModel(model.net, model.card).video()
    return lambda picture, mask: session.step(picture, None if mask is None else {OBJECT: mask})[OBJECT].mask


def follow(
    model: PromptableModel, pictures: Sequence[Picture], truths: Sequence[Mask], known: bool
) -> tuple[dict[str, Run], dict[str, float]]:
    """All sides through a clip, frame by frame in turn.

    Args:
        model: whose weights all sides have.
        pictures: the frames.
        truths: masks of the object; all sides are given the first.
        known: whether the others are true masks to measure against.

    Returns:
        Runs by side, and of each of our sides the mean IoU of its masks with the stock session's.
    """
    steps = sides(model, pictures[0].size)
    names = list(steps)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    agreement: dict[str, list[float]] = {name: [] for name in names if name != STOCK}
    for index, (picture, truth) in enumerate(zip(pictures, truths, strict=True)):
        found: dict[str, Mask] = {}
        for name in names[index % len(names) :] + names[: index % len(names)]:
            began = time.perf_counter()
            found[name] = steps[name](picture, None if index else truth)
            seconds[name].append(time.perf_counter() - began)
        if known:
            true = truth.to_array()
            for name, mask in found.items():
                scores[name].append((iou(mask.to_array(), true), boundary_f(mask.to_array(), true)))
        if index:
            for name, values in agreement.items():
                values.append(found[name].iou(found[STOCK]))
    runs = {
        name: Run(tuple(seconds[name]), *(tuple(map(float, one)) for one in _columns(scores[name])))
        for name in names
    }
    return runs, {name: float(np.mean(values)) for name, values in agreement.items()}


def _columns(rows: Sequence[tuple[float, float]]) -> tuple[Sequence[float], Sequence[float]]:
    return ([row[0] for row in rows], [row[1] for row in rows])


def speed(runs: Sequence[Mapping[str, Run]]) -> list[dict[str, Any]]:
    """Of every side: median seconds per frame, and the ratio stock / side."""

    def settled(name: str) -> list[float]:
        return [second for run in runs for second in run[name].seconds[FULL + 1 :]]

    stock, rows = settled(STOCK), []
    for name in runs[0]:
        own = settled(name)
        pairs = [theirs / mine for mine, theirs in zip(own, stock, strict=True)]
        rows.append(
            {
                "side": name,
                "frame_s": statistics.median(own),
                "ratio": statistics.median(stock) / statistics.median(own),
                "least_ratio": min(pairs),
                "greatest_ratio": max(pairs),
                "frames": len(own),
            }
        )
    return rows


def measure_compact(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """A trained model on real clips."""
    model = open_model(options)
    clips = draw(find_clips(options.data / "davis2016_val"), options.limit, options.seed)
    runs, agreements = [], []
    for clip in clips:
        with console.status(f"{model.card.name}, {clip.name}"):
            read = [clip.read(index) for index in range(min(len(clip), options.frames or len(clip)))]
            pictures, truths = [one for one, _ in read], [one for _, one in read]
            done, agreement = follow(model, pictures, truths, known=True)
        runs.append(done)
        agreements.append(agreement)
    rows = speed(runs)
    stock = [run[STOCK].j_and_f for run in runs]
    for row in rows:
        own = [run[row["side"]].j_and_f for run in runs]
        row["j_and_f"] = asdict(bootstrap_mean(own, seed=options.seed))
        row["lead"] = asdict(paired_difference(own, stock, seed=options.seed))
    return _record(model, rows, agreements)


def measure_random(name: str, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """A published architecture with random weights on a drawn clip."""
    model = random_model(name)
    read = list(drawn_frames(options.random_frames))
    with console.status(name):
        pictures, truths = [one for one, _ in read], [one for _, one in read]
        done, agreement = follow(model, pictures, truths, known=False)
    return _record(model, speed([done]), [agreement])


def _record(
    model: PromptableModel, rows: list[dict[str, Any]], agreements: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    for row in rows:
        if row["side"] != STOCK:
            row["agreement"] = float(np.mean([one[row["side"]] for one in agreements]))
    return {"network": model.card.name, "input": model.card.image_size, "rows": rows}


def random_model(name: str, seed: int = 0) -> PromptableModel:
    """SAM 2.1-tiny or EdgeTAM at their published sizes, with random weights.

    Raises:
        UsageError: it is neither.
    """
    if name not in (TINY, EDGETAM):
        raise UsageError(f"networks are compact (or another --model), {TINY} and {EDGETAM}, not {name!r}")
    torch.manual_seed(seed)
    net: Any
    if name == TINY:
        net, card = Sam2VideoModel(Sam2VideoConfig()), find_card("sam2.1-tiny")
    else:
        register_repvit_trunk()
        vision = {"model_type": "edgetam_vision_model", "backbone_config": RepVitTrunkConfig().to_dict()}
        net, card = EdgeTamVideoModel(EdgeTamVideoConfig(vision_config=vision)), find_card("edgetam")
    with torch.no_grad():
        net.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(PRESENT)
    return PromptableModel(net, replace(card, name=name))


def table(record: Mapping[str, Any]) -> str:
    """Of one network."""
    rows = [
        (
            row["side"],
            f"{row['frame_s']:.3f} s",
            f"{row['ratio']:.2f}",
            f"{row['least_ratio']:.2f} to {row['greatest_ratio']:.2f}",
            str(row["frames"]),
            str(Interval(**row["j_and_f"])) if "j_and_f" in row else "",
            signed(Interval(**row["lead"])) if "lead" in row and row["side"] != STOCK else "",
            f"{row['agreement']:.4f}" if "agreement" in row else "",
        )
        for row in record["rows"]
    ]
    titles = ["side", "per frame", "stock / side", "single frames", "frames"]
    titles += ["J&F [95 %]", "J&F minus stock [95 %]", "IoU with stock"]
    return f"{record['network']} at {record['input']} px:\n\n{markdown(titles, rows)}"


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All networks; see the module."""
    records = [
        measure_compact(options, console) if name == options.model else measure_random(name, options, console)
        for name in options.networks.split(",")
    ]
    text = "\n\n".join(map(table, records))
    return {"benchmark": "track_speed", "text": text, "networks": records}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__, "clips")
    parser.add_argument("--networks", help=f"of --model, {TINY}, {EDGETAM}; default: all three")
    parser.add_argument(
        "--frames", type=positive, help=f"only the first frames of each clip, {FULL + 2} or more"
    )
    parser.add_argument(
        "--random-frames", type=positive, default=FULL + 3, help=f"with random weights, {FULL + 2} or more"
    )
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    if min(options.frames or FULL + 2, options.random_frames) < FULL + 2:
        parser.error(f"the memory is full after {FULL + 1} frames: at least {FULL + 2} are needed")
    options.networks = options.networks or f"{options.model},{TINY},{EDGETAM}"
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    return finish(run, options)


if __name__ == "__main__":
    sys.exit(main())
