"""Faults planted into the shipped model and into made-up clips, where the right answer is known."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
from tests.video.diagnosis import scenes
from transformers import Sam2VideoModel

from common.faults import FAULTS, planted
from kiridashi.models.compact.architecture import compact_config
from kiridashi.models.loading import load_model
from kiridashi.models.observing import stages_of
from kiridashi.models.promptable import PromptableModel
from kiridashi.report.diagnosis.finding import Verdict
from kiridashi.transforms.donor import DrawnDonor
from kiridashi.video.diagnosis.rules import judge
from kiridashi.video.diagnosis.running import Setup, run_clean, run_self_test

INPUT = 256
GRID = (INPUT // 16) ** 2


@pytest.fixture(scope="module")
def compact() -> PromptableModel:
    """The shipped weights at half the input's side, for speed: they were trained at several."""
    shipped = load_model("compact")
    net = Sam2VideoModel(compact_config(INPUT))
    fitting = {name for name, value in net.state_dict().items() if "rotary" not in name}
    state = {name: value for name, value in shipped.net.state_dict().items() if name in fitting}
    net.load_state_dict(state, strict=False)
    return PromptableModel(net, replace(shipped.card, image_size=INPUT))


def setup(model: PromptableModel, clip: scenes.DrawnClip) -> Setup:
    return Setup(
        model=model,
        clip=clip,
        first=clip.masks[0],
        truth=lambda _: None,
        scored=False,
        frames=scenes.FRAMES,
        seed=0,
        donor=DrawnDonor(0),
    )


def verdict(model: PromptableModel, clip: scenes.DrawnClip, fault: str | None = None) -> Verdict:
    """Of a fault in the model by the self-test, which is all that it takes; else of the whole clip."""
    with nullcontext(model) if fault is None else planted(model, fault) as faulty:
        lines = [run_self_test(setup(faulty, clip))[0] if fault else run_clean(setup(faulty, clip))[0]]
    return judge(lines, stages_of(model), GRID)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("encoder noised", "encoder"),
        ("memory shuffled", "memory"),
        ("memory miswritten", "written"),
        ("prompts zeroed", "decoder"),
        ("pointer zeroed", "pointer"),
        ("pointer noised", "wandering"),
    ],
)
def test_the_stage_is_named(compact: PromptableModel, fault: str, named: str) -> None:
    assert FAULTS[fault][1] in (named, "pointer")
    main = verdict(compact, scenes.sound(), fault).main
    assert main is not None
    assert main.name == named


@pytest.mark.parametrize(
    ("clip", "named"),
    [
        (scenes.cutting, "cut"),
        (scenes.flickering, "flicker"),
        (scenes.dark, "dark"),
        (scenes.grainy, "noise"),
        (scenes.blurred, "blur"),
        (scenes.racing, "movement"),
        (scenes.hidden, "hidden"),
    ],
)
def test_the_cause_is_named(
    compact: PromptableModel, clip: Callable[[], scenes.DrawnClip], named: str
) -> None:
    main = verdict(compact, clip()).main
    assert main is not None
    assert main.name == named


def test_nothing_is_wrong_with_a_sound_clip(compact: PromptableModel) -> None:
    clip = scenes.sound()
    lines = [run_self_test(setup(compact, clip))[0], run_clean(setup(compact, clip))[0]]
    found = judge(lines, stages_of(compact), GRID)
    assert found.main is None
    assert found.parted == "encoder"
