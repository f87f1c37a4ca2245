from pathlib import Path

import numpy as np
import pytest

from compact_speed import Timing, our_jobs, peak_bytes, report, take_turns
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import Features, PromptableModel


def test_a_record_has_the_ratio_of_the_medians_and_the_range_of_the_pairs() -> None:
    record = Timing(ours=(1.0, 2.0, 9.0), stock=(4.0, 6.0, 9.0)).record()
    assert (record["ours_s"], record["stock_s"], record["ratio"]) == (2.0, 6.0, 3.0)
    assert (record["least_ratio"], record["greatest_ratio"], record["repeats"]) == (1.0, 4.0, 3)


def test_sides_take_turns_and_only_repeated_jobs_warm_up() -> None:
    calls: list[str] = []
    ours = {name: lambda name=name: calls.append(f"our {name}") for name in ("decode", "grid")}
    stock = {name: lambda name=name: calls.append(f"stock {name}") for name in ("decode", "grid")}
    timings = take_turns(ours, stock, {"decode": 2, "grid": 1})
    assert calls == ["our decode", "stock decode"] * 3 + ["our grid", "stock grid"]
    assert (len(timings["decode"].ours), len(timings["grid"].stock)) == (2, 1)


def test_encoding_is_done_anew_each_time(tiny_compact: PromptableModel) -> None:
    picture = Picture(np.zeros((30, 40, 3), dtype=np.uint8))
    jobs = our_jobs(tiny_compact, picture, grid=False)
    assert list(jobs) == ["encode", "decode"]
    one, other = jobs["encode"](), jobs["encode"]()
    assert isinstance(one, Features)
    assert one is not other
    assert jobs["decode"]().logits.shape[:2] == (1, 3)


def test_peak_is_at_least_what_is_held_now() -> None:
    if not Path("/proc/self/statm").is_file():
        pytest.skip("the figure to compare with is Linux's")
    held = np.ones(50 * 2**20, dtype=np.uint8)
    assert 2**40 > peak_bytes() > held.nbytes


def test_report_sets_the_libraries_apart() -> None:
    side = {"model": "one", "input": 512, "weights": "random"}
    record = {
        "sides": {"ours": side, "stock": side},
        "jobs": {"encode": Timing((1.0,), (4.0,)).record()},
        "peak_bytes": {"libraries": 300 * 2**20, "ours": 400 * 2**20, "stock": 1100 * 2**20},
    }
    lines = report(record).splitlines()
    assert [cell.strip() for cell in lines[-1].split("|")[2:5]] == ["100 MiB", "800 MiB", "8.0"]
