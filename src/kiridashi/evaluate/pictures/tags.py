"""Conditions under which pictures were taken, from a table, and what methods are worth under each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kiridashi.data.files import unusable
from kiridashi.data.formats.tags import read_tags as read_table
from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.pictures.lines import Line
from kiridashi.evaluate.pictures.measures import counted, scored
from kiridashi.evaluate.pictures.measuring import AS_IT_IS
from kiridashi.evaluate.pictures.resampling import draw_weights, interval
from kiridashi.evaluate.pictures.summary import mean_over_classes

MOST_CONDITIONS, MOST_VALUES = 20, 50
# Of the measures, those that a breakdown shows.
SHOWN = ("iou", "boundary_iou", "found", "quiet")

# From a picture's id to the value of each condition.
Tags = Mapping[str, Mapping[str, str]]


def read_tags(path: Path) -> Tags:
    """A table with a column `picture` (names, with or without ending) and a column for each condition.

    For instance `picture,light,angle,line,shift`. An empty cell says that nothing is known.

    Args:
        path: a CSV file in UTF-8; see `kiridashi.data.formats.tags`.

    Raises:
        InputError: the file cannot be used, has no condition, or too many of them or of their values.
    """
    rows = read_table(path)
    values: dict[str, set[str]] = {}
    for of in rows.values():
        for condition, value in of.items():
            values.setdefault(condition, set()).add(value)
    if not 1 <= len(values) <= MOST_CONDITIONS:
        raise unusable(
            path, f"expected a column `picture` and 1 to {MOST_CONDITIONS} conditions, got {len(values)}"
        )
    for condition, known in values.items():
        if len(known) > MOST_VALUES:
            raise unusable(
                path,
                f"the condition {condition[:60]!r} has {len(known)} different values; give at most "
                f"{MOST_VALUES}, such as ranges of a number",
            )
    # A name alone, whatever folder the table was made in.
    pure = {name: PurePosixPath(name) for name in rows}
    return {key: of for name, of in rows.items() for key in (name, pure[name].name, pure[name].stem)}


@dataclass(frozen=True)
class TagRow:
    """What one method reached under one condition.

    Attributes:
        condition: its name.
        value: of it.
        shots: number of pictures that were shown.
        method: its name.
        pictures: number of different measured ones.
        figures: of `SHOWN`, as means over the classes.
    """

    condition: str
    value: str
    shots: int
    method: str
    pictures: int
    figures: Mapping[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self)


def by_tags(
    lines: Sequence[Line], methods: Sequence[str], tags: Tags, *, view: str = AS_IT_IS
) -> list[TagRow]:
    """Figures by condition, value, shots and method; pictures without a tag count nowhere.

    Args:
        lines: of one set.
        methods: names, in order.
        tags: of `read_tags`.
        view: of the pictures.
    """
    seen = [line for line in lines if line.key.view == view]
    conditions = dict.fromkeys(key for of in tags.values() for key in of)
    rows = []
    for condition in conditions:
        values = sorted({of[condition] for of in tags.values() if condition in of})
        for value in values:
            held = [one for one in seen if tags.get(one.key.picture, {}).get(condition) == value]
            for shots in sorted({one.key.shots for one in held}):
                chosen = [one for one in held if one.key.shots == shots]
                rows += [
                    row
                    for method in methods
                    if (row := _row(condition, value, shots, method, chosen)) is not None
                ]
    return rows


def _row(condition: str, value: str, shots: int, method: str, lines: Sequence[Line]) -> TagRow | None:
    some = scored([line for line in lines if line.key.method == method])
    if not some:
        return None
    weights = draw_weights(one.line.key for one in some)
    figures = {name: interval(mean_over_classes(some, weights, name), counted(some, name)) for name in SHOWN}
    known = {name: figure for name, figure in figures.items() if figure is not None}
    pictures = len({one.line.key.picture for one in some})
    return TagRow(condition, value, shots, method, pictures, known)
