from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.geometry.components import split_components
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.reference.method import Method
from kiridashi.testing import check_method, method_checks
from kiridashi.testing.contract import Check


class ColourThreshold:
    """The simplest honest method: pixels whose colour is near the mean colour of the references' objects."""

    def __init__(self, distance: float = 45.0) -> None:
        self.distance = distance

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        if not references:
            raise UsageError("fit needs at least one reference")
        colours = [r.picture.pixels[r.mask.to_array()].mean(axis=0) for r in references]
        self.colour_ = np.mean(colours, axis=0)
        return self

    def predict(self, picture: Picture) -> Segments:
        if not hasattr(self, "colour_"):
            raise UsageError("predict before fit: call fit(references) first")
        near = np.linalg.norm(picture.pixels - self.colour_, axis=2) < self.distance
        parts = split_components(near, min_area=20)
        items = tuple(Segment(part, part.coverage, "object") for part in parts)
        best = max((item.score for item in items), default=0.0)
        return Segments(picture.size, items, Verdict(best >= 0.01, best, 0.01))

    def save(self, path: Path) -> None:
        if not hasattr(self, "colour_"):
            raise UsageError("save before fit: there is nothing to save")
        save_file({"colour": self.colour_}, path)

    def load(self, path: Path) -> Self:
        try:
            self.colour_ = load_file(path)["colour"]
        except SafetensorError as error:
            raise InputError(f"{path}: not a state of this method") from error
        return self


@pytest.mark.parametrize("check", method_checks(), ids=lambda check: check.__name__)
def test_an_honest_method_passes(check: Check) -> None:
    check(ColourThreshold)


def test_the_honest_method_has_the_protocol() -> None:
    assert isinstance(ColourThreshold(), Method)
    check_method(lambda: ColourThreshold(distance=50.0))


class LearnsInConstructor(ColourThreshold):
    def __init__(self) -> None:
        super().__init__()
        self.colour_ = np.zeros(3)


