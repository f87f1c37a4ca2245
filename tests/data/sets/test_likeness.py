import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage import data

from kiridashi.core.errors import InputError
from kiridashi.data.sets.likeness import Look, alike, groups, look, near_pairs


def shots(folder: Path) -> dict[str, Look]:
    """A photograph, what cameras and editors make of it, another one, and two plain surfaces."""
    photo = Image.fromarray(data.astronaut()).resize((256, 256))
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=30)
    noise = np.random.default_rng(0).normal(128, 20, (2, 200, 200)).clip(0, 255).astype(np.uint8)
    made = {
        "photo": photo,
        "jpeg": Image.open(stream),
        "small": photo.resize((100, 100)),
        "bright": ImageEnhance.Brightness(photo).enhance(1.25),
        "cropped": photo.crop((3, 3, 253, 253)),
        "other": Image.fromarray(data.coffee()).resize((256, 256)),
        "rough": Image.fromarray(noise[0]),
        "rough too": Image.fromarray(noise[1]),
        "grey": Image.new("L", (50, 50), 100),
        "white": Image.new("L", (50, 50), 250),
    }
    found = {}
    for name, picture in made.items():
        picture.save(folder / f"{name}.png")
        found[name] = look(folder / f"{name}.png")
    return found


def test_what_looks_the_same_is_found_and_nothing_else(tmp_path: Path) -> None:
    seen = shots(tmp_path)
    names = list(seen)
    found = groups(len(names), list(near_pairs(list(seen.values()))))
    together = [[names[place] for place in group] for group in found if len(group) > 1]
    assert together == [["photo", "jpeg", "small", "bright", "cropped"]]


def test_plain_pictures_are_compared_by_their_grey(tmp_path: Path) -> None:
    seen = shots(tmp_path)
    assert not alike(seen["grey"], seen["white"])
    Image.new("L", (50, 50), 101).save(tmp_path / "near.png")
    assert alike(seen["grey"], look(tmp_path / "near.png"))


def test_equal_files_are_paired_in_a_chain(tmp_path: Path) -> None:
    for name in "abc":
        Image.new("L", (8, 8), 9).save(tmp_path / f"{name}.png")
    seen = [look(tmp_path / f"{name}.png") for name in "abc"]
    assert list(near_pairs(seen)) == [(0, 1), (0, 2)]


def test_groups_hold_together_what_pairs_join() -> None:
    assert groups(6, [(4, 1), (2, 4), (3, 5)]) == [[0], [1, 2, 4], [3, 5]]


def test_a_damaged_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        look(tmp_path / "a.png")
