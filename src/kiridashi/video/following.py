"""One clip from its first frame to its last, or from where a killed run was."""

from collections.abc import Callable
from itertools import islice

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.video.camera import Camera
from kiridashi.video.clip import Clip, Frame, FrameFolder
from kiridashi.video.output import TrackFolder
from kiridashi.video.prompting import Given, Plan
from kiridashi.video.tracker import Tracker

# Frames between two checkpoints: at most so many are done again after a kill.
CHECKPOINT_FRAMES = 32
# A camera does not show them again: a kill costs so many lines of the table.
LIVE_CHECKPOINT_FRAMES = 4
# Frames of a file in which a finder looks for its objects before it gives up; before a camera it waits.
SEARCHED_FRAMES = 32
NOT_FOUND = f"the object of the reference is in none of the first {SEARCHED_FRAMES} frames"
Step = Callable[[], None]


def follow(
    clip: Clip,
    plan: Plan,
    tracker: Tracker,
    folder: TrackFolder,
    step: Step = lambda: None,
    *,
    most_frames: int | None = None,
    checkpoint_frames: int | None = None,
) -> None:
    """Track a clip into its folder; frames are read one by one and none is kept.

    Args:
        clip: the frames.
        plan: the prompts.
        tracker: new, or restored from `folder.memory`.
        folder: takes the results; its progress says where to go on.
        step: called after each frame.
        most_frames: after which to stop, counted from the clip's first; None: at its end.
        checkpoint_frames: between two checkpoints, at least 1; None: as the kind of clip wants it.

    Raises:
        InputError: a frame with a prompt cannot be read, the clip ends before its last prompt, or
            nothing was found.
        UsageError: the folder cannot be written, or a prompt does not fit.
    """
    size = clip.size
    check_plan(plan, clip, most_frames)
    live = isinstance(clip, Camera)
    checkpoint_frames = checkpoint_frames or (LIVE_CHECKPOINT_FRAMES if live else CHECKPOINT_FRAMES)
    left = None if most_frames is None else max(most_frames - folder.progress.frames, 0)
    for frame in islice(clip.frames(folder.progress.frames), left):
        _one(frame, plan, tracker, folder, size, waits=live)
        step()
        if folder.progress.frames % checkpoint_frames == 0:
            folder.checkpoint(tracker.state())
    if live:
        # It cannot be read again: what came is complete, whatever else there is to say.
        folder.finish(tracker.state())
    _check_last(plan, clip, folder.progress.frames)
    if not folder.progress.found:
        raise InputError(NOT_FOUND)
    folder.finish(tracker.state())


def check_plan(plan: Plan, clip: Clip, most_frames: int | None) -> None:
    """Refuse what can be known not to fit before any frame is read.

    Args:
        plan: the prompts.
        clip: the frames.
        most_frames: after which to stop; None: at its end.

    Raises:
        InputError: the clip, or what is looked at of it, ends before its last prompt.
        UsageError: a prompt does not fit the frames' size.
    """
    plan.check(clip.size)
    if isinstance(clip, FrameFolder):
        _check_last(plan, clip, min(len(clip), most_frames or len(clip)))
    elif most_frames is not None:
        _check_last(plan, clip, most_frames)


def _one(
    frame: Frame, plan: Plan, tracker: Tracker, folder: TrackFolder, size: tuple[int, int], *, waits: bool
) -> None:
    for object_id in plan.drops.get(frame.index, ()):
        if object_id in tracker.objects:
            tracker.forget(object_id)
    if frame.picture is None:
        if frame.index in plan.prompts:
            raise InputError(
                f"frame {frame.index} ({frame.name}), which a prompt is for, cannot be used: {frame.why}"
            )
        folder.write(tracker.skip(size), None, frame.name, frame.why, frame.seconds)
        return
    prompts = _prompts(frame.index, frame.picture, plan, folder, waits=waits)
    tracked = tracker.step(frame.picture, prompts)
    folder.write(tracked, frame.picture, frame.name, seconds=frame.seconds)


def _prompts(
    index: int, picture: Picture, plan: Plan, folder: TrackFolder, *, waits: bool
) -> dict[int, Given]:
    if plan.finder is None:
        return dict(plan.prompts.get(index, {}))
    if folder.progress.found:
        return {}
    if index >= SEARCHED_FRAMES and not waits:
        raise InputError(NOT_FOUND)
    return dict(plan.finder(picture))


def _check_last(plan: Plan, clip: Clip, frames: int) -> None:
    if plan.last_frame >= frames:
        raise InputError(
            f"a prompt is for frame {plan.last_frame}, but the last frame of {clip.name} is {frames - 1} "
            "(frames count from 0)"
        )
