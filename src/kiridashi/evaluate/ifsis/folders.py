"""A folder of `images/`, `masks/` (maps of instance numbers) and `meta.json`, which names their classes.

`meta.json` holds `items`, each with an `id` (the stem of both files) and `instances` (number to class); the
number 255 is void in every map. It may hold a `suggested_incremental_split` of `base` and `novel` classes.
"""

from collections.abc import Mapping
from pathlib import Path

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.data.annotations.document import read_document, records
from kiridashi.data.files import unusable
from kiridashi.data.masks import label_mask, read_label_map
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.episodes import IGNORE
from kiridashi.evaluate.ifsis.instances import Instance, MarkedPicture
from kiridashi.evaluate.ifsis.splits import Split

SPLIT = "suggested_incremental_split"


class FolderInstances:
    """The instances of a folder.

    Attributes:
        name: of the folder.
        instances: by picture.
        split: that `meta.json` suggests; None when it suggests none.

    Raises:
        InputError: the folder lacks something, or `meta.json` is not as described.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name
        path = folder / "meta.json"
        document = read_document(path)
        self.instances: Mapping[str, tuple[Instance, ...]] = dict(
            _instances(item, path) for item in records(document, "items", path)
        )
        self.split = _split(document.get(SPLIT), path)
        self._pictures, self._masks = _by_stem(folder / "images"), _by_stem(folder / "masks")
        for name in self.instances:
            if name not in self._pictures or name not in self._masks:
                raise unusable(path, f"names {name!r}, but images/ and masks/ do not both have it")

    def read(self, picture: str) -> MarkedPicture:
        """The picture of an id with its truth.

        Raises:
            InputError: a file cannot be used, or an instance is nowhere in the mask.
        """
        seen, labels = read_picture(self._pictures[picture]), read_label_map(self._masks[picture])
        if labels.shape != seen.size:
            raise SizeMismatchError(seen.size, (labels.shape[0], labels.shape[1]), self._masks[picture].name)
        masks = {one.number: label_mask(labels, one.number) for one in self.instances[picture]}
        absent = [number for number, mask in masks.items() if mask.is_empty]
        if absent:
            raise unusable(self._masks[picture], f"instance {absent[0]} of meta.json has no pixel")
        return MarkedPicture(seen, masks, label_mask(labels, IGNORE))


def _instances(item: dict[str, object], path: Path) -> tuple[str, tuple[Instance, ...]]:
    name, named = item.get("id"), item.get("instances")
    if not isinstance(name, str) or not isinstance(named, dict):
        raise unusable(path, "an item has an `id` and `instances` (number to class)")
    if not all(number.isdecimal() and 0 < int(number) != IGNORE for number in named):
        raise unusable(path, f"{name}: instances are numbered from 1 on, without {IGNORE}")
    return name, tuple(Instance(name, int(number), str(label)) for number, label in named.items())


def _split(value: object, path: Path) -> Split | None:
    if value is None:
        return None
    try:
        base, novel = (tuple(map(str, value[side])) for side in ("base", "novel"))  # type: ignore[index]
    except (TypeError, KeyError) as error:
        raise unusable(path, f"`{SPLIT}` has the lists `base` and `novel`") from error
    return Split(base, novel)


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a set of instances holds images/, masks/ and meta.json")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}
