"""What labels mean: which are the same to a reader, and which say that nothing is there."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache

from kiridashi.core.errors import InputError
from kiridashi.data.files import one_line
from kiridashi.localize.labels.items import TEST, TRAIN, VAL

MOST_CHARACTERS = 100
# As `plain_name` gives them.
NORMAL = frozenset(
    {"ok", "good", "normal", "none", "nothing", "nodefect", "nodefects", "defectfree", "background", "pass"}
    | {"良品", "正常", "合格", "異常なし", "異常無し", "欠陥なし", "欠陥無し", "なし", "無し", "背景"}
)
SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "学習", "訓練"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "tuning", "tune", "検証"), VAL),
    **dict.fromkeys(("test", "testing", "テスト", "評価"), TEST),
}
# The third and the last are the full-width forms that a Japanese keyboard gives.
_BETWEEN = re.compile(r"[;|；｜、]")
_GAPS = re.compile(r"[\s_\-.]+")


def labels_of_cell(cell: str) -> list[str]:
    """The labels of one cell, cleaned; several are parted by `;` or `|`.

    Raises:
        InputError: a label is too long.
    """
    return [clean(part) for part in _BETWEEN.split(cell) if part.strip()]


def clean(label: str) -> str:
    """A label on one line, without blanks around it, in Unicode's composed form.

    Raises:
        InputError: longer than `MOST_CHARACTERS`.
    """
    cleaned = one_line(unicodedata.normalize("NFC", label))
    if len(cleaned) > MOST_CHARACTERS:
        raise InputError(f"a label of {len(cleaned)} characters, at most {MOST_CHARACTERS} are allowed")
    return cleaned


@lru_cache(maxsize=65536)
def key(label: str) -> str:
    """Equal for labels that a reader takes for the same: case and width do not count."""
    return unicodedata.normalize("NFKC", label).casefold().strip()


def plain_name(name: str) -> str:
    """A name without case, width, blanks, hyphens and points."""
    return _GAPS.sub("", key(name))


def split_name(written: str) -> str | None:
    """`train`, `val` or `test` by any of their names; None for another word."""
    return SPLITS.get(plain_name(written))


def normal_keys(more: Collection[str] = ()) -> frozenset[str]:
    """Plain names of the labels that say that nothing is there; `more` are the user's own."""
    return NORMAL | {plain_name(name) for name in more}


def is_normal(label: str, keys: Collection[str]) -> bool:
    """Whether a label says that nothing is there; `keys` are those of `normal_keys`."""
    return plain_name(label) in keys
