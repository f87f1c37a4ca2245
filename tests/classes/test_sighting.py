from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.detector import Detector
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.proposals import Proposal
from kiridashi.classes.sighting import Sighting, sight
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel

SIZE = (40, 60)
IDENTITIES = {"bolt": 2, "nut": 5}
See = Callable[..., Sighting]


def box(x0: int, y0: int, x1: int, y1: int) -> Mask:
    full = np.zeros(SIZE, dtype=bool)
    full[y0:y1, x0:x1] = True
    return Mask.from_array(full)


@pytest.fixture
def axes(tiny_compact: PromptableModel) -> Tensor:
    """Bolts are along the first, nuts the second, background the third."""
    return torch.eye(Embedder(tiny_compact).width)


@pytest.fixture
def see(tiny_compact: PromptableModel, axes: Tensor, monkeypatch: pytest.MonkeyPatch) -> See:
    """`see([(mask, vector)...], min_score=0)`: a look at a picture with these proposals."""
    classifier = CosineClassifier.of({"bolt": axes[:1], "nut": axes[1:2]}, background=axes[2:3])
    detector = Detector(tiny_compact, classifier, {"bolt": 0.8})

    def look(pairs: Sequence[tuple[Mask, Tensor]], min_score: float = 0.0) -> Sighting:
        made = [Proposal(mask, 0.9, vector) for mask, vector in pairs]
        monkeypatch.setattr(detector, "propose", lambda _: made)
        return sight(detector, Picture(np.zeros((*SIZE, 3), np.uint8), "a.png"), IDENTITIES, min_score)

    return look


def towards(vector: Tensor, other: Tensor, cosine: float) -> Tensor:
    mixed: Tensor = cosine * vector + (1 - cosine**2) ** 0.5 * other
    return mixed


def test_between_the_background_and_the_threshold_is_doubt(see: See, axes: Tensor) -> None:
    unsure = towards(axes[0], axes[3], 0.6)
    seen = see([(box(0, 0, 9, 9), axes[0]), (box(20, 0, 29, 9), unsure), (box(40, 0, 49, 9), axes[2])])
    assert [one.label for one in seen.segments] == ["bolt"]
    assert [(one.label, one.mask.box) for one in seen.segments.doubtful] == [("bolt", (20, 0, 29, 9))]


def test_parts_of_what_is_named_and_doubles_are_no_doubt(see: See, axes: Tensor) -> None:
    unsure = towards(axes[0], axes[3], 0.6)
    more = towards(axes[0], axes[3], 0.7)
    seen = see(
        [
            (box(0, 0, 20, 20), axes[1]),
            (box(2, 2, 10, 10), unsure),
            (box(30, 0, 50, 20), unsure),
            (box(30, 0, 50, 19), more),
            (box(15, 0, 29, 20), unsure),
        ]
    )
    boxes = [one.mask.box for one in seen.segments.doubtful]
    assert boxes == [(30, 0, 50, 19), (15, 0, 29, 20)]
    scores = [one.score for one in seen.segments.doubtful]
    assert scores == sorted(scores, reverse=True)


def test_statistics_have_a_row_an_object_and_one_of_the_picture(see: See, axes: Tensor) -> None:
    near = towards(axes[1], axes[3], 0.9)
    seen = see([(box(0, 0, 9, 9), axes[0]), (box(20, 0, 29, 9), near), (box(40, 0, 49, 9), axes[2])])
    *objects, whole = seen.statistics
    by_name = {row.class_name: row for row in objects}
    assert {name: row.identity for name, row in by_name.items()} == IDENTITIES
    assert by_name["bolt"].distance == pytest.approx(0, abs=1e-6)
    assert by_name["nut"].distance == pytest.approx(0.1, abs=1e-6)
    assert sorted(row.score or 0 for row in objects) == sorted(one.score for one in seen.segments)
    assert (whole.class_name, whole.score, whole.unknown) == (None, None, 1)
    assert len({(row.time, row.digest) for row in seen.statistics}) == 1


def test_a_least_score_leaves_statistics_as_they_are(see: See, axes: Tensor) -> None:
    pairs = [(box(0, 0, 9, 9), axes[0]), (box(20, 0, 29, 9), towards(axes[1], axes[0], 0.75))]
    every = see(pairs)
    assert len(every.segments) == 2
    least = sorted(one.score for one in every.segments)[1]
    some = see(pairs, least)
    assert [one.label for one in some.segments] == ["bolt"]
    assert len(some.statistics) == len(every.statistics) == 3
    assert some.segments.provenance["method"] == "classes"


def test_nothing_proposed(see: See) -> None:
    seen = see([])
    assert len(seen.segments) == len(seen.segments.doubtful) == 0
    assert [row.unknown for row in seen.statistics] == [0]
