"""A set in any format of an annotation tool, as pictures with and without each class."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.data.formats import AnnotatedPicture, AnnotatedSet, read_set
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.episodes import MIN_PICTURES, Example
from kiridashi.evaluate.texts import fingerprint


class AnnotatedPictures:
    """A `PictureSet` of annotations. Make it with `open_annotated`.

    Pictures whose file is not there are left out; of those without any annotation it is taken that nothing
    is in them.

    Attributes:
        name: of the file or folder.
        classes: names of the pictures that hold each class, of classes with enough of them.
        tags: conditions of each picture.
        fingerprint: changes when a picture or an annotation file does; by size and time, not by content.
    """

    def __init__(self, annotated: AnnotatedSet, files: Iterable[Path], least: int = MIN_PICTURES) -> None:
        self.name = annotated.name
        self._pictures: dict[str, AnnotatedPicture] = {
            one.name: one for one in annotated if one.path is not None
        }
        self._labels = annotated.by_name
        found = {
            label: tuple(name for name, one in self._pictures.items() if number in one.labels())
            for label, number in self._labels.items()
        }
        self.classes: Mapping[str, tuple[str, ...]] = {
            label: names for label, names in found.items() if len(names) >= least
        }
        if not self.classes:
            raise InputError(
                f"{annotated.name}: no class is marked in {least} or more pictures that are there"
            )
        self._holding = {label: frozenset(names) for label, names in found.items()}
        self.tags = {name: dict(one.tags) for name, one in self._pictures.items() if one.tags}
        paths = [*files, *(one.path for one in self._pictures.values() if one.path is not None)]
        resolved = [path.resolve() for path in paths]
        self.fingerprint = fingerprint(Path(resolved[0].anchor), resolved)

    def without(self, label: str) -> tuple[str, ...]:
        """Names of the pictures in which a class is not marked, in order."""
        return tuple(name for name in sorted(self._pictures) if name not in self._holding[label])

    def read(self, name: str, label: str) -> Example:
        """A picture with the truth of one class.

        Raises:
            InputError: a file cannot be used, or the annotations are for another size.
        """
        one = self._pictures[name]
        if one.path is None:  # none such was taken in
            raise InputError(f"{name}: there is no such picture")
        picture = read_picture(one.path)
        if one.size != picture.size:
            raise SizeMismatchError(picture.size, one.size, name)
        inside = one.label_mask(self._labels[label]).to_array()
        ignore = np.zeros(picture.size, dtype=bool) if one.ignore is None else one.ignore.to_array()
        return Example(picture, Mask.from_array(inside & ~ignore), Mask.from_array(ignore))


def open_annotated(
    path: Path, pictures: Path | None = None, format: str | None = None, least: int = MIN_PICTURES
) -> AnnotatedPictures:
    """A set on disk.

    Args:
        path: what an annotation tool wrote; see `kiridashi.data.formats.read_set`.
        pictures: folder of the pictures; None: where the format keeps them.
        format: its name; None: found out.
        least: number of pictures that a class needs.

    Raises:
        UsageError: there is no such format.
        InputError: it cannot be used, or no class is marked in enough pictures.
    """
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return AnnotatedPictures(read_set(path, format, pictures), files, least)
