from collections.abc import Iterator

import pytest
import torch

from kiridashi.reference.transition.threads import at_most


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("threads", "inside"), [(1, 1), (3, 3), (8, 3), (None, 3)])
def test_the_number_is_lowered_and_comes_back(threads: int | None, inside: int) -> None:
    with at_most(threads):
        assert torch.get_num_threads() == inside
    assert torch.get_num_threads() == 3


def fail() -> None:
    raise ValueError


def test_it_comes_back_after_a_failure() -> None:
    with pytest.raises(ValueError), at_most(1):  # noqa: PT011
        fail()
    assert torch.get_num_threads() == 3
