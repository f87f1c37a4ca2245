"""A COCO instance file and the folder of its pictures."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.data.annotations.document import read_document, records
from kiridashi.data.annotations.outlines import fill, outline
from kiridashi.data.files import unusable
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.ifsis.instances import Instance, MarkedPicture

# The instances of COCO's training part are half of it.
MAX_BYTES = 2**30


class CocoInstances:
    """The instances of a COCO file; annotations without an outline are left out.

    Attributes:
        name: of the file.
        instances: by the number of the picture, as text.

    Args:
        path: the file.
        folder: of its pictures; nothing outside of it is opened.

    Raises:
        InputError: the file cannot be used.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.name = path.stem
        self._path, self._folder = path, folder
        document = read_document(path, MAX_BYTES)
        names = {one.get("id"): str(one.get("name")) for one in records(document, "categories", path)}
        self._files = {
            str(image.get("id")): str(image.get("file_name")) for image in records(document, "images", path)
        }
        found: dict[str, list[Instance]] = defaultdict(list)
        self._outlines: dict[tuple[str, int], Any] = {}
        for annotation in records(document, "annotations", path):
            outlines = annotation.get("segmentation")
            if outlines:
                one = self._instance(annotation, names, len(found[str(annotation.get("image_id"))]) + 1)
                found[one.picture].append(one)
                self._outlines[one.picture, one.number] = outlines
        self.instances: Mapping[str, tuple[Instance, ...]] = {
            picture: tuple(found.get(picture, ())) for picture in self._files
        }

    def read(self, picture: str) -> MarkedPicture:
        """The picture of an id with its truth.

        Raises:
            InputError: a file or an outline cannot be used, or an instance has no pixel.
        """
        seen = read_picture(self._file(picture))
        masks = {
            one.number: self._mask(self._outlines[picture, one.number], seen.size)
            for one in self.instances[picture]
        }
        return MarkedPicture(seen, masks, Mask.empty(seen.size))

    def _instance(self, annotation: dict[str, Any], names: Mapping[Any, str], number: int) -> Instance:
        picture, category = str(annotation.get("image_id")), annotation.get("category_id")
        if picture not in self._files or category not in names:
            raise unusable(
                self._path,
                f"annotation {annotation.get('id')} is of image {picture} and category {category}, "
                "which the file does not both list",
            )
        return Instance(picture, number, names[category], bool(annotation.get("iscrowd")))

    def _file(self, picture: str) -> Path:
        name = PurePosixPath(self._files[picture].replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise unusable(self._path, f"the file name {str(name)!r} leaves the folder of the pictures")
        return self._folder / name

    def _mask(self, outlines: Any, size: tuple[int, int]) -> Mask:
        if isinstance(outlines, list):
            return fill([outline(one, size, self._path) for one in outlines], size, self._path)
        try:
            mask = Mask.from_rle(outlines)
        except (InputError, AttributeError) as error:
            raise unusable(self._path, f"a run-length mask cannot be used ({error})") from error
        if mask.size != size:
            raise SizeMismatchError(size, mask.size, self._path.name)
        return mask
