"""Fewer threads for a network that is too small to share out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Compute with so many threads at most inside the block; None: as many as there are.

    The number is the whole process's, as torch has it, and comes back at the end.
    """
    before = torch.get_num_threads()
    if threads is None or threads >= before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
