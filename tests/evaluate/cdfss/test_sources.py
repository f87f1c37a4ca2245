from collections.abc import Callable
from pathlib import Path

import pytest

from kiridashi.core.errors import InputError
from kiridashi.evaluate.cdfss.sources import chest_xray, deepglobe, fss1000, isic

WritePair = Callable[..., None]


def test_deepglobe(tmp_path: Path, write_pair: WritePair) -> None:
    for label in "12":
        test = tmp_path / "Deepglobe" / label / "test"
        for name in ("7_sat_1", "10_sat_2"):
            write_pair(test / "origin" / f"{name}.jpg", test / "groundtruth" / f"{name}.png")
    found = deepglobe(tmp_path / "Deepglobe")
    assert found is not None
    assert found.classes["1"] == ("1/test/origin/10_sat_2", "1/test/origin/7_sat_1")
    example = found.read("2/test/origin/7_sat_1", "2")
    assert (example.picture.size, example.mask.box) == ((20, 30), (5, 4, 16, 15))


def test_masks_are_inside_from_128_on(tmp_path: Path, write_pair: WritePair) -> None:
    test = tmp_path / "1" / "test"
    for name, value in (("a", 127), ("b", 128)):
        write_pair(test / "origin" / f"{name}.jpg", test / "groundtruth" / f"{name}.png", value=value)
    found = deepglobe(tmp_path)
    assert found is not None
    areas = [found.read(name, "1").mask.area for name in found.classes["1"]]
    assert areas == [0, 81]


@pytest.mark.parametrize("sorted_into_folders", [True, False])
def test_isic(tmp_path: Path, write_pair: WritePair, sorted_into_folders: bool) -> None:
    classes = {"ISIC_1": "nevus", "ISIC_2": "melanoma", "ISIC_3": "nevus", "ISIC_4": "melanoma"}
    for name, label in classes.items():
        pictures = tmp_path / "ISIC2018_Task1-2_Training_Input"
        pictures = pictures / label if sorted_into_folders else pictures
        masks = tmp_path / "ISIC2018_Task1_Training_GroundTruth"
        write_pair(pictures / f"{name}.jpg", masks / f"{name}_segmentation.png")
    if not sorted_into_folders:
        rows = "".join(f"{name},{label}\n" for name, label in classes.items())
        (tmp_path / "class_id.csv").write_text(f"ID,Class\n{rows}")
    found = isic(tmp_path)
    assert found is not None
    assert {label: [name[-6:] for name in names] for label, names in found.classes.items()} == {
        "melanoma": ["ISIC_2", "ISIC_4"],
        "nevus": ["ISIC_1", "ISIC_3"],
    }


def test_isic_names_what_is_wrong_with_its_list(tmp_path: Path, write_pair: WritePair) -> None:
    pictures, masks = "ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"
    write_pair(tmp_path / pictures / "a.jpg", tmp_path / masks / "a_segmentation.png")
    with pytest.raises(InputError, match=r"class_id\.csv"):
        isic(tmp_path)
    (tmp_path / "class_id.csv").write_text("name,kind\na,nevus\n")
    with pytest.raises(InputError, match="columns ID and Class"):
        isic(tmp_path)


def test_chest_xray_passes_over_pictures_without_a_mask(tmp_path: Path, write_pair: WritePair) -> None:
    for name, ending in (("A_1", "_mask"), ("A_2", "_mask"), ("B_3", "")):
        write_pair(tmp_path / "CXR_png" / f"{name}.png", tmp_path / "masks" / f"{name}{ending}.png")
    write_pair(tmp_path / "CXR_png" / "C_4.png", tmp_path / "elsewhere" / "C_4.png")
    found = chest_xray(tmp_path)
    assert found is not None
    assert found.classes == {"lung": ("CXR_png/A_1", "CXR_png/A_2", "CXR_png/B_3")}


def test_fss1000_takes_the_classes_of_its_split(tmp_path: Path, write_pair: WritePair) -> None:
    for label in ("apple", "bus", "crab"):
        for name in ("1", "2", "10"):
            write_pair(tmp_path / label / f"{name}.jpg", tmp_path / label / f"{name}.png")
    every = fss1000(tmp_path)
    (tmp_path / "test.txt").write_text("crab\napple\n")
    some = fss1000(tmp_path)
    assert every is not None
    assert some is not None
    assert list(every.classes) == ["apple", "bus", "crab"]
    assert some.classes["crab"] == ("crab/1", "crab/10", "crab/2")
    assert list(some.classes) == ["apple", "crab"]
    (tmp_path / "test.txt").write_text("crab\nunicorn\n")
    with pytest.raises(InputError, match="unicorn"):
        fss1000(tmp_path)


def test_other_folders_are_no_such_set(tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    assert [reader(tmp_path) for reader in (deepglobe, isic, chest_xray, fss1000)] == [None] * 4


def test_a_missing_mask_and_a_lonely_picture_are_named(tmp_path: Path, write_pair: WritePair) -> None:
    write_pair(tmp_path / "1/test/origin/a.jpg", tmp_path / "1/test/groundtruth/a.png")
    with pytest.raises(InputError, match="fewer than 2"):
        deepglobe(tmp_path)
    write_pair(tmp_path / "1/test/origin/b.jpg", tmp_path / "b.png")
    with pytest.raises(InputError, match=r"b\.jpg has no mask"):
        deepglobe(tmp_path)
