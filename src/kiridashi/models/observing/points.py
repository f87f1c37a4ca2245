"""Where a model is looked at."""

from dataclasses import dataclass
from enum import StrEnum

from kiridashi.models.promptable import PromptableModel


class Point(StrEnum):
    """The observation points P1..P5, in the order in which a frame passes them."""

    ENCODER = "encoder"
    MEMORY = "memory"
    DECODER = "decoder"
    POINTER = "pointer"
    WRITTEN = "written"


# Of a model that recalls by matching: what stands where memory attention would be.
VOTE = "vote"
# Of the decoder: what its mask tokens and prompt tokens have become, beside the image tokens.
TOKENS = "tokens"


@dataclass(frozen=True)
class Stage:
    """One place that is looked at; a point has several where it has layers.

    Attributes:
        name: of the stage, unique in a model: the point's name, `memory-1` .. for layers, `vote`, `tokens`.
        point: what it belongs to.
        is_map: whether it has places, (C, h, w); else it is a vector, (C,).
        holds_share: whether its last channel is the share of each place that the object covers.
    """

    name: str
    point: Point
    is_map: bool = True
    holds_share: bool = False


def stages_of(model: PromptableModel) -> tuple[Stage, ...]:
    """The stages of a model, in the order in which a frame passes them.

    Of a model that recalls by matching the memory has one stage, `vote`: the map of what the remembered
    tokens say, drawn on the decoder's mask prompt (docs/decisions/0006). It takes the place of memory
    attention, whose layers are the stages `memory-1`, `memory-2` .. of other models.
    """
    matches = model.card.recalls_by_matching
    if matches:
        memory = [Stage(VOTE, Point.MEMORY)]
    else:
        layers = len(model.net.memory_attention.layers)
        memory = [Stage(f"{Point.MEMORY}-{number}", Point.MEMORY) for number in range(1, layers + 1)]
    return (
        Stage(Point.ENCODER.value, Point.ENCODER),
        *memory,
        Stage(Point.DECODER.value, Point.DECODER),
        Stage(TOKENS, Point.DECODER, is_map=False),
        Stage(Point.POINTER.value, Point.POINTER, is_map=False),
        Stage(Point.WRITTEN.value, Point.WRITTEN, holds_share=matches),
    )
