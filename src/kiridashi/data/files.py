"""What can be said about a file before it is opened, and how an unusable one is reported."""

import re
import stat
from pathlib import Path

from kiridashi.core.errors import InputError


def unusable(path: Path, reason: str) -> InputError:
    """The error for a file that cannot be used: one line, with its path and the reason."""
    return InputError(one_line(f"{path}: {reason}"))


def one_line(text: str) -> str:
    """Printable text on one line: control characters become spaces, undecodable bytes are escaped."""
    readable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", readable).strip()


def check_file(path: Path, max_bytes: int | None = None) -> None:
    """Refuse what is not a regular file with something in it (and at most `max_bytes` of it).

    Raises:
        InputError: missing, a folder, a device or pipe, not permitted, empty or too large.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise unusable(path, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise unusable(path, reason_of(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise unusable(path, "this is a folder; name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise unusable(path, "this is not a regular file")
    if status.st_size == 0:
        raise unusable(path, "the file is empty")
    if max_bytes is not None and status.st_size > max_bytes:
        raise unusable(
            path, f"{status.st_size / 2**20:.0f} MiB is more than the limit of {max_bytes / 2**20:.0f} MiB"
        )


def reason_of(error: BaseException) -> str:
    """A few plain words for an error of the system or of a library."""
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__
