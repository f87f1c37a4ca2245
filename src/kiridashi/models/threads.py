"""Where the threads go: into one large computation, or one each to several small ones."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch

from kiridashi.models.promptable import PromptableModel

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below this many picture tokens an operation is too small to share between threads: waking the second
# one costs more than it saves (2.5 times slower with two than with one at 1,024 tokens).
TOKENS_TO_SHARE = 2048
# Of the picture level that prompts look at, in every network of the family.
STRIDE = 16
# Beyond these, more pictures in memory bring little.
MOST_THREADS = 8


@contextmanager
def one_thread() -> Iterator[None]:
    """For operations that are too small to share; as many threads as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def threads_for(tokens: int) -> Iterator[None]:
    """One thread while a picture of so many tokens is small; as many as before afterwards."""
    if tokens < TOKENS_TO_SHARE:
        with one_thread():
            yield
    else:
        yield


def pictures_at_once(model: PromptableModel) -> int:
    """How many pictures are best worked on at once: one a thread where each is too small to share."""
    small = (model.card.image_size // STRIDE) ** 2 < TOKENS_TO_SHARE
    return torch.get_num_threads() if small else 1


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], threads: int = 1
) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Each item with what gives its result, which waits until it is there or raises what `work` raised.

    Every thread computes with one thread of torch: for work whose operations are too small to be shared.
    Few results are made ahead. When the caller stops, what has begun is waited for and the rest dropped.

    Args:
        items: what to work on.
        work: called by several threads at once; where `threads` is 1, in the caller's own, when the result is
            asked for.
        threads: how many items at once, at most `MOST_THREADS`.
    """
    if threads <= 1:
        for item in items:
            yield item, partial(work, item)
        return
    count = min(threads, MOST_THREADS)
    begun: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="picture", initializer=_one_thread) as pool:
        try:
            for item in items:
                begun.append((item, pool.submit(work, item)))
                if len(begun) > count:
                    first, future = begun.popleft()
                    yield first, future.result
            while begun:
                first, future = begun.popleft()
                yield first, future.result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    # Of this thread alone.
    torch.set_num_threads(1)
