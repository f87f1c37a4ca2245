from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.cache_folder import trim
from kiridashi.localize import gallery as module
from kiridashi.localize.gallery import MOST_IN_MEMORY, Galleries, pack, unpack
from kiridashi.models.fingerprint import encoder_fingerprint, model_fingerprint
from kiridashi.models.grid import Gallery, GridSettings
from kiridashi.models.grid import gallery as grid_gallery
from kiridashi.models.promptable import PromptableModel

MakePicture = Callable[..., Picture]
# Random weights make unsteady masks of low predicted IoU; some must stay.
GRID = GridSettings(3, predicted_iou=0.0, stability=0.01)


@pytest.fixture(scope="module")
def model(make_compact: Callable[..., PromptableModel]) -> PromptableModel:
    return make_compact(128, seed=8)


def assert_equal(one: Gallery, other: Gallery) -> None:
    assert one.size == other.size
    assert one.masks == other.masks
    assert one.decoded == other.decoded
    assert torch.equal(one.tokens, other.tokens)
    for name in ("predicted_iou", "stability", "points"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_kept_gallery_equals_a_fresh_one(
    tmp_path: Path, model: PromptableModel, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = make_picture()
    fresh = Galleries(model, GRID, tmp_path).of(picture)
    assert len(fresh.masks) >= 2
    path = Galleries(model, GRID, tmp_path).path(picture)
    assert path is not None
    assert path.is_file()
    monkeypatch.setattr(module, "gallery", lambda *_: pytest.fail("decoded twice"))
    assert_equal(Galleries(model, GRID, tmp_path).of(picture), fresh)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_without_a_cache_the_last_few_are_remembered(
    model: PromptableModel, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    galleries = Galleries(model, GridSettings(1))
    made: list[tuple[int, int]] = []
    build = grid_gallery

    def count(*given: object) -> Gallery:
        made.append((0, 0))
        return build(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "gallery", count)
    pictures = [make_picture(seed=seed) for seed in range(MOST_IN_MEMORY + 1)]
    assert galleries.of(pictures[0]) is galleries.of(pictures[0])
    assert galleries.path(pictures[0]) is None
    assert len(made) == 1
    for picture in pictures[1:]:
        galleries.of(picture)
    galleries.of(pictures[-1])
    assert len(made) == len(pictures)
    galleries.of(pictures[0])
    assert len(made) == len(pictures) + 1


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x00" * 100])
def test_a_damaged_file_is_made_anew(
    tmp_path: Path, model: PromptableModel, make_picture: MakePicture, content: bytes
) -> None:
    picture = make_picture()
    fresh = Galleries(model, GRID, tmp_path).of(picture)
    path = Galleries(model, GRID, tmp_path).path(picture)
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(content or whole[: len(whole) // 2])
    assert_equal(Galleries(model, GRID, tmp_path).of(picture), fresh)
    assert path.read_bytes() == whole


def test_a_file_that_is_far_too_large_is_not_read(
    tmp_path: Path, model: PromptableModel, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = make_picture()
    Galleries(model, GRID, tmp_path).of(picture)
    monkeypatch.setattr(module, "LARGEST_FILE", 10)
    monkeypatch.setattr(module, "unpack", lambda *_: pytest.fail("read"))
    assert Galleries(model, GRID, tmp_path).of(picture).masks


def made_up() -> Gallery:
    full = np.zeros((2, 20, 30), bool)
    full[0, 3:9, 4:11], full[1, 15:, 25:] = True, True
    full[0, 5, 6] = False
    masks = tuple(Mask.from_array(each) for each in full)
    return Gallery(
        (20, 30), masks, torch.ones(2, 4), np.array([0.9, 0.8]), np.ones(2), np.array([[5.0, 5], [26, 16]]), 9
    )


def test_packing_keeps_everything_and_an_empty_gallery_too() -> None:
    assert_equal(unpack(pack(made_up()), (20, 30)), made_up())
    none = Gallery((20, 30), (), torch.empty(0, 4), np.empty(0), np.empty(0), np.empty((0, 2)), 9)
    assert_equal(unpack(pack(none), (20, 30)), none)


def test_a_gallery_of_another_picture_is_refused() -> None:
    with pytest.raises(InputError):
        unpack(pack(made_up()), (20, 31))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("boxes", torch.tensor([[4, 3, 11, 9], [25, 15, 31, 20]])),
        ("boxes", torch.tensor([[4, 3, 11, 9], [-1, 15, 4, 20]])),
        ("boxes", torch.tensor([[4, 3, 11, 9], [24, 15, 29, 20], [0, 0, 1, 1]])),
        ("boxes", torch.tensor([[4, 3, 11, 9], [25, 15, 2**40, 20]])),
        ("boxes", torch.tensor([[3, 3, 11, 9], [25, 15, 30, 20]])),
        ("ends", torch.tensor([9**6, 9**7])),
        ("ends", torch.tensor([0, 1])),
        ("counts", torch.zeros(400, dtype=torch.uint8)),
        ("counts", torch.ones(400)),
        ("tokens", torch.full((2, 4), torch.nan)),
        ("tokens", torch.ones(3, 4)),
        ("predicted_iou", torch.tensor([0.9, torch.inf], dtype=torch.float64)),
        ("stability", torch.ones(2, 2, dtype=torch.float64)),
        ("points", torch.ones(2, 3, dtype=torch.float64)),
        ("points", torch.ones(2, 2)),
        ("facts", torch.tensor([20, 30])),
    ],
)
def test_a_file_that_lies_is_refused(name: str, value: Tensor) -> None:
    parts = load(pack(made_up()))
    assert name in parts
    with pytest.raises(InputError, match=r"damaged|run lengths"):
        unpack(save({**parts, name: value}), (20, 30))


def test_a_file_without_a_part_is_refused() -> None:
    parts = load(pack(made_up()))
    del parts["boxes"]
    with pytest.raises(InputError, match="damaged"):
        unpack(save(parts), (20, 30))


def test_a_run_that_does_not_fill_its_box_is_refused() -> None:
    found = made_up()
    bitmap = np.ones((4, 4), bool)
    bitmap[0] = False
    loose = replace(found, masks=(Mask(bitmap, (0, 0), found.size), found.masks[1]))
    with pytest.raises(InputError, match="fill its box"):
        unpack(pack(loose), found.size)


def test_the_key_names_all_that_decides(
    model: PromptableModel, make_picture: MakePicture, make_compact: Callable[..., PromptableModel]
) -> None:
    picture = make_picture()
    key = Galleries(model, GRID).key(picture)
    assert Galleries(model, replace(GRID, batch=3)).key(picture) == key
    assert Galleries(PromptableModel(model.net, replace(model.card, name="other")), GRID).key(picture) == key
    others = [
        Galleries(model, GRID).key(make_picture(seed=1)),
        Galleries(model, replace(GRID, points_per_side=4)).key(picture),
        Galleries(model, replace(GRID, stability=0.02)).key(picture),
        Galleries(model, replace(GRID, predicted_iou=0.1)).key(picture),
        Galleries(model, replace(GRID, box_iou=0.6)).key(picture),
        Galleries(model, replace(GRID, stability_offset=0.5)).key(picture),
        Galleries(model, replace(GRID, skip_covered=True)).key(picture),
        Galleries(make_compact(128, seed=9), GRID).key(picture),
    ]
    assert len({key, *others}) == len(others) + 1


def test_another_decoder_on_the_same_encoder_has_another_fingerprint(
    make_compact: Callable[..., PromptableModel],
) -> None:
    one, other = make_compact(128, seed=3), make_compact(128, seed=3)
    assert model_fingerprint(one) == model_fingerprint(other)
    with torch.no_grad():
        other.net.mask_decoder.iou_token.weight += 1
    assert encoder_fingerprint(one) == encoder_fingerprint(other)
    assert model_fingerprint(one) != model_fingerprint(other)
    drawing = PromptableModel(one.net, replace(one.card, draws_prompts=True))
    assert model_fingerprint(one) != model_fingerprint(drawing)


def test_the_cache_folder_bounds_it(
    tmp_path: Path, model: PromptableModel, make_picture: MakePicture
) -> None:
    galleries = Galleries(model, GridSettings(1), tmp_path)
    for seed in range(3):
        galleries.of(make_picture(seed=seed))
    files = list((tmp_path / "galleries").iterdir())
    assert len(files) == 3
    trim(tmp_path, max(path.stat().st_size for path in files))
    assert len(list((tmp_path / "galleries").iterdir())) == 1


def test_an_untrained_decoder_is_refused(model: PromptableModel, make_picture: MakePicture) -> None:
    untrained = PromptableModel(model.net, replace(model.card, trained=frozenset({"image_encoder"})))
    with pytest.raises(UsageError, match="mask decoder"):
        Galleries(untrained).of(make_picture())


def test_masks_without_a_pixel_are_left_out(
    model: PromptableModel, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made_up()
    monkeypatch.setattr(
        module, "gallery", lambda *_: replace(found, masks=(Mask.empty(found.size), found.masks[1]))
    )
    left = Galleries(model).of(make_picture((20, 30)))
    assert left.masks == found.masks[1:]
    assert left.predicted_iou.tolist() == [0.8]
    assert left.points.tolist() == [[26, 16]]
