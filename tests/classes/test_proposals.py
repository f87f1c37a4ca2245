from collections.abc import Callable

import pytest
import torch

from kiridashi.classes.embedding import Embedder
from kiridashi.classes.proposals import ProposalSettings, propose
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.models.grid import GridSettings, gallery
from kiridashi.models.promptable import PromptableModel

MakePicture = Callable[..., Picture]
ALL = GridSettings(points_per_side=4, predicted_iou=0, stability=0)
NONE = GridSettings(points_per_side=2, predicted_iou=1, stability=1)


def test_the_grid_proposes_each_of_its_masks_with_its_embedding(
    tiny_compact: PromptableModel, make_picture: MakePicture
) -> None:
    picture = make_picture()
    found = propose(tiny_compact, picture, ProposalSettings(ALL, least_area=1))
    seen = gallery(tiny_compact, tiny_compact.encode(picture), ALL)
    expected = {mask.area: iou for mask, iou in zip(seen.masks, seen.predicted_iou, strict=True) if mask.area}
    assert {one.mask.area for one in found} == set(expected)
    ious = [one.iou for one in found]
    assert ious == sorted(ious, reverse=True)
    assert all(0 <= iou <= 1 for iou in ious)
    embeddings = Embedder(tiny_compact).embed(picture, [one.mask for one in found])
    assert torch.equal(torch.stack([one.embedding for one in found]), embeddings)


def test_specks_are_no_proposals(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    every = propose(tiny_compact, make_picture(), ProposalSettings(ALL, least_area=1))
    areas = sorted(one.mask.area for one in every)
    limit = areas[len(areas) // 2] + 1
    fewer = propose(tiny_compact, make_picture(), ProposalSettings(ALL, least_area=limit))
    assert sorted(one.mask.area for one in fewer) == [area for area in areas if area >= limit]
    assert len(fewer) < len(every)


def test_nothing_proposed_is_no_error(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    assert propose(tiny_compact, make_picture(), ProposalSettings(NONE)) == []


def test_boxes_take_the_place_of_the_grid(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    boxes = ((10.0, 8.0, 50.0, 40.0), (0.0, 0.0, 20.0, 20.0))
    found = propose(tiny_compact, make_picture(), ProposalSettings(NONE, boxes, least_area=1))
    assert 1 <= len(found) <= 2
    assert all(one.embedding.norm().item() == pytest.approx(1, abs=1e-5) for one in found)


def test_another_model_proposes_and_the_compact_trunk_looks(
    tiny_sam2: PromptableModel, make_picture: MakePicture
) -> None:
    found = propose(tiny_sam2, make_picture(), ProposalSettings(ALL, least_area=1))
    assert found
    assert {tuple(one.embedding.shape) for one in found} == {(432,)}


def test_misuse_is_told(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    with pytest.raises(InputError, match="lies outside"):
        propose(tiny_compact, make_picture(), ProposalSettings(boxes=((200, 200, 210, 210),)))
    with pytest.raises(UsageError, match="1 pixel or more"):
        ProposalSettings(least_area=0)
