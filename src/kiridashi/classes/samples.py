"""The samples that a user gives: pictures with the masks of single objects, however they are kept.

Understood are, for a folder: pictures with masks (`part.jpg` with `part_mask.png` beside it, or
`masks/part.png` in the folder or beside `images/`), pictures with LabelMe files (`part.json`), a COCO file
with its pictures, and a set with a `meta.json` that names the class of each instance; or one COCO or LabelMe
file. What cannot be used is told with its reason and spoils nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kiridashi.classes.registry.naming import name_key
from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import LabelledMask, read_annotations
from kiridashi.data.annotations.document import read_document
from kiridashi.data.files import one_line
from kiridashi.data.masks import read_mask
from kiridashi.data.pictures import read_picture
from kiridashi.data.targets import PICTURE_SUFFIXES, find_targets
from kiridashi.evaluate.ifsis.folders import FolderInstances
from kiridashi.evaluate.ifsis.instances import InstanceSet, open_instances

MASK_FOLDERS = ("masks", "mask")
MASK_ENDINGS = ("_mask", "-mask", ".mask")
META = "meta.json"
# A class is made of one to some tens of samples; a data set given by mistake would fill the memory.
MOST_SAMPLES = 200


@dataclass(frozen=True, eq=False)
class Marked:
    """One object in a picture.

    Attributes:
        picture: that it is in.
        mask: of it, never empty.
        label: what the file calls it; None for a mask picture, which has no names.
    """

    picture: Picture
    mask: Mask = field(repr=False)
    label: str | None = None


@dataclass(frozen=True)
class Unusable:
    """What could not be used.

    Attributes:
        file: which.
        reason: why, on one line, and what to do.
    """

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class Gathered:
    """What a user's samples came to.

    Attributes:
        marked: objects, in the natural order of the files.
        unmarked: pictures without a mask, where these were asked for.
        unusable: what was left out.
    """

    marked: tuple[Marked, ...]
    unmarked: tuple[Picture, ...] = ()
    unusable: tuple[Unusable, ...] = ()


Found = Marked | Picture | Unusable


def gather(path: Path, label: str | None, *, unmarked: bool = False) -> Gathered:
    """All samples of a place.

    Args:
        path: a folder, a COCO or LabelMe file, or a single picture with its mask beside it.
        label: only objects that an annotation file gives this name (case does not count); None: all. Mask
            pictures have no names and are always taken.
        unmarked: whether a picture without a mask is of use, as background is.

    Raises:
        InputError: there is nothing there, no file of it can be used, or an annotation file is damaged.
        UsageError: more than `MOST_SAMPLES`, or several annotation files.
    """
    marked: list[Marked] = []
    pictures: list[Picture] = []
    unusable: list[Unusable] = []
    seen: set[tuple[str, str]] = set()
    for found in find(path, label, unmarked=unmarked):
        if isinstance(found, Unusable):
            unusable.append(found)
        elif isinstance(found, Picture):
            pictures.append(found)
        elif (key := (found.picture.digest, str(found.mask.to_rle()))) in seen:
            reason = "the same object of the same picture was given before; it counts once"
            unusable.append(Unusable(found.picture.name, reason))
        else:
            seen.add(key)
            marked.append(found)
        if len(marked) > MOST_SAMPLES:
            raise UsageError(
                one_line(
                    f"{path}: more than {MOST_SAMPLES} objects; choose some tens that differ, no more help"
                )
            )
    if not marked and not pictures:
        raise InputError(_nothing(path, unusable))
    return Gathered(tuple(marked), tuple(pictures), tuple(unusable))


def find(path: Path, label: str | None = None, *, unmarked: bool = False) -> Iterator[Found]:
    """As `gather`, one after the other, so that a large set needs no more memory than a small one."""
    if not path.exists():
        # Its message names what is nearest.
        find_targets([path])
    if path.is_dir():
        yield from _in_folder(path, label, unmarked)
    elif path.suffix.lower() == ".json":
        yield from _in_file(path, label)
    elif path.suffix.lower() in PICTURE_SUFFIXES:
        yield from _guarded(path, partial(_of_picture, path, label, unmarked))
    else:
        raise InputError(
            one_line(
                f"{path}: expected a picture with its mask beside it, a folder of such, or a COCO or LabelMe "
                "file (.json)"
            )
        )


def find_labelled(path: Path) -> Iterator[Marked | Unusable]:
    """Objects whose class is known, one after the other, for an evaluation.

    Args:
        path: a COCO or LabelMe file, a folder as for `find`, or a folder with one such folder for each class,
            called like the class. Names in annotation files count before those of folders.

    Raises:
        InputError: there is nothing there, or an annotation file is damaged.
        UsageError: several annotation files.
    """
    nowhere: list[tuple[Path, str | None]] = [(path, None)]
    for place, label in _class_folders(path) or nowhere:
        for found in find(place):
            # Nobody asked for pictures without a mask.
            assert not isinstance(found, Picture)
            if isinstance(found, Marked) and found.label is None:
                yield _named(found, label)
            else:
                yield found


def _named(found: Marked, label: str | None) -> Marked | Unusable:
    if label is None:
        reason = "nothing says which class it is of; use a COCO or LabelMe file, or a folder for each class"
        return Unusable(found.picture.name, reason)
    return Marked(found.picture, found.mask, label)


def _class_folders(path: Path) -> list[tuple[Path, str | None]]:
    """(folder, class) where a folder has nothing but folders of its own."""
    if not path.is_dir() or (path / "images").is_dir() or (path / META).is_file():
        return []
    entries = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    if any(
        one.is_file() and (one.suffix.lower() in PICTURE_SUFFIXES or one.suffix == ".json") for one in entries
    ):
        return []
    return [(one, one.name) for one in entries if one.is_dir()]


def _in_folder(folder: Path, label: str | None, unmarked: bool) -> Iterator[Found]:
    meta = folder / META
    if meta.is_file() and _names_instances(meta):
        yield from _in_set(FolderInstances(folder), label)
        return
    pictures = [target.path for target in find_targets([folder]) if not _is_mask(target.path)]
    files = _loose_annotations(folder, pictures)
    if len(files) > 1:
        raise UsageError(
            one_line(
                f"{folder}: several annotation files ({files[0].name}, {files[1].name} ...); name the one"
            )
        )
    if files:
        yield from _in_file(files[0], label)
        return
    for path in pictures:
        yield from _guarded(path, partial(_of_picture, path, label, unmarked))


def _in_file(path: Path, label: str | None) -> Iterator[Found]:
    document = read_document(path)
    if "shapes" not in document:
        yield from _in_set(open_instances(path), label)
        return
    picture = _beside(path, str(document.get("imagePath") or ""))
    yield from _guarded(picture, lambda: _labelled(picture, path, label))


def _in_set(source: InstanceSet, label: str | None) -> Iterator[Found]:
    if label is not None:
        known = sorted({one.label for every in source.instances.values() for one in every})
        if name_key(label) not in map(name_key, known):
            raise InputError(_no_label(source.name, label, known))
    for name, instances in source.instances.items():
        wanted = [one for one in instances if not one.crowd and _is_wanted(one.label, label)]
        if wanted:
            yield from _guarded(
                Path(name), partial(_of_set, source, name, [(one.number, one.label) for one in wanted])
            )


def _of_set(source: InstanceSet, name: str, wanted: Sequence[tuple[int, str]]) -> list[Found]:
    seen = source.read(name)
    return [Marked(seen.picture, seen.masks[number], label) for number, label in wanted]


def _of_picture(path: Path, label: str | None, unmarked: bool) -> list[Found]:
    outlines = path.with_suffix(".json")
    if outlines.is_file():
        return _labelled(path, outlines, label)
    mask_path = _mask_of(path)
    picture = read_picture(path)
    if mask_path is not None:
        mask = read_mask(mask_path, picture.size)
        if mask.is_empty:
            raise InputError(f"its mask {mask_path.name} is empty; mark the object, or leave the picture out")
        return [Marked(picture, mask)]
    if unmarked:
        return [picture]
    raise InputError(
        f"there is no mask for it; expected {path.stem}_mask.png or {path.stem}.json beside it, or "
        f"{MASK_FOLDERS[0]}/{path.stem}.png"
    )


def _labelled(path: Path, outlines: Path, label: str | None) -> list[Found]:
    picture = read_picture(path)
    every = read_annotations(outlines, picture)
    wanted = [one for one in every if _is_wanted(one.label, label)]
    if not wanted:
        raise InputError(_no_object(outlines, every, label))
    return [Marked(picture, one.mask, one.label) for one in wanted]


def _guarded(path: Path, read: Callable[[], Sequence[Found]]) -> Iterator[Found]:
    """What `read` gives, or why it gives nothing."""
    try:
        yield from read()
    except KiridashiError as error:
        yield Unusable(one_line(str(path)), one_line(str(error)).removeprefix(f"{one_line(str(path))}: "))


def _is_wanted(found: str, label: str | None) -> bool:
    return label is None or name_key(found) == name_key(label)


def _is_mask(path: Path) -> bool:
    return path.parent.name.lower() in MASK_FOLDERS or path.stem.lower().endswith(MASK_ENDINGS)


def _mask_of(path: Path) -> Path | None:
    names = [path.stem, *(path.stem + ending for ending in MASK_ENDINGS)]
    folders = [path.parent / name for name in MASK_FOLDERS]
    if path.parent.name.lower() == "images":
        folders += [path.parent.parent / name for name in MASK_FOLDERS]
    # Beside the picture only a name with an ending is a mask's.
    places = [path.parent / name for name in names[1:]] + [
        folder / name for folder in folders for name in names
    ]
    # Masks are PNG files nearly always.
    suffixes = sorted(PICTURE_SUFFIXES, key=lambda suffix: (suffix != ".png", suffix))
    candidates = (place.with_name(place.name + suffix) for place in places for suffix in suffixes)
    return next((one for one in candidates if one.is_file()), None)


def _loose_annotations(folder: Path, pictures: Sequence[Path]) -> list[Path]:
    """Annotation files of the folder that are not those of single pictures."""
    stems = {path.with_suffix("") for path in pictures}
    return [
        path
        for path in sorted(folder.glob("*.json"))
        if path.name != META and path.with_suffix("") not in stems and not path.name.startswith(".")
    ]


def _names_instances(meta: Path) -> bool:
    items = read_document(meta).get("items")
    return isinstance(items, list) and any(isinstance(item, dict) and "instances" in item for item in items)


def _beside(outlines: Path, named: str) -> Path:
    """The picture of a LabelMe file; only its name counts, whatever folder the file speaks of."""
    own = [outlines.with_suffix(suffix) for suffix in sorted(PICTURE_SUFFIXES)]
    name = named.replace("\\", "/").rsplit("/", 1)[-1]
    places = [*([outlines.parent / name] if name else []), *own]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise InputError(one_line(f"{outlines}: its picture {name or outlines.stem!r} is not beside it"))
    return found


def _no_object(path: Path, every: Sequence[LabelledMask], label: str | None) -> str:
    if not every or label is None:
        return f"{path.name} marks no object; outline the object, or leave the picture out"
    return _no_label(path.name, label, sorted({one.label for one in every}))


def _no_label(where: str, label: str, known: Sequence[str]) -> str:
    listed = ", ".join(known[:12]) or "nothing"
    return one_line(f"{where}: no object is called {label!r}; it has: {listed} (choose one with --label)")


def _nothing(path: Path, unusable: Sequence[Unusable]) -> str:
    if not unusable:
        return one_line(f"{path}: no sample there; give pictures with masks, or a COCO or LabelMe file")
    first = unusable[0]
    more = f" (and {len(unusable) - 1} more)" if len(unusable) > 1 else ""
    return one_line(f"{path}: no sample there can be used; {first.file}: {first.reason}{more}")
