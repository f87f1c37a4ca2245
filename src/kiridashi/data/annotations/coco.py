"""COCO instance files: polygons and run lengths, looked up by the picture's file name."""

import difflib
from pathlib import Path, PurePosixPath
from typing import Any

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations.document import records
from kiridashi.data.annotations.outlines import LabelledMask, fill, outline
from kiridashi.data.files import unusable


def masks(
    document: dict[str, Any], path: Path, picture: Picture, category: str | None = None
) -> list[LabelledMask]:
    """The masks of one picture in the order of the file; annotations with only a box are left out.

    The picture is found by its file name; where several entries share it, by the folders that
    `file_name` has in front. Crowd regions count as objects.

    Args:
        document: the file's content.
        path: the file, for messages; nothing that it names is opened.
        picture: the picture to look up.
        category: only this category's name (or number).

    Raises:
        SizeMismatchError: the entry gives another size than the picture has.
        InputError: wrong structure, or no entry for the picture or the category.
    """
    image = _find_image(records(document, "images", path), path, picture)
    _check_size(image, path, picture)
    names = _category_names(document, path)
    wanted = _wanted(names, category, path)
    found = []
    for annotation in records(document, "annotations", path):
        number = annotation.get("category_id")
        if annotation.get("image_id") != image["id"] or (wanted is not None and number not in wanted):
            continue
        mask = _mask(annotation.get("segmentation"), picture.size, path)
        if not mask.is_empty:
            found.append(LabelledMask(names.get(_key(number), str(number)), mask))
    return found


def _find_image(images: list[dict[str, Any]], path: Path, picture: Picture) -> dict[str, Any]:
    named = [(_folders(image.get("file_name")), image) for image in images if "id" in image]
    wanted = _folders(str(picture.path) if picture.path else picture.name)
    for fold in (str, str.casefold):
        matches = [(parts, image) for parts, image in named if parts and fold(parts[-1]) == fold(wanted[-1])]
        if len(matches) > 1:
            matches = [(parts, image) for parts, image in matches if wanted[-len(parts) :] == parts]
            longest = max((len(parts) for parts, _ in matches), default=0)
            matches = [(parts, image) for parts, image in matches if len(parts) == longest]
            if len(matches) != 1:
                raise unusable(path, f"several entries are named {wanted[-1]!r}; cannot tell which is meant")
        if matches:
            return matches[0][1]
    near = difflib.get_close_matches(wanted[-1], [parts[-1] for parts, _ in named if parts][:10_000], n=1)
    hint = f"; the nearest name is {near[0]!r}" if near else ""
    raise unusable(path, f"none of its {len(images)} images is named {wanted[-1]!r}{hint}")


def _folders(name: Any) -> tuple[str, ...]:
    """The parts of a file name written on any system; empty when it is none."""
    return PurePosixPath(name.replace("\\", "/")).parts if isinstance(name, str) else ()


def _check_size(image: dict[str, Any], path: Path, picture: Picture) -> None:
    height, width = image.get("height"), image.get("width")
    if type(height) is int and type(width) is int and (height, width) != picture.size:
        raise SizeMismatchError(picture.size, (height, width), f"{path.name} for {picture.name}")


def _category_names(document: dict[str, Any], path: Path) -> dict[int | str, str]:
    entries = records(document, "categories", path) if "categories" in document else []
    return {_key(entry.get("id")): str(entry.get("name")) for entry in entries}


def _key(number: Any) -> int | str:
    return number if isinstance(number, int | str) else repr(number)


def _wanted(names: dict[int | str, str], category: str | None, path: Path) -> list[int | str] | None:
    if category is None:
        return None
    wanted = [number for number, name in names.items() if name == category]
    wanted = wanted or [number for number in names if str(number) == category]
    if not wanted:
        known = ", ".join(sorted(names.values())[:20]) or "none"
        raise unusable(path, f"no category {category!r}; it has: {known}")
    return wanted


def _mask(segmentation: Any, size: tuple[int, int], path: Path) -> Mask:
    if not segmentation:
        return Mask.empty(size)
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, size, path)
    if not isinstance(segmentation, list):
        raise unusable(path, "a segmentation is a list of polygons or a run-length object")
    return fill([outline(polygon, size, path) for polygon in segmentation], size, path)


def _from_runs(rle: dict[str, Any], size: tuple[int, int], path: Path) -> Mask:
    if rle.get("size") != list(size):
        raise unusable(
            path, f"run lengths of size {str(rle.get('size'))[:40]} for a picture of size {list(size)}"
        )
    try:
        return Mask.from_rle(rle)
    except InputError as error:
        raise unusable(path, str(error)) from error
