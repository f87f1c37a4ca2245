"""What a session remembers of one object: three short lists, each with a limit."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from kiridashi.models.video.options import MemoryOptions


@dataclass(frozen=True, eq=False)
class Memory:
    """One frame as remembered for one object.

    Attributes:
        frame: index of the frame.
        features: (L, D) spatial memory tokens.
        pointer: (C,) object pointer.
    """

    frame: int
    features: Tensor
    pointer: Tensor


class ObjectBank:
    """Bounded memory of one object.

    Args:
        options: fitted to the network.

    Attributes:
        prompted: frames with a prompt, oldest first.
        recent: (frame, features) of the newest frames without one, oldest first.
        pointers: (frame, pointer) of the newest frames without one, oldest first.
    """

    def __init__(self, options: MemoryOptions) -> None:
        self._most_prompted = options.prompted
        self.prompted: list[Memory] = []
        self.recent: deque[tuple[int, Tensor]] = deque(maxlen=options.recent)
        self.pointers: deque[tuple[int, Tensor]] = deque(maxlen=options.pointers)

    def add(self, memory: Memory, prompted: bool) -> None:
        """Remember a frame; what exceeds a limit is dropped, the first prompted frame never."""
        if not prompted:
            self.recent.append((memory.frame, memory.features))
            self.pointers.append((memory.frame, memory.pointer))
            return
        self.prompted.append(memory)
        if len(self.prompted) > self._most_prompted:
            del self.prompted[1]

    def spatial(self, frame: int) -> Iterator[tuple[int, Tensor]]:
        """(age, features) of every spatial memory seen from `frame`.

        A prompted frame has age 0 whenever it was: the network has one code for all of them. Frames
        with a prompt leave gaps among the recent ones, so an old entry can outlive its age limit.
        """
        yield from ((0, memory.features) for memory in self.prompted)
        limit = self.recent.maxlen or 0
        yield from ((frame - then, features) for then, features in self.recent if frame - then <= limit)

    def pointing(self, frame: int) -> Iterator[tuple[int, Tensor]]:
        """(age, pointer) of every object pointer seen from `frame`; prompted frames keep their true age."""
        yield from ((frame - memory.frame, memory.pointer) for memory in self.prompted)
        limit = self.pointers.maxlen or 0
        yield from ((frame - then, pointer) for then, pointer in self.pointers if frame - then <= limit)

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor held."""
        for memory in self.prompted:
            yield from (memory.features, memory.pointer)
        yield from (tensor for _, tensor in (*self.recent, *self.pointers))
