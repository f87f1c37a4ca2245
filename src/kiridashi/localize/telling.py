"""From what was found in a picture to what its folder, its report and the review say of it."""

from collections.abc import Iterable, Sequence

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.localize.choosing import Choice
from kiridashi.localize.localizer import Found, Localisation
from kiridashi.localize.review import PseudoLabel, doubt_of, doubt_of_nothing
from kiridashi.report.localisation.stages import ChoiceNote, Outcome, Stages
from kiridashi.report.records import Record

# Candidates are shown in colour that match at least this share as well as the best one of their region.
WORTH_SHOWING = 0.5
MOST_SHOWN = 8


def stages_of(localisation: Localisation, gallery: Sequence[Mask] = ()) -> Stages:
    """What a report shows of a localisation.

    Args:
        localisation: of the picture.
        gallery: the masks that were chosen from.
    """
    found = localisation.found
    notes = tuple(_note(one, choice) for one in found for choice in one.choices)
    verdict = localisation.verdict
    doubt = max(note.doubt for note in notes) if notes else doubt_of_nothing(verdict.score, verdict.threshold)
    guide = np.maximum.reduce([one.map for one in found]) if found else localisation.look.map
    best = [mask for one in found for choice in one.choices for mask in _worth_showing(choice)]
    outcome = Outcome(notes, localisation.scores, localisation.candidates, doubt)
    return Stages(localisation.look.map, guide, tuple(gallery), tuple(best[:MOST_SHOWN]), outcome)


def pseudo_labels(records: Iterable[Record]) -> list[PseudoLabel]:
    """The rows of a review: one an object, and one for each picture in which nothing was found.

    Args:
        records: of a run of `localize predict`; those without a result are passed over.

    Raises:
        InputError: a record is of another verb, or a mask is damaged.
    """
    rows = []
    for record in records:
        if record.error is not None:
            continue
        outcome = Outcome.of(record)
        for segment, note in zip(record.segments(), outcome.notes, strict=True):
            row = PseudoLabel(
                file=record.file,
                stem=record.stem,
                label=note.label,
                class_score=note.class_score,
                match=note.match,
                source=note.source,
                why=note.why,
                doubt=note.doubt,
                mask=segment.mask,
            )
            rows.append(row)
        if not outcome.notes:
            rows.append(_nothing(record, outcome))
    return rows


def _note(one: Found, choice: Choice) -> ChoiceNote:
    return ChoiceNote(
        label=one.label,
        class_score=one.score,
        source=choice.source,
        reason=choice.reason,
        why=choice.why,
        match=choice.score,
        doubt=doubt_of(one.score, choice.score, choice.source),
    )


def _worth_showing(choice: Choice) -> list[Mask]:
    least = WORTH_SHOWING * max((each.score for each in choice.candidates), default=0.0)
    return [each.mask for each in choice.candidates if each.score >= least]


def _nothing(record: Record, outcome: Outcome) -> PseudoLabel:
    best = max(outcome.class_scores.values(), default=0.0)
    why = "nothing found; the class score is that of the likeliest class"
    return PseudoLabel(record.file, record.stem, None, best, 0.0, "", why, outcome.doubt, None)
