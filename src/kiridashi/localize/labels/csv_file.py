"""Labels in a table: one row a picture and label, as spreadsheets save them.

Understood are commas, semicolons and tabs between the cells, and UTF-8, UTF-16 and Shift-JIS (cp932, which
Japanese spreadsheets write). The first line names the columns, in English or Japanese.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiridashi.core.errors import InputError
from kiridashi.data.files import check_file, one_line, reason_of, unusable
from kiridashi.data.places import find_picture, folders_of
from kiridashi.localize.labels.boxes import checked_box
from kiridashi.localize.labels.gathering import Claim
from kiridashi.localize.labels.items import Box, Refused
from kiridashi.localize.labels.names import labels_of_cell, plain_name, split_name

MAX_BYTES = 64 * 2**20

# By `plain_name`. Where a table has two columns of a kind, the first of these counts.
PICTURE = (
    *("picture", "file", "filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath"),
    *("img", "photo", "pictures", "files", "images", "name", "id"),
    *("画像", "画像名", "画像ファイル", "画像ファイル名", "ファイル", "ファイル名", "写真"),
)
LABEL = (
    *("label", "labels", "class", "classes", "classname", "category", "categories", "tag", "tags", "defect"),
    *("ラベル", "クラス", "カテゴリ", "分類", "判定", "種類", "欠陥", "不良"),
)
SPLIT = ("split", "subset", "set", "分割", "用途")
CORNERS = (
    *(("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2")),
    ("left", "top", "right", "bottom"),
)
SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"))


@dataclass(frozen=True)
class _Columns:
    """Where a table has what."""

    picture: int
    label: int
    split: int | None
    box: tuple[int, ...] | None
    corners: bool


def read_csv(path: Path, pictures: Path | None) -> tuple[list[Claim], list[Refused]]:
    """What a table claims, row by row, and the rows that cannot be used.

    Args:
        path: the table.
        pictures: folder that its file names start from; None: that of the table, and `images` in it.

    Raises:
        InputError: the file cannot be read, or has no columns for picture and label.
    """
    check_file(path, MAX_BYTES)
    text = _decode(path)
    delimiter, columns = _columns(text, path)
    folders = folders_of(path, pictures)
    claims: list[Claim] = []
    refused: list[Refused] = []
    for number, row in _rows(text, delimiter, path):
        written = _cell(row, columns.picture)
        try:
            claims.append(_claim(row, columns, folders))
        except InputError as error:
            refused.append(Refused(one_line(f"line {number}, {written or 'no name'}"), one_line(str(error))))
    return claims, refused


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unusable(path, reason_of(error)) from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codings = ["utf-16"]
    else:
        codings = ["utf-8-sig", "cp932"]
    for coding in codings:
        try:
            return data.decode(coding)
        except UnicodeDecodeError:
            continue
    raise unusable(path, "neither UTF-8 nor Shift-JIS text; save the table as `CSV UTF-8`")


def _columns(text: str, path: Path) -> tuple[str, _Columns]:
    """The delimiter that makes sense of the first line, and what its columns are."""
    longest: list[str] = []
    for delimiter in (",", ";", "\t"):
        _, head = next(_rows(text, delimiter, path, body=False), (0, []))
        plain = [plain_name(cell) for cell in head]
        picture, label = _first(plain, PICTURE), _first(plain, LABEL)
        if picture is not None and label is not None:
            box, corners = _box_columns(plain)
            return delimiter, _Columns(picture, label, _first(plain, SPLIT), box, corners)
        longest = max(longest, head, key=len)
    seen = ", ".join(longest)[:120]
    raise unusable(
        path,
        f"the first line must name the columns `picture` and `label` (others may follow); it reads: {seen}",
    )


def _box_columns(plain: Sequence[str]) -> tuple[tuple[int, ...] | None, bool]:
    for names, corners in [(each, True) for each in CORNERS] + [(each, False) for each in SIDES]:
        if all(name in plain for name in names):
            return tuple(plain.index(name) for name in names), corners
    return None, True


def _rows(text: str, delimiter: str, path: Path, *, body: bool = True) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of the rows that are not empty; the first one only with `body` false."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = True
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                if header is not body:
                    yield reader.line_num, row
                header = False
    except csv.Error as error:
        raise unusable(path, f"line {reader.line_num} is no row of a table ({error})") from error


def _claim(row: Sequence[str], columns: _Columns, folders: Sequence[Path]) -> Claim:
    path = find_picture(_cell(row, columns.picture), folders)
    labels = labels_of_cell(_cell(row, columns.label))
    if not labels:
        raise InputError("it has no label; write OK where nothing is there")
    return Claim(path, tuple(labels), _split(row, columns), _box(row, columns))


def _split(row: Sequence[str], columns: _Columns) -> str | None:
    written = "" if columns.split is None else _cell(row, columns.split)
    if not written:
        return None
    split = split_name(written)
    if split is None:
        raise InputError(f"no split named {written[:40]!r}; use train, val or test")
    return split


def _box(row: Sequence[str], columns: _Columns) -> tuple[Box, ...]:
    cells = [_cell(row, place) for place in columns.box or ()]
    if not any(cells):
        return ()
    try:
        a, b, c, d = (float(cell) for cell in cells)
    except ValueError as error:
        raise InputError("its box is not four numbers") from error
    box = (a, b, c, d) if columns.corners else (a, b, a + c, b + d)
    return (checked_box(box),)


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _first(plain: Sequence[str], names: Sequence[str]) -> int | None:
    return next((plain.index(name) for name in names if name in plain), None)
