"""Work on several things at once, with the results in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

# Beyond these, more pictures in memory bring little.
MOST_THREADS = 8


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
