"""A data set in COCO's format, picture by picture."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import LabelledMask, coco
from kiridashi.data.annotations.document import read_document, records
from kiridashi.data.files import unusable
from kiridashi.data.pictures import read_picture

# The instances of COCO 2014's training split are a file of 450 MB.
MAX_BYTES = 2 << 30


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture with everything that is marked in it.

    Attributes:
        picture: as read.
        objects: never empty ones; one of each instance.
        unknown: (regions that are neither object nor background, as COCO's crowds), or empty.
    """

    picture: Picture
    objects: tuple[LabelledMask, ...]
    unknown: Mask


class InstanceSet(Protocol):
    """A numbered collection of samples.

    Attributes:
        digest: equal ones hold equal samples.
    """

    digest: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class CocoSet:
    """The pictures of a COCO file that have at least one outlined object.

    The file is read once; a picture is read when it is asked for.

    Args:
        path: of the annotations.
        pictures: folder that `file_name` starts from.

    Attributes:
        digest: SHA-256 of the annotations.

    Raises:
        InputError: the file cannot be used, or marks no objects.
    """

    def __init__(self, path: str | Path, pictures: str | Path) -> None:
        self.path, self.folder = Path(path), Path(pictures)
        document = read_document(self.path, MAX_BYTES)
        self._categories = records(document, "categories", self.path)
        self._marks: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for mark in records(document, "annotations", self.path):
            if mark.get("segmentation"):
                self._marks[_key(mark.get("image_id"))].append(mark)
        images = records(document, "images", self.path)
        self._images = [image for image in images if self._has_objects(image)]
        if not self._images:
            raise unusable(self.path, "no picture in it has an object with an outline and a category")
        content = json.dumps([self._categories, self._images, sorted(self._marks.items(), key=str)])
        self.digest = hashlib.sha256(content.encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        """The sample of a number.

        Raises:
            InputError: the picture or its outlines cannot be used.
            SizeMismatchError: the picture has another size than its outlines are for.
        """
        image = self._images[index]
        picture = read_picture(self._place(image))
        marks = self._marks[_key(image["id"])]
        crowds = self._masks(image, picture, [mark for mark in marks if mark.get("iscrowd")])
        objects = self._masks(image, picture, [mark for mark in marks if not mark.get("iscrowd")])
        unknown = Mask.empty(picture.size)
        for crowd in crowds:
            unknown = unknown | crowd.mask
        return Sample(picture, tuple(objects), unknown)

    def _has_objects(self, image: dict[str, Any]) -> bool:
        return any(not mark.get("iscrowd") for mark in self._marks.get(_key(image.get("id")), ()))

    def _place(self, image: dict[str, Any]) -> Path:
        name = image.get("file_name")
        place = self.folder / str(name)
        # An annotation file from elsewhere must not make us read outside of the folder.
        if not isinstance(name, str) or not place.resolve().is_relative_to(self.folder.resolve()):
            raise unusable(self.path, f"file_name {name!r} is no picture inside {self.folder}")
        return place

    def _masks(
        self, image: dict[str, Any], picture: Picture, marks: Sequence[dict[str, Any]]
    ) -> list[LabelledMask]:
        # Only this picture's part of the document: looking it up in all of COCO takes seconds a picture.
        part = {"images": [image], "annotations": list(marks), "categories": self._categories}
        return coco.masks(part, self.path, picture)


def _key(number: Any) -> Any:
    return number if isinstance(number, int | str) else repr(number)


def first_problem(dataset: InstanceSet) -> None:
    """Look at the first sample, so that a wrong folder is told before any work is done.

    Raises:
        InputError: the data set is empty or the sample cannot be used.
    """
    if not len(dataset):
        raise InputError("there is no picture to train on; name a data set with outlined objects")
    dataset[0]
