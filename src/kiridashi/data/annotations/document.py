"""Read a JSON document that somebody else wrote."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from kiridashi.data.files import check_file, reason_of, unusable

MAX_BYTES = 256 * 2**20


def read_document(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object at the top of a JSON file of at most `max_bytes`.

    Raises:
        InputError: the file cannot be read, is too large, is no JSON object, or has NaN or infinity.
    """
    document = read_value(path, max_bytes, _refuse_constant)
    if not isinstance(document, dict):
        raise unusable(path, f"expected a JSON object at the top, got {type(document).__name__}")
    return document


def read_value(path: Path, max_bytes: int = MAX_BYTES, constant: Callable[[str], Any] = float) -> Any:
    """What a JSON file of at most `max_bytes` holds.

    Args:
        path: the file.
        max_bytes: that it may have.
        constant: makes a value of `NaN`, `Infinity` and `-Infinity`, or refuses them with ValueError.

    Raises:
        InputError: the file cannot be read, is too large or is no JSON.
    """
    check_file(path, max_bytes)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=constant)
    except UnicodeDecodeError as error:
        raise unusable(path, "not JSON (not UTF-8 text)") from error
    except RecursionError as error:
        raise unusable(path, "not usable: nested too deeply") from error
    except (OSError, ValueError) as error:
        raise unusable(path, f"not JSON ({reason_of(error)})") from error


def records(document: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    """The list of objects under `key`.

    Raises:
        InputError: there is no such list, or something in it is no object.
    """
    value = document.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise unusable(path, f"{key!r} must be a list of objects")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number a picture can have")
