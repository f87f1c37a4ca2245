from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from kiridashi.classes.calibration import DEFAULT_THRESHOLD
from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.detector import Detector, DetectorSettings
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.proposals import Proposal, ProposalSettings
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.grid import GridSettings
from kiridashi.models.promptable import Features, PromptableModel

MakePicture = Callable[..., Picture]
MakeDisc = Callable[..., Mask]
SIZE = (40, 60)


@pytest.fixture
def axes(tiny_compact: PromptableModel) -> Tensor:
    """Directions of embeddings: bolts are along the first, nuts the second, background the third."""
    return torch.eye(Embedder(tiny_compact).width)


@pytest.fixture
def detector(tiny_compact: PromptableModel, axes: Tensor) -> Detector:
    classifier = CosineClassifier.of({"bolt": axes[:1], "nut": axes[1:2]}, background=axes[2:3])
    return Detector(tiny_compact, classifier, {"bolt": 0.6})


def proposal(box: tuple[int, int, int, int], embedding: Tensor, iou: float = 0.9) -> Proposal:
    full = np.zeros(SIZE)
    full[box[1] : box[3], box[0] : box[2]] = 1
    return Proposal(Mask.from_array(full), iou, embedding)


def test_each_proposal_is_named_after_what_it_resembles(detector: Detector, axes: Tensor) -> None:
    vectors = [
        axes[0],
        axes[1],
        axes[2],
        axes[3],
        0.5 * axes[0] + 0.75**0.5 * axes[3],
        0.5 * axes[1] + 0.75**0.5 * axes[3],
    ]
    judged = detector.judge([proposal((0, 0, 9, 9), vector) for vector in vectors])
    # The last but one resembles bolts no less than the last one nuts, but bolts demand more.
    assert [one.name for one in judged] == ["bolt", "nut", None, None, None, "nut"]
    assert [one.nearest for one in judged[:2]] == ["bolt", "nut"]
    assert [one.background for one in judged] == [False, False, True, True, False, False]
    assert judged[4].cosine == pytest.approx(0.5, abs=1e-6)
    assert judged[4].threshold == 0.6
    assert judged[5].threshold == DEFAULT_THRESHOLD
    assert judged[0].probability > 0.99


def test_uncertain_ones_may_be_kept_for_ranking(detector: Detector, axes: Tensor) -> None:
    vectors = [axes[0], axes[2], 0.5 * axes[0] + 0.75**0.5 * axes[3]]
    places = [(0, 0, 9, 9), (20, 0, 29, 9), (40, 0, 49, 9)]
    judged = detector.judge(list(map(proposal, places, vectors)))
    assert len(detector.select(SIZE, judged)) == 1
    ranking = Detector(detector.model, detector.classifier, settings=DetectorSettings(keep_uncertain=True))
    found = ranking.select(SIZE, judged)
    assert [one.mask.box for one in found] == [places[0], places[2], places[1]]
    assert list(found.scores) == sorted(found.scores, reverse=True)


def test_the_score_is_probability_times_predicted_iou(detector: Detector, axes: Tensor) -> None:
    one = proposal((0, 0, 9, 9), 0.8 * axes[0] + 0.6 * axes[3], iou=0.7)
    names, scores = detector.classifier.scores(one.embedding[None])
    found = detector.select(SIZE, detector.judge([one]))
    assert found[0].label == "bolt"
    assert found[0].score == pytest.approx(0.7 * float(scores[0, names.index("bolt")]), abs=1e-6)
    assert found.verdict is None


def test_of_overlapping_masks_of_a_class_the_best_stays(detector: Detector, axes: Tensor) -> None:
    proposals = [
        proposal((0, 0, 20, 20), axes[0], 0.8),
        proposal((0, 0, 20, 15), axes[0], 0.9),
        proposal((30, 0, 50, 20), axes[0], 0.5),
    ]
    found = detector.select(SIZE, detector.judge(proposals))
    assert [one.mask.box for one in found] == [(0, 0, 20, 15), (30, 0, 50, 20)]
    loose = Detector(detector.model, detector.classifier, settings=DetectorSettings(same_class_iou=0.75))
    assert len(loose.select(SIZE, loose.judge(proposals))) == 3


