"""What the tuning looks at: the trunk's maps of the references and of their augmented copies."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.data.augmentation import augment
from kiridashi.models.neck import neck_inputs
from kiridashi.models.pooling import best_covered, mask_share
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.losses import Truth
from kiridashi.reference.alignment.options import STRIDES, AlignmentOptions


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture as the tuning sees it.

    Attributes:
        maps: what the neck reads, from the loss's stride to the coarsest, (1, C_i, h_i, w_i), without
            gradients.
        truth: its mask.
    """

    maps: tuple[Tensor, ...]
    truth: Truth


class Copies:
    """Augmented copies of the references, drawn one by one, seen by the frozen trunk.

    Copy i is of reference i modulo K and depends on the seed and on i alone.

    Args:
        model: whose trunk looks.
        references: K of them.
        options: ranges, seed, and how many copies there are.
    """

    def __init__(
        self, model: PromptableModel, references: Sequence[Reference], options: AlignmentOptions
    ) -> None:
        self.model = model
        self.options = options
        self._small = [_reduced(one, model.card.image_size) for one in references]
        self._most = None if options.copies is None else max(options.copies, len(references))
        self._kept: list[Seen] = []

    def take(self, step: int) -> Seen:
        """The copy of a step, for steps in ascending order."""
        if self._most is None:
            return self._draw(step)
        if len(self._kept) < self._most:
            self._kept.append(self._draw(step))
        return self._kept[step % self._most]

    def _draw(self, step: int) -> Seen:
        picture, mask = self._small[step % len(self._small)]
        rng = np.random.default_rng((self.options.seed, step))
        return see(self.model, *augment(picture, mask, self.options.augmentation, rng), self.options)


@torch.no_grad()
def see(model: PromptableModel, picture: Picture, mask: Mask, options: AlignmentOptions) -> Seen:
    """Run the trunk on a picture."""
    maps = neck_inputs(model.net, to_input(picture, model.card))[STRIDES.index(options.stride) :]
    height, width = maps[0].shape[-2:]
    return Seen(maps, Truth.of(mask, (height, width), options.loss_size))


def _reduced(reference: Reference, longest: int) -> tuple[Picture, Mask]:
    """A large reference at about the size that the network sees: its copies cost less, and look alike."""
    picture, mask = reference.picture, reference.mask
    factor = longest / max(picture.size)
    if factor >= 1:
        return picture, mask
    height, width = (max(1, round(side * factor)) for side in picture.size)
    small = cv2.resize(picture.pixels, (width, height), interpolation=cv2.INTER_AREA)
    inside = best_covered(mask_share(mask, height, width))
    return Picture(np.asarray(small, dtype=np.uint8), picture.name), Mask.from_array(inside.numpy())
