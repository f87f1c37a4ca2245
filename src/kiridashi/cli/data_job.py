"""Convert, split and count annotated sets."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from kiridashi.cli.classes_told import count
from kiridashi.cli.columns import columns
from kiridashi.cli.failures import ExitCode, tell
from kiridashi.cli.progress import waiting
from kiridashi.cli.summary import NAMED
from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import write_text
from kiridashi.data.formats import AnnotatedSet, Problem, Written, read_set, write_set
from kiridashi.data.formats.writing import Pictures, Shapes
from kiridashi.data.sets import divide, figures, read_parts
from kiridashi.data.sets.statistics import SetFigures

BRING: tuple[Pictures, ...] = ("copy", "link", "none")
SHAPES: tuple[Shapes, ...] = ("keep", "polygon", "bitmap")
SPLITS = "splits.csv"
ChoiceT = TypeVar("ChoiceT", bound=Literal["copy", "link", "none", "keep", "polygon", "bitmap"])


@dataclass(frozen=True)
class Source:
    """The set that a verb works on.

    Attributes:
        data: file or folder.
        format: named by the user, if at all.
        pictures: their folder, if named.
        tags: table of tags, if named.
    """

    data: Path
    format: str | None
    pictures: Path | None
    tags: Path | None

    def read(self) -> AnnotatedSet:
        """Open it.

        Raises:
            InputError: it cannot be used.
            UsageError: no such format.
        """
        return read_set(self.data, self.format, self.pictures, self.tags)


def choice(value: str, known: tuple[ChoiceT, ...], option: str) -> ChoiceT:
    """The choice that a word names.

    Raises:
        UsageError: none of those known.
    """
    if value not in known:
        raise UsageError(f"{option} is one of {', '.join(known)}; got {value!r}")
    return value


def convert_set(
    source: Source, out: Path, to: str, *, bring: str, shapes: str, quiet: bool, as_json: bool
) -> int:
    """Write a set in another format and tell what came of it."""
    how, kind = choice(bring, BRING, "--bring"), choice(shapes, SHAPES, "--shapes")
    annotated = source.read()
    with waiting(f"writing {to}", quiet=quiet or as_json):
        written = write_set(annotated, out, to, pictures=how, shapes=kind)
    return tell_written("data convert", annotated, written, out, to, quiet=quiet, as_json=as_json)


def split_set(
    source: Source,
    out: Path,
    parts: str,
    *,
    groups: Sequence[str],
    likeness: bool,
    to: str | None,
    bring: str,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Divide a set, write it with the parts, and tell the counts."""
    how, asked = choice(bring, BRING, "--bring"), read_parts(parts)
    annotated = source.read()
    with waiting("looking at the pictures", quiet=quiet or as_json):
        division = divide(annotated, asked, seed=seed, likeness=likeness, tags=groups)
    names = [picture.name for picture in annotated]
    to = to or annotated.format
    with waiting(f"writing {to}", quiet=quiet or as_json):
        written = write_set(division.apply(annotated), out, to, pictures=how)
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["picture", "part", "group"])
    table.writerows(
        [name, part or "", group]
        for name, part, group in zip(names, division.parts, division.groups, strict=True)
    )
    write_text(out / SPLITS, stream.getvalue())
    counts, by_class = division.counts(), division.by_class()
    shown = [part.name for part in asked]
    more = {
        "parts": {name: counts.get(name, 0) for name in shown},
        "classes": {annotated.classes[label]: row for label, row in by_class.items()},
        "groups": len(set(division.groups)),
    }
    if not quiet and not as_json:
        rows = [["pictures", *(str(counts.get(name, 0)) for name in shown)]]
        rows += [
            [annotated.classes[label], *(str(row.get(name, 0)) for name in shown)]
            for label, row in by_class.items()
        ]
        print("\n".join(columns([["", *shown], *rows], right=range(1, len(shown) + 1))))
    return tell_written("data split", annotated, written, out, to, quiet=quiet, as_json=as_json, more=more)


