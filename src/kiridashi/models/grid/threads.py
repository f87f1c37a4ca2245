"""Where a grid's threads go: into one large picture, or to several small ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kiridashi.models.promptable import PromptableModel

# Below this many picture tokens an operation is too small to share between threads: waking the second
# one costs more than it saves (2.5 times slower with two than with one at 1,024 tokens).
TOKENS_TO_SHARE = 2048
# Of the picture level that prompts look at, in every network of the family.
STRIDE = 16


@contextmanager
def threads_for(tokens: int) -> Iterator[None]:
    """One thread while a picture of so many tokens is small; as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if tokens < TOKENS_TO_SHARE else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pictures_at_once(model: PromptableModel) -> int:
    """How many pictures are best worked on at once: one a thread where each is too small to share."""
    small = (model.card.image_size // STRIDE) ** 2 < TOKENS_TO_SHARE
    return torch.get_num_threads() if small else 1
