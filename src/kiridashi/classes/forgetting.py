"""What a change did to the classes that were there: their held-aside samples are answered anew.

Adding a class leaves every other row as it is, so an old class is forgotten only where the new one wins: an
object of the old class that now resembles the new one more. Held-aside samples, which no row is made of, show
it before anything is kept.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.classes.calibration import DEFAULT_THRESHOLD
from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.registry import ClassState, RegistryState
from kiridashi.classes.registry.events import Matrix

_Answers = dict[str, list[str | None]]

# States share the classes that stayed, so that the thousandth addition makes one row and not a thousand.
_ROWS: WeakKeyDictionary[ClassState, Tensor] = WeakKeyDictionary()


@dataclass(frozen=True)
class ClassRecall:
    """How many of a class's held-aside samples are named rightly.

    Attributes:
        name: of the class, as it is called after the change.
        samples: held aside, after the change.
        before: recall 0..1; None for a new class, or without samples.
        after: recall 0..1; None without samples.
        mistaken: (class, number) that its samples are taken for after the change where that is wrong, most
            first; None: they count as unknown.
    """

    name: str
    samples: int
    before: float | None
    after: float | None
    mistaken: tuple[tuple[str | None, int], ...] = ()

    @property
    def drop(self) -> float:
        """Recall lost, 0..1; negative: gained; 0 where it cannot be told."""
        return 0.0 if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True)
class Theft:
    """Samples that were named rightly before the change and are not any more.

    Attributes:
        victim: the class that they are of.
        thief: the class that takes them now; None: they count as unknown.
        count: how many.
    """

    victim: str
    thief: str | None
    count: int


@dataclass(frozen=True)
class Forgetting:
    """Before and after a change.

    Attributes:
        classes: those after the change, in the order of their addition.
        thefts: most first.
    """

    classes: tuple[ClassRecall, ...]
    thefts: tuple[Theft, ...]

    @property
    def old(self) -> tuple[ClassRecall, ...]:
        """Classes that can be compared: there before and after, with held-aside samples."""
        return tuple(one for one in self.classes if one.before is not None and one.after is not None)

    @property
    def worse(self) -> tuple[ClassRecall, ...]:
        """Classes that lost, worst first."""
        return tuple(sorted((one for one in self.old if one.drop > 0), key=lambda one: -one.drop))

    @property
    def drop(self) -> float:
        """The most that a class lost, 0..1."""
        return max((one.drop for one in self.old), default=0.0)

    @property
    def before(self) -> float | None:
        """Mean recall of the old classes before; None where there is none."""
        return float(np.mean([one.before for one in self.old])) if self.old else None

    @property
    def after(self) -> float | None:
        """Mean recall of the old classes after."""
        return float(np.mean([one.after for one in self.old])) if self.old else None

    def to_json(self) -> dict[str, Any]:
        """For `--json`; shares in 0..1."""
        return {
            "before": self.before,
            "after": self.after,
            "drop": self.drop,
            "classes": [
                {
                    "name": one.name,
                    "samples": one.samples,
                    "before": one.before,
                    "after": one.after,
                    "mistaken": [{"taken_for": named, "count": count} for named, count in one.mistaken],
                }
                for one in self.classes
            ],
            "thefts": [{"victim": one.victim, "thief": one.thief, "count": one.count} for one in self.thefts],
        }


def compare(before: RegistryState, after: RegistryState) -> Forgetting:
    """Answer the held-aside samples of all classes before and after a change.

    Classes are followed by their identity, so that a renamed one stays itself. Samples that only one of the
    states has count for its figure, not among the stolen ones.

    Args:
        before: the state that is.
        after: the state that would be; it may be of another model, with embeddings of its own.
    """
    known = _background_of(before)
    # Summing up many background samples is the dearest part, and most changes bring none.
    same = after.background_chunks is before.background_chunks
    then, now = _answer(before, known), _answer(after, known if same else _background_of(after))
    earlier = {each.identity: name for name, each in before.classes.items()}
    recalls, thefts = [], []
    for name, each in after.classes.items():
        was = earlier.get(each.identity)
        answers_then = then[was] if was is not None else []
        recalls.append(
            ClassRecall(
                name,
                len(now[name]),
                None if was is None else _share(answers_then, was),
                _share(now[name], name),
                tuple(Counter(named for named in now[name] if named != name).most_common()),
            )
        )
        lost = Counter(
            new for old, new in _paired(before, after, was, name, then, now) if old == was and new != name
        )
        thefts += [Theft(name, thief, count) for thief, count in lost.items()]
    return Forgetting(tuple(recalls), tuple(sorted(thefts, key=lambda one: -one.count)))


def answer(state: RegistryState, embeddings: Matrix) -> list[str | None]:
    """What (N, D) embeddings are taken for: a class, or None for the background and the unknown.

    The detector's rule: the nearest class, where the cosine reaches its threshold and exceeds that of the
    background.
    """
    return _named(state, embeddings, _background_of(state))


def _named(state: RegistryState, embeddings: Matrix, background: CosineClassifier) -> list[str | None]:
    if not state.classes or not len(embeddings):
        return [None] * len(embeddings)
    unit = F.normalize(torch.from_numpy(np.array(embeddings)), dim=1)
    rows = torch.stack([_row(each) for each in state.classes.values()])
    best, places = (unit @ rows.T).max(dim=1)
    others = background.cosines(unit)[:, -1]
    names, least = list(state.classes), [_threshold(each) for each in state.classes.values()]
    return [
        names[place] if cosine >= least[place] and cosine > other else None
        for place, cosine, other in zip(places.tolist(), best.tolist(), others.tolist(), strict=True)
    ]


def _row(each: ClassState) -> Tensor:
    """(D,) row of a class as the detector's classifier makes it."""
    if (row := _ROWS.get(each)) is None:
        made = CosineClassifier(each.shots.shape[1]).with_class(each.name, np.array(each.shots))
        row = _ROWS[each] = made.row(each.name)
    return row


def _background_of(state: RegistryState) -> CosineClassifier:
    """A classifier without classes, for its background alone."""
    plain = CosineClassifier(state.width)
    return plain.with_background(np.array(state.background)) if len(state.background) else plain


def _answer(state: RegistryState, background: CosineClassifier) -> _Answers:
    """Of the held-aside samples, by class; all of them in one matrix product."""
    rows = [each.validation for each in state.classes.values()]
    joined = np.concatenate(rows) if rows else np.zeros((0, state.width), np.float32)
    answers = iter(_named(state, joined, background))
    return {
        name: [next(answers) for _ in range(len(each.validation))] for name, each in state.classes.items()
    }


def _paired(
    before: RegistryState, after: RegistryState, was: str | None, name: str, then: _Answers, now: _Answers
) -> list[tuple[str | None, str | None]]:
    """Answers before and after of the samples that both states have."""
    if was is None:
        return []
    # A state that is only proposed has samples without an id behind the others.
    earlier = dict(zip(before.classes[was].validation_ids, then[was], strict=False))
    later = zip(after.classes[name].validation_ids, now[name], strict=False)
    return [(earlier[one], answered) for one, answered in later if one in earlier]


def _share(answers: Sequence[str | None], name: str) -> float | None:
    return sum(one == name for one in answers) / len(answers) if answers else None


def _threshold(each: ClassState) -> float:
    return DEFAULT_THRESHOLD if each.threshold is None else each.threshold
