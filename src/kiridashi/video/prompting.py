"""What a clip is told: which objects there are, in which frames, and when one is no longer followed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Box, Point, Prompt

# Highest number of an object: masks are written with 8 bits a pixel.
MOST_OBJECTS = 255
Given = Prompt | Mask
# Finds the objects of a frame by itself; empty when there are none in it.
Finder = Callable[[Picture], Mapping[int, Mask]]


@dataclass(frozen=True, eq=False)
class Plan:
    """Prompts of one clip.

    Attributes:
        prompts: by frame, then by object.
        drops: objects that are no longer followed, by the frame from which on.
        finder: asked for the objects of the first frames until it finds some; None: nobody is asked.
    """

    prompts: Mapping[int, Mapping[int, Given]] = field(default_factory=dict)
    drops: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    finder: Finder | None = None

    def __post_init__(self) -> None:
        if not self.prompts and self.finder is None:
            raise UsageError("no object to follow; give a prompt for at least one")
        if self.prompts and self.finder is not None:
            raise UsageError("objects are either prompted or found by a reference, not both in one clip")

    @property
    def last_frame(self) -> int:
        """The highest frame that a prompt is for; -1 without prompts."""
        return max(self.prompts, default=-1)

    def check(self, size: tuple[int, int]) -> None:
        """See that points and boxes lie in frames of (height, width) `size`, and masks are of it.

        Raises:
            UsageError: a point or a box lies outside.
            InputError: a mask is of another size.
        """
        for frame, prompts in self.prompts.items():
            for object_id, given in prompts.items():
                _check(given, size, f"object {object_id} in frame {frame}")


@dataclass
class Clicks:
    """Points and box of one object in one frame, as they come together."""

    points: list[Point] = field(default_factory=list)
    box: Box | None = None


def gather(
    masks: Iterable[tuple[int, int, Mask]],
    points: Iterable[tuple[int, int, Point]],
    boxes: Iterable[tuple[int, int, Box]],
) -> dict[int, dict[int, Given]]:
    """Prompts by frame and object; points and box of one object in one frame become one prompt.

    Args:
        masks: (frame, object, mask) each.
        points: (frame, object, point) each.
        boxes: (frame, object, box) each.

    Raises:
        UsageError: an object has two boxes, two masks, or a mask and something else in one frame.
    """
    clicks: dict[tuple[int, int], Clicks] = {}
    for frame, object_id, point in points:
        clicks.setdefault((frame, object_id), Clicks()).points.append(point)
    for frame, object_id, box in boxes:
        click = clicks.setdefault((frame, object_id), Clicks())
        if click.box is not None:
            raise UsageError(
                f"object {object_id} has two boxes in frame {frame}; give another --box another id"
            )
        click.box = box
    prompts: dict[int, dict[int, Given]] = {}
    for (frame, object_id), click in clicks.items():
        prompts.setdefault(frame, {})[object_id] = Prompt(tuple(click.points), click.box)
    for frame, object_id, mask in masks:
        if object_id in prompts.setdefault(frame, {}):
            raise UsageError(
                f"object {object_id} has a mask and another prompt in frame {frame}; a mask says it all"
            )
        prompts[frame][object_id] = mask
    return {frame: prompts[frame] for frame in sorted(prompts)}


def drop_lists(drops: Sequence[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    """Objects by frame, from (frame, object) pairs."""
    lists: dict[int, tuple[int, ...]] = {}
    for frame, object_id in drops:
        lists[frame] = (*lists.get(frame, ()), object_id)
    return lists


def _check(given: Given, size: tuple[int, int], what: str) -> None:
    height, width = size
    if isinstance(given, Mask):
        if given.size != size:
            raise InputError(
                f"{what}: the mask is {given.size[1]} x {given.size[0]} pixels, the frames {width} x {height}"
            )
        return
    for x, y, _ in given.points:
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(f"{what}: the point {x:g},{y:g} is outside of frames of {width} x {height}")
    if given.box is not None:
        x0, y0, x1, y1 = given.box
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise UsageError(
                f"{what}: the box {x0:g},{y0:g},{x1:g},{y1:g} is outside of frames of {width} x {height}"
            )
