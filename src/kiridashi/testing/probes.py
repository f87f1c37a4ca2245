"""Run a method so that whatever goes wrong becomes an AssertionError that says what was expected."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kiridashi.core.errors import KiridashiError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.reference.method import Method

Factory = Callable[[], Method]
SCORE_TOLERANCE = 1e-6


def require(condition: bool, text: str) -> None:
    """An `assert` that `python -O` keeps."""
    if not condition:
        raise AssertionError(text)


@contextmanager
def working(step: str) -> Iterator[None]:
    """Any error inside is a failed check."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{step} raised {type(error).__name__}: {error}") from error


@contextmanager
def refusing(step: str, kind: type[KiridashiError] = KiridashiError) -> Iterator[None]:
    """Only a `kind` with a text passes."""
    try:
        yield
    except kind as error:
        require(
            bool(str(error).strip()),
            f"{step} was refused without a text; say what was expected and what came",
        )
    except Exception as error:
        raise AssertionError(
            f"{step} must be refused with {kind.__name__}, it raised {type(error).__name__}: {error}"
        ) from error
    else:
        raise AssertionError(f"{step} must be refused with {kind.__name__}, it went through")


def fitted(factory: Factory, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Method:
    """A new instance, fitted."""
    with working("the constructor"):
        method = factory()
    with working(f"fit with {len(references)} reference(s) and {len(negatives)} negative(s)"):
        returned = method.fit(references, negatives)
    require(returned is method, "fit must return self, so that fit(...).predict(...) works")
    return method


def predicted(method: Method, picture: Picture) -> Segments:
    """A prediction that has been looked over."""
    with working(f"predict on {picture.name} {picture.size}"):
        found = method.predict(picture)
    require(isinstance(found, Segments), f"predict must return Segments, got {type(found).__name__}")
    _check_masks(found, picture)
    _check_scores(found)
    _check_verdict(found)
    return found


def _check_masks(found: Segments, picture: Picture) -> None:
    require(found.size == picture.size, f"the result has size {found.size}, its picture {picture.size}")
    for segment in found:
        require(not segment.mask.is_empty, "a segment with an empty mask; leave it out")


def _check_scores(found: Segments) -> None:
    scores = [float(score) for score in found.scores]
    require(all(map(math.isfinite, scores)), f"scores must be finite, got {scores}")
    require(scores == sorted(scores, reverse=True), f"segments must come best first, got scores {scores}")


def _check_verdict(found: Segments) -> None:
    verdict = found.verdict
    if verdict is None:
        raise AssertionError("the result has no verdict; a reference method says whether the object is there")
    require(
        math.isfinite(verdict.score) and 0 <= verdict.score <= 1,
        f"the verdict's score must lie in 0..1, got {verdict.score}",
    )
    require(
        math.isfinite(verdict.threshold), f"the verdict's threshold must be finite, got {verdict.threshold}"
    )
    require(
        verdict.present == (verdict.score >= verdict.threshold),
        f"present is {verdict.present} at score {verdict.score} and threshold {verdict.threshold}; "
        "the object counts as present from the threshold on",
    )


def require_equal(first: Segments, second: Segments, why: str) -> None:
    """Equal masks and labels, equal verdicts, scores within SCORE_TOLERANCE."""
    require(len(first) == len(second), f"{why}: {len(first)} segments and {len(second)}")
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        require(
            a.mask == b.mask, f"{why}: the masks of segment {number} differ (IoU {a.mask.iou(b.mask):.4f})"
        )
        require(a.label == b.label, f"{why}: segment {number} is called {a.label!r} and {b.label!r}")
        require(
            abs(a.score - b.score) <= SCORE_TOLERANCE,
            f"{why}: segment {number} scores {a.score} and {b.score}",
        )
    ours, theirs = first.verdict, second.verdict
    if ours is None or theirs is None:
        require(ours is theirs, f"{why}: only one result has a verdict")
        return
    close = all(
        abs(a - b) <= SCORE_TOLERANCE
        for a, b in ((ours.score, theirs.score), (ours.threshold, theirs.threshold))
    )
    require(ours.present == theirs.present and close, f"{why}: the verdicts are {ours} and {theirs}")
