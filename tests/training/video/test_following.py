from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training.scenes.scene import IGNORE
from training.video.clips import Clip, ClipMaker
from training.video.following import Setting, follow, main, measure, settings_for, table

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions
from kiridashi.models.video.matching import MatchingOptions

SIDE = 64
Builder = Callable[..., PromptableModel]


@pytest.fixture(scope="module")
def matching(tiny_compact: PromptableModel) -> PromptableModel:
    return PromptableModel(tiny_compact.net, replace(tiny_compact.card, recalls_by_matching=True))


def film(make_clip: Callable[..., list[Picture]]) -> Clip:
    """Three frames: a square that stays, hidden in the last, with a strip of which nobody knows."""
    objects = np.zeros((3, 128, 128), np.uint8)
    objects[:2, 26:76, 13:63] = 1
    objects[:, 100:] = IGNORE
    return Clip(np.stack([frame.pixels for frame in make_clip(3)]), objects)


def test_every_setting_changes_one_thing(matching: PromptableModel, tiny_compact: PromptableModel) -> None:
    first, *others = settings_for(matching)
    assert (first.memory, first.matching) == (MemoryOptions(), MatchingOptions())
    assert first.name == "as it comes: recent 2, nearest 16, temperature 0.05, gain 2"
    assert all((one.memory != first.memory) != (one.matching != first.matching) for one in others)
    assert {one.memory.recent for one in others} == {None, 0, 1, 4, 6}
    assert {one.matching.nearest for one in others} == {1, 8, 16, 32}
    assert len({(one.memory, one.matching) for one in others}) == len(others)
    attending = settings_for(tiny_compact)
    assert [one.memory.recent for one in attending] == [None, 0, 1, 2, 4]
    assert all(one.matching == MatchingOptions() for one in attending)


def test_a_clip_is_judged_as_the_session_follows_it(
    matching: PromptableModel, make_clip: Callable[..., list[Picture]]
) -> None:
    clip = film(make_clip)
    settings = [Setting("usual"), Setting("blunt", MemoryOptions(recent=0), MatchingOptions(gain=0.1))]
    found = follow(matching, settings, clip)
    assert found.shape == (2, 2)
    session = matching.video()
    session.step(Picture(clip.pixels[0]), {1: Mask.from_array(clip.objects[0] == 1)})
    overlaps, right = [], []
    for pixels, objects in zip(clip.pixels[1:], clip.objects[1:], strict=True):
        result = session.step(Picture(pixels))[1]
        known = objects != IGNORE
        mask, truth = result.mask.to_array() & known, (objects == 1) & known
        union = (mask | truth).sum()
        overlaps.append((mask & truth).sum() / union if union else 1.0)
        right.append(result.present == truth.any())
    assert found[0] == pytest.approx([np.mean(overlaps), np.mean(right)])
    assert found[0, 0] != found[1, 0], "the settings reach the session"


@pytest.mark.parametrize(("score", "expected"), [(-40.0, [0.5, 0.5]), (40.0, [0.0, 0.5])])
def test_absent_objects_count_where_nothing_is_found(
    make_compact: Builder, make_clip: Callable[..., list[Picture]], score: float, expected: list[float]
) -> None:
    """Of two frames the object is in the first: "never there" and "always there" are right once."""
    plain = make_compact(object_score=score)
    model = PromptableModel(plain.net, replace(plain.card, recalls_by_matching=True))
    overlap, right = follow(model, [Setting("usual")], film(make_clip))[0]
    assert right == expected[1]
    assert overlap == expected[0] if score < 0 else overlap < 0.5


def test_equal_seeds_measure_equal_clips(matching: PromptableModel, tiny_data: Path) -> None:
    maker = ClipMaker(tiny_data, None, None, "validation", SIDE, 3)
    settings = settings_for(matching)[:2]
    one, again = (measure(matching, settings, maker, 2, seed=4) for _ in range(2))
    assert one.shape == (2, 2, 2)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, measure(matching, settings, maker, 2, seed=5))


def test_the_table_compares_with_the_first_line() -> None:
    measured = np.array([[[0.5, 1.0], [0.7, 0.5]], [[0.3, 0.5], [0.5, 0.5]]])
    lines = table([Setting("usual"), Setting("other")], measured).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == ["usual", "0.400 [0.300, 0.500]", "", "0.750"]
    assert cells[3] == ["other", "0.600 [0.500, 0.700]", "+0.200 [+0.200, +0.200]", "0.500"]


def test_the_command_prints_its_table(
    matching: PromptableModel,
    tiny_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("training.video.following.load_model", lambda name: matching)
    monkeypatch.setattr("training.video.following.FRAME", SIDE)
    monkeypatch.setattr("training.video.following.FRAMES", 3)
    main(["--data", str(tiny_data), "--clips", "2"])
    shown = capsys.readouterr().out
    assert "2 clips of 3 frames, tiny-compact" in shown
    assert all(f"| {one.name} " in shown for one in settings_for(matching))


def test_a_model_that_cannot_follow_is_refused(matching: PromptableModel) -> None:
    card = replace(matching.card, trained=frozenset({"image_encoder", "mask_decoder"}))
    with pytest.raises(UsageError, match="trained memory"):
        settings_for(PromptableModel(matching.net, card))
