"""The runs on a network of chance: what is watched, not what it says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.video.diagnosis import scenes

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.models.promptable import PromptableModel
from kiridashi.report.diagnosis.lines import TRIED, Key, Line
from kiridashi.transforms import Choice
from kiridashi.transforms.donor import DrawnDonor
from kiridashi.video.clip import FrameFolder
from kiridashi.video.diagnosis.answering import ask, moved_away
from kiridashi.video.diagnosis.gallery import SHOWN, StageGallery
from kiridashi.video.diagnosis.running import (
    PROMPT_EVERY,
    Setup,
    deepest,
    run_clean,
    run_prompted,
    run_self_test,
    run_transformed,
)
from kiridashi.video.diagnosis.shots import SELF_TEST_FRAMES, FolderDonor, clean_shots, self_test_shots
from kiridashi.video.diagnosis.truth import TrueMasks
from kiridashi.video.tracker import TrackerOptions

Builder = Callable[..., PromptableModel]
FRAMES = 7


@pytest.fixture(scope="module", params=["matching", "sam2", "edgetam"])
def setup(request: pytest.FixtureRequest) -> Setup:
    """A sound clip before each kind of network, with true masks."""
    if request.param == "matching":
        plain = request.getfixturevalue("make_drawing")()
        model = PromptableModel(plain.net, replace(plain.card, recalls_by_matching=True))
    else:
        model = request.getfixturevalue(f"make_{request.param}")()
    clip = scenes.sound()
    return Setup(
        model=model,
        clip=clip,
        first=clip.masks[0],
        truth=lambda place: clip.masks[place],
        scored=True,
        frames=FRAMES,
        seed=0,
        donor=DrawnDonor(0),
        # A network of chance finds nothing worth remembering.
        options=TrackerOptions(threshold=0, gate=None),
        eye=model,
    )


def test_every_stage_has_its_figures(setup: Setup) -> None:
    line, scale = run_clean(setup)
    assert len(line.frames) == FRAMES
    names = [stage.name for stage in scale.clean.stages]
    assert list(line.frames[-1].stages) == names
    for frame in line.followed:
        assert set(frame.facts) == {"light", "change", "blur", "noise", "clipped", "alike"}
        for stage in scale.clean.stages:
            figures = frame.stages[stage.name]
            # Held against itself, up to half precision.
            assert figures.natural == 0
            assert (figures.probe is not None) == stage.is_map
    # By the last frame each stage has been remembered.
    assert all(one.memory is not None for one in line.frames[-1].stages.values())
    assert all(scale.natural[name] > 0 for name in names)
    # The first has the prompt: it was not looked for in the memory.
    assert not any(name in line.frames[0].stages for name in ("vote", "memory-1"))
    assert Line.from_json(line.to_json()).key == Key("clean")


def test_the_self_test_knows_where_the_object_is(setup: Setup) -> None:
    line, scale = run_self_test(setup)
    assert len(line.frames) == SELF_TEST_FRAMES
    assert all(frame.j is not None and frame.there for frame in line.frames)
    assert set(line.tests) == {"heeding", "fitting"}
    assert scale.clean.components()["encoder"].axes.shape[0] == 3


def test_copies_and_prompts_are_held_against_the_clip(setup: Setup) -> None:
    _, scale = run_clean(setup)
    dim = run_transformed(setup, scale, Choice("lighting-gamma", 5))
    assert all((value or 0) > 0 for value in dim.values("encoder", "natural"))
    slow = run_transformed(setup, scale, Choice("speed-slow", 1))
    assert [frame.source for frame in slow.frames] == [index // 2 for index in range(2 * FRAMES)]
    assert slow.values("encoder", "natural") == pytest.approx([0] * (2 * FRAMES - 1), abs=1e-2)
    often = run_prompted(setup, scale, "present")
    assert [index for index, frame in enumerate(often.frames) if frame.prompted] == [0, PROMPT_EVERY]
    assert len(run_prompted(setup, scale, "absent").followed) == FRAMES - 1


def test_a_gallery_keeps_a_few_frames_of_a_run(setup: Setup) -> None:
    line, scale = run_clean(setup)
    gallery = StageGallery(tuple(scale.clean.stages))
    run_transformed(setup, scale, Choice("speed-slow", 1), gallery)
    strips = gallery.draw(scale.clean.components())
    assert list(strips) == ["frame", *(name for name in line.frames[-1].stages if name != "tokens")]
    widths = {pixels.shape for pixels in strips.values()}
    assert len(widths) == 1
    assert strips["frame"].shape[1] == pytest.approx(SHOWN * 128, abs=40)
    assert gallery.draw({}) == {}


def test_the_decoder_is_asked_for_two_places(setup: Setup) -> None:
    answers = ask(setup.model, scenes.sound().pictures[0], setup.first)
    assert 0 <= answers["fitting"] <= 1
    assert -1 <= answers["heeding"] <= 1


def test_the_other_place_lies_off_the_object() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[2:9, 3:12] = True
    other = moved_away(mask)
    assert other.sum() == mask.sum()
    assert not (other & mask).any()


def test_a_self_test_moves_the_mask_with_the_picture() -> None:
    clip = scenes.sound()
    first = next(clean_shots(clip, lambda _: clip.masks[0], 1))
    shots = list(self_test_shots(first, 0))
    assert np.array_equal(shots[0].picture.pixels, first.picture.pixels)
    for shot in shots:
        assert shot.mask is not None
        inside = shot.picture.pixels[shot.mask.to_array()]
        assert inside[:, 0].mean() > 190
    assert shots[-1].mask is not None
    assert shots[-1].mask.iou(clip.masks[0]) < 1


def test_the_deepest_pixel_is_the_middle() -> None:
    inside = np.zeros((30, 40), dtype=bool)
    inside[5:16, 10:31] = True
    inside[5, 31:38] = True
    x, y = deepest(Mask.from_array(inside))
    assert y == 10.5
    assert 15 <= x <= 26


def test_masks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for name in ("frames", "masks"):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.fromarray(np.full((10, 12), 255 * index, np.uint8)).save(tmp_path / name / f"{index}.png")
    clip = FrameFolder(tmp_path / "frames")
    masks = TrueMasks(tmp_path / "masks", clip)
    assert masks(0) == Mask.empty((10, 12))
    assert masks(1) is not None
    assert masks(2) is None
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(tmp_path / "masks" / "2.png")
    with pytest.raises(InputError, match="3 masks for 2 frames"):
        TrueMasks(tmp_path / "masks", clip)
    with pytest.raises(InputError, match="mask of frame 0 is 4 x 5 pixels, the frame 12 x 10"):
        list(clean_shots(clip, lambda _: Mask.empty((5, 4)), 9))
    with pytest.raises(InputError, match="no pictures"):
        FolderDonor(tmp_path)


def test_nothing_of_a_dropped_run_stays_behind(setup: Setup) -> None:
    from kiridashi.video.diagnosis.watching import first_mask, watch

    def hooks() -> int:
        return sum(len(module._forward_hooks) for module in setup.model.net.modules())

    before = hooks()
    shots = clean_shots(setup.clip, setup.reference, 3)
    watched = watch(setup.model, shots, first_mask, setup.options, setup.eye)
    _, sighting = next(watched)
    assert hooks() == before
    assert torch.isfinite(sighting.seen["encoder"]).all()


def test_frames_that_a_transformation_had_a_say_in_are_counted(setup: Setup) -> None:
    """A cut begins after frame 8, which this clip does not reach; light changes from the first on."""
    _, scale = run_clean(setup)
    tried = {
        name: run_transformed(setup, scale, Choice(name, 3)).tests[TRIED]
        for name in ("cut", "occlusion", "lighting-gamma", "speed")
    }
    assert (tried["cut"], tried["occlusion"]) == (0, 0)
    assert tried["lighting-gamma"] == FRAMES
    # Of seven frames each fourth is left: the second of these is another one than in the clip.
    assert tried["speed"] == 1
