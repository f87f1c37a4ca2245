"""Names of classes: which are allowed, and when two are the same to a reader."""

import unicodedata
from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache

from kiridashi.core.errors import UsageError

MOST_CHARACTERS = 100
# The classifier's own row.
RESERVED = frozenset({"background"})
# Control characters, halves of pairs, line and paragraph separators.
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_name(name: str) -> str:
    """A name as it is stored: without blanks around it, in Unicode's composed form.

    Raises:
        UsageError: empty, longer than `MOST_CHARACTERS`, reserved, or with control characters.
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    if any(unicodedata.category(character) in _FORBIDDEN for character in cleaned):
        raise UsageError(f"a class name has no control characters or line breaks, got {cleaned[:40]!r}")
    if not name_key(cleaned):
        raise UsageError("a class name has at least one visible character; give one")
    if len(cleaned) > MOST_CHARACTERS:
        raise UsageError(
            f"a class name has at most {MOST_CHARACTERS} characters, got {len(cleaned)}: {cleaned[:40]!r}..."
        )
    if name_key(cleaned) in RESERVED:
        raise UsageError(
            f"{cleaned!r} is a name of the program's own; choose another, for example 'my {cleaned}'"
        )
    return cleaned


@lru_cache(maxsize=65536)
def name_key(name: str) -> str:
    """Equal for names that a reader takes for the same: case, width and invisible characters do not count."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if unicodedata.category(character) != "Cf").strip()


def free_name(name: str, taken: Collection[str]) -> str:
    """A cleaned name that no class has yet.

    Raises:
        UsageError: not allowed, or taken; suggests what to do.
    """
    cleaned = clean_name(name)
    keys = {name_key(other): other for other in taken}
    if (other := keys.get(name_key(cleaned))) is None:
        return cleaned
    number = next(n for n in range(2, len(keys) + 3) if name_key(f"{cleaned} {n}") not in keys)
    raise UsageError(
        f"there is a class named {other!r} already (case and width do not count); add these samples to "
        f"that class, or take another name, for example '{cleaned} {number}'"
    )


def known_name(name: str, taken: Collection[str]) -> str:
    """The stored form of a class's name, found exactly or as a reader would find it.

    Raises:
        UsageError: no such class; suggests the nearest.
    """
    if name in taken:
        return name
    keys = {name_key(other): other for other in taken}
    if (other := keys.get(name_key(name))) is not None:
        return other
    near = get_close_matches(name_key(name), keys, n=1)
    hint = f" Did you mean {keys[near[0]]!r}?" if near else ""
    raise UsageError(
        f"no class named {name[:MOST_CHARACTERS]!r}.{hint} `kiridashi classes list` shows the "
        f"{len(taken)} known"
    )
