"""Memory and time of a long video: ours at frame 100 and at the last, beside the stock session's growth.

    python benchmarks/video_memory.py --frames 5000

Each side follows one object through a synthetic clip whose frames are made as they are needed and never
kept, in the same process: first our session, then transformers' `Sam2VideoInferenceSession`, streaming.
Resident memory is the operating system's figure, time per frame the median of the 50 frames before. What
the memory holds does not depend on the weights, so untrained ones serve. `--side` takes the compact
architecture at another input size, with random weights, for a quick look. The last line is JSON.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

# Idle threads must sleep, or two of them collapse beside another busy process. Read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import psutil
import torch
from transformers import Sam2VideoModel

from common.stock_session import StockSession
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import find_card
from kiridashi.models.compact.architecture import compact_config
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import VideoSession

SIZE = (360, 640)
# Both are after the memory is full (16 frames) and the allocator has met every shape.
FIRST_MARK = 100
STOCK_FIRST_MARK = 20
# Frames before a mark over which time is measured.
WINDOW = 50
MEBIBYTE = 2**20


def frames(count: int) -> Iterator[tuple[Picture, Mask]]:
    """A striped disc that circles over a still texture, and where it is."""
    height, width = SIZE
    ground = np.random.default_rng(0).integers(0, 120, (height // 8, width // 8, 3)).repeat(8, 0).repeat(8, 1)
    rows, columns = np.mgrid[:height, :width]
    for index in range(count):
        x, y = width * (0.5 + 0.3 * np.cos(index / 30)), height * (0.5 + 0.2 * np.sin(index / 30))
        inside = (columns - x) ** 2 + (rows - y) ** 2 < 60**2
        stripes = np.where(((columns - x) // 10 % 2 == 0)[..., None], (230, 200, 60), (60, 30, 160))
        pixels = np.where(inside[..., None], stripes, ground).astype(np.uint8)
        yield Picture(pixels, name=f"frame {index}"), Mask.from_array(inside)


def run_ours(model: PromptableModel, count: int) -> dict[str, Any]:
    """Resident memory at the first mark and at the end, and what the session says it holds."""
    session = VideoSession(model)

    def step(picture: Picture, mask: Mask) -> None:
        session.step(picture, {1: mask} if session.frame == 0 else None)

    resident, seconds = _watch(step, count, (FIRST_MARK, count))
    first, last = _paces(seconds, FIRST_MARK), _paces(seconds, count)
    return {
        "resident_at_first_mark": resident[FIRST_MARK],
        "resident_at_end": resident[count],
        "ratio": resident[count] / resident[FIRST_MARK],
        "session_bytes": session.memory_bytes,
        "frame_s": statistics.mean(seconds),
        "frame_s_at_first_mark": first,
        "frame_s_at_end": last,
        "pace_ratio": last / first,
    }


def run_stock(model: PromptableModel, count: int) -> dict[str, Any]:
    """Growth a frame of the library's streaming session."""
    session, begun = StockSession(model, SIZE), False

    def step(picture: Picture, mask: Mask) -> None:
        nonlocal begun
        session.step(picture, None if begun else mask)
        begun = True

    resident, seconds = _watch(step, count, (STOCK_FIRST_MARK, count))
    growth = (resident[count] - resident[STOCK_FIRST_MARK]) / (count - STOCK_FIRST_MARK)
    return {"bytes_per_frame": growth, "frames": count, "frame_s": statistics.mean(seconds)}


def _watch(
    step: Callable[[Picture, Mask], None], count: int, marks: Sequence[int]
) -> tuple[dict[int, int], list[float]]:
    """Resident bytes after some numbers of frames, and the seconds that each `step` took."""
    resident: dict[int, int] = {}
    spent: list[float] = []
    for done, (picture, mask) in enumerate(frames(count), start=1):
        start = time.perf_counter()
        step(picture, mask)
        spent.append(time.perf_counter() - start)
        if done in marks:
            gc.collect()
            resident[done] = psutil.Process().memory_info().rss
    return resident, spent


def _paces(seconds: Sequence[float], mark: int) -> float:
    return statistics.median(seconds[max(mark - WINDOW, 1) : mark])


def _model(name: str, side: int | None) -> PromptableModel:
    if side is None:
        return load_model(name)
    torch.manual_seed(0)
    card = replace(find_card("compact"), image_size=side)
    return PromptableModel(Sam2VideoModel(compact_config(side)), card)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="compact", help="a catalogue name or a local folder")
    parser.add_argument("--side", type=int, help="compact at this input size, with random weights")
    parser.add_argument("--frames", type=int, default=5000, help=f"more than {FIRST_MARK}")
    parser.add_argument(
        "--stock-frames", type=int, default=100, help=f"more than {STOCK_FIRST_MARK}; 0: none"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args(arguments)
    if given.frames <= FIRST_MARK or 0 < given.stock_frames <= STOCK_FIRST_MARK:
        parser.error(f"--frames is more than {FIRST_MARK}, --stock-frames more than {STOCK_FIRST_MARK} or 0")
    torch.set_num_threads(given.threads)
    model = _model(given.model, given.side)
    record: dict[str, Any] = {
        "benchmark": "video_memory",
        "model": model.card.name,
        "image_size": model.card.image_size,
        "frames": given.frames,
        "ours": run_ours(model, given.frames),
    }
    ours = record["ours"]
    print(
        f"ours: {ours['resident_at_first_mark'] / MEBIBYTE:.1f} MiB resident at frame {FIRST_MARK}, "
        f"{ours['resident_at_end'] / MEBIBYTE:.1f} MiB at frame {given.frames}: ratio {ours['ratio']:.3f}; "
        f"the session holds {ours['session_bytes'] / MEBIBYTE:.2f} MiB\n"
        f"time per frame: {ours['frame_s_at_first_mark']:.3f} s at frame {FIRST_MARK}, "
        f"{ours['frame_s_at_end']:.3f} s at frame {given.frames}: ratio {ours['pace_ratio']:.3f}; "
        f"{ours['frame_s']:.3f} s in the mean"
    )
    if given.stock_frames:
        stock = record["stock"] = run_stock(model, given.stock_frames)
        grown = stock["bytes_per_frame"] / MEBIBYTE
        print(
            f"stock: {grown:.2f} MiB more with every frame, {grown * given.frames:.0f} MiB in {given.frames} "
            f"frames at that rate; {stock['frame_s']:.3f} s a frame"
        )
    record["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": given.threads,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    print(json.dumps(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
