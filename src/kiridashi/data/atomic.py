"""Write files so that a crash or a full disk never leaves half of one under its name."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kiridashi.core.errors import UsageError
from kiridashi.data.files import one_line, reason_of


@contextmanager
def atomic_path(path: str | Path, *, fsync: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder that takes the place of `path` at the end.

    The temporary name keeps the suffix (libraries choose the format by it) and starts with a dot.
    When the block raises, `path` stays as it was and the temporary file is removed. Missing folders
    are made.

    Args:
        path: the file to write.
        fsync: wait until the data is on the disk before the exchange.

    Raises:
        UsageError: the folder cannot be made, or the file cannot be put in its place.
    """
    path = Path(path)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix[:16]}")
    try:
        yield temporary
        with _writing(path):
            if fsync:
                _flush(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes, *, fsync: bool = False) -> None:
    """Write bytes atomically.

    Raises:
        UsageError: the file cannot be written; the text says why.
    """
    with atomic_path(path, fsync=fsync) as temporary, _writing(Path(path)):
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str, *, fsync: bool = False) -> None:
    """Write UTF-8 text atomically, line ends as given."""
    # File names may hold bytes that are no text; their escape is readable and valid in JSON.
    write_bytes(path, text.encode("utf-8", "backslashreplace"), fsync=fsync)


def write_json(path: str | Path, value: Any, *, indent: int | None = None, fsync: bool = False) -> None:
    """Write a JSON document atomically; NaN and infinity are refused with ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    write_text(path, text + "\n", fsync=fsync)


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an error of the system into one line for the user."""
    try:
        yield
    except OSError as error:
        raise UsageError(one_line(f"{path}: cannot be written: {reason_of(error)}")) from error
