"""Lists with commas, as options take them."""

from kiridashi.core.errors import UsageError


def names(option: str, text: str) -> tuple[str, ...]:
    """The parts of a list with commas.

    Raises:
        UsageError: there are none, or one stands there twice.
    """
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts or len(set(parts)) != len(parts):
        raise UsageError(f"{option}: expected different names with commas between them, got {text!r}")
    return parts


def numbers(option: str, text: str, most: int) -> tuple[int, ...]:
    """The numbers of a list with commas, each from 1 to `most`.

    Raises:
        UsageError: something else stands there.
    """
    parts = names(option, text)
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= most for part in parts):
        raise UsageError(f"{option}: expected numbers from 1 to {most} such as 1,5, got {text!r}")
    return tuple(map(int, parts))
