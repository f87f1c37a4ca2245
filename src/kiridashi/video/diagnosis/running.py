"""The runs of a diagnosis: self-test, clip as it is, transformed copies, other prompts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Prompt
from kiridashi.models.observing import stages_of
from kiridashi.models.promptable import PromptableModel
from kiridashi.report.diagnosis.lines import CLEAN, PROMPTS, SELF_TEST, TRANSFORMATION, TRIED, Key, Line
from kiridashi.transforms import Choice
from kiridashi.transforms.donor import Donor
from kiridashi.video.clip import Clip
from kiridashi.video.diagnosis.answering import ask
from kiridashi.video.diagnosis.facts import FactFinder, FrameFacts
from kiridashi.video.diagnosis.figures import CleanRun, Measurer, Scale
from kiridashi.video.diagnosis.shots import Reference, Shot, clean_shots, self_test_shots, transformed_shots
from kiridashi.video.diagnosis.watching import Prompting, Sighting, first_mask, watch
from kiridashi.video.prompting import Given
from kiridashi.video.tracker import TrackerOptions

# Of the study of prompts: a mask in every so many frames; one click; nothing said of the object.
PRESENT, POINT, ABSENT = STUDY = ("present", "point", "absent")
PROMPT_EVERY = 5
# Of a clip: the first frame is given, one is followed, and one more shows a change.
LEAST_FRAMES = 3
# As even as a prompt can be: it says of every pixel that it may be or not be the object.
NOTHING_SIDE = 64
Step = Callable[[], None]


class Gallery(Protocol):
    """Takes the frames that are to be looked at, as they come."""

    def __call__(self, key: Key, shot: Shot, sighting: Sighting, /) -> None:
        """One frame of a run, with its stages."""
        ...


@dataclass(frozen=True, eq=False)
class Setup:
    """What is diagnosed.

    Attributes:
        model: that follows.
        clip: the frames.
        first: the object in the first frame.
        truth: its masks; those of the first frame are never asked for.
        scored: whether there are true masks beyond the first frame's.
        frames: at most so many are looked at, at least 3.
        seed: of everything that is drawn.
        donor: of another scene.
        options: of the tracker.
        eye: of the tracker.
    """

    model: PromptableModel
    clip: Clip
    first: Mask
    truth: Reference
    scored: bool
    frames: int
    seed: int
    donor: Donor
    options: TrackerOptions | None = None
    eye: PromptableModel | None = None

    def reference(self, place: int) -> Mask | None:
        """The object in a frame of the clip."""
        return self.first if place == 0 else self.truth(place)


def ignore(_key: Key, _shot: Shot, _sighting: Sighting) -> None:
    """A gallery that keeps nothing."""


def run_self_test(setup: Setup, gallery: Gallery = ignore, step: Step = lambda: None) -> tuple[Line, Scale]:
    """Follow the first frame's object where nothing is difficult and everything is known.

    Returns:
        The line, and what it is held against: itself.

    Raises:
        InputError: the first frame cannot be used.
    """
    first = next(clean_shots(setup.clip, setup.reference, 1))
    key = Key(SELF_TEST)
    clean = CleanRun(stages_of(setup.model))
    kept = []
    for shot, sighting in _watch(setup, self_test_shots(first, setup.seed), first_mask):
        clean.add(sighting)
        kept.append(sighting)
        gallery(key, shot, sighting)
        step()
    scale = Scale.of(clean)
    measure = Measurer(clean.stages, scale, scored=True)
    figures = tuple(map(measure, kept))
    answers = ask(PromptableModel(setup.model.net, setup.model.card), first.picture, setup.first)
    return Line(key, figures, answers), scale


def run_clean(setup: Setup, gallery: Gallery = ignore, step: Step = lambda: None) -> tuple[Line, Scale]:
    """Follow the object through the clip as it is.

    Returns:
        The line, and what the other runs are held against.

    Raises:
        InputError: the first frame cannot be used, or there are fewer than 3 that can.
    """
    key = Key(CLEAN)
    clean, find = CleanRun(stages_of(setup.model)), FactFinder()
    kept: list[tuple[Sighting, FrameFacts]] = []
    for shot, sighting in _watch(setup, clean_shots(setup.clip, setup.reference, setup.frames), first_mask):
        clean.add(sighting)
        # The stages are kept once, in half precision.
        kept.append((replace(sighting, seen={}), find(shot.picture.pixels)))
        gallery(key, shot, sighting)
        step()
    if len(kept) < LEAST_FRAMES:
        raise InputError(f"{setup.clip.name}: {len(kept)} frames that can be used; it takes {LEAST_FRAMES}")
    scale = Scale.of(clean)
    measure = Measurer(clean.stages, scale, scored=setup.scored)
    return Line(key, tuple(measure(clean.restored(one), facts) for one, facts in kept)), scale


def run_transformed(
    setup: Setup, scale: Scale, choice: Choice, gallery: Gallery = ignore, step: Step = lambda: None
) -> Line:
    """Follow the object through a transformed copy of the clip."""
    key = Key(TRANSFORMATION, choice.name, choice.severity)
    shots = clean_shots(setup.clip, scale.clean.mask, setup.frames)
    changed = transformed_shots(shots, choice, setup.seed, setup.donor)
    begun, tried = False, 0

    def counted() -> Iterator[Shot]:
        nonlocal begun, tried
        for shot in changed:
            begun = begun or shot.changed
            tried += begun and shot.mask is not None and not shot.mask.is_empty
            yield shot

    line = _measured(setup, scale, key, counted(), first_mask, gallery, step)
    return replace(line, tests={**line.tests, TRIED: float(tried)})


def run_prompted(
    setup: Setup, scale: Scale, study: str, gallery: Gallery = ignore, step: Step = lambda: None
) -> Line:
    """Follow the object through the clip with other prompts than the first frame's mask.

    Args:
        setup: what is diagnosed.
        scale: of the clean run.
        study: one of `STUDY`.
        gallery: takes the frames.
        step: called after each frame.
    """
    shots = clean_shots(setup.clip, scale.clean.mask, setup.frames)
    return _measured(setup, scale, Key(PROMPTS, study), shots, PROMPTINGS[study], gallery, step)


def _measured(
    setup: Setup,
    scale: Scale,
    key: Key,
    shots: Iterator[Shot],
    prompting: Prompting,
    gallery: Gallery,
    step: Step,
) -> Line:
    measure = Measurer(scale.clean.stages, scale, scored=True)
    figures = []
    for shot, sighting in _watch(setup, shots, prompting):
        figures.append(measure(sighting))
        gallery(key, shot, sighting)
        step()
    return Line(key, tuple(figures))


def _watch(setup: Setup, shots: Iterator[Shot], prompting: Prompting) -> Iterator[tuple[Shot, Sighting]]:
    return watch(setup.model, shots, prompting, setup.options, setup.eye)


def _often(index: int, shot: Shot) -> Given | None:
    return (
        shot.mask if index % PROMPT_EVERY == 0 and shot.mask is not None and not shot.mask.is_empty else None
    )


def _click(index: int, shot: Shot) -> Given | None:
    if index or shot.mask is None:
        return None
    x, y = deepest(shot.mask)
    return Prompt(points=((x, y, 1),))


def _nothing(index: int, _shot: Shot) -> Given | None:
    if index:
        return None
    return Prompt(prior=np.full((NOTHING_SIDE, NOTHING_SIDE), 0.5, dtype=np.float32))


PROMPTINGS: Mapping[str, Prompting] = {PRESENT: _often, POINT: _click, ABSENT: _nothing}


def deepest(mask: Mask) -> tuple[float, float]:
    """(x, y) of the pixel that lies deepest inside of a mask that is not empty."""
    import cv2

    depth = cv2.distanceTransform(np.pad(mask.bitmap.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return mask.origin[0] + float(column) + 0.5, mask.origin[1] + float(row) + 0.5
