"""Labels by folder: `crack/1.png` is a picture of class crack; the folders may lie in `train` and `test`."""

from collections.abc import Iterator
from pathlib import Path

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.files import one_line
from kiridashi.data.targets import PICTURE_SUFFIXES, find_targets
from kiridashi.localize.labels.gathering import Claim
from kiridashi.localize.labels.items import Refused
from kiridashi.localize.labels.names import clean, split_name


def read_folders(folder: Path) -> tuple[list[Claim], list[Refused]]:
    """What a folder with one folder for each class claims.

    Args:
        folder: its folders are called like the classes, or like splits that hold such folders.

    Raises:
        InputError: it has no folders.
    """
    claims: list[Claim] = []
    refused: list[Refused] = list(_loose(folder))
    for place, split in _class_folders(folder):
        try:
            label = clean(place.name)
            found = find_targets([place])
        except (UsageError, InputError) as error:
            reason = one_line(str(error)).removeprefix(f"{one_line(str(place))}: ")
            refused.append(Refused(one_line(str(place)), reason))
            continue
        claims += [Claim(target.path, (label,), split) for target in found]
    return claims, refused


def _class_folders(folder: Path) -> list[tuple[Path, str | None]]:
    places = _folders(folder)
    if not places:
        raise InputError(
            one_line(
                f"{folder}: expected one folder for each class (ok/, crack/ ...), or name a CSV or COCO file"
            )
        )
    if all(split_name(place.name) for place in places):
        return [(inner, split_name(place.name)) for place in places for inner in _folders(place)]
    return [(place, None) for place in places]


def _folders(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))


def _loose(folder: Path) -> Iterator[Refused]:
    """One line for all pictures that lie beside the folders."""
    loose = sorted(
        one.name for one in folder.iterdir() if one.is_file() and one.suffix.lower() in PICTURE_SUFFIXES
    )
    if loose:
        reason = f"{len(loose)} pictures lie beside the folders of the classes, first {loose[0]}: no label"
        yield Refused(one_line(str(folder)), one_line(reason))
