"""All figures of a diagnosis as one CSV: a row for each run, frame and stage."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import fields

from kiridashi.report.diagnosis.lines import FrameFigures, Line, StageFigures

FIGURES = tuple(each.name for each in fields(StageFigures))
COLUMNS = ("run", "frame", "source", "found", "score", "j", "f", "distance", "stage", *FIGURES)


def as_csv(lines: Sequence[Line]) -> str:
    """The table with its titles; what is not known is empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        for index, frame in enumerate(line.frames):
            writer.writerows(_rows(line.key.label, index, frame))
    return stream.getvalue()


def _rows(run: str, index: int, frame: FrameFigures) -> Iterator[tuple[object, ...]]:
    head: tuple[object, ...] = (run, index, _text(frame.source), int(frame.found), _text(frame.score))
    head += (_text(frame.j), _text(frame.f), _text(frame.distance))
    for name, stage in frame.stages.items():
        yield (*head, name, *(_text(getattr(stage, figure)) for figure in FIGURES))


def _text(value: float | None) -> object:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else value
