"""The consistency losses of CAV-SAM's alignment, on the feature maps of a reference and its copy.

The reference's prototype must find the object in the copy, and the copy's must find it in the
reference. In ACC (augmentative cyclic consistency) the copy's prototype is pooled under the mask that
the first half has *predicted*, which closes the cycle; ABC (bidirectional) pools it under the true one.

The sigmoid of a cosine lies in 0.269..0.731, so that each half is at least 0.3133 and the loss at
least 0.6265, at cosines of +1 and -1; at cosines of 0 everywhere it is 2 ln 2 = 1.3863.
"""

from dataclasses import dataclass
from typing import Self

from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.models.pooling import cosine_map, mask_share, masked_average, otsu_mask
from kiridashi.reference.alignment.options import Loss


@dataclass(frozen=True, eq=False)
class Truth:
    """A mask at the two resolutions that the loss needs.

    Attributes:
        cells: (h, w) share of each feature cell that is inside, 0..1.
        fine: (n, n) the same at the resolution of the comparison.
    """

    cells: Tensor
    fine: Tensor

    @classmethod
    def of(cls, mask: Mask, grid: tuple[int, int], loss_size: int) -> Self:
        """Resize a mask to an (h, w) feature grid and to `loss_size` squared."""
        return cls(mask_share(mask, *grid), mask_share(mask, loss_size, loss_size))


def similarity_loss(similarity: Tensor, truth: Tensor, temperature: float | None = None) -> Tensor:
    """Binary cross-entropy of sigmoid(S / temperature) against a mask.

    Args:
        similarity: (h, w) cosines, brought to the mask's size (bilinear).
        truth: (H, W) in 0..1.
        temperature: None: 1, as published; below 1 it lowers the floor of the loss.
    """
    fine = F.interpolate(
        similarity[None, None], size=tuple(truth.shape), mode="bilinear", align_corners=False
    )
    logits = fine[0, 0] if temperature is None else fine[0, 0] / temperature
    return F.binary_cross_entropy_with_logits(logits, truth)


def alignment_loss(
    reference: Tensor,
    copy: Tensor,
    reference_truth: Truth,
    copy_truth: Truth,
    *,
    loss: Loss = "acc",
    temperature: float | None = None,
) -> Tensor:
    """ACC or ABC of one reference and one augmented copy of it (CAV-SAM, TTGA); both halves weigh 1.

    Gradients flow to both feature maps, through prototypes too; the predicted mask carries none.

    Args:
        reference: (C, h, w) neck map of the reference as it is.
        copy: (C, h, w) neck map of the copy.
        reference_truth: the mask of the reference.
        copy_truth: the mask of the copy.
        loss: "acc" or "abc".
        temperature: see `similarity_loss`.
    """
    there = cosine_map(copy, masked_average(reference, reference_truth.cells))
    region = otsu_mask(there) if loss == "acc" else copy_truth.cells
    back = cosine_map(reference, masked_average(copy, region))
    return similarity_loss(there, copy_truth.fine, temperature) + similarity_loss(
        back, reference_truth.fine, temperature
    )
