from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from kiridashi.core.adapters import coco
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.localize.coarse import Look
from kiridashi.localize.gallery import Galleries
from kiridashi.localize.localizer import Localisation, Localizer
from kiridashi.localize.settings import PUBLISHED, LocaliseSettings
from kiridashi.models.catalogue import DEFAULT_MODEL
from kiridashi.models.grid import GridSettings
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel

SIZE = (96, 128)
SETTINGS = LocaliseSettings(points_per_side=4, side=28)


@dataclass(frozen=True, eq=False)
class Seer:
    """A network that has seen it all: it gives back one look."""

    classes: tuple[str, ...]
    seen: Look

    def look(self, picture: Picture) -> Look:
        return self.seen


def spot(row: float, column: float, radius: float = 3.5) -> NDArray[np.float32]:
    """A soft disc on a 14 x 14 map."""
    rows, columns = np.mgrid[:14, :14] + 0.5
    away = np.hypot(rows - row, columns - column)
    values: NDArray[np.float32] = np.clip(radius + 1 - away, 0, 1).astype(np.float32)
    return values


def seer(scores: dict[str, float], **maps: NDArray[np.float32]) -> Seer:
    nowhere = np.zeros((14, 14), np.float32)
    own = [maps.get(name, nowhere) for name in scores]
    return Seer(
        tuple(scores),
        Look(np.array(list(scores.values()), np.float32), np.max(own, axis=0), np.stack(own)),
    )