def test_one_thing_gets_one_name_but_things_may_overlap(detector: Detector, axes: Tensor) -> None:
    same_place = [proposal((0, 0, 20, 20), axes[0], 0.8), proposal((0, 0, 20, 19), axes[1], 0.9)]
    found = detector.select(SIZE, detector.judge(same_place))
    assert [one.label for one in found] == ["nut"]
    overlapping = [proposal((0, 0, 20, 20), axes[0], 0.8), proposal((0, 0, 20, 14), axes[1], 0.9)]
    found = detector.select(SIZE, detector.judge(overlapping))
    assert [one.label for one in found] == ["nut", "bolt"]


def test_no_proposals_and_no_classes_are_empty_results(
    detector: Detector, axes: Tensor, make_picture: MakePicture
) -> None:
    nothing = ProposalSettings(GridSettings(points_per_side=2, predicted_iou=1, stability=1))
    silent = Detector(detector.model, detector.classifier, settings=DetectorSettings(nothing))
    found = silent.detect(make_picture())
    assert len(found) == 0
    assert found.size == (48, 64)
    assert found.provenance["proposals"] == "0"
    nameless = Detector(detector.model, CosineClassifier(detector.classifier.width))
    judged = nameless.judge([proposal((0, 0, 9, 9), axes[0])])
    assert (judged[0].name, judged[0].nearest, judged[0].background) == (None, None, True)
    assert len(nameless.select(SIZE, judged)) == 0


def test_a_picture_of_the_shot_finds_its_own_mask(
    tiny_compact: PromptableModel, make_picture: MakePicture
) -> None:
    settings = ProposalSettings(GridSettings(points_per_side=4, predicted_iou=0, stability=0))
    plain = Detector(tiny_compact, CosineClassifier(Embedder(tiny_compact).width))
    picture = make_picture()
    shown = replace(plain.settings, proposals=settings)
    target = Detector(tiny_compact, plain.classifier, settings=shown).propose(picture)[0]
    shot = plain.embedder.embed_sample(picture, target.mask)[None]
    detector = Detector(tiny_compact, plain.classifier.with_class("disc", shot), {"disc": 0.999}, shown)
    found = detector.detect(picture)
    assert [one.label for one in found][:1] == ["disc"]
    assert found[0].mask == target.mask
    assert found[0].score == pytest.approx(target.iou, abs=0.02)


def test_detecting_encodes_the_picture_once(
    make_compact: Callable[..., PromptableModel], make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_compact()
    calls: list[Tensor] = []
    encode_input = model.encode_input

    def counted(pixels: Tensor, size: tuple[int, int]) -> Features:
        calls.append(pixels)
        return encode_input(pixels, size)

    monkeypatch.setattr(model, "encode_input", counted)
    proposals = ProposalSettings(GridSettings(points_per_side=3, predicted_iou=0, stability=0))
    detector = Detector(model, CosineClassifier(432), settings=DetectorSettings(proposals))
    detector.detect(make_picture())
    assert len(calls) == 1


def test_misuse_is_told(tiny_compact: PromptableModel, detector: Detector, make_picture: MakePicture) -> None:
    with pytest.raises(UsageError, match="threshold for 'screw', which is no class; known: bolt, nut"):
        Detector(tiny_compact, detector.classifier, {"screw": 0.5})
    with pytest.raises(UsageError, match=r"width 5, tiny-compact gives 432.*classes rebuild"):
        Detector(tiny_compact, CosineClassifier(5))
    with pytest.raises(UsageError, match=r"in 0\.\.1, got 1\.5"):
        DetectorSettings(any_class_iou=1.5)
    untrained = PromptableModel(tiny_compact.net, replace(tiny_compact.card, trained=frozenset()))
    with pytest.raises(UsageError, match="needs a trained mask decoder"):
        Detector(untrained, detector.classifier).detect(make_picture())
