"""All masks of a picture, with the model's decoder or what stands in for it."""

from dataclasses import replace

from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.models.grid import GridSettings, segment_everything
from kiridashi.models.promptable import PromptableModel


def everything(model: PromptableModel, picture: Picture, settings: GridSettings | None = None) -> Segments:
    """Segment everything in a picture.

    A trained decoder answers a grid of points; for a model whose decoder is not trained, regions of
    even colour stand in, and the provenance says so.

    Args:
        model: its encoder runs once a picture.
        picture: to segment.
        settings: of the grid; the number of points also sets how fine the stand-in is.
    """
    settings = settings or GridSettings()
    if "mask_decoder" not in model.card.trained:
        from kiridashi.models.interim.regions import segment_regions

        found = segment_regions(picture, settings.points_per_side)
        return replace(found, provenance={"method": "everything", "masks": interim_note(model)})
    return segment_everything(model, model.encode(picture), settings)


def interim_note(model: PromptableModel) -> str:
    """Who answers as long as the model's own decoder is not trained."""
    return f"interim: regions of even colour; the decoder of {model.card.name} is not trained yet"
