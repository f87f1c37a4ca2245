"""Opens a set by what lies in its folder."""

from pathlib import Path

from kiridashi.core.errors import InputError
from kiridashi.evaluate.wsol.items import PlainSet
from kiridashi.evaluate.wsol.sources.cub import read_cub
from kiridashi.evaluate.wsol.sources.folder import META, read_folder
from kiridashi.evaluate.wsol.sources.ilsvrc import read_ilsvrc


def open_set(folder: Path) -> PlainSet:
    """The set of a folder.

    Args:
        folder: with `images/`, `meta.json` and maybe `masks/`; or CUB-200-2011's; or ILSVRC's.

    Raises:
        InputError: no such folder, or nothing in it that can be used.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    if (folder / META).is_file():
        return read_folder(folder)
    found = read_cub(folder) or read_ilsvrc(folder)
    if found is None:
        raise InputError(
            f"{folder}: no set of pictures with labels and truth; expected images/ with meta.json, the lists "
            "of CUB-200-2011 (images.txt ...), or those of ILSVRC (ImageSets/CLS-LOC/...)"
        )
    return found
