"""The benchmark's four sets, in the folders that PATNet's loaders expect.

    Deepglobe/{1..6}/test/origin/*.jpg          .../test/groundtruth/*.png    land cover
    ISIC/ISIC2018_Task1-2_Training_Input/{1,2,3}/*.jpg    skin lesions; or all in one folder with class_id.csv
         ISIC2018_Task1_Training_GroundTruth/*_segmentation.png
    LungSegmentation/CXR_png/*.png              .../masks/*_mask.png          chest X-rays
    FSS-1000/CLASS/*.jpg with *.png             test.txt beside the classes names those to use

The sets are not part of this package. A mask is inside from 128 on.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.data.files import check_file, unusable
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.episodes import MIN_PICTURES, Example

INSIDE_FROM = 128
ISIC_PICTURES, ISIC_MASKS, ISIC_CLASSES = (
    "ISIC2018_Task1-2_Training_Input",
    "ISIC2018_Task1_Training_GroundTruth",
    "class_id.csv",
)
FSS_SPLIT = "test.txt"
MAX_LIST_BYTES = 2**22

Pair = tuple[Path, Path]


@dataclass(frozen=True, eq=False)
class PairedFiles:
    """A set of which every picture has a binary mask of one class.

    Attributes:
        name: what reports call the set.
        pairs: by class and id the picture's file and its mask's.
    """

    name: str
    pairs: Mapping[str, Mapping[str, Pair]]

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the pictures of each class."""
        return {label: tuple(pairs) for label, pairs in self.pairs.items()}

    def read(self, name: str, label: str) -> Example:
        """The picture of an id and its mask.

        Raises:
            InputError: a file cannot be used, or the two differ in size.
        """
        picture_path, mask_path = self.pairs[label][name]
        picture = read_picture(picture_path)
        grey = Image.fromarray(read_picture(mask_path).pixels).convert("L")
        mask = Mask.from_array(np.asarray(grey) >= INSIDE_FROM)
        if mask.size != picture.size:
            raise SizeMismatchError(picture.size, mask.size, mask_path.name)
        return Example(picture, mask, Mask.empty(picture.size))


def deepglobe(folder: Path) -> PairedFiles | None:
    """Deepglobe land cover, cut into tiles; None when the folder is no such set."""
    tests = sorted(path.parent for path in folder.glob("*/test/origin"))
    found = {
        test.parent.name: _pairs(folder, test / "origin", ".jpg", test / "groundtruth", "") for test in tests
    }
    return _checked(folder, found) if found else None


def isic(folder: Path) -> PairedFiles | None:
    """ISIC 2018, tasks 1 and 2, training part; None when the folder is no such set."""
    pictures, masks = folder / ISIC_PICTURES, folder / ISIC_MASKS
    if not pictures.is_dir():
        return None
    classes = sorted(path for path in pictures.iterdir() if path.is_dir())
    found = {path.name: _pairs(folder, path, ".jpg", masks, "_segmentation") for path in classes}
    if not found:
        every = _pairs(folder, pictures, ".jpg", masks, "_segmentation")
        listed = _isic_classes(folder / ISIC_CLASSES)
        for name, pair in every.items():
            if pair[0].stem in listed:
                found.setdefault(listed[pair[0].stem], {})[name] = pair
        found = dict(sorted(found.items()))
    return _checked(folder, found)


def chest_xray(folder: Path) -> PairedFiles | None:
    """Lungs in chest X-rays; None when the folder is no such set."""
    pictures, masks = folder / "CXR_png", folder / "masks"
    if not (pictures.is_dir() and masks.is_dir()):
        return None
    # Some radiographs have no mask; some masks lack the suffix.
    pairs = _pairs(folder, pictures, ".png", masks, "_mask", complete=False)
    pairs |= _pairs(folder, pictures, ".png", masks, "", complete=False)
    return _checked(folder, {"lung": dict(sorted(pairs.items()))})


def fss1000(folder: Path) -> PairedFiles | None:
    """FSS-1000, the classes named in `test.txt` or all; None when the folder is no such set."""
    known = {path.name: path for path in sorted(folder.iterdir()) if _holds_pairs(path)}
    if not known:
        return None
    split = folder / FSS_SPLIT
    wanted = _names(split) if split.is_file() else list(known)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise unusable(split, f"names {len(missing)} classes that have no folder here, first {missing[0]!r}")
    return _checked(
        folder, {name: _pairs(folder, known[name], ".jpg", known[name], "") for name in sorted(wanted)}
    )


READERS: Mapping[str, Callable[[Path], PairedFiles | None]] = {
    "deepglobe": deepglobe,
    "isic": isic,
    "chest_xray": chest_xray,
    "fss1000": fss1000,
}


def _pairs(
    root: Path, pictures: Path, suffix: str, masks: Path, ending: str, *, complete: bool = True
) -> dict[str, Pair]:
    """Files with their masks by path below the root without suffix, in the order of their paths."""
    found, bare = {}, []
    for path in sorted(pictures.glob(f"*{suffix}")):
        mask = masks / f"{path.stem}{ending}.png"
        if mask.is_file():
            found[path.relative_to(root).with_suffix("").as_posix()] = (path, mask)
        else:
            bare.append(path.name)
    if bare and complete:
        raise InputError(f"{pictures}: {bare[0]} has no mask {Path(bare[0]).stem}{ending}.png in {masks}")
    return found


def _checked(folder: Path, found: dict[str, dict[str, Pair]]) -> PairedFiles:
    few = [label for label, pairs in found.items() if len(pairs) < MIN_PICTURES]
    if few or not found:
        what = f"class {few[0]!r} has fewer than {MIN_PICTURES} pictures with masks" if few else "no pictures"
        raise InputError(f"{folder}: {what}; an episode needs a query and a support")
    return PairedFiles(folder.resolve().name, found)


def _holds_pairs(path: Path) -> bool:
    return path.is_dir() and any(each.with_suffix(".png").is_file() for each in path.glob("*.jpg"))


def _names(path: Path) -> list[str]:
    check_file(path, MAX_LIST_BYTES)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _isic_classes(path: Path) -> dict[str, str]:
    """Picture to class, from the benchmark's list with the columns ID and Class."""
    check_file(path, MAX_LIST_BYTES)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"ID", "Class"} <= rows[0].keys():
        raise unusable(path, "expected a table with the columns ID and Class")
    return {row["ID"]: row["Class"] for row in rows if row["ID"] and row["Class"]}
