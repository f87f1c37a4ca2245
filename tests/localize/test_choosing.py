from dataclasses import replace

import numpy as np
import pytest
import torch

from kiridashi.core.mask import Mask
from kiridashi.localize.choosing import REMEMBERED, UNION_GAIN, Choice, Pool, choose, distinct, no_place
from kiridashi.localize.regions import Region, split_regions
from kiridashi.localize.settings import PUBLISHED, LocaliseSettings
from kiridashi.models.grid import Gallery

SIZE = (80, 100)
SETTINGS = LocaliseSettings(side=20, threshold=0.5, scaling="none", quality=0.0)
Box = tuple[int, int, int, int]
# Where the coarse map sees something, in pixels.
SEEN: Box = (20, 20, 60, 60)


def box(*boxes: Box) -> Mask:
    full = np.zeros(SIZE, bool)
    for x0, y0, x1, y1 in boxes:
        full[y0:y1, x0:x1] = True
    return Mask.from_array(full)


def seen(*boxes: Box, settings: LocaliseSettings = SETTINGS) -> list[Region]:
    values = np.zeros((20, 20), np.float32)
    for x0, y0, x1, y1 in boxes or (SEEN,):
        values[y0 // 4 : y1 // 4, x0 // 5 : x1 // 5] = 0.9
    return split_regions(values, SIZE, settings)


def pool(*masks: Mask, settings: LocaliseSettings = SETTINGS) -> Pool:
    count = len(masks)
    iou = np.linspace(0.9, 0.7, count)
    return Pool(
        Gallery(SIZE, masks, torch.zeros(count, 4), iou, np.ones(count), np.zeros((count, 2)), 4), settings
    )


def test_the_best_match_wins_whatever_its_predicted_iou() -> None:
    good = box((22, 20, 60, 62))
    choice = choose(seen()[0], pool(box((0, 0, 30, 30)), box((70, 60, 99, 79)), good), SETTINGS)
    assert choice.mask == good
    assert choice.box == (22, 20, 60, 62)
    assert (choice.source, choice.reason, choice.kept_coarse) == ("gallery", "best match", False)
    assert choice.candidates[0].mask is good
    assert choice.candidates[0].predicted_iou == pytest.approx(0.7)
    assert choice.score == choice.candidates[0].score > 0.7
    scores = [candidate.score for candidate in choice.candidates]
    assert scores == sorted(scores, reverse=True)


def test_a_poor_match_keeps_the_region_and_says_so() -> None:
    (region,) = seen()
    choice = choose(region, pool(box((0, 0, 30, 28))), SETTINGS)
    assert choice.mask is region.mask
    assert choice.box == region.mask.box
    assert (choice.source, choice.reason, choice.kept_coarse) == ("coarse", "poor match", True)
    assert 0 < choice.score < SETTINGS.least
    assert f"{choice.score:.2f}, below {SETTINGS.least:.2f}" in choice.why
    assert len(choice.candidates) == 1


def test_a_much_smaller_mask_keeps_the_region_and_says_so() -> None:
    settings = replace(SETTINGS, measure="inside-outside")
    part = box((30, 30, 44, 44))
    choice = choose(seen()[0], pool(part), settings)
    assert choice.candidates[0].mask is part
    assert choice.score > settings.least
    assert (choice.source, choice.reason) == ("coarse", "much smaller")
    assert "rather a part" in choice.why
    assert choose(seen()[0], pool(part), replace(settings, least_share=0.05)).mask == part


def test_an_empty_gallery_keeps_the_region() -> None:
    choice = choose(seen()[0], pool(), SETTINGS)
    assert (choice.source, choice.reason, choice.score) == ("coarse", "no candidates", 0.0)
    assert choice.candidates == ()


def test_the_published_rules_take_the_best_however_bad_and_never_the_whole_picture() -> None:
    whole, bad = box((0, 0, 100, 80)), box((0, 0, 25, 25))
    (region,) = seen(settings=PUBLISHED)
    choice = choose(region, pool(whole, bad, settings=PUBLISHED), PUBLISHED)
    assert choice.mask is bad
    assert choice.score < 0.1
    # A frame has the picture's box too.
    frame = box((0, 0, 100, 2), (0, 78, 100, 80), (0, 0, 2, 80), (98, 0, 100, 80))
    assert pool(whole, frame, settings=PUBLISHED).masks == []
    assert pool(whole, frame).masks == [whole, frame]


def test_parts_win_together_only_when_they_touch_and_beat_the_best_clearly() -> None:
    left, right = box((20, 20, 40, 60)), box((40, 20, 60, 60))
    choice = choose(seen()[0], pool(left, right), SETTINGS)
    assert choice.mask == box(SEEN)
    assert (choice.source, choice.reason) == ("gallery", "two masks")
    assert choice.candidates[0].joined
    assert choice.candidates[0].predicted_iou is None
    assert choice.score > choice.candidates[1].score + UNION_GAIN
    assert not any(
        each.joined for each in choose(seen()[0], pool(left, right, box(SEEN)), SETTINGS).candidates
    )
    alone = choose(seen()[0], pool(left, right), replace(SETTINGS, unions=False))
    assert alone.candidates[0].mask is left
    upper, lower = box((20, 20, 60, 36)), box((20, 48, 60, 60))
    assert not any(each.joined for each in choose(seen()[0], pool(upper, lower), SETTINGS).candidates)


def test_overlapping_parts_are_joined_too() -> None:
    left, right = box((20, 20, 45, 60)), box((35, 20, 60, 60))
    assert choose(seen()[0], pool(left, right), SETTINGS).mask == box(SEEN)


def test_the_decoders_own_answer_competes_by_its_score() -> None:
    rough, exact = box((20, 20, 50, 60)), box(SEEN)
    taken = choose(seen()[0], pool(rough), SETTINGS, exact)
    assert taken.mask == exact
    assert (taken.source, taken.reason) == ("sharpened", "sharpened")
    assert [each.source for each in taken.candidates] == ["sharpened", "gallery"]
    left = choose(seen()[0], pool(exact), SETTINGS, rough)
    assert left.source == "gallery"
    assert left.mask == exact
    assert choose(seen()[0], pool(), SETTINGS, exact).source == "sharpened"
    assert choose(seen()[0], pool(), SETTINGS, Mask.empty(SIZE)).reason == "no candidates"


def test_a_mask_that_the_decoder_is_sure_of_may_match_a_little_worse() -> None:
    sure, doubtful = box((20, 20, 60, 64)), box(SEEN)
    heard = replace(SETTINGS, quality=0.5)
    assert choose(seen()[0], pool(sure, doubtful), SETTINGS).mask == doubtful
    assert choose(seen()[0], pool(sure, doubtful), heard).mask == sure
    # The decoder's own answer is credited with less than the surest mask and more than the least sure one.
    assert choose(seen()[0], pool(sure), heard, doubtful).source == "gallery"
    rough = box((20, 20, 50, 60))
    assert choose(seen()[0], pool(box((0, 0, 9, 9)), rough), heard, doubtful).source == "sharpened"
    # Sureness alone does not win.
    assert choose(seen()[0], pool(box((70, 60, 99, 79)), doubtful), heard).mask == doubtful


def test_stray_pixels_do_not_move_the_box() -> None:
    stray = box(SEEN, (95, 75, 97, 77))
    assert choose(seen()[0], pool(stray), SETTINGS).box == SEEN
    published = choose(seen(settings=PUBLISHED)[0], pool(stray, settings=PUBLISHED), PUBLISHED)
    assert published.mask is stray
    assert published.box == SEEN


def test_each_region_gets_its_own_mask() -> None:
    here, there = (10, 12, 40, 40), (60, 48, 90, 72)
    masks = pool(box(here), box(there), box(here, there))
    regions = seen(here, there)
    assert {choose(region, masks, SETTINGS).box for region in regions} == {here, there}


def test_a_mask_elsewhere_is_no_candidate_however_sure_the_decoder_is() -> None:
    settings = replace(SETTINGS, quality=2.0, least_score=-1.0, least_share=0.0)
    sure, here = box((70, 62, 99, 79)), box((20, 20, 40, 40))
    (region,) = seen()
    choice = choose(region, pool(sure, here, settings=settings), settings)
    assert [each.mask for each in choice.candidates] == [here]
    alone = choose(region, pool(sure, settings=settings), settings)
    assert (alone.source, alone.reason) == ("coarse", "no candidates")


def test_the_number_of_candidates_is_bounded() -> None:
    many = [box((20 + step, 20, 60, 60)) for step in range(12)]
    choice = choose(seen()[0], pool(*many), SETTINGS)
    assert len(choice.candidates) == REMEMBERED
    assert pool(*many, settings=replace(SETTINGS, most_candidates=3)).masks == many[:3]


def test_two_regions_of_one_object_become_one() -> None:
    def choice(mask: Mask, weight: float) -> Choice:
        return replace(no_place(SIZE), mask=mask, weight=weight)

    light, heavy, other = (
        choice(box(SEEN), 0.2),
        choice(box((20, 20, 60, 58)), 0.5),
        choice(box((70, 0, 90, 9)), 0.3),
    )
    assert distinct([light, heavy, other], 0.7) == [heavy, other]
    assert distinct([light, heavy, other], 0.99) == [heavy, other, light]


def test_a_map_that_says_nothing_leaves_the_whole_picture() -> None:
    choice = no_place(SIZE)
    assert choice.box == (0, 0, 100, 80)
    assert choice.mask.coverage == 1
    assert (choice.source, choice.reason) == ("coarse", "no place")
