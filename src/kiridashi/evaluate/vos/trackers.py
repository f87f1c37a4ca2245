"""What is measured: the model's video session, trackers without a network, and masks made elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.baselines.trackers import FlowField, look_up
from kiridashi.evaluate.clips import Clip
from kiridashi.evaluate.texts import fingerprint
from kiridashi.evaluate.vos.sets import Labels, read_labels

if TYPE_CHECKING:
    from kiridashi.models.promptable import PromptableModel

# Labels of the next frame of the clip.
Follow = Callable[[Picture], Labels]


class Start(Protocol):
    """Begins a clip."""

    def __call__(self, clip: Clip, picture: Picture, labels: Labels, objects: tuple[int, ...], /) -> Follow:
        """Show the first frame and its labels; those of `objects` are to be followed.

        Raises:
            InputError: it cannot follow this clip.
        """
        ...


@dataclass(frozen=True, eq=False)
class Method:
    """A tracker under its name.

    Attributes:
        name: in tables.
        start: begins a clip.
        alone: it uses all cores by itself, so that clips are followed one after the other.
        answers: fingerprint of what it answers from besides the clip.
    """

    name: str
    start: Start
    alone: bool = False
    answers: Callable[[Clip], str] = lambda _: ""


def still(_clip: Clip, _picture: Picture, labels: Labels, _objects: tuple[int, ...], /) -> Follow:
    """Every later frame gets the first one's labels."""
    return lambda _: labels


class FlowObjects:
    """Moves all objects from frame to frame along one optical flow; see `FlowWarp`.

    A pixel gets the label of which it has the largest share, the background's included.
    """

    def __init__(self, _: Clip, picture: Picture, labels: Labels, objects: tuple[int, ...], /) -> None:
        self._flow = FlowField(picture)
        self._values = np.array([0, *objects], dtype=np.uint8)
        self._shares = [(labels == value).astype(np.float32) for value in objects]

    def __call__(self, frame: Picture) -> Labels:
        """Labels of the next frame, which has the first one's size."""
        places = self._flow.step(frame)
        self._shares = [look_up(share, places) for share in self._shares]
        rest = 1 - np.sum(self._shares, axis=0)
        labels: Labels = self._values[np.argmax([rest, *self._shares], axis=0)]
        return labels


BASELINES = {
    "still": Method("still", still),
    "flow": Method("flow", FlowObjects),
}


def session_method(model: "PromptableModel") -> Method:
    """The model's video session: bounded memory, all objects together.

    Raises:
        UsageError: the model cannot follow objects.
    """
    # Refuse at once rather than clip by clip.
    model.video()

    def start(_: Clip, picture: Picture, labels: Labels, objects: tuple[int, ...], /) -> Follow:
        from kiridashi.models.promptable import PromptableModel

        # Without the encodings that another tracker left.
        session = PromptableModel(model.net, model.card).video()
        session.step(picture, {value: Mask.from_array(labels == value) for value in objects})

        def follow(frame: Picture) -> Labels:
            result = session.step(frame)
            if len(objects) == 1:
                return result[objects[0]].mask.to_array() * np.uint8(objects[0])
            return _most_probable([result[value].probability() for value in objects], objects)

        return follow

    return Method("session", start, alone=True)


def saved_method(name: str, folder: Path) -> Method:
    """Label maps that another program wrote: `FOLDER/CLIP/STEM.png`, or the same in `FOLDER/CLIP/masks`.

    Where one object is followed any value but 0 is it, so that black and white masks will do.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; the masks of {name} are expected in CLIP/00000.png")

    def files(clip: Clip) -> list[Path]:
        inner = folder / clip.name / "masks"
        place = inner if inner.is_dir() else folder / clip.name
        return [place / f"{frame.stem}.png" for frame in clip.frames]

    def start(clip: Clip, _picture: Picture, _labels: Labels, objects: tuple[int, ...], /) -> Follow:
        paths = iter(files(clip)[1:])
        return lambda frame: _known(next(paths), frame.size, objects)

    return Method(name, start, answers=lambda clip: fingerprint(folder, files(clip)))


def _known(path: Path, size: tuple[int, int], objects: tuple[int, ...]) -> Labels:
    labels = read_labels(path, size)
    if len(objects) == 1:
        return (labels > 0).astype(np.uint8) * np.uint8(objects[0])
    strange = set(np.unique(labels).tolist()) - {0, *objects}
    if strange:
        raise InputError(
            f"{path}: labels {sorted(strange)} are none of the clip's objects {list(objects)}; save each "
            "object with its own value of the first mask"
        )
    return labels


def _most_probable(probabilities: Sequence[np.ndarray], objects: tuple[int, ...]) -> Labels:
    stacked = np.stack(probabilities)
    winners = np.array(objects, dtype=np.uint8)[stacked.argmax(axis=0)]
    return np.where(stacked.max(axis=0) > 0.5, winners, np.uint8(0))
