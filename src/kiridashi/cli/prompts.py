"""Prompts as the user writes them: on the command line, and as lines of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Box, Point, Prompt
from kiridashi.data.masks import read_mask

FIELDS = ("id", "image", "points", "box", "prior")
# Room for the suffix within the 255 bytes of common file systems.
MAX_ID_BYTES = 200
_FORBIDDEN = set('<>:"/\\|?*')


@dataclass(frozen=True)
class PromptLine:
    """One line of a prompts file, checked but for what needs its picture.

    Attributes:
        id: name of the mask, a plain file name.
        image: the picture.
        points: (x, y, label) each.
        box: (x0, y0, x1, y1) or None.
        prior: a mask picture, or None.
    """

    id: str
    image: Path
    points: tuple[Point, ...]
    box: Box | None
    prior: Path | None


def parse_point(text: str) -> Point:
    """`x,y` or `x,y,label`; without a label the point is on the object.

    Raises:
        UsageError: anything else.
    """
    numbers = _numbers(text, "--point", "x,y or x,y,0 or x,y,1")
    if len(numbers) not in (2, 3):
        raise UsageError(f"--point takes x,y or x,y,0 or x,y,1, got {text!r}")
    return _point(numbers)


def parse_box(text: str) -> Box:
    """`x0,y0,x1,y1`.

    Raises:
        UsageError: anything else.
    """
    numbers = _numbers(text, "--box", "x0,y0,x1,y1")
    if len(numbers) != 4:
        raise UsageError(f"--box takes x0,y0,x1,y1, got {text!r}")
    x0, y0, x1, y1 = numbers
    return x0, y0, x1, y1


def make_prompt(picture: Picture, points: Sequence[Point], box: Box | None, prior: Path | None) -> Prompt:
    """A prompt for a picture.

    Raises:
        UsageError: there is neither a point nor a box nor a prior, or one is malformed.
        InputError: the prior cannot be read.
        SizeMismatchError: the prior is not of the picture's size.
    """
    dense = None if prior is None else read_mask(prior, picture.size).to_array().astype("float32")
    return Prompt(tuple(points), box, dense)


def parse_line(line: Mapping[str, Any], folder: Path) -> PromptLine:
    """Check one line of a prompts file.

    Args:
        line: `id`, `image`, and `points`, `box` or `prior`.
        folder: of the file, which relative paths refer to.

    Raises:
        InputError: says which field is wrong.
    """
    unknown = sorted(set(line) - set(FIELDS))
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r}; known: {', '.join(FIELDS)}")
    image = _path(line, "image", folder)
    if image is None:
        raise InputError('"image" is missing')
    points = line.get("points") or []
    if not isinstance(points, list):
        raise InputError('"points" is a list of [x, y, label]')
    box = line.get("box")
    try:
        prompt = PromptLine(
            id=_plain_id(line.get("id")),
            image=image,
            points=tuple(_point(_number_list(point, "points", (2, 3))) for point in points),
            box=None if box is None else _as_box(_number_list(box, "box", (4,))),
            prior=_path(line, "prior", folder),
        )
        if prompt.prior is None:
            Prompt(prompt.points, prompt.box)
    except KiridashiError as error:
        raise InputError(str(error)) from error
    return prompt


def _plain_id(value: object) -> str:
    """The id as text, if it can be a file's name on every system."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError('"id" is missing or is neither a text nor a whole number')
    name = str(value)
    printable = name.isprintable() and not _FORBIDDEN & set(name)
    if (
        not name.strip(" .")
        or name != name.strip()
        or name.startswith(".")
        or name.endswith(".")
        or not printable
    ):
        raise InputError(f"the id {name[:60]!r} cannot be a file's name; use letters, digits, - and _")
    if len(name.encode("utf-8", "replace")) > MAX_ID_BYTES:
        raise InputError(f"the id {name[:20]!r}... is longer than {MAX_ID_BYTES} bytes")
    return name


def _path(line: Mapping[str, Any], field: str, folder: Path) -> Path | None:
    value = line.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise InputError(f'"{field}" is the path of a picture')
    return folder / value


def _number_list(value: object, field: str, lengths: tuple[int, ...]) -> list[float]:
    shape = {"points": "[x, y, label] each", "box": "[x0, y0, x1, y1]"}[field]
    numbers = value if isinstance(value, list) else []
    plain = all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    if len(numbers) not in lengths or not plain or any(abs(number) > 1e9 for number in numbers):
        raise InputError(f'"{field}" must be {shape} in pixels, got {str(value)[:60]}')
    return [float(number) for number in numbers]


def _numbers(text: str, option: str, shape: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{option} takes {shape}, got {text!r}") from error


def _point(numbers: Sequence[float]) -> Point:
    label = numbers[2] if len(numbers) == 3 else 1.0
    if label not in (0.0, 1.0):
        raise UsageError(f"the label of a point is 1 (on the object) or 0 (beside it), got {label:g}")
    return numbers[0], numbers[1], int(label)


def _as_box(numbers: Sequence[float]) -> Box:
    x0, y0, x1, y1 = numbers
    return x0, y0, x1, y1
