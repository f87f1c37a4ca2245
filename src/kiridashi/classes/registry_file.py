"""Opening a registry's file where no model is needed: listings must not wait for torch to be loaded."""

import os
from pathlib import Path

from kiridashi.classes.registry import Registry
from kiridashi.classes.registry.errors import read_only
from kiridashi.core.errors import InputError
from kiridashi.data.files import one_line


def open_registry(path: str | Path, *, writable: bool = False, fingerprint: str | None = None) -> Registry:
    """A registry that must be there already.

    Raises:
        InputError: no such file, or a damaged one.
        UsageError: made with another model than `fingerprint`, or it is to be written and cannot be.
    """
    if not Path(path).exists():
        raise InputError(
            one_line(
                f"{path}: no such file; `kiridashi classes add NAME --samples DIR --store FILE` makes a "
                "registry of classes"
            )
        )
    return Registry.open(path, writable=writable, fingerprint=fingerprint)


def check_writable(path: Path) -> None:
    """Make sure that a new file can be made, before work is done for it.

    Raises:
        UsageError: the nearest folder that exists cannot be written, or is no folder.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise read_only(path)
