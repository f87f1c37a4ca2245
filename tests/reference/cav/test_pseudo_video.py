from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, ObjectResult, VideoSession
from kiridashi.reference.cav.pseudo_video import (
    MOST_REFERENCES,
    OBJECT,
    as_prompt,
    follow,
    hint_frames,
    show_references,
)
from kiridashi.reference.transition.options import PRESETS

DiscSite = Callable[..., Reference]


class Asked:
    """Pseudo masks that remember which frames they were asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def mask(self, picture: Picture) -> Mask | None:
        self.names.append(picture.name)
        return None


@pytest.fixture(scope="module")
def sites(disc_site: DiscSite) -> list[Reference]:
    return [disc_site(seed, size=(48, 64)) for seed in range(5)]


@pytest.fixture(scope="module")
def shown(model: PromptableModel, sites: list[Reference]) -> dict[str, Tensor]:
    return show_references(model, sites[:2]).state()


def frames_asked(count: int, share: float) -> list[str]:
    asked = Asked()
    frames = [Picture(np.zeros((4, 4, 3), np.uint8), str(number + 1)) for number in range(count)]
    hints = hint_frames(asked, frames, share)  # type: ignore[arg-type]
    assert len(hints) == len(asked.names)
    return asked.names


def same(one: ObjectResult, other: ObjectResult) -> bool:
    return torch.equal(one.guess, other.guess) and one.object_score == other.object_score


def by_hand(
    model: PromptableModel,
    shown: Mapping[str, Tensor],
    steps: list[tuple[Picture, Mask | Prompt | None]],
    target: Picture,
) -> ObjectResult:
    session = VideoSession.from_state(model, shown)
    for picture, prompt in steps:
        session.step(picture, None if prompt is None else {OBJECT: prompt})
    return session.step(target)[OBJECT]


def test_nine_frames_between_have_the_papers_four_prompts() -> None:
    """Of a video of 11 that begins with the reference, the frames 1 to 4 (specification, section 1.5)."""
    assert frames_asked(9, 0.5) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("count", "share", "prompted"),
    [
        (PRESETS["fast"].frames, 0.5, 2),
        (PRESETS["balanced"].frames, 0.5, 3),
        (1, 0.5, 0),
        (9, 0.0, 0),
        (9, 1.0, 9),
        (0, 0.5, 0),
        (0, 1.0, 0),
    ],
)
def test_the_share_counts_reference_and_target_too(count: int, share: float, prompted: int) -> None:
    assert frames_asked(count, share) == [str(number + 1) for number in range(prompted)]


def test_each_reference_is_a_prompted_frame(model: PromptableModel, sites: list[Reference]) -> None:
    session = show_references(model, sites[:3])
    assert (session.frame, session.objects) == (3, (OBJECT,))
    assert session.state()[f"object.{OBJECT}.prompted.frames"].tolist() == [0, 1, 2]


def test_without_frames_the_pair_is_followed_as_it_is(
    model: PromptableModel, shown: dict[str, Tensor], sites: list[Reference]
) -> None:
    target = sites[4].picture
    plain = show_references(model, sites[:2]).step(target)[OBJECT]
    assert same(follow(model, shown, [], [], target, "mask"), plain)


def test_a_pseudo_mask_is_given_as_mask_or_as_box(
    model: PromptableModel, shown: dict[str, Tensor], sites: list[Reference]
) -> None:
    frames, hints, target = [one.picture for one in sites[2:4]], [sites[2].mask], sites[4].picture
    as_mask = follow(model, shown, frames, hints, target, "mask")
    as_box = follow(model, shown, frames, hints, target, "box")
    x0, y0, x1, y1 = sites[2].mask.box
    box = Prompt(box=(x0, y0, x1, y1))
    given = as_prompt(sites[2].mask, "box")
    assert isinstance(given, Prompt)
    assert given.box == box.box
    assert as_prompt(sites[2].mask, "mask") is sites[2].mask
    for result, prompt in ((as_mask, sites[2].mask), (as_box, box)):
        assert same(result, by_hand(model, shown, [(frames[0], prompt), (frames[1], None)], target))
    assert not same(as_mask, as_box)


def test_what_the_gate_refused_is_followed_from_memory(
    model: PromptableModel, shown: dict[str, Tensor], sites: list[Reference]
) -> None:
    frames, target = [one.picture for one in sites[2:4]], sites[4].picture
    result = follow(model, shown, frames, [None, sites[3].mask], target, "mask")
    assert same(result, by_hand(model, shown, [(frames[0], None), (frames[1], sites[3].mask)], target))


def test_following_leaves_the_state_of_the_references(model: PromptableModel, sites: list[Reference]) -> None:
    shown = show_references(model, sites[:2]).state()
    before = {name: tensor.clone() for name, tensor in shown.items()}
    target = sites[4].picture
    first = follow(model, shown, [sites[2].picture], [sites[2].mask], target, "mask")
    assert shown.keys() == before.keys()
    assert all(torch.equal(shown[name], before[name]) for name in before)
    assert same(follow(model, shown, [sites[2].picture], [sites[2].mask], target, "mask"), first)


def test_pseudo_masks_push_no_reference_out_of_memory(model: PromptableModel, sites: list[Reference]) -> None:
    references = [sites[number % 4] for number in range(MOST_REFERENCES)]
    shown = show_references(model, references).state()
    target = sites[4].picture
    roomy = VideoSession.from_state(model, shown, MemoryOptions(prompted=MOST_REFERENCES + 1))
    roomy.step(target, {OBJECT: sites[4].mask})
    expected = roomy.step(target)[OBJECT]
    assert same(follow(model, shown, [target], [sites[4].mask], target, "mask"), expected)
    assert not same(by_hand(model, shown, [(target, sites[4].mask)], target), expected)
