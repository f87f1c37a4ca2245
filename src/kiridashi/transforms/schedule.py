"""When something happens in a clip of unknown length: after a start, for some frames, again and again."""

from dataclasses import dataclass

from kiridashi.transforms.frame import draws

FIRST, LATER, PERIOD = 8, 5, 40


@dataclass(frozen=True)
class Episodes:
    """Stretches of frames in which something happens.

    Attributes:
        first: index at which the first begins.
        length: frames of each.
        period: frames from one beginning to the next.
    """

    first: int
    length: int
    period: int = PERIOD

    @classmethod
    def draw(cls, seed: int, name: str, length: int) -> "Episodes":
        """Beginning after 8 to 12 frames, so that a tracker has seen the object before."""
        return cls(FIRST + int(draws(seed, name, "first").integers(LATER)), length)

    def place(self, index: int) -> int | None:
        """Number of the frame in its stretch, from 0; None outside of one."""
        since = index - self.first
        place = since % self.period
        return place if since >= 0 and place < self.length else None
