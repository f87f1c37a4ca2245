"""The pseudo-video: references, frames between, target; the mask is what arrives at the end."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, ObjectResult, VideoSession
from kiridashi.reference.cav.options import PromptKind
from kiridashi.reference.cav.pseudo_masks import PseudoMasks
from kiridashi.reference.transition.options import MOST_FRAMES

OBJECT = 1
# A session of the usual options keeps the first and the newest of more prompted frames than this.
MOST_REFERENCES = 16
# Room for every pseudo mask beside them: a full memory would drop references, which are the truth.
ROOM = MemoryOptions(prompted=MOST_REFERENCES + MOST_FRAMES)


def show_references(model: PromptableModel, references: Sequence[Reference]) -> VideoSession:
    """A session in which each reference is a prompted frame."""
    session = VideoSession(model)
    for reference in references:
        session.step(reference.picture, {OBJECT: reference.mask})
    return session


def follow(
    model: PromptableModel,
    shown: Mapping[str, Tensor],
    frames: Sequence[Picture],
    hints: Sequence[Mask | None],
    target: Picture,
    prompt: PromptKind,
) -> ObjectResult:
    """Carry the object from the references over the frames to the target.

    Args:
        model: that the session runs on.
        shown: state of a session that has seen the references; it is not changed.
        frames: between reference and target, maybe none.
        hints: pseudo masks of the first frames; None where there is nothing to believe. Frames beyond
            them get no prompt.
        target: the last frame.
        prompt: a pseudo mask is taken as it is, or its box goes through the decoder.
    """
    session = VideoSession.from_state(model, shown, ROOM)
    given = [*hints, *[None] * (len(frames) - len(hints))]
    for frame, hint in zip(frames, given, strict=True):
        session.step(frame, {OBJECT: as_prompt(hint, prompt)} if hint is not None else None)
    return session.step(target, remember=False)[OBJECT]


def as_prompt(mask: Mask, kind: PromptKind) -> Mask | Prompt:
    """A pseudo mask as what a session takes."""
    if kind == "mask":
        return mask
    x0, y0, x1, y1 = mask.box
    return Prompt(box=(float(x0), float(y0), float(x1), float(y1)))


def hint_frames(masks: PseudoMasks, frames: Sequence[Picture], share: float) -> list[Mask | None]:
    """Pseudo masks of the frames nearest to the reference.

    CAV-SAM prompts the frames 1 to n/2 - 1 of a video of n that begins with the reference.

    Args:
        masks: makes them.
        frames: between reference and target.
        share: of the video that gets them, 0..1.
    """
    count = max(int((len(frames) + 2) * share) - 1, 0)
    return [masks.mask(frame) for frame in frames[:count]]
