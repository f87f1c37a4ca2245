"""What SQLite reports, in words that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.data.files import one_line, reason_of

_RESTORE = "restore a copy of it, or save what can be saved with `sqlite3 FILE .recover`"
_NOT_A_REGISTRY = "this is not a registry of classes; name the file that `kiridashi classes add --store` made"
_READ_ONLY = (
    "the registry cannot be written: the file, its folder or its disk is read-only; "
    "copy it to a folder that you may write to, or ask for the permission"
)
_CANNOT_OPEN = (
    "the registry cannot be opened; see that its folder exists and that you may read and write there, "
    "or copy it with its -wal file, if there is one, to a folder of your own"
)
_USAGE = {
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
    sqlite3.SQLITE_FULL: "the disk is full; nothing of this change was kept: make room and repeat it",
    sqlite3.SQLITE_IOERR: "the disk reports an error; nothing of this change was kept: check the disk",
}
_INPUT = {
    sqlite3.SQLITE_NOTADB: _NOT_A_REGISTRY,
    sqlite3.SQLITE_CORRUPT: f"the registry is damaged; {_RESTORE}",
}
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class ChangedMeanwhileError(UsageError):
    """Another process has changed the registry since the caller looked."""

    def __init__(self, path: Path, expected: int, found: int) -> None:
        super().__init__(
            one_line(
                f"{path}: another process has changed the registry meanwhile (it is at event {found}, not "
                f"{expected}); nothing was changed: repeat the command"
            )
        )


@contextmanager
def plain_errors(path: Path, wait_s: float) -> Iterator[None]:
    """Turn errors of the database inside the block into errors for the user.

    Args:
        path: the registry, which the text names.
        wait_s: how long a writer waits for another one, for the text.

    Raises:
        UsageError: another process writes, or the place cannot be written.
        InputError: the file is damaged or no registry.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translated(path, error.orig or error, wait_s) from error
    except sqlite3.Error as error:
        raise _translated(path, error, wait_s) from error


def not_a_registry(path: Path) -> InputError:
    """For a file that holds something else."""
    return _input(path, _NOT_A_REGISTRY)


def unfinished(path: Path) -> InputError:
    """For an empty database."""
    return _input(
        path,
        "the registry is empty: making it was interrupted, or it is a new file; delete it and make it anew",
    )


def truncated(path: Path) -> InputError:
    """For a file that ends before its last page."""
    return _input(path, f"the registry is cut short, as an unfinished copy is; copy it again, or {_RESTORE}")


def damaged(path: Path, what: str) -> InputError:
    """For content that cannot be right."""
    return _input(path, f"the registry is damaged ({what}); {_RESTORE}")


def too_new(path: Path, version: int, known: int) -> UsageError:
    """For a file of a later program."""
    return UsageError(
        one_line(
            f"{path}: this registry has layout {version}, made by a newer kiridashi; this one reads up to "
            f"layout {known}: upgrade it with `pip install -U kiridashi`"
        )
    )


def read_only(path: Path) -> UsageError:
    """For a change of what cannot be written."""
    return UsageError(one_line(f"{path}: {_READ_ONLY}"))


def _translated(path: Path, error: BaseException, wait_s: float) -> KiridashiError:
    # The low byte is the primary code; the rest says more than a user needs.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return UsageError(
            one_line(
                f"{path}: another process is writing to this registry and did not finish within "
                f"{wait_s:g} s; wait for it, or end it, and repeat the command"
            )
        )
    if code in _USAGE:
        return UsageError(one_line(f"{path}: {_USAGE[code]}"))
    return _input(path, _INPUT.get(code, f"the registry cannot be used ({reason_of(error)}); {_RESTORE}"))


def _input(path: Path, text: str) -> InputError:
    return InputError(one_line(f"{path}: {text}"))
