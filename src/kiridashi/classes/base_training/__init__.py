"""Base training of the embedding head, and of the mask decoder if wanted, on sets of instances."""

from kiridashi.classes.base_training.base import BaseResult, Gain, train_base
from kiridashi.classes.base_training.coco_set import CocoSet, InstanceSet, Sample
from kiridashi.classes.base_training.gathering import Progress
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.head import Head, load_head

__all__ = [
    "BaseOptions",
    "BaseResult",
    "CocoSet",
    "Gain",
    "Head",
    "InstanceSet",
    "Progress",
    "Sample",
    "load_head",
    "train_base",
]
