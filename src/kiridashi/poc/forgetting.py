"""What became of the first classes when the last one had been taught: the lines of stage 4, worked out.

A picture counts as named rightly when, of all that the list names in it, what fits the object best bears the
class's name. Whether the class is named anywhere in the picture would say less: an object that a later class
has taken is often still touched by some large mask of its own. The change of IoU shows what one name a
picture cannot, such as three of four scratches that are lost.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kiridashi.evaluate.intervals import LEAST, paired_difference
from kiridashi.evaluate.pictures import Key, Line
from kiridashi.poc.rules import LEAST_PLAIN, is_forgotten, is_kept, worst
from kiridashi.poc.trial import Trial
from kiridashi.poc.trial.growing import CALLED, Lesson, key_of
from kiridashi.report.poc.document import Forgetting, Kept


@dataclass(frozen=True)
class Answer:
    """What the list says of a class in one picture.

    Attributes:
        called: what it calls the object; None: nothing touches it.
        iou: of all that it calls by the class's name, with the truth, 0..1.
    """

    called: str | None
    iou: float


# Right after the class was taught, and when all classes were there.
Pair = tuple[Answer, Answer]


def forgetting(trial: Trial) -> Forgetting:
    """What is known of it, or why nothing is."""
    if len(trial.source.classes) < 2:
        return Forgetting("one_class")
    if not trial.case.budget.forgetting_pictures:
        return Forgetting("not_asked")
    lessons = trial.lessons
    if trial.growing is not None and not lessons:
        # Of the others there are too few pictures.
        return Forgetting("one_class")
    lines = {key: line for key in trial.growing_keys() if (line := trial.store.get(key)) is not None}
    found = compare(trial.source.name, lessons, lines)
    if found.measured:
        return found
    reasons = [line.error for line in lines.values() if line.error is not None]
    return Forgetting("failed", {"reason": reasons[0]}) if reasons else Forgetting("missing")


def compare(name: str, lessons: Sequence[Lesson], lines: Mapping[Key, Line]) -> Forgetting:
    """Each class right after it was taught and at the end, and what that amounts to.

    Args:
        name: of the set.
        lessons: the classes in order.
        lines: of stage 4, as far as there are any; a picture counts that has both answers.
    """
    rows = [
        row(one.label, pairs, [later.label for later in lessons[one.number :]])
        for one in lessons
        if (pairs := list(_pairs(name, one, len(lessons), lines)))
    ]
    known = {each.name for each in rows}
    key, values = verdict(rows)
    return Forgetting(
        key,
        values,
        tuple(rows),
        max((len(one.shots) for one in lessons), default=0),
        tuple(one.label for one in lessons if one.label not in known),
        tuple(each.name for each in rows if each.change is not None and each.before < LEAST_PLAIN),
    )


def row(label: str, pairs: Sequence[Pair], later: Sequence[str]) -> Kept:
    """A class over its test pictures.

    Args:
        label: the class.
        pairs: one or more.
        later: classes that were taught after it.
    """
    before, after = ([pair[end].called == label for pair in pairs] for end in (0, 1))
    ious = [[pair[end].iou for pair in pairs] for end in (0, 1)]
    taken = Counter(
        name
        for (_, end), was in zip(pairs, before, strict=True)
        if was and (name := end.called) is not None and name in later
    )
    return Kept(
        label,
        len(pairs),
        float(np.mean(before)),
        float(np.mean(after)),
        paired_difference(np.array(after, float), np.array(before, float)) if later else None,
        float(np.mean(ious[0])),
        float(np.mean(ious[1])),
        paired_difference(ious[1], ious[0]) if later else None,
        tuple(taken.most_common()),
    )


def verdict(rows: Sequence[Kept]) -> tuple[str, dict[str, Any]]:
    """(key of a text, what fills it in).

    Returns:
        `lost`, `open` or `kept`; `blank` where too little was found in the first place, `few` where there
        are too few pictures.
    """
    told = [one for one in rows if one.change is not None and one.before >= LEAST_PLAIN]
    if not told:
        return "blank", {}
    told = [one for one in told if one.pictures >= LEAST]
    if not told:
        return "few", {"least": LEAST}
    lost = [one for one in told if is_forgotten(one)]
    if lost:
        return "lost", worst(lost)
    return ("kept", {}) if all(map(is_kept, told)) else ("open", worst(told))


def _pairs(name: str, one: Lesson, last: int, lines: Mapping[Key, Line]) -> Iterator[Pair]:
    for picture in one.tests:
        ends = [lines.get(key_of(name, one, step, picture)) for step in (one.number, last)]
        first, end = (None if line is None else _answer(line) for line in ends)
        if first is not None and end is not None:
            yield first, end


def _answer(line: Line) -> Answer | None:
    if line.score is None:
        return None
    return Answer((line.provenance or {}).get(CALLED), line.score.figures.iou)
