"""An answer against the truth of its picture."""

from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segments
from kiridashi.evaluate.episodes import Example
from kiridashi.evaluate.metrics.figures import figures_of
from kiridashi.evaluate.metrics.object_precision import match
from kiridashi.evaluate.pictures.lines import Score


def score_answer(found: Segments, example: Example, least: float = 0.0) -> Score:
    """Measure what a method says of a picture.

    Pixels that do not count are taken out of answer and truth. Objects are 8-connected parts on both sides,
    for sets of label maps know no others; a part of an answer has its segment's score.

    Args:
        found: the answer.
        example: the picture with its truth.
        least: share of the picture from which on a method without a verdict of its own says "there".

    Raises:
        InputError: the answer is of another size.
    """
    if found.verdict is not None:
        said = found.verdict.present
    else:
        said = len(found) > 0 and found.union().coverage >= least
    items = found.items if said else ()
    mask = found.union() if said else Mask.empty(found.size)
    figures = figures_of(mask, example.mask, example.ignore)
    void = example.ignore.to_array()
    clear, truth = Mask.from_array(mask.to_array() & ~void), _without(example.mask, example.ignore)
    parts = [
        (part, segment.score)
        for segment in items
        for part in split_components(_without(segment.mask, example.ignore).to_array())
    ]
    both = clear.intersection(truth)
    return Score(
        said,
        found.verdict.score if found.verdict is not None else found.union().coverage,
        figures,
        (both, clear.area + truth.area - both),
        match(parts, split_components(truth.to_array())),
        mask,
    )


def _without(mask: Mask, ignore: Mask) -> Mask:
    if not mask.intersection(ignore):
        return mask
    return Mask.from_array(mask.to_array() & ~ignore.to_array())
