"""What might be an object: class-agnostic masks of a picture, each with its embedding."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from kiridashi.classes.embedding import Embedder
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Box, Prompt
from kiridashi.models.cutting import cut
from kiridashi.models.grid import GridSettings, gallery
from kiridashi.models.promptable import PromptableModel


@dataclass(frozen=True, eq=False)
class Proposal:
    """A mask that may be an object.

    Attributes:
        mask: never empty.
        iou: its predicted IoU, 0..1.
        embedding: (D,) of unit length, see `Embedder`.
    """

    mask: Mask
    iou: float
    embedding: Tensor


@dataclass(frozen=True)
class ProposalSettings:
    """How proposals are made.

    Attributes:
        grid: of the points that the decoder answers.
        boxes: where the user says that objects are, in pixels; when there are any, one proposal for each
            takes the place of the grid.
        least_area: pixels; a smaller mask is a speck, not an object.

    Raises:
        UsageError: an area below 1.
    """

    grid: GridSettings = field(default_factory=GridSettings)
    boxes: tuple[Box, ...] = ()
    least_area: int = 9

    def __post_init__(self) -> None:
        if self.least_area < 1:
            raise UsageError(f"the least area of a proposal is 1 pixel or more, got {self.least_area}")


def propose(
    model: PromptableModel,
    picture: Picture,
    settings: ProposalSettings | None = None,
    embedder: Embedder | None = None,
) -> list[Proposal]:
    """Masks of everything in a picture that may be an object (SAM-IF's inference, up to the classifier).

    Args:
        model: its decoder draws the masks.
        picture: to look at; encoded once.
        settings: default: a 16 x 16 grid with the model's own thresholds.
        embedder: default: that of the model.

    Returns:
        Proposals, best predicted IoU first; none where the decoder finds nothing.

    Raises:
        UsageError: the model's mask decoder is not trained.
        InputError: a whole box lies outside of the picture.
    """
    settings = settings or ProposalSettings()
    model.require("mask_decoder", "proposing objects")
    if settings.boxes:
        found = _in_boxes(model, picture, settings.boxes)
    else:
        seen = gallery(model, model.encode(picture), settings.grid)
        found = list(zip(seen.masks, seen.predicted_iou.tolist(), strict=True))
    kept = sorted((one for one in found if one[0].area >= settings.least_area), key=lambda one: -one[1])
    embeddings = (embedder or Embedder(model)).embed(picture, [mask for mask, _ in kept])
    # A predicted IoU is a regression: it may leave 0..1 by a little.
    return [
        Proposal(mask, min(max(iou, 0.0), 1.0), embedding)
        for (mask, iou), embedding in zip(kept, embeddings, strict=True)
    ]


def _in_boxes(model: PromptableModel, picture: Picture, boxes: Sequence[Box]) -> list[tuple[Mask, float]]:
    cuts = (cut(model, picture, Prompt(box=box)) for box in boxes)
    return [(segment.mask, segment.score) for one in cuts for segment in one]
