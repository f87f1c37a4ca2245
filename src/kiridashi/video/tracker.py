"""Follows objects frame by frame, and says of each in each frame whether it is found or lost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

import torch
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.loading import compact_eye
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.video import ObjectResult, VideoSession
from kiridashi.video import presence
from kiridashi.video.gate import Gate, GateOptions
from kiridashi.video.looks import Looks, look_of, tokens_of
from kiridashi.video.prompting import MOST_OBJECTS

INDEX, SESSION, GATE, LOOKS = "index", "session.", "gate.", "looks."


class State(StrEnum):
    """Whether an object is in a frame."""

    FOUND = "found"
    LOST = "lost"


class Why(StrEnum):
    """Why an object counts as lost."""

    NOTHING = ""
    SCORE = "low score"
    INTERJECTION = "interjection"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class TrackerOptions:
    """How a tracker judges.

    Attributes:
        threshold: score from which on an object counts as found, 0..1.
        gate: when a frame is kept out of the memory; None: never.

    Raises:
        UsageError: the threshold is out of its range.
    """

    threshold: float = 0.5
    gate: GateOptions | None = field(default_factory=GateOptions)

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"the threshold of the presence score lies in 0..1, got {self.threshold}")


@dataclass(frozen=True, eq=False)
class Tracked:
    """One object in one frame.

    Attributes:
        state: found or lost.
        score: how likely the object is there, 0..1, also where it counts as lost.
        mask: of the frame's size; empty when lost.
        why: the reason when lost.
    """

    state: State
    score: float
    mask: Mask
    why: Why = Why.NOTHING


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """All objects in one frame.

    Attributes:
        index: of the frame.
        size: (height, width).
        objects: by id, in the order of their first prompts.
        distance: of the frame to the memory, 0..2; 0 without a gate.
    """

    index: int
    size: tuple[int, int]
    objects: Mapping[int, Tracked]
    distance: float = 0.0

    def __getitem__(self, object_id: int) -> Tracked:
        return self.objects[object_id]

    @property
    def is_interjection(self) -> bool:
        """Whether the frame was kept out of the memory."""
        return any(tracked.why is Why.INTERJECTION for tracked in self.objects.values())


class Tracker:
    """Follows objects through a clip, one frame after the other, with a memory that does not grow.

    An object is found where its score reaches the threshold; a frame in which it is lost is not remembered
    for it. A frame unlike all that is remembered of the scene is an interjection: nothing of it is
    remembered and every object counts as lost, unless one that is found in it looks much as it did
    before. Then the scene has changed and the object is still there, and the frame counts as any other.

    Args:
        model: that follows.
        options: how it judges.
        eye: whose trunk judges looks and scenes; None: the compact model's, which the figures are for.

    Raises:
        UsageError: the model cannot follow objects.
    """

    def __init__(
        self,
        model: PromptableModel,
        options: TrackerOptions | None = None,
        eye: PromptableModel | None = None,
    ) -> None:
        self.options = options or TrackerOptions()
        self._model = model
        self._session = model.video()
        self._eye = compact_eye(model) if eye is None else eye
        self._gate = None if self.options.gate is None else Gate(self.options.gate)
        self._looks = Looks()
        self._index = 0

    @property
    def index(self) -> int:
        """Of the next frame."""
        return self._index

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects followed."""
        return self._session.objects

    def step(self, picture: Picture, prompts: Mapping[int, Prompt | Mask] | None = None) -> TrackedFrame:
        """The next frame.

        Args:
            picture: the frame.
            prompts: by object id, 1..255; a new id adds an object, a known one is corrected.

        Raises:
            UsageError: an id is out of its range, or a prompt is of no known kind.
            SizeMismatchError: a mask is not of the picture's size.
        """
        prompts = dict(prompts or {})
        for object_id in prompts:
            if not 1 <= object_id <= MOST_OBJECTS:
                raise UsageError(f"an object's id is 1..{MOST_OBJECTS}, got {object_id}")
        if not prompts and not self.objects:
            return self._next(picture.size, {})
        scene = self._eye.encode(picture)
        judge = _Judge(self._model, self.options.threshold, self._looks, scene)
        distance = 0.0 if self._gate is None else self._gate.distance(scene)
        objects: dict[int, Tracked] = {}

        def keep(results: Mapping[int, ObjectResult]) -> list[int]:
            objects.update((name, judge(name, one, name in prompts)) for name, one in results.items())
            if not prompts and self._is_interjection(distance, objects, judge):
                objects.update((name, _lost(one, Why.INTERJECTION)) for name, one in objects.items())
            return [name for name, one in objects.items() if self._is_memorable(one)]

        order = self._session.step(picture, prompts, keep=keep).objects
        self._remember(scene, objects, frozenset(prompts), judge)
        return self._next(picture.size, {name: objects[name] for name in order}, distance)

    def skip(self, size: tuple[int, int]) -> TrackedFrame:
        """A frame that cannot be read: nothing is remembered and every object counts as lost.

        Args:
            size: (height, width) of the clip.
        """
        lost = Tracked(State.LOST, 0.0, Mask.empty(size), Why.UNREADABLE)
        return self._next(size, dict.fromkeys(self.objects, lost))

    def forget(self, object_id: int) -> None:
        """Stop following an object.

        Raises:
            UsageError: it is not followed.
        """
        self._session.forget(object_id)
        self._looks.forget(object_id)

    def state(self) -> dict[str, Tensor]:
        """Everything remembered as named tensors, ready for safetensors."""
        tensors = {f"{SESSION}{name}": value for name, value in self._session.state().items()}
        if self._gate is not None:
            tensors |= {f"{GATE}{name}": value for name, value in self._gate.state().items()}
        tensors |= {f"{LOOKS}{name}": value for name, value in self._looks.state().items()}
        return tensors | {INDEX: torch.tensor([self._index])}

    @classmethod
    def from_state(
        cls,
        model: PromptableModel,
        tensors: Mapping[str, Tensor],
        options: TrackerOptions | None = None,
        eye: PromptableModel | None = None,
    ) -> Self:
        """A tracker that goes on as the one that gave `state()` would have.

        Raises:
            InputError: the tensors are not a state of a tracker with this model.
        """
        tracker = cls(model, options, eye)
        index = tensors.get(INDEX)
        if index is None or index.numel() != 1 or index.dtype != torch.int64 or int(index) < 0:
            raise InputError(
                "tracker state: `index` must be one int64 of at least 0; is this a saved tracker?"
            )
        tracker._index = int(index)
        tracker._session = VideoSession.from_state(model, dict(_under(tensors, SESSION)))
        if tracker._gate is not None:
            tracker._gate.restore(dict(_under(tensors, GATE)))
        tracker._looks.restore(dict(_under(tensors, LOOKS)))
        return tracker

    def _next(
        self, size: tuple[int, int], objects: Mapping[int, Tracked], distance: float = 0.0
    ) -> TrackedFrame:
        frame = TrackedFrame(self._index, size, objects, distance)
        self._index += 1
        return frame

    def _is_interjection(self, distance: float, objects: Mapping[int, Tracked], judge: "_Judge") -> bool:
        """Whether a frame is unlike the scene and no object is recognised in it."""
        if self._gate is None or not self._gate.is_unlike(distance):
            return False
        found = [name for name, one in objects.items() if one.state is State.FOUND]
        return not any(judge.likeness(name) >= self._gate.options.likeness for name in found)

    def _is_memorable(self, tracked: Tracked) -> bool:
        """Whether the session remembers an object; attention has learned to remember its absence too."""
        attends = not self._model.card.recalls_by_matching
        return tracked.state is State.FOUND or (attends and tracked.why is Why.SCORE)

    def _remember(
        self, scene: Features, objects: Mapping[int, Tracked], prompted: frozenset[int], judge: "_Judge"
    ) -> None:
        """Of frames in which nothing was found nothing is learned, or a slow fade would lead away."""
        found = [name for name, one in objects.items() if one.state is State.FOUND]
        for name in found:
            self._looks.take(name, judge.look(name), prompted=name in prompted)
        if self._gate is not None and (found or prompted):
            self._gate.remember(scene, prompted=bool(prompted))


