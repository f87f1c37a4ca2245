"""Where things are kept from run to run that can be made again: one folder a user."""

import os
from pathlib import Path

from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import atomic_path
from kiridashi.data.files import reason_of

VARIABLE = "KIRIDASHI_CACHE"
OURS = "kiridashi"
# Old files beyond this go when a run begins.
MOST_BYTES = 4 << 30


def default_cache() -> Path:
    """$KIRIDASHI_CACHE, else $XDG_CACHE_HOME/kiridashi, else ~/.cache/kiridashi.

    Raises:
        UsageError: none of the three says where.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    # The XDG specification has relative paths ignored.
    if (base := os.environ.get("XDG_CACHE_HOME")) and Path(base).is_absolute():
        return Path(base) / OURS
    try:
        return Path.home() / ".cache" / OURS
    except RuntimeError as error:
        raise UsageError(
            f"this user has no home folder to keep a cache in; set {VARIABLE} or give --cache DIR"
        ) from error


def open_cache(folder: Path | None = None, most_bytes: int = MOST_BYTES) -> Path:
    """A cache folder that can be written; made when missing, and relieved of its oldest files when full.

    Args:
        folder: None: that of `default_cache`.
        most_bytes: what its files may take together before this run.

    Raises:
        UsageError: it cannot be written; the text says what to do instead.
    """
    folder = default_cache() if folder is None else folder
    try:
        with atomic_path(folder / "probe") as probe:
            probe.write_bytes(b"")
        (folder / "probe").unlink(missing_ok=True)
    except (UsageError, OSError) as error:
        raise UsageError(
            f"{folder}: what is learned of pictures cannot be kept here ({_reason(error)}); "
            f"name another folder with --cache DIR or ${VARIABLE}"
        ) from error
    trim(folder, most_bytes)
    return folder


def trim(folder: Path, most_bytes: int) -> None:
    """Remove the oldest files of our kind below a folder until the others take no more than `most_bytes`."""
    files = [(path, path.stat()) for path in folder.glob("*/*.safetensors") if path.is_file()]
    total = sum(status.st_size for _, status in files)
    for path, status in sorted(files, key=lambda each: each[1].st_mtime_ns):
        if total <= most_bytes:
            return
        path.unlink(missing_ok=True)
        total -= status.st_size


def _reason(error: BaseException) -> str:
    return reason_of(error.__cause__ or error)
