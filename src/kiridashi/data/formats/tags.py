"""Tags of pictures in a table: one row a picture, one column a tag, as `picture,light,angle`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from kiridashi.data.atomic import write_text
from kiridashi.data.files import check_file, one_line, unusable
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet

FILE = "tags.csv"
MAX_BYTES = 2**26
_PICTURE = ("picture", "file", "filename", "file_name", "image", "name", "id")


def read_tags(path: Path) -> dict[str, dict[str, str]]:
    """The tags of each row by the name in its column `picture` (or `file`, `image`, `name`).

    Empty cells are no tags.

    Raises:
        InputError: the file cannot be used, or has no such column.
    """
    check_file(path, MAX_BYTES)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise unusable(path, "not UTF-8 text; save the table as CSV UTF-8") from error
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise unusable(path, f"not a table ({error})") from error
    columns = {str(key).strip().casefold(): key for row in rows[:1] for key in row if key is not None}
    first = next((columns[name] for name in _PICTURE if name in columns), None)
    if rows and first is None:
        raise unusable(path, f"expected a column `picture`, got {', '.join(columns)[:80]}")
    return {
        one_line(row[first] or "").replace("\\", "/"): {
            one_line(key): one_line(value) for key, value in row.items() if key not in (None, first) and value
        }
        for row in rows
        if first is not None
    }


def with_tags(annotated: AnnotatedSet, tags: Mapping[str, Mapping[str, str]]) -> AnnotatedSet:
    """The set with the tags of a table added, found by name, by file name, or by that without suffix."""
    table: dict[str, Mapping[str, str]] = {}
    for name, row in tags.items():
        pure = PurePosixPath(name)
        for key in dict.fromkeys((name, pure.name, pure.stem)):
            if key != name and key in table and table[key] != row:
                table[key] = {}  # several rows: only the full name tells
            else:
                table[key] = row

    def add(picture: AnnotatedPicture) -> AnnotatedPicture:
        pure = PurePosixPath(picture.name)
        row = next((table[key] for key in (picture.name, pure.name, pure.stem) if key in table), {})
        return replace(picture, tags={**picture.tags, **row}) if row else picture

    return annotated.mapped(add)


def write_tags(folder: Path, tags: Sequence[tuple[str, Mapping[str, str]]]) -> None:
    """Write `tags.csv` beside a format that has no place for tags; nothing when there are none."""
    if not tags:
        return
    columns = list(dict.fromkeys(key for _, one in tags for key in one))
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["picture", *columns])
    table.writerows([name, *(one.get(key, "") for key in columns)] for name, one in tags)
    write_text(folder / FILE, stream.getvalue())
