from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.data.masks import label_mask, read_label_map, read_mask, write_mask

SHAPE = np.zeros((16, 24), bool)
SHAPE[4:12, 5:17] = True
SHAPE[6, 7] = False
EXPECTED = Mask.from_array(SHAPE)


def save(path: Path, array: NDArray[Any], **options: Any) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize(
    "values",
    [
        SHAPE,
        SHAPE * np.uint8(255),
        SHAPE * np.uint8(1),
        SHAPE * np.uint16(40_000),
        np.where(SHAPE, 3, 0).astype(np.uint8),
        np.dstack([SHAPE * np.uint8(255)] * 3),
        np.dstack([SHAPE * np.uint8(0), SHAPE * np.uint8(9), SHAPE * np.uint8(0)]),
        np.dstack([SHAPE * np.uint8(255)] * 3 + [np.full(SHAPE.shape, 255, np.uint8)]),
        np.dstack([SHAPE * np.uint8(255), np.full(SHAPE.shape, 255, np.uint8)]),
    ],
    ids=["1-bit", "0/255", "0/1", "16-bit", "0/3", "RGB", "one channel", "RGB + opaque", "grey + opaque"],
)
def test_any_non_zero_value_is_inside(tmp_path: Path, values: NDArray[Any]) -> None:
    assert read_mask(save(tmp_path / "mask.png", values)) == EXPECTED


@pytest.mark.parametrize("colour", [0, 255])
def test_an_alpha_channel_that_varies_is_the_mask(tmp_path: Path, colour: int) -> None:
    alpha = np.where(SHAPE, 200, 90).astype(np.uint8)
    layers = [np.full(SHAPE.shape, colour, np.uint8)] * 3 + [alpha]
    assert read_mask(save(tmp_path / "mask.png", np.dstack(layers))) == EXPECTED


def test_palette_indices_count_and_not_colours(tmp_path: Path) -> None:
    image = Image.fromarray(SHAPE.astype(np.uint8))
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png") == EXPECTED
    image.save(tmp_path / "clear.png", transparency=1)
    assert read_mask(tmp_path / "clear.png") == EXPECTED


def test_float_masks(tmp_path: Path) -> None:
    values = SHAPE.astype(np.float32) * 0.25
    values[0, 0] = np.nan
    assert read_mask(save(tmp_path / "mask.tif", values)) == EXPECTED


@pytest.mark.parametrize(("name", "options"), [("m.jpg", {"quality": 75}), ("m.webp", {"quality": 60})])
def test_lossy_noise_is_not_inside(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    block = np.zeros((64, 64), np.uint8)
    block[13:45, 21:50] = 255
    path = save(tmp_path / name, np.dstack([block] * 3), **options)
    with Image.open(path) as image:
        assert (np.asarray(image.convert("L"))[block == 0] != 0).any(), "the file has no noise to ignore"
    assert read_mask(path).iou(Mask.from_array(block)) > 0.97


def test_lossless_webp_keeps_small_values(tmp_path: Path) -> None:
    values = np.dstack([SHAPE * np.uint8(1)] * 3)
    assert read_mask(save(tmp_path / "m.webp", values, lossless=True)) == EXPECTED


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "mask.png", SHAPE * np.uint8(255), exif=exif)
    assert np.array_equal(read_mask(path).to_array(), np.rot90(SHAPE, -1))


def test_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", SHAPE)
    assert read_mask(path, (16, 24)) == EXPECTED
    with pytest.raises(SizeMismatchError, match="24 x 16") as caught:
        read_mask(path, (24, 16))
    assert "16 x 24" in str(caught.value)
    assert "mask.png" in str(caught.value)


def test_writing_and_reading_back(tmp_path: Path) -> None:
    for name, mask in (("a.png", EXPECTED), ("deep/empty.png", Mask.empty((5, 7)))):
        write_mask(tmp_path / name, mask)
        with Image.open(tmp_path / name) as image:
            assert image.mode == "L"
            assert set(np.unique(np.asarray(image))) <= {0, 255}
        assert read_mask(tmp_path / name, mask.size) == mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_label_maps_keep_their_numbers(tmp_path: Path, dtype: type[np.generic]) -> None:
    numbers = (np.arange(48).reshape(6, 8) % 7 * 30).astype(dtype)
    read = read_label_map(save(tmp_path / "labels.png", numbers))
    assert read.dtype == np.int32
    assert np.array_equal(read, numbers)
    assert np.array_equal(label_mask(read, 60).to_array(), numbers == 60)
    assert label_mask(read, 61).is_empty


def test_label_maps_of_palettes_and_equal_channels(tmp_path: Path) -> None:
    numbers = (np.arange(48).reshape(6, 8) % 5).astype(np.uint8)
    image = Image.fromarray(numbers)
    image.putpalette(list(range(15)))
    image.save(tmp_path / "palette.png")
    assert np.array_equal(read_label_map(tmp_path / "palette.png"), numbers)
    assert np.array_equal(read_label_map(save(tmp_path / "rgb.png", np.dstack([numbers] * 3))), numbers)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("a.jpg", np.zeros((8, 8), np.uint8), "lossy"),
        ("a.png", np.dstack([np.eye(8, dtype=np.uint8)] * 2 + [np.zeros((8, 8), np.uint8)]), "coloured"),
        ("a.tif", np.full((8, 8), 0.5, np.float32), "whole numbers"),
        ("b.tif", np.full((8, 8), np.inf, np.float32), "whole numbers"),
        ("c.tif", np.full((8, 8), -1, np.int32), "whole numbers"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path: Path, name: str, values: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_label_map(save(tmp_path / name, values))


@pytest.mark.data
def test_real_masks_fit_their_pictures(shared_data: Path) -> None:
    for path in sorted((shared_data / "neu_seg" / "masks").iterdir())[:5]:
        with Image.open(shared_data / "neu_seg" / "images" / f"{path.stem}.jpg") as image:
            size = (image.height, image.width)
        numbers = read_label_map(path)
        assert numbers.shape == size
        assert read_mask(path, size).area == (numbers != 0).sum() > 0
