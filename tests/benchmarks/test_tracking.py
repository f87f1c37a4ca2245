from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import Part
from kiridashi.models.promptable import PromptableModel
from tracking import Outcome, follow, parse, summarise, tables, trackers

CLIP = Callable[..., list[Picture]]


def masks(boxes: list[tuple[int, int]]) -> list[Mask]:
    """Squares of 20 pixels in 60 x 80."""
    found = []
    for x, y in boxes:
        full = np.zeros((60, 80), dtype=bool)
        full[y : y + 20, x : x + 20] = True
        found.append(Mask.from_array(full))
    return found


def test_first_and_last_frame_do_not_count() -> None:
    pictures = [Picture(np.full((60, 80, 3), index, dtype=np.uint8)) for index in range(4)]
    truths = masks([(0, 0), (10, 10), (10, 10), (50, 30)])
    shown: list[int] = []

    def start(picture: Picture, mask: Mask) -> Callable[[Picture], Mask]:
        assert mask == truths[0]

        def track(frame: Picture) -> Mask:
            shown.append(int(frame.pixels[0, 0, 0]))
            return truths[1]

        return track

    outcome = follow(start, "walk", pictures, truths)
    assert shown == [1, 2, 3]
    assert (outcome.j, outcome.f, outcome.j_and_f) == (1.0, 1.0, 1.0)
    assert outcome.frames_per_second > 0


def test_j_and_f_are_means_over_frames() -> None:
    pictures = [Picture(np.zeros((60, 80, 3), dtype=np.uint8))] * 4
    truths = masks([(0, 0), (0, 0), (10, 0), (0, 0)])
    outcome = follow(lambda _, mask: lambda frame: mask, "walk", pictures, truths)
    assert outcome.j == pytest.approx((1 + 1 / 3) / 2)
    assert 0.5 < outcome.f < 1
    assert outcome.j_and_f == pytest.approx((outcome.j + outcome.f) / 2)


def test_every_tracker_follows(tiny_compact: PromptableModel, make_clip: CLIP) -> None:
    pictures = make_clip(4)
    starts, refused = trackers(tiny_compact)
    assert list(starts) == ["session", "prior", "still", "flow"]
    assert refused == ""
    truth = Mask.from_array(pictures[0].pixels[..., 0] == 230)
    for start in starts.values():
        track = start(pictures[0], truth)
        assert [track(picture).size for picture in pictures[1:]] == [(128, 128)] * 3


def test_an_untrained_memory_is_left_out_and_an_untrained_decoder_refused(
    tiny_compact: PromptableModel,
) -> None:
    def trained(*parts: Part) -> PromptableModel:
        return PromptableModel(tiny_compact.net, replace(tiny_compact.card, trained=frozenset(parts)))

    starts, refused = trackers(trained("image_encoder", "mask_decoder"))
    assert list(starts) == ["prior", "still", "flow"]
    assert "trained memory" in refused
    with pytest.raises(UsageError, match="trained mask decoder"):
        trackers(trained("image_encoder"))


def test_leads_over_both_baselines_by_clip() -> None:
    outcomes = {
        name: [Outcome("a", shift, shift + 0.1, 9.0), Outcome("b", shift + 0.3, shift + 0.4, 11.0)]
        for name, shift in (("session", 0.5), ("still", 0.1), ("flow", 0.3))
    }
    rows = summarise(outcomes, seed=0)
    assert rows[0]["j_and_f"]["mean"] == pytest.approx(0.7)
    assert rows[0]["j"]["mean"] == pytest.approx(0.65)
    assert rows[0]["f"]["mean"] == pytest.approx(0.75)
    assert rows[0]["frames_per_second"] == 10
    for rival, lead in (("still", 0.4), ("flow", 0.2)):
        interval = rows[0]["ahead_of"][rival]
        assert [interval[end] for end in ("mean", "low", "high")] == pytest.approx([lead] * 3)
    assert rows[1]["ahead_of"] == rows[2]["ahead_of"] == {}
    text = tables(rows)
    assert "+0.400 [+0.400, +0.400]" in text
    assert "| a         |   0.550 | 0.150 | 0.350 |" in text


def test_too_few_frames_are_refused() -> None:
    assert parse(["--frames", "3"]).frames == 3
    with pytest.raises(SystemExit):
        parse(["--frames", "2"])
