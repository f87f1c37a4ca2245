"""Pictures whose every instance has a class and a mask."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture


class Instance(NamedTuple):
    """One annotated object.

    Attributes:
        picture: id of its picture.
        number: of the instance, unique in its picture.
        label: its class.
        crowd: a region of many objects that nobody has told apart: never a shot, never missed.
    """

    picture: str
    number: int
    label: str
    crowd: bool = False


@dataclass(frozen=True, eq=False)
class MarkedPicture:
    """A picture with its truth.

    Attributes:
        picture: the picture.
        masks: of each instance, by number.
        ignore: pixels that do not count when a prediction is scored.
    """

    picture: Picture
    masks: Mapping[int, Mask]
    ignore: Mask


class InstanceSet(Protocol):
    """Pictures with instances, read when they are asked for."""

    @property
    def name(self) -> str:
        """What reports call the set."""
        ...

    @property
    def instances(self) -> Mapping[str, tuple[Instance, ...]]:
        """Those of each picture by its id; a picture may have none."""
        ...

    def read(self, picture: str) -> MarkedPicture:
        """The picture of an id with its truth.

        Raises:
            InputError: a file cannot be used.
        """
        ...


def labels_of(source: InstanceSet) -> tuple[str, ...]:
    """The classes that occur in a set, crowds aside, in alphabetical order."""
    return tuple(sorted({one.label for every in source.instances.values() for one in every if not one.crowd}))


def open_instances(path: Path, pictures: Path | None = None) -> InstanceSet:
    """A set on disk.

    Args:
        path: a folder with `images/`, `masks/` and `meta.json`, or a COCO instance file.
        pictures: folder of a COCO file's pictures; None: `images/` beside the file, or the file's own folder.

    Raises:
        UsageError: a folder of pictures for what has its own.
        InputError: there is no such set, or it cannot be used.
    """
    from kiridashi.evaluate.ifsis.coco_files import CocoInstances
    from kiridashi.evaluate.ifsis.folders import FolderInstances

    if not path.is_dir():
        beside = path.parent / "images"
        return CocoInstances(path, pictures or (beside if beside.is_dir() else path.parent))
    if pictures is not None:
        raise UsageError(f"{path} is a folder with pictures of its own; name no other one")
    return FolderInstances(path)
