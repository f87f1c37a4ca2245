"""All masks of a picture, by the model's mask decoder."""

from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.models.grid import GridSettings, segment_everything
from kiridashi.models.promptable import PromptableModel


def everything(model: PromptableModel, picture: Picture, settings: GridSettings | None = None) -> Segments:
    """Segment everything in a picture: the decoder answers a grid of points.

    Args:
        model: its encoder runs once a picture.
        picture: to segment.
        settings: of the grid.

    Returns:
        Segments labelled "object", scored by predicted IoU, without a verdict.

    Raises:
        UsageError: the model's mask decoder is not trained.
    """
    model.require("mask_decoder", "everything")
    return segment_everything(model, model.encode(picture), settings)
