import math
from collections.abc import Iterator

import numpy as np
import pytest

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel
from lost_and_found import EVERYTHING, TRACK, UNGATED, Outcome, Seen, follow, summarise, tables


def outcome(found: str, j: list[float], there: str = "11001101", clip: str = "a") -> Outcome:
    frames = zip(there, found, j, strict=True)
    return Outcome(clip, tuple(Seen(t == "1", f == "1", v, v) for t, f, v in frames))


def test_rates_are_of_found() -> None:
    rates = outcome("11010110", [0.8] * 8).rates
    # There in 0, 1, 4, 5, 7; found in 0, 1, 3, 5, 6.
    assert rates == pytest.approx({"accuracy": 4 / 8, "precision": 3 / 5, "recall": 3 / 5, "noticed": 1 / 3})


def test_masks_count_before_and_after_the_first_absence_where_the_object_is() -> None:
    one = outcome("11111111", [0.9, 0.7, 0, 0, 0.2, 0.6, 0, 0.4])
    assert one.first_away == 2
    assert one.j_and_f(after=False) == pytest.approx(0.8)
    # Frames 4 and 5; the last frame of the clip does not count.
    assert one.j_and_f(after=True) == pytest.approx(0.4)
    assert one.returned == (2, 1)


def test_a_clip_without_absence_has_no_after() -> None:
    one = outcome("1111", [0.9] * 4, "1111")
    assert math.isnan(one.j_and_f(after=True))
    assert math.isnan(one.rates["noticed"])
    assert one.returned == (0, 0)


def test_means_and_leads_are_over_clips_that_have_them() -> None:
    good = [outcome("11001101", [0.9] * 8), outcome("11111111", [0.9] * 8, "11111111", "b")]
    bad = [outcome("11111111", [0.5] * 8), outcome("11111111", [0.9] * 8, "11111111", "b")]
    rows = summarise({TRACK: good, EVERYTHING: bad}, seed=0)
    assert rows[0]["accuracy"]["mean"] == 1
    assert rows[1]["noticed"]["mean"] == 0
    assert rows[0]["after"]["mean"] == pytest.approx(0.9)
    assert rows[0]["lead"]["mean"] == pytest.approx(0.4)
    text = tables({"cut-3": rows})
    assert "+0.400 [+0.400, +0.400]" in text
    assert text.count("cut-3") == 4


def test_all_trackers_follow_the_same_frames(tiny_compact: PromptableModel) -> None:
    def frames() -> Iterator[tuple[Picture, Mask]]:
        rng = np.random.default_rng(0)
        inside = np.zeros((128, 128), bool)
        inside[40:90, 40:90] = True
        for index in range(4):
            pixels = rng.integers(0, 90, (128, 128, 3)).astype(np.uint8)
            there = index != 2
            pixels[inside & there] = 220
            yield Picture(pixels, str(index)), Mask.from_array(inside & there)

    done = follow(PromptableModel(tiny_compact.net, tiny_compact.card), "walk", frames())
    assert list(done) == [TRACK, UNGATED, EVERYTHING]
    assert [one.there for one in done[TRACK].frames] == [True, False, True]
    assert {one.clip for one in done.values()} == {"walk"}
