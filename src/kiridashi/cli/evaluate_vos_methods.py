"""What `kiridashi evaluate vos` knows to measure, by name; `track` joins a job to the protocol here."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiridashi.core.picture import Picture
    from kiridashi.evaluate.clips import Clip
    from kiridashi.evaluate.vos.sets import Labels
    from kiridashi.evaluate.vos.trackers import Follow, Method
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.video.tracker import TrackedFrame

TRACK, UNGATED, SESSION = "track", "track-no-gate", "session"
WITH_MODEL = (TRACK, UNGATED, SESSION)


def methods(names: Sequence[str], load: Callable[[], "PromptableModel"]) -> list["Method"]:
    """The methods of these names; the model is only loaded where one of them needs it.

    Raises:
        UsageError: there is no such method, or the model cannot follow objects.
        ModelUnavailableError: the model's files are not here.
    """
    from kiridashi.cli.suggest import check_choice
    from kiridashi.evaluate.vos.trackers import BASELINES, session_method

    for name in names:
        check_choice("method", name, (*WITH_MODEL, *BASELINES))
    known = dict(BASELINES)
    if any(name in WITH_MODEL for name in names):
        model = load()
        known[SESSION] = session_method(model)
        known |= {name: _track_method(name, model) for name in (TRACK, UNGATED)}
    return [known[name] for name in names]


def _track_method(name: str, model: "PromptableModel") -> "Method":
    from kiridashi.core.mask import Mask
    from kiridashi.evaluate.vos.trackers import Method
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.video.tracker import Tracker, TrackerOptions

    options = TrackerOptions(gate=None) if name == UNGATED else TrackerOptions()

    def start(_: "Clip", picture: "Picture", labels: "Labels", objects: tuple[int, ...], /) -> "Follow":
        # Without the encodings that another tracker left.
        tracker = Tracker(PromptableModel(model.net, model.card), options)
        tracker.step(picture, {value: Mask.from_array(labels == value) for value in objects})
        return lambda frame: _painted(tracker.step(frame))

    return Method(name, start, alone=True)


def _painted(frame: "TrackedFrame") -> "Labels":
    """Where two objects claim a pixel, the surer one has it."""
    import numpy as np

    labels = np.zeros(frame.size, dtype=np.uint8)
    for value, one in sorted(frame.objects.items(), key=lambda item: item[1].score):
        labels[one.mask.to_array()] = value
    return labels