@pytest.fixture(scope="module")
def model() -> PromptableModel:
    return load_model(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def coins() -> Picture:
    """Two bright discs on dark ground, at the middle of each half."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    pixels = np.random.default_rng(0).integers(30, 60, (*SIZE, 3)).astype(np.uint8)
    for x, colour in ((32, (220, 180, 60)), (96, (70, 120, 230))):
        pixels[np.hypot(rows - 48, columns - x) <= 20] = colour
    return Picture(pixels, "coins")


def disc(x: int) -> Mask:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return Mask.from_array(np.hypot(rows - 48, columns - x) <= 20)


BOTH = seer({"gold": 0.9, "blue": 0.6, "none": 0.1}, gold=spot(7, 3.5, 2), blue=spot(7, 10.5, 2))
EACH = {"gold": 0.5, "blue": 0.5, "none": 0.5}


def test_each_class_present_gets_its_own_mask(model: PromptableModel, coins: Picture) -> None:
    found = Localizer(model, BOTH, SETTINGS, thresholds=EACH).predict(coins)
    assert [one.label for one in found.found] == ["gold", "blue"]
    assert found.choices[0].mask.iou(disc(32)) > 0.8
    assert found.choices[1].mask.iou(disc(96)) > 0.8
    assert found.verdict.present
    assert found.verdict.score == pytest.approx(0.9)
    assert found.verdict.threshold == 0.5
    assert found.candidates is not None
    assert found.candidates > 0
    assert found.scores == pytest.approx({"gold": 0.9, "blue": 0.6, "none": 0.1})


def test_the_segments_are_the_ones_that_reports_know(model: PromptableModel, coins: Picture) -> None:
    found = Localizer(model, BOTH, SETTINGS, thresholds=EACH).predict(coins)
    segments = found.segments
    assert [(each.label, round(each.score, 3)) for each in segments] == [("gold", 0.9), ("blue", 0.6)]
    assert segments.verdict == found.verdict
    assert segments.provenance["method"] == "pro2sam"
    assert segments.provenance["points"] == "4 x 4"
    names = coco.categories(found.classes)
    assert [each["category_id"] for each in coco.annotations(segments, 1, 1, names)] == [
        names["gold"],
        names["blue"],
    ]


def test_a_normal_picture_has_nothing_and_costs_no_gallery(
    model: PromptableModel, coins: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Galleries, "of", lambda *_: pytest.fail("a gallery for nothing"))
    normal = seer({"gold": 0.3, "blue": 0.4}, gold=spot(7, 3))
    found = Localizer(model, normal, SETTINGS, thresholds={"gold": 0.5, "blue": 0.45}).predict(coins)
    assert found.found == ()
    assert len(found.segments) == 0
    assert found.candidates is None
    assert not found.verdict.present
    # Blue is nearer to its threshold.
    assert found.verdict.score == pytest.approx(0.4)
    assert found.verdict.threshold == 0.45


def test_one_label_a_picture_takes_the_top_class_however_unsure(
    model: PromptableModel, coins: Picture
) -> None:
    unsure = seer({"blue": 0.2, "gold": 0.25}, gold=spot(7, 3.5, 2))
    found = Localizer(model, unsure, SETTINGS).predict(coins)
    assert [one.label for one in found.found] == ["gold"]
    assert found.verdict.present
    capped = Localizer(model, BOTH, replace(SETTINGS, several=False), thresholds=EACH).predict(coins)
    assert [one.label for one in capped.found] == ["gold"]


def test_the_guide_decides_which_map_is_matched(model: PromptableModel, coins: Picture) -> None:
    def masks(guide: str) -> list[Mask]:
        settings = LocaliseSettings.from_dict({**SETTINGS.to_dict(), "guide": guide})
        return [choice.mask for choice in Localizer(model, BOTH, settings).predict(coins).choices]

    # One class is present, so "auto" takes the map of all, which shows both discs.
    assert len(masks("auto")) == len(masks("map")) == 2
    for guide in ("class", "gated"):
        (mask,) = masks(guide)
        assert mask.iou(disc(32)) > 0.8


def test_a_class_that_is_asked_for_is_found_whatever_its_score(
    model: PromptableModel, coins: Picture
) -> None:
    localizer = Localizer(model, BOTH, replace(SETTINGS, guide="class"))
    found = localizer.find(coins, BOTH.seen, "blue")
    assert found.label == "blue"
    assert found.choices[0].mask.iou(disc(96)) > 0.8
    with pytest.raises(UsageError, match="no class is called 'green'"):
        localizer.find(coins, BOTH.seen, "green")


def test_a_present_class_without_a_place_keeps_the_whole_picture(
    model: PromptableModel, coins: Picture
) -> None:
    found = Localizer(model, seer({"gold": 0.9}), SETTINGS).predict(coins)
    (choice,) = found.choices
    assert choice.reason == "no place"
    assert choice.box == (0, 0, 128, 96)


def test_the_map_as_prompt_is_an_axis_of_its_own(
    model: PromptableModel, coins: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = seer({"gold": 0.9}, gold=spot(7, 3.5, 2))
    empty = Galleries(model, GridSettings(2, predicted_iou=0.999))
    drawn = Localizer(model, one, SETTINGS, galleries=empty).predict(coins)
    assert drawn.candidates == 0
    assert drawn.choices[0].source == "sharpened"
    assert drawn.choices[0].mask.iou(disc(32)) > 0.7
    monkeypatch.setattr("kiridashi.localize.localizer.sharpen", lambda *_: pytest.fail("drawn"))
    plain = Localizer(model, one, replace(SETTINGS, map_prompt=False), galleries=empty).predict(coins)
    assert plain.choices[0].reason == "no candidates"


def test_the_published_rules_give_one_mask(model: PromptableModel, coins: Picture) -> None:
    published = replace(PUBLISHED, points_per_side=4)
    (choice,) = Localizer(model, seer({"gold": 0.9}, gold=spot(7, 3.5, 2)), published).predict(coins).choices
    assert choice.source == "gallery"
    assert choice.mask.iou(disc(32)) > 0.6
    # Both discs at once can only be met by one mask of both, or by half of what the map shows.
    assert len(Localizer(model, BOTH, published).predict(coins).choices) == 1


def test_pixel_scores_put_the_mask_before_the_rest(model: PromptableModel, coins: Picture) -> None:
    found = Localizer(model, BOTH, SETTINGS).predict(coins)
    scores, inside = found.found[0].pixel_scores(), found.segments.union().to_array()
    assert scores.shape == SIZE
    assert scores[inside].min() >= 0.5 >= scores[~inside].max()
    assert 0 <= scores.min() < scores.max() <= 1
    assert len(np.unique(scores[inside])) > 5


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (500, 3)])
def test_pictures_of_any_shape(tiny_drawing: PromptableModel, size: tuple[int, int]) -> None:
    picture = Picture(np.random.default_rng(1).integers(0, 255, (*size, 3)).astype(np.uint8))
    found = Localizer(tiny_drawing, BOTH, replace(SETTINGS, points_per_side=2), thresholds=EACH).predict(
        picture
    )
    assert len(found.found) == 2
    assert all(not choice.mask.is_empty and choice.mask.size == size for choice in found.choices)


def same(one: Localisation, other: Localisation) -> bool:
    return [(c.mask, c.score, c.source) for c in one.choices] == [
        (c.mask, c.score, c.source) for c in other.choices
    ]


def test_equal_pictures_give_equal_answers(model: PromptableModel, coins: Picture) -> None:
    first = Localizer(model, BOTH, SETTINGS, thresholds=EACH).predict(coins)
    again = Localizer(model, BOTH, SETTINGS, thresholds=EACH).predict(Picture(coins.pixels.copy(), "copy"))
    assert same(first, again)


@pytest.mark.parametrize("thresholds", [{"gold": 0.5}, {**EACH, "green": 0.5}, {**EACH, "blue": 1.5}])
def test_thresholds_that_do_not_fit_are_refused(
    tiny_drawing: PromptableModel, thresholds: dict[str, float]
) -> None:
    with pytest.raises(UsageError, match="threshold"):
        Localizer(tiny_drawing, BOTH, thresholds=thresholds)


def test_a_look_or_galleries_of_something_else_are_refused(
    tiny_drawing: PromptableModel, tiny_compact: PromptableModel, make_picture: Callable[..., Picture]
) -> None:
    with pytest.raises(UsageError, match="another model"):
        Localizer(tiny_drawing, BOTH, galleries=Galleries(tiny_compact))
    with pytest.raises(UsageError, match="1 scores for 3 classes"):
        Localizer(tiny_drawing, BOTH).decide(make_picture(), seer({"gold": 1.0}).seen)