class _Judge:
    """Says of the objects of one frame whether they are found."""

    def __init__(self, model: PromptableModel, threshold: float, looks: Looks, scene: Features) -> None:
        self._matches = model.card.recalls_by_matching
        self._threshold, self._looks, self._scene = threshold, looks, scene
        self._tokens: Tensor | None = None
        self._look: dict[int, Tensor] = {}

    def __call__(self, object_id: int, result: ObjectResult, prompted: bool) -> Tracked:
        """What is said of an object, from what the session said of it."""
        mask = result.guessed
        if self._tokens is None:
            self._tokens = tokens_of(self._scene)
        self._look[object_id] = look_of(self._tokens, mask)
        if prompted or not self._matches:
            score = presence.of_model(result.object_score)
        else:
            score = presence.of_matching(result.iou, self.likeness(object_id))
        found = Tracked(State.FOUND, score, mask)
        # Of a prompt the user says that the object is there.
        is_lost = mask.is_empty or (score < self._threshold and not prompted)
        return _lost(found, Why.SCORE) if is_lost else found

    def look(self, object_id: int) -> Tensor:
        """How what was found of an object looks."""
        return self._look[object_id]

    def likeness(self, object_id: int) -> float:
        """Cosine of this look with those before."""
        return self._looks.likeness(object_id, self._look[object_id])


def _lost(tracked: Tracked, why: Why) -> Tracked:
    return Tracked(State.LOST, tracked.score, Mask.empty(tracked.mask.size), why)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), tensor
