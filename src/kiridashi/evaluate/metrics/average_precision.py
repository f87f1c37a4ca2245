"""COCO's mask average precision by class, computed by pycocotools."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kiridashi.core.mask import Mask

# What COCO counts of a picture.
MOST_DETECTIONS = 100
ANY_AREA = (0.0, 1e10)

Rle = Mapping[str, Any]


class Shape(NamedTuple):
    """A mask as pycocotools takes it."""

    rle: Rle
    area: int

    @classmethod
    def of(cls, mask: Mask) -> "Shape":
        """The shape of a mask."""
        return cls(mask.to_rle(), mask.area)


class Answer(NamedTuple):
    """One detection."""

    shape: Shape
    label: str
    score: float


class Target(NamedTuple):
    """One instance of the truth."""

    shape: Shape
    label: str
    crowd: bool


@dataclass(frozen=True)
class Precision:
    """Average precision of a class, 0..1.

    Attributes:
        ap: mean over the IoU thresholds 0.50, 0.55 ... 0.95.
        ap50: at 0.50.
    """

    ap: float
    ap50: float


def average_precision(
    pictures: Sequence[tuple[Sequence[Target], Sequence[Answer]]], labels: Sequence[str]
) -> dict[str, Precision]:
    """Precision by class; a class of which the truth has no instance is left out.

    Args:
        pictures: the truth and the detections of each.
        labels: the classes that count; targets and answers of others are left out.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    numbers = {label: number for number, label in enumerate(labels, start=1)}
    truth, answers = _documents(pictures, numbers)
    # It reports its progress on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_indexed(COCO(), truth), _indexed(COCO(), answers), "segm")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [list(ANY_AREA)], ["all"]
        evaluation.params.maxDets = [MOST_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    # (thresholds, recalls, classes); -1 where there is no instance.
    precision = evaluation.eval["precision"][..., 0, 0]
    found = {label: precision[:, :, place] for place, label in enumerate(labels)}
    return {
        label: Precision(float(np.mean(every)), float(np.mean(every[0])))
        for label, every in found.items()
        if every.max(initial=-1) > -1
    }


def _documents(
    pictures: Sequence[tuple[Sequence[Target], Sequence[Answer]]], numbers: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    truth: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for image, (targets, found) in enumerate(pictures, start=1):
        truth += [
            _record(image, numbers[one.label], one.shape, iscrowd=int(one.crowd))
            for one in targets
            if one.label in numbers
        ]
        answers += [
            _record(image, numbers[one.label], one.shape, score=one.score)
            for one in found
            if one.label in numbers
        ]
    shared = {
        # Sizes are asked for, but used for polygons only.
        "images": [{"id": image, "height": 0, "width": 0} for image in range(1, len(pictures) + 1)],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
    }
    both = (dict(shared, annotations=_numbered(every)) for every in (truth, answers))
    return next(both), next(both)


def _record(image: int, category: int, shape: Shape, **more: Any) -> dict[str, Any]:
    facts = {"image_id": image, "category_id": category, "segmentation": shape.rle, "area": shape.area}
    return {"iscrowd": 0, **facts, **more}


def _numbered(every: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "id": number} for number, one in enumerate(every, start=1)]


def _indexed(coco: Any, document: dict[str, Any]) -> Any:
    coco.dataset = document
    coco.createIndex()
    return coco
