"""Results to and from supervision's `Detections`; supervision is not required otherwise."""

from typing import Any

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments


def to_detections(segments: Segments) -> Any:
    """A `supervision.Detections` with boxes, dense masks, confidences, class numbers and names.

    Class numbers are those of the labels in alphabetical order, from 0. The masks are a stack of
    (N, H, W) bool because supervision's annotators expect it: mind the memory of large results.

    Raises:
        ImportError: supervision is not installed.
    """
    supervision = _import_supervision()
    if not segments:
        return supervision.Detections.empty()
    labels = [segment.label for segment in segments]
    numbers = {label: number for number, label in enumerate(sorted(set(labels)))}
    return supervision.Detections(
        xyxy=np.array([segment.mask.box for segment in segments], dtype=np.float32),
        mask=np.stack([segment.mask.to_array() for segment in segments]),
        confidence=np.array([segment.score for segment in segments], dtype=np.float32),
        class_id=np.array([numbers[label] for label in labels]),
        data={"class_name": np.array(labels)},
    )


def from_detections(detections: Any, size: tuple[int, int]) -> Segments:
    """The masks of a `supervision.Detections` for a (height, width) picture, best first.

    Without masks the boxes are filled; without class names the class numbers are the labels; without
    confidences every score is 1.
    """
    count = len(detections)
    scores = detections.confidence if detections.confidence is not None else np.ones(count)
    names = detections.data.get("class_name")
    if names is None:
        names = detections.class_id if detections.class_id is not None else ["object"] * count
    items = [
        Segment(_mask(detections, index, size), float(scores[index]), str(names[index]))
        for index in range(count)
    ]
    return Segments(size, tuple(sorted(items, key=lambda segment: -segment.score)))


def _mask(detections: Any, index: int, size: tuple[int, int]) -> Mask:
    if detections.mask is not None:
        return Mask.from_array(detections.mask[index])
    full = np.zeros(size, dtype=bool)
    x0, y0, x1, y1 = np.rint(detections.xyxy[index]).astype(int).clip(0)
    full[y0:y1, x0:x1] = True
    return Mask.from_array(full)


def _import_supervision() -> Any:
    try:
        import supervision
    except ImportError as error:
        raise ImportError("this needs supervision; install it with: pip install supervision") from error
    return supervision
