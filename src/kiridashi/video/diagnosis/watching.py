"""Follows an object and looks at the stages of the model while it does."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.models.observing import Observer, Point, observe
from kiridashi.models.promptable import PromptableModel
from kiridashi.video.diagnosis.shots import Shot
from kiridashi.video.prompting import Given
from kiridashi.video.tracker import SESSION, Tracked, Tracker, TrackerOptions

# Number of the object that is looked at.
OBJECT = 1
# From the place of a frame in what is watched, and the frame, to its prompt; None: it has none.
Prompting = Callable[[int, Shot], Given | None]


@dataclass(frozen=True, eq=False)
class Sighting:
    """One frame, followed and looked at; its pixels are not kept.

    Attributes:
        index: its place in what is watched.
        source: place in the clip of the frame that it shows; None: it shows something else.
        truth: where the object is; None: not known.
        tracked: what was found.
        distance: of the frame to the scene remembered, 0..2.
        prompted: whether it had a prompt.
        seen: the stages, by name; see `Observer.take`.
    """

    index: int
    source: int | None
    truth: Mask | None
    tracked: Tracked
    distance: float
    prompted: bool
    seen: Mapping[str, Tensor]

    @property
    def reference(self) -> Mask:
        """Where the object is: its true mask, or what was found where there is none."""
        return self.tracked.mask if self.truth is None else self.truth


def watch(
    model: PromptableModel,
    shots: Iterable[Shot],
    prompting: Prompting,
    options: TrackerOptions | None = None,
    eye: PromptableModel | None = None,
) -> Iterator[tuple[Shot, Sighting]]:
    """Follow the object through the frames with a fresh tracker.

    Args:
        model: that follows.
        shots: the frames, the first with a prompt.
        prompting: gives the prompts.
        options: of the tracker.
        eye: of the tracker.

    Raises:
        UsageError: the model cannot follow objects, or the first frame has no prompt.
    """
    # Without the encodings that another run left.
    fresh = PromptableModel(model.net, model.card)
    tracker = Tracker(fresh, options, eye)
    for index, shot in enumerate(shots):
        given = prompting(index, shot)
        # Inside of the loop: a generator that is dropped must not leave hooks behind.
        with observe(fresh) as observer:
            frame = tracker.step(shot.picture, {} if given is None else {OBJECT: given})
            seen = _take(observer, fresh, tracker, shot, prompted=given is not None)
        yield (
            shot,
            Sighting(index, shot.source, shot.mask, frame[OBJECT], frame.distance, given is not None, seen),
        )


def _take(
    observer: Observer, model: PromptableModel, tracker: Tracker, shot: Shot, *, prompted: bool
) -> Mapping[str, Tensor]:
    state = tracker.state()
    memory = {name.removeprefix(SESSION): value for name, value in state.items() if name.startswith(SESSION)}
    seen = observer.take(model.encode(shot.picture), memory)
    if prompted:
        # The memory is not asked then: what reached the decoder is the prompt.
        memories = {stage.name for stage in observer.stages if stage.point is Point.MEMORY}
        seen = {name: value for name, value in seen.items() if name not in memories}
    return seen


def first_mask(index: int, shot: Shot) -> Given | None:
    """The usual prompt: the mask of the first frame, and no other."""
    return shot.mask if index == 0 else None
