"""What the bridges of `cav` cost: the neck tuned on a reference, and diffusion-made frames for a pair.

    python benchmarks/bridge_cost.py --repeats 3

Each is done with an empty cache and again with the cache that this left, on pictures of scikit-image (a coin
on a tray, a cat). Prints medians in seconds and how many times cheaper the second time is. The claims: 100
steps of tuning take under 20 s for a set of references, the `fast` transition under 30 s for a pair, and
what is in the cache is not paid again: an order of magnitude less for the neck; of the transition only the
frames themselves are made anew.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from skimage import data

from common.command import finish, make_parser, open_model, positive
from common.tables import markdown
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.cache import NeckCache
from kiridashi.reference.cav.options import CavOptions
from kiridashi.reference.transition import make_transition, preset

TUNING, TRANSITION = "neck tuned on a reference (TTGA)", "frames for a pair (DBST, fast)"


def coin() -> Reference:
    """A coin of scikit-image's tray, marked by a disc."""
    pixels = np.stack([data.coins()] * 3, axis=2)
    rows, columns = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    return Reference(
        Picture(pixels, "coins"), Mask.from_array((rows - 46) ** 2 + (columns - 45) ** 2 <= 22**2)
    )


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def tuning(model: PromptableModel, cache: Path) -> Callable[[], Any]:
    """Work that tunes the neck on the coin with every step of the published schedule."""
    options = CavOptions().alignment
    return lambda: NeckCache(cache).neck(model, [coin()], options, lambda _done, _total: None)


def transition(cache: Path) -> Callable[[], Any]:
    """Work that makes the frames from the coins to a cat; the diffusion model is loaded anew each time."""
    target = Picture(data.chelsea(), "cat")
    return lambda: make_transition("dbst", preset("fast"), cache=cache).frames(coin().picture, target)


def measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Medians of both, cold and warm."""
    model = open_model(options)
    times: dict[str, tuple[list[float], list[float]]] = {TUNING: ([], []), TRANSITION: ([], [])}
    for repeat in range(options.repeats):
        console.print(f"round {repeat + 1} of {options.repeats}")
        with tempfile.TemporaryDirectory() as folder:
            works = {TUNING: tuning(model, Path(folder)), TRANSITION: transition(Path(folder))}
            for name, work in works.items():
                cold, warm = times[name]
                cold.append(seconds(work))
                warm.append(seconds(work))
    rows, cells = [], []
    for name, (cold, warm) in times.items():
        first, again = statistics.median(cold), statistics.median(warm)
        rows.append({"what": name, "cold_s": first, "warm_s": again, "ratio": first / again})
        cells.append([name, f"{first:.1f}", f"{again:.2f}", f"{first / again:.1f}"])
    titles = ["", "seconds, empty cache", "seconds, from the cache", "times cheaper"]
    return {"text": markdown(titles, cells), "rows": rows}


def main() -> int:
    """Run it."""
    parser = make_parser(__doc__, "rounds")
    parser.add_argument("--repeats", type=positive, default=3)
    return finish(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