def tell_written(
    command: str,
    annotated: AnnotatedSet,
    written: Written,
    out: Path,
    to: str,
    *,
    quiet: bool,
    as_json: bool,
    more: dict[str, Any] | None = None,
) -> int:
    """Print what was written, lost and left out; the exit code."""
    code = ExitCode.SOME_FAILED if written.problems else ExitCode.DONE
    if as_json:
        told = {
            "command": command,
            "out": str(out),
            "from": annotated.format,
            "to": to,
            "pictures": written.pictures,
            "annotations": written.annotations,
            "lost": dict(written.lost),
            "problems": [vars(problem) for problem in written.problems],
            **(more or {}),
            "exit_code": int(code),
        }
        print(json.dumps(told, ensure_ascii=True))
    elif not quiet:
        print(
            f"{annotated.format} to {to}: {count(written.pictures, 'picture')}, "
            f"{count(written.annotations, 'object')} in {out}"
        )
        for what, number in written.lost.items():
            print(f"not kept: {number} {what}")
    tell_problems(written.problems, "left out")
    return code


def tell_problems(problems: Sequence[Problem], kind: str) -> None:
    """Name the first problems on standard error."""
    for problem in problems[:NAMED]:
        annotation = "" if problem.annotation is None else f", annotation {problem.annotation}"
        where = "" if problem.picture is None else f"{problem.picture}{annotation}: "
        tell(f"{where}{problem.text}", kind)
    if len(problems) > NAMED:
        tell(f"and {len(problems) - NAMED} more; `kiridashi data check` lists them", kind)


def tell_figures(source: Source, *, as_json: bool) -> None:
    """Print the figures of a set."""
    annotated = source.read()
    found = figures(annotated)
    names = dict(annotated.classes)
    if as_json:
        told = {"command": "data stats", "data": str(source.data), "format": annotated.format}
        print(json.dumps({**told, **found.to_json(names)}, ensure_ascii=True))
        return
    print("\n".join(_lines(annotated, found, names)))


def _lines(annotated: AnnotatedSet, found: SetFigures, names: dict[int, str]) -> list[str]:
    told = found.to_json(names)
    facts = [["format", annotated.format], ["pictures", f"{found.pictures:,}"]]
    if found.splits:
        facts.append(["splits", ", ".join(f"{name} {count:,}" for name, count in found.splits.items())])
    facts += [
        ["without an object", f"{found.empty:,}"],
        ["without a file", f"{found.missing:,}"],
        ["objects", f"{found.objects:,}"],
        ["objects a picture", _range(told["objects_a_picture"], "{:g}")],
        ["small, medium, large", ", ".join(f"{count:,}" for count in told["by_size"].values())],
        ["overlapping objects", f"{found.overlaps:,} in {found.overlapped:,} pictures"],
        ["marked pixels", f"{found.covered:.2%}"],
        ["sizes", _sizes(told["sizes"])],
    ]
    facts += [[f"tag {tag}", _values(values)] for tag, values in told["tags"].items()]
    if found.problems:
        facts.append(["problems", f"{found.problems:,}; see `kiridashi data check`"])
    rows = [
        [
            str(row["id"]),
            row["name"],
            f"{row['pictures']:,}",
            f"{row['objects']:,}",
            _range(row["share"], "{:.2%}"),
            f"{row['at_edge']:,}",
            f"{row['boxes_only']:,}",
        ]
        for row in told["classes"]
    ]
    titles = ["id", "class", "pictures", "objects", "share of the picture", "at the edge", "boxes only"]
    return [*columns(facts), "", *columns([titles, *rows], right=(0, 2, 3, 5, 6))]


def _range(spread: dict[str, float] | None, form: str) -> str:
    if spread is None:
        return "-"
    low, middle, high = (form.format(spread[key]) for key in ("min", "median", "max"))
    return f"{middle} ({low} to {high})"


def _sizes(sizes: Sequence[dict[str, int]]) -> str:
    shown = [f"{one['width']} x {one['height']} ({one['pictures']:,})" for one in sizes[:3]]
    return ", ".join([*shown, *([f"{len(sizes) - 3:,} more"] if len(sizes) > 3 else [])])


def _values(values: dict[str, int]) -> str:
    shown = [f"{value} {count:,}" for value, count in list(values.items())[:NAMED]]
    return ", ".join([*shown, *([f"{len(values) - NAMED:,} more"] if len(values) > NAMED else [])])
