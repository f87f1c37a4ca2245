"""JSON Lines that survive a killed run."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from kiridashi.core.errors import UsageError
from kiridashi.data.files import check_file, one_line, reason_of, unusable

MAX_LINE_BYTES = 64 * 2**20
_BLOCK = 2**16


def append_line(path: str | Path, text: str) -> None:
    """Append one line with a single write, and wait until it is on the disk.

    A torn last line that an interrupted run left behind is cut off first; a complete one that only
    lacks its line end is kept.

    Raises:
        UsageError: the text has a line break, or the file cannot be written.
    """
    if "\n" in text or "\r" in text:
        raise UsageError("a line of a JSON Lines file has no line break inside")
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as stream:
            start = _mend(stream)
            stream.write(start + text.encode("utf-8", "backslashreplace") + b"\n")
            os.fsync(stream.fileno())
    except OSError as error:
        raise UsageError(one_line(f"{path}: cannot be written: {reason_of(error)}")) from error


def read_jsonl(path: str | Path, *, strict: bool = False) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; empty lines are passed over.

    Args:
        path: the file.
        strict: also refuse a torn last line (broken and without a line end), which is dropped
            otherwise because that is what a killed run leaves behind.

    Raises:
        InputError: the file cannot be read, or a line is no JSON object; the text has its number.
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size == 0:
        return []
    check_file(path)
    objects: list[dict[str, Any]] = []
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES), b""), start=1):
                value = _parse(line)
                if isinstance(value, dict):
                    objects.append(value)
                elif line.strip() and (strict or line.endswith(b"\n") or len(line) == MAX_LINE_BYTES):
                    raise unusable(path, f"line {number} is not a JSON object")
    except OSError as error:
        raise unusable(path, reason_of(error)) from error
    return objects


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _mend(stream: BinaryIO) -> bytes:
    """Cut off a torn last line, or return the line end that a complete one lacks."""
    tail = _last_line(stream)
    if not tail:
        return b""
    if isinstance(_parse(tail), dict):
        return b"\n"
    stream.truncate(stream.seek(0, os.SEEK_END) - len(tail))
    stream.seek(0, os.SEEK_END)
    return b""


def _last_line(stream: BinaryIO) -> bytes:
    """What follows the last line end; empty when the file ends with one."""
    position = stream.seek(0, os.SEEK_END)
    tail = b""
    while position:
        step = min(_BLOCK, position)
        position = stream.seek(position - step)
        block = stream.read(step)
        _, end, after = block.rpartition(b"\n")
        tail = (after if end else block) + tail
        if end:
            break
    return tail
