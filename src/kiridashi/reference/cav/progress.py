"""How a method tells that something takes long, without knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Tell = Callable[[int, int], None]
# Given what is being done, a context in which (steps done, steps in all) are told.
Progress = Callable[[str], AbstractContextManager[Tell]]


@contextmanager
def silent(_: str) -> Iterator[Tell]:
    """Nobody listens."""
    yield lambda _done, _total: None
