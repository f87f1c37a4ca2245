from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.video.gate import GateOptions
from kiridashi.video.tracker import State, TrackedFrame, Tracker, TrackerOptions, Why

SIZE = (120, 160)
NEVER, ALWAYS = GateOptions(distance=2.0), GateOptions(distance=0.0, likeness=1.0)


@pytest.fixture(scope="module")
def compact() -> PromptableModel:
    return load_model("compact")


@pytest.fixture(scope="module")
def matching(make_compact: Callable[..., PromptableModel]) -> PromptableModel:
    model = make_compact()
    return PromptableModel(model.net, replace(model.card, recalls_by_matching=True))


def texture(seed: int, cell: int, low: int, high: int) -> NDArray[np.uint8]:
    height, width = SIZE
    noise = np.random.default_rng(seed).integers(low, high, (height // cell + 1, width // cell + 1, 3))
    return noise.repeat(cell, 0).repeat(cell, 1)[:height, :width].astype(np.uint8)


def ball(x: int, y: int, radius: int = 26) -> Mask:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return Mask.from_array((columns - x) ** 2 + (rows - y) ** 2 < radius**2)


def scene(x: int, y: int = 60) -> tuple[Picture, Mask]:
    """A red ball with dark stripes on a green meadow."""
    mask = ball(x, y)
    pixels = texture(0, 6, 60, 90)
    pixels[..., 1] += 60
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    stripes = (((columns - x) + (rows - y)) // 8 % 2)[..., None] * np.array([120, 10, 10])
    inside = mask.to_array()
    pixels[inside] = (np.array([110, 20, 15]) + stripes)[inside].astype(np.uint8)
    return Picture(pixels, "scene"), mask


def elsewhere(index: int) -> Picture:
    """Grey walls of bricks, with nothing of the scene in them."""
    pixels = texture(50 + index, 20, 120, 200).mean(axis=2, keepdims=True).repeat(3, 2).astype(np.uint8)
    pixels[::20] = 60
    pixels[:, ::20] = 60
    return Picture(pixels, "elsewhere")


def test_an_object_is_followed_through_a_cut(compact: PromptableModel) -> None:
    frames = [scene(40 + 6 * index) for index in range(3)]
    cut = [elsewhere(index) for index in range(3)]
    back = [scene(70 + 6 * index) for index in range(2)]
    tracker = Tracker(compact)
    tracked = [
        tracker.step(picture, {1: mask} if not index else None)
        for index, (picture, mask) in enumerate(frames)
    ]
    held = tracker.state()
    gone = [tracker.step(picture) for picture in cut]
    after = tracker.state()
    returned = [tracker.step(picture) for picture, _ in back]

    for frame, (_, mask) in zip(tracked + returned, frames + back, strict=True):
        assert frame[1].state is State.FOUND
        assert frame[1].mask.iou(mask) > 0.8
    for frame in gone:
        assert frame.is_interjection
        assert frame[1].why is Why.INTERJECTION
        assert frame[1].mask.is_empty
        assert frame.distance > max(one.distance for one in tracked + returned)
    # Nothing of the cut is in the memory.
    counters = {"index", "session.frame"}
    assert held.keys() == after.keys()
    assert all(torch.equal(held[name], after[name]) for name in held.keys() - counters)


def test_without_the_gate_the_looks_still_tell(compact: PromptableModel) -> None:
    tracker = Tracker(compact, TrackerOptions(gate=None))
    picture, mask = scene(60)
    tracker.step(picture, {1: mask})
    assert tracker.step(scene(64)[0])[1].state is State.FOUND
    lost = tracker.step(elsewhere(0))
    assert (lost[1].state, lost[1].why, lost.distance) == (State.LOST, Why.SCORE, 0)
    assert lost[1].score < 0.5


def test_an_object_that_leaves_is_lost_and_found_again(compact: PromptableModel) -> None:
    tracker = Tracker(compact)
    picture, mask = scene(60)
    tracker.step(picture, {1: mask})
    empty = texture(0, 6, 60, 90)
    empty[..., 1] += 60
    lost = tracker.step(Picture(empty, "meadow"))
    assert lost[1].state is State.LOST
    again, truth = scene(100, 50)
    found = tracker.step(again)
    assert found[1].state is State.FOUND
    assert found[1].mask.iou(truth) > 0.8


def test_a_recognised_object_opens_the_gate(matching: PromptableModel) -> None:
    closed = Tracker(matching, TrackerOptions(threshold=0.0, gate=ALWAYS), matching)
    opened = Tracker(matching, TrackerOptions(threshold=0.0, gate=replace(ALWAYS, likeness=-1.0)), matching)
    picture, mask = scene(60)
    for tracker in (closed, opened):
        tracker.step(picture, {1: mask})
    assert closed.step(scene(66)[0]).is_interjection
    assert opened.step(scene(66)[0])[1].state is State.FOUND


def test_objects_come_and_go_and_are_corrected(matching: PromptableModel) -> None:
    tracker = Tracker(matching, TrackerOptions(threshold=0.0, gate=NEVER), matching)
    picture, mask = scene(60)
    assert tracker.step(picture).objects == {}
    assert tracker.step(picture, {4: mask})[4].mask == mask
    both = tracker.step(picture, {2: Prompt(box=(10, 10, 60, 60))})
    assert list(both.objects) == [4, 2]
    moved = ball(100, 60)
    assert tracker.step(picture, {4: moved})[4].mask == moved
    tracker.forget(4)
    assert list(tracker.step(picture).objects) == [2]
    assert tracker.index == 5


def test_a_given_empty_mask_says_that_the_object_is_gone(matching: PromptableModel) -> None:
    tracker = Tracker(matching, TrackerOptions(gate=NEVER), matching)
    picture, mask = scene(60)
    tracker.step(picture, {1: mask})
    assert tracker.step(picture, {1: Mask.empty(SIZE)})[1].state is State.LOST


def test_an_unreadable_frame_changes_nothing_but_the_count(matching: PromptableModel) -> None:
    tracker = Tracker(matching, TrackerOptions(gate=NEVER), matching)
    picture, mask = scene(60)
    tracker.step(picture, {1: mask})
    before = tracker.state()
    skipped = tracker.skip(SIZE)
    assert (skipped.index, skipped[1].state, skipped[1].why) == (1, State.LOST, Why.UNREADABLE)
    after = tracker.state()
    assert all(torch.equal(before[name], after[name]) for name in before.keys() - {"index"})
    assert tracker.step(picture).index == 2


def same(one: TrackedFrame, other: TrackedFrame) -> bool:
    def told(frame: TrackedFrame) -> Mapping[int, tuple[object, ...]]:
        return {name: (each.state, each.score, each.why) for name, each in frame.objects.items()}

    masks = all(one[name].mask == other[name].mask for name in one.objects)
    return masks and told(one) == told(other) and one.distance == other.distance


@pytest.mark.parametrize("kind", ["matching", "tiny_sam2"])
def test_a_saved_tracker_goes_on_as_it_would_have(kind: str, request: pytest.FixtureRequest) -> None:
    model: PromptableModel = request.getfixturevalue(kind)
    options = TrackerOptions(threshold=0.2, gate=GateOptions(distance=0.05))
    tracker = Tracker(model, options, model)
    picture, mask = scene(40)
    tracker.step(picture, {3: mask, 1: Prompt(points=((60.0, 60.0, 1),))})
    for index in range(1, 4):
        tracker.step(scene(40 + 8 * index)[0])
    saved = {name: tensor.clone() for name, tensor in tracker.state().items()}
    again = Tracker.from_state(model, saved, options, model)
    for index in range(4, 7):
        picture = scene(40 + 8 * index)[0]
        assert same(tracker.step(picture), again.step(picture))


def test_the_memory_does_not_grow(matching: PromptableModel) -> None:
    tracker = Tracker(matching, TrackerOptions(threshold=0.0, gate=NEVER), matching)
    held = []
    for index in range(24):
        picture, mask = scene(40 + index)
        tracker.step(picture, {1: mask} if index == 0 else None)
        held.append(sum(tensor.nbytes for tensor in tracker.state().values()))
    # By then even the list of object pointers is full.
    assert len(set(held[17:])) == 1


def test_wrong_use(matching: PromptableModel) -> None:
    tracker = Tracker(matching, eye=matching)
    picture, mask = scene(60)
    for name in (0, 256):
        with pytest.raises(UsageError, match=r"id is 1\.\.255"):
            tracker.step(picture, {name: mask})
    with pytest.raises(UsageError, match="not followed"):
        tracker.forget(1)
    with pytest.raises(UsageError, match=r"lies in 0\.\.1"):
        TrackerOptions(threshold=1.5)
    with pytest.raises(InputError, match="saved tracker"):
        Tracker.from_state(matching, {"index": torch.tensor([-1])}, eye=matching)


def test_a_click_corrects_and_does_not_start_anew(compact: PromptableModel) -> None:
    def pair(shift: int) -> tuple[Picture, Mask]:
        """Two balls that are one object."""
        (picture, one), (other, two) = scene(40 + shift), scene(112 + shift)
        both = one.to_array() | two.to_array()
        return Picture(np.where(two.to_array()[..., None], other.pixels, picture.pixels)), Mask.from_array(
            both
        )

    tracker = Tracker(compact)
    picture, mask = pair(0)
    tracker.step(picture, {1: mask})
    later, truth = pair(4)
    found = tracker.step(later, {1: Prompt(points=((44.0, 60.0, 1),))})[1]
    assert found.state is State.FOUND
    # The click is on one of them; by itself it says that the other is none.
    assert found.mask.box[2] > 130
    assert found.mask.iou(truth) > 0.55


def test_what_is_left_of_a_covered_object_is_found(compact: PromptableModel) -> None:
    """A board slides over it until a third is left, over all of it, and away."""
    tracker = Tracker(compact)
    picture, mask = scene(80)
    tracker.step(picture, {1: mask})
    states = []
    for edge in (80, 89, 110, 89, 0):
        pixels = picture.pixels.copy()
        pixels[20:110, 50:edge] = (150, 150, 155)
        states.append(tracker.step(Picture(pixels, f"board to {edge}"))[1].state)
    assert states == [State.FOUND, State.FOUND, State.LOST, State.FOUND, State.FOUND]
