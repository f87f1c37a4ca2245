"""What a session says about one frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.models.promptable import upscale


@dataclass(frozen=True, eq=False)
class ObjectResult:
    """One object in one frame.

    Attributes:
        logits: (S/4, S/4) float32; above 0 is inside, -1024 everywhere when the object is absent.
        object_score: logit that the object is there; +-10 where a mask was given.
        iou: predicted IoU of the mask; 1 where a mask was given.
        size: (height, width) of the frame.
        guess: (S/4, S/4) float32 logits as if the object were there, whatever its score.
        given: the mask that was given as this frame's prompt, if one was.
    """

    logits: Tensor
    object_score: float
    iou: float
    size: tuple[int, int]
    guess: Tensor
    given: Mask | None = None

    @property
    def present(self) -> bool:
        """Whether the object is in the frame."""
        return self.object_score > 0

    @property
    def mask(self) -> Mask:
        """The mask at the frame's size: the given one where there is one, empty when absent."""
        if self.given is not None:
            return self.given
        if not self.present:
            return Mask.empty(self.size)
        return Mask.from_array(upscale(self.logits, self.size).numpy() > 0)

    @property
    def guessed(self) -> Mask:
        """The mask at the frame's size as if the object were there; the given one where there is one."""
        if self.given is not None:
            return self.given
        return Mask.from_array(upscale(self.guess, self.size).numpy() > 0)

    def probability(self, *, present: bool = False) -> NDArray[np.float32]:
        """(H, W) probability at the frame's size; with `present`, as if the object were there."""
        return upscale(self.guess if present else self.logits, self.size).sigmoid().numpy()


@dataclass(frozen=True, eq=False)
class FrameResult:
    """All objects in one frame.

    Attributes:
        frame: index of the frame in the session.
        objects: by object id.
    """

    frame: int
    objects: Mapping[int, ObjectResult]

    def __getitem__(self, object_id: int) -> ObjectResult:
        return self.objects[object_id]
