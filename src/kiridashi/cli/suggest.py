"""The nearest known name to a mistyped one."""

from collections.abc import Iterable
from difflib import get_close_matches

from kiridashi.core.errors import UsageError


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, or None when none is."""
    matches = get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def check_choice(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is known.

    Raises:
        UsageError: it is not; the text suggests the nearest and lists all.
    """
    known = list(known)
    if name in known:
        return name
    near = nearest(name, known)
    hint = f" Did you mean {near}?" if near else ""
    raise UsageError(f"no {kind} named {name!r}.{hint} Known: {', '.join(known)}")
