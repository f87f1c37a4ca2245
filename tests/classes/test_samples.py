import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.classes.samples import MOST_SAMPLES, Marked, Unusable, find_labelled, gather
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture

SQUARE = [[2, 2, 8, 2, 8, 8, 2, 8]]
OTHER = [[10, 2, 14, 2, 14, 6, 10, 6]]


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mask(path: Path, *, empty: bool = False, size: tuple[int, int] = (12, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size, np.uint8)
    pixels[2:8, 2:8] = 0 if empty else 255
    Image.fromarray(pixels).save(path)
    return path


def labelme(path: Path, *labels: str) -> None:
    points = np.array(SQUARE[0], float).reshape(-1, 2).tolist()
    shapes = [{"label": label, "points": points, "shape_type": "polygon"} for label in labels]
    path.write_text(json.dumps({"shapes": shapes, "imagePath": path.with_suffix(".png").name}))


def coco(path: Path, names: list[str]) -> Path:
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": SQUARE},
        {"id": 2, "image_id": 1, "category_id": 2, "segmentation": OTHER},
    ]
    images = [
        {"id": number, "file_name": name, "height": 12, "width": 16}
        for number, name in enumerate(names, start=1)
    ]
    categories = [{"id": 1, "name": "nut"}, {"id": 2, "name": "bolt"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.mark.parametrize(
    ("image", "marked"),
    [
        ("a.png", "a_mask.png"),
        ("a.jpg", "a-mask.png"),
        ("a.png", "a.mask.bmp"),
        ("a.png", "masks/a.png"),
        ("images/a.png", "masks/a.png"),
        ("images/a.png", "masks/a_mask.png"),
        ("deep/images/a.png", "deep/mask/a.png"),
    ],
)
def test_a_mask_is_found_beside_its_picture(tmp_path: Path, image: str, marked: str) -> None:
    picture(tmp_path / image)
    mask(tmp_path / marked)
    found = gather(tmp_path, "nut")
    assert [(one.picture.name, one.mask.area, one.label) for one in found.marked] == [
        (Path(image).name, 36, None)
    ]
    assert not found.unusable


def test_a_bad_sample_spoils_no_other(tmp_path: Path) -> None:
    for number, name in enumerate(("good", "blank", "small", "alone", "broken", "copy")):
        picture(tmp_path / f"{name}.png", 0 if name == "copy" else number)
    for name in ("good", "copy", "broken"):
        mask(tmp_path / f"{name}_mask.png")
    mask(tmp_path / "blank_mask.png", empty=True)
    mask(tmp_path / "small_mask.png", size=(6, 8))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = gather(tmp_path, "nut")
    assert len(found.marked) == 1
    told = {Path(one.file).name: one.reason for one in found.unusable}
    assert "blank_mask.png is empty" in told["blank.png"]
    assert "8 x 6" in told["small.png"]
    assert "there is no mask for it" in told["alone.png"]
    assert "broken.png" in told
    assert "given before" in told["good.png"]
    assert not any("\n" in reason for reason in told.values())


def test_pictures_without_a_mask_can_be_background(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", 1)
    mask(tmp_path / "b_mask.png")
    found = gather(tmp_path, None, unmarked=True)
    assert [one.name for one in found.unmarked] == ["a.png"]
    assert len(found.marked) == 1


def test_a_folder_of_labelme_files_gives_the_objects_of_the_class(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        picture(tmp_path / f"{name}.png", number)
    labelme(tmp_path / "a.json", "Nut", "bolt")
    labelme(tmp_path / "b.json", "bolt")
    labelme(tmp_path / "c.json")
    found = gather(tmp_path, "nut")
    assert [(one.picture.name, one.label) for one in found.marked] == [("a.png", "Nut")]
    reasons = {Path(one.file).name: one.reason for one in found.unusable}
    assert "no object is called 'nut'; it has: bolt" in reasons["b.png"]
    assert "marks no object" in reasons["c.png"]
    # One file alone.
    assert len(gather(tmp_path / "a.json", "bolt").marked) == 1


@pytest.mark.parametrize("where", ["instances.json", ""])
def test_a_coco_file_or_a_folder_with_one(tmp_path: Path, where: str) -> None:
    picture(tmp_path / "a.png")
    coco(tmp_path / "instances.json", ["a.png", "gone.png"])
    assert [one.mask.area for one in gather(tmp_path / where, "bolt").marked] == [16]
    with pytest.raises(InputError, match="no object is called 'screw'; it has: bolt, nut"):
        gather(tmp_path / where, "screw")


def test_a_coco_file_whose_picture_is_gone(tmp_path: Path) -> None:
    coco(tmp_path / "instances.json", ["a.png"])
    with pytest.raises(InputError, match=r"no sample there can be used.*a\.png"):
        gather(tmp_path / "instances.json", "nut")


def test_a_set_whose_meta_file_names_the_instances(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    numbers = np.zeros((12, 16), np.uint8)
    numbers[:4], numbers[6:9], numbers[11] = 1, 2, 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(numbers).save(tmp_path / "masks" / "a.png")
    meta = {"items": [{"id": "a", "instances": {"1": "nut", "2": "bolt"}}]}
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    assert [one.mask.area for one in gather(tmp_path, "bolt").marked] == [48]
    assert sorted(one.label or "" for one in find_labelled(tmp_path) if isinstance(one, Marked)) == [
        "bolt",
        "nut",
    ]


def test_what_cannot_be_samples_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        gather(tmp_path / "gone", "nut")
    (tmp_path / "list.txt").write_text("x")
    with pytest.raises(InputError, match="expected a picture with its mask beside it, a folder"):
        gather(tmp_path / "list.txt", "nut")
    (tmp_path / "full").mkdir()
    picture(tmp_path / "full" / "a.png")
    for name in ("one.json", "two.json"):
        coco(tmp_path / "full" / name, ["a.png"])
    with pytest.raises(UsageError, match=r"several annotation files \(one\.json, two\.json"):
        gather(tmp_path / "full", "nut")


def test_a_data_set_given_by_mistake_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    box = [{"id": n, "image_id": 1, "category_id": 1, "segmentation": [_box(n)]} for n in range(1, 210)]
    images = [{"id": 1, "file_name": "a.png", "height": 12, "width": 16}]
    document = {"images": images, "annotations": box, "categories": [{"id": 1, "name": "nut"}]}
    (tmp_path / "i.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=f"more than {MOST_SAMPLES} objects"):
        gather(tmp_path, "nut")


def _box(number: int) -> list[float]:
    x, y = number % 14, number // 14 % 10
    wide = 1 + number // 140
    return [x, y, x + wide, y, x + wide, y + 1, x, y + 1]


def test_a_folder_for_each_class_is_labelled_by_it(tmp_path: Path) -> None:
    for name in ("nut", "bolt"):
        picture(tmp_path / name / "a.png")
        mask(tmp_path / name / "a_mask.png")
    picture(tmp_path / "bolt" / "b.png", 1)
    found = list(find_labelled(tmp_path))
    assert [one.label for one in found if isinstance(one, Marked)] == ["bolt", "nut"]
    assert [Path(one.file).name for one in found if isinstance(one, Unusable)] == ["b.png"]
    # Mask pictures have no names, so that they say nothing of a class by themselves.
    (alone,) = find_labelled(tmp_path / "nut")
    assert isinstance(alone, Unusable)
    assert "which class" in alone.reason


def test_unmarked_pictures_are_never_labelled(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    assert not any(isinstance(one, Picture) for one in find_labelled(tmp_path))


def test_a_single_picture_with_its_mask_or_as_background(tmp_path: Path) -> None:
    one = picture(tmp_path / "a.png")
    assert [each.name for each in gather(one, None, unmarked=True).unmarked] == ["a.png"]
    with pytest.raises(InputError, match="there is no mask for it"):
        gather(one, "nut")
    mask(tmp_path / "a_mask.png")
    assert [each.mask.area for each in gather(one, "nut").marked] == [36]
