from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, VideoSession


@pytest.fixture(scope="module")
def clip(make_clip: Callable[..., list[Picture]]) -> list[Picture]:
    return make_clip(6)


@pytest.fixture
def session(tiny_sam2: PromptableModel, clip: list[Picture], disc: Mask) -> VideoSession:
    session = tiny_sam2.video()
    session.step(clip[0], {1: disc})
    session.step(clip[1], {40: Prompt(points=((100, 90, 1),))})
    session.step(clip[2])
    return session


def test_a_saved_session_goes_on_as_if_nothing_had_happened(
    session: VideoSession, clip: list[Picture], tmp_path: Path
) -> None:
    path = tmp_path / "session.safetensors"
    save_file(session.state(), path)
    again = VideoSession.from_state(session.model, load_file(path))
    assert (again.frame, again.objects, again.memory_bytes) == (3, (1, 40), session.memory_bytes)
    for picture in clip[3:]:
        ours, theirs = session.step(picture), again.step(picture)
        assert all(torch.equal(ours[name].logits, theirs[name].logits) for name in (1, 40))


def test_tighter_limits_drop_the_oldest(session: VideoSession) -> None:
    again = VideoSession.from_state(session.model, session.state(), MemoryOptions(recent=1, pointers=1))
    assert again.state()["object.1.recent.frames"].tolist() == [2]
    assert again.state()["object.1.pointers.frames"].tolist() == [2]


def test_an_empty_session_has_a_state(tiny_sam2: PromptableModel) -> None:
    empty = VideoSession.from_state(tiny_sam2, tiny_sam2.video().state())
    assert (empty.frame, empty.objects) == (0, ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame": None}, "is this a saved session"),
        ({"frame": torch.tensor([1])}, "must rise within 0..0"),
        ({"frame": torch.tensor([0.5])}, "must be one int64"),
        ({"weights": torch.zeros(3)}, "unknown tensor 'weights'"),
        ({"object.1.recent.pointers": torch.zeros(3)}, "unknown tensor"),
        ({"object.1.prompted.features": torch.zeros(1, 9, 9)}, "load it with the model that made it"),
        ({"object.1.prompted.pointers": torch.zeros(1, 128, dtype=torch.int8)}, "floats"),
        ({"object.1.prompted.frames": torch.zeros(1)}, "list of int64"),
        ({"object.1.prompted.pointers": None}, "lacks pointers"),
        ({"object.7.recent.frames": torch.tensor([1])}, "lacks features"),
    ],
)
def test_a_damaged_state_is_refused(
    session: VideoSession, change: dict[str, Tensor | None], message: str
) -> None:
    merged = {**session.state(), **change}
    tensors = {name: tensor for name, tensor in merged.items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        VideoSession.from_state(session.model, tensors)


def test_an_object_without_a_prompted_frame_is_refused(session: VideoSession) -> None:
    tensors = {name: t for name, t in session.state().items() if not name.startswith("object.1.prompted")}
    with pytest.raises(InputError, match="object 1 has no prompted frame"):
        VideoSession.from_state(session.model, tensors)


def test_the_state_of_another_model_is_refused(session: VideoSession, tiny_edgetam: PromptableModel) -> None:
    with pytest.raises(InputError, match="load it with the model that made it"):
        VideoSession.from_state(tiny_edgetam, session.state())
