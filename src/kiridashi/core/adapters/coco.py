"""Results as COCO instance annotations, ready for JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kiridashi.core.errors import UsageError
from kiridashi.core.segments import Segments

Record = dict[str, Any]


def categories(labels: Iterable[str]) -> dict[str, int]:
    """Category numbers from 1 on, by the labels in alphabetical order."""
    return {label: number for number, label in enumerate(sorted(set(labels)), start=1)}


def image(image_id: int, file_name: str, size: tuple[int, int]) -> Record:
    """The `images` entry of a picture of (height, width) `size`."""
    return {"id": image_id, "file_name": file_name, "width": int(size[1]), "height": int(size[0])}


def annotations(
    segments: Segments, image_id: int, first_id: int, categories: Mapping[str, int]
) -> list[Record]:
    """One annotation an object: compressed run lengths, x, y, width, height in pixels, area and score.

    Objects without a pixel are left out.

    Args:
        segments: the result of a picture.
        image_id: the picture's number in the document.
        first_id: number of the first annotation; the others follow without gaps.
        categories: number of every label.

    Raises:
        UsageError: a label has no number.
    """
    found = [segment for segment in segments if not segment.mask.is_empty]
    return [
        {
            "id": first_id + offset,
            "image_id": image_id,
            "category_id": _category(categories, segment.label),
            "segmentation": segment.mask.to_rle(),
            "bbox": _xywh(segment.mask.box),
            "area": segment.mask.area,
            "score": round(float(segment.score), 6),
            "iscrowd": 0,
        }
        for offset, segment in enumerate(found)
    ]


def document(
    images: Sequence[Record],
    annotations: Sequence[Record],
    categories: Mapping[str, int],
    info: Mapping[str, Any] | None = None,
) -> Record:
    """The whole file: `info`, `images`, `annotations` and `categories`."""
    return {
        "info": {"description": "Made with Kiridashi", **(info or {})},
        "licenses": [],
        "images": list(images),
        "annotations": list(annotations),
        "categories": [
            {"id": number, "name": label, "supercategory": "object"} for label, number in categories.items()
        ],
    }


def _category(categories: Mapping[str, int], label: str) -> int:
    if label not in categories:
        raise UsageError(f"no category number for the label {label!r}; known: {', '.join(categories)}")
    return categories[label]


def _xywh(box: tuple[int, int, int, int]) -> list[int]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]