class ChangesItsSettings(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        self.distance = self.distance + 1.0
        self.memory = references
        return super().fit(references)


class ReturnsACopyFromFit(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        return copy(super().fit(references))


class CrashesBeforeFit(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        self.colour_.sum()
        return super().predict(picture)


class SavesAnything(ColourThreshold):
    def save(self, path: Path) -> None:
        path.write_bytes(b"")


class AcceptsNoReferences(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        return super().fit(references) if references else self


class FindsNothing(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        super().predict(picture)
        return Segments(picture.size, (), Verdict(False, 0.0, 0.5))


class HasNoVerdict(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        found = super().predict(picture)
        return Segments(found.size, found.items)


class AnswersAtHalfSize(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        found = super().predict(picture)
        return Segments((picture.size[0] // 2, picture.size[1] // 2), (), found.verdict)


class ErodesOnePixelMasksAway(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        if any(r.mask.area < 10 for r in references):
            raise IndexError("index 0 is out of bounds for axis 0 with size 0")
        return super().fit(references)


class NeedsBackground(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        for reference in references:
            if reference.mask.coverage == 1.0:
                raise ZeroDivisionError("division by zero")
        return super().fit(references)


class StacksReferences(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        if references:
            np.stack([r.picture.pixels for r in references])
        return super().fit(references)


class CropsToAMultipleOf16(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        if min(picture.size) < 16:
            raise RuntimeError("Kernel size can't be greater than actual input size")
        return super().predict(picture)


class RunsOutOfMemory(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        if picture.pixels.size > 5_000_000:
            raise MemoryError
        return super().predict(picture)


class RollsDice(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        super().fit(references)
        self.colour_ = self.colour_ + np.random.default_rng().normal(0, 20, 3)
        return self


class RemembersTargets(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        found = super().predict(picture)
        self.colour_ = 0.9 * self.colour_ + 0.1 * picture.pixels.mean(axis=(0, 1))
        return found


class NeverForgets(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        seen = [*getattr(self, "seen_", []), *references]
        super().fit(seen)
        self.seen_ = seen
        return self


class SavesHalf(ColourThreshold):
    def save(self, path: Path) -> None:
        super().save(path)
        save_file({"colour": self.colour_ * [1.0, 1.0, 0.0]}, path)


class LeavesLitter(ColourThreshold):
    def save(self, path: Path) -> None:
        super().save(path)
        path.with_suffix(".tmp").write_bytes(b"")


class LoadsAnything(ColourThreshold):
    def load(self, path: Path) -> Self:
        try:
            return super().load(path)
        except InputError:
            self.colour_ = np.zeros(3)
            return self


class KnowsNoNegatives(ColourThreshold):
    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        for negative in negatives:
            negative.mask.to_array()  # type: ignore[union-attr]  # the mistake under test
        return super().fit(references)


class WorstFirst(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        found = super().predict(picture)
        halves = tuple(Segment(item.mask, score, "object") for item in found for score in (0.1, 0.9))
        return Segments(found.size, halves, found.verdict)


class ScoresWithNan(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        found = super().predict(picture)
        items = tuple(Segment(item.mask, float("nan"), "object") for item in found)
        return Segments(found.size, items, found.verdict)


class ContradictsItsThreshold(ColourThreshold):
    def predict(self, picture: Picture) -> Segments:
        found = super().predict(picture)
        return Segments(found.size, found.items, Verdict(True, 0.2, 0.5))


@pytest.mark.parametrize(
    ("broken", "check", "text"),
    [
        (LearnsInConstructor, "constructor_only_stores", "colour_"),
        (ChangesItsSettings, "fit_keeps_the_settings", "memory"),
        (ReturnsACopyFromFit, "finds_its_reference", "return self"),
        (CrashesBeforeFit, "predict_before_fit_is_refused", "AttributeError"),
        (SavesAnything, "save_before_fit_is_refused", "went through"),
        (AcceptsNoReferences, "no_references_are_refused", "went through"),
        (FindsNothing, "finds_its_reference", "absent from its own reference"),
        (HasNoVerdict, "absent_target", "no verdict"),
        (AnswersAtHalfSize, "grey_picture", "its picture"),
        (ErodesOnePixelMasksAway, "one_pixel_mask", "IndexError"),
        (NeedsBackground, "full_mask", "ZeroDivisionError"),
        (StacksReferences, "several_references_of_unequal_size", "ValueError"),
        (CropsToAMultipleOf16, "tiny_picture", "RuntimeError"),
        (RunsOutOfMemory, "large_picture", "MemoryError"),
        (RollsDice, "equal_fits_agree", "unseeded"),
        (RemembersTargets, "predictions_are_independent", "changed after another"),
        (NeverForgets, "refit_forgets", "second fit"),
        (SavesHalf, "save_and_load", "differs from the saved"),
        (LeavesLitter, "save_and_load", "nothing else"),
        (LoadsAnything, "foreign_state_is_refused", "went through"),
        (KnowsNoNegatives, "negatives", "AttributeError"),
        (WorstFirst, "finds_its_reference", "best first"),
        (ScoresWithNan, "finds_its_reference", "finite"),
        (ContradictsItsThreshold, "absent_target", "threshold"),
    ],
)
def test_a_broken_method_is_caught(broken: type[ColourThreshold], check: str, text: str) -> None:
    by_name = {function.__name__: function for function in method_checks()}
    with pytest.raises(AssertionError, match=text):
        by_name[f"check_{check}"](broken)


def test_all_failures_are_listed_at_once() -> None:
    class Broken(LeavesLitter, LearnsInConstructor):
        pass

    with pytest.raises(AssertionError) as caught:
        check_method(Broken)
    assert "check_constructor_only_stores" in str(caught.value)
    assert "check_save_and_load" in str(caught.value)
