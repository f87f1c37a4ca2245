"""Pictures, masks and annotations in and out."""

from kiridashi.data.annotations import LabelledMask, read_annotations
from kiridashi.data.masks import label_mask, read_label_map, read_mask, write_mask
from kiridashi.data.pictures import read_picture, write_picture
from kiridashi.data.raster import MAX_PIXELS
from kiridashi.data.reference_masks import read_reference_mask
from kiridashi.data.targets import Target, find_targets

__all__ = [
    "MAX_PIXELS",
    "LabelledMask",
    "Target",
    "find_targets",
    "label_mask",
    "read_annotations",
    "read_label_map",
    "read_mask",
    "read_picture",
    "read_reference_mask",
    "write_mask",
    "write_picture",
]
