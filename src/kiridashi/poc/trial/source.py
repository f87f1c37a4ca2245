"""The pictures of a use case: its classes, and the good parts among the pictures."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from kiridashi.core.errors import UsageError
from kiridashi.data.formats import read_set
from kiridashi.evaluate.episodes import MIN_PICTURES, Example, FewShotSet
from kiridashi.evaluate.pictures import PictureSet, leave_out, together
from kiridashi.evaluate.pictures.annotated import AnnotatedPictures
from kiridashi.evaluate.pictures.tags import Tags, read_tags
from kiridashi.evaluate.pictures.twins import look_through
from kiridashi.evaluate.texts import by_stem
from kiridashi.poc.site import SiteFile, UseCase

_BLOCK = 2**20


class SiteSet:
    """A set with a use case's classes, for `kiridashi.evaluate.pictures`.

    Pictures without a class are the good parts, on which false alarms are counted; where the set has none,
    pictures of other classes stand in for them.

    Args:
        source: the pictures.
        name: of the use case.
        classes: of the set, or None for all.
        free: ids of the pictures without any object.
        files: of the pictures, by id.
        tags: conditions that came with the annotations, by id.
        unreadable: ids of the pictures that were left out, and why.

    Raises:
        UsageError: the set lacks a class.
    """

    def __init__(
        self,
        source: PictureSet,
        name: str,
        classes: tuple[str, ...] | None,
        free: tuple[str, ...],
        files: Mapping[str, Path],
        tags: Tags,
        unreadable: Mapping[str, str],
    ) -> None:
        many = {one: names for one, names in source.classes.items() if len(names) >= MIN_PICTURES}
        missing = [one for one in classes or () if one not in many]
        if missing:
            raise UsageError(
                f"{name}: the set has no class named {', '.join(missing)} with two or more pictures; it has "
                f"{', '.join(many)}"
            )
        self._source, self._name, self._free = source, name, free
        self.files, self.tags, self.unreadable = files, tags, unreadable
        kept = many if classes is None else {one: many[one] for one in classes}
        self._classes = dict(kept)

    @property
    def name(self) -> str:
        """Of the use case."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Changes when a file of the set does."""
        return self._source.fingerprint

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the pictures of each class."""
        return self._classes

    @property
    def free(self) -> tuple[str, ...]:
        """Ids of the pictures without any object."""
        return self._free

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """All ids."""
        marked = {name for names in self._classes.values() for name in names}
        return tuple(sorted(marked | set(self._free)))

    def without(self, label: str) -> tuple[str, ...]:
        """The good parts; without such, the pictures in which a class is nowhere."""
        return self._free or self._source.without(label)

    def read(self, name: str, label: str) -> Example:
        """A picture with the truth of one class.

        Raises:
            InputError: a file cannot be used.
        """
        return self._source.read(name, label)


def open_source(file: SiteFile, case: UseCase) -> SiteSet:
    """The pictures of a use case, as far as they can be read.

    Raises:
        InputError: the folder is not there or damaged, or leads out of the site's.
        UsageError: it lacks a class, or there is no such format.
    """
    whole, files, tags = _open(file, case)
    # As a shot such a picture would spoil every answer of its draw.
    unreadable = look_through(whole).unreadable
    plain = leave_out(whole, unreadable)
    # Of a class with a single picture too: it is no good part.
    every = [set(plain.without(label)) for label in plain.classes]
    free = tuple(sorted(set.intersection(*every)))
    if case.classes == "merged":
        return SiteSet(together(plain), case.slug, None, free, files, tags, unreadable)
    chosen = None if case.classes == "each" else tuple(case.classes)
    return SiteSet(plain, case.slug, chosen, free, files, tags, unreadable)


def _open(file: SiteFile, case: UseCase) -> tuple[PictureSet, Mapping[str, Path], Tags]:
    data = case.data
    path = file.inside(data.folder)
    own = read_tags(file.inside(data.tags)) if data.tags else {}
    if (path / "images").is_dir() and (path / "masks").is_dir() and data.format is None:
        return FewShotSet(path, least=1), by_stem(path / "images"), own
    pictures = file.inside(data.pictures) if data.pictures else None
    annotated = read_set(path, data.format, pictures)
    made = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    opened = AnnotatedPictures(annotated, made, least=1)
    found = {one.name: one.path for one in annotated if one.path is not None}
    return opened, found, own or opened.tags


def content_digest(path: Path, files: Iterable[Path]) -> str:
    """SHA-256 over the bytes of pictures, masks and tables of a set; equal for equal files in any place.

    Args:
        path: the set's folder or annotation file.
        files: of the pictures, which may lie elsewhere.
    """
    inside = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    digest = hashlib.sha256()
    for one in sorted({*inside, *files}):
        name = one.relative_to(path).as_posix() if one.is_relative_to(path) else one.name
        digest.update(name.encode("utf-8", "backslashreplace") + b"\0")
        with one.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
