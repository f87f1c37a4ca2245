import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions
from kiridashi.models.video.bank import Memory, ObjectBank

OPTIONS = MemoryOptions(recent=3, pointers=5, prompted=4)


def memory(frame: int) -> Memory:
    return Memory(frame, torch.full((2, 3), float(frame)), torch.full((4,), float(frame)))


def test_old_frames_fall_out() -> None:
    bank = ObjectBank(OPTIONS)
    bank.add(memory(0), prompted=True)
    for frame in range(1, 50):
        bank.add(memory(frame), prompted=False)
    assert [age for age, _ in bank.spatial(50)] == [0, 3, 2, 1]
    assert [age for age, _ in bank.pointing(50)] == [50, 5, 4, 3, 2, 1]
    assert len(list(bank.tensors())) == 2 + 3 + 5


def test_ages_follow_the_frames_not_the_count() -> None:
    bank = ObjectBank(OPTIONS)
    for frame in range(6):
        bank.add(memory(frame), prompted=frame in (0, 4))
    spatial = {(age, float(features[0, 0])) for age, features in bank.spatial(6)}
    assert spatial == {(0, 0.0), (0, 4.0), (3, 3.0), (1, 5.0)}


def test_the_first_and_the_newest_prompted_frames_stay() -> None:
    bank = ObjectBank(OPTIONS)
    for frame in range(10):
        bank.add(memory(frame), prompted=True)
    assert [kept.frame for kept in bank.prompted] == [0, 7, 8, 9]


def test_no_recent_memory_at_all() -> None:
    bank = ObjectBank(MemoryOptions(recent=0, pointers=0))
    bank.add(memory(0), prompted=True)
    bank.add(memory(1), prompted=False)
    assert [age for age, _ in bank.spatial(2)] == [0]
    assert [age for age, _ in bank.pointing(2)] == [2]


def test_limits_default_to_the_network(tiny_sam2: PromptableModel) -> None:
    fitted = MemoryOptions().fitted(tiny_sam2.net.config)
    assert (fitted.recent, fitted.pointers, fitted.prompted) == (6, 15, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MemoryOptions(recent=7), "recent is 0 to 6"),
        (MemoryOptions(recent=-1), "recent is 0 to 6"),
        (MemoryOptions(pointers=16), "pointers is 0 to 15"),
        (MemoryOptions(prompted=1), "prompted is at least 2"),
        (MemoryOptions(dtype=torch.int8), "floating-point"),
    ],
)
def test_limits_that_do_not_fit(tiny_sam2: PromptableModel, options: MemoryOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tiny_sam2.video(options)
