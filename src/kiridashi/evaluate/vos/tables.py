"""The rows of a run as text: markdown to read, CSV to reckon with."""

import csv
import io
from collections.abc import Sequence

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.tables import markdown
from kiridashi.evaluate.vos.lines import Key, Line
from kiridashi.evaluate.vos.summary import Row

RESULT_NOTE = (
    "Means over objects, with 95 % bootstrap intervals over clips. The first frame is given, and the last "
    "one does not count. Decay: the first quarter minus the last:"
)
RECOVERY_NOTE = (
    "Objects out of sight: how often they came back, after how many of these returns they were found again "
    "(J of 0.5), after how many frames, and how often nothing was found while nothing was there:"
)
CLIP_NOTE = "J&F of each clip:"
MEASURES = ("j_and_f", "j", "j_recall", "j_decay", "f", "f_recall", "f_decay", "lead")
# Frames per second beyond which the figure is noise.
FASTEST = 1000


def as_markdown(rows: Sequence[Row], lines: Sequence[Line], first: str) -> str:
    """Markdown tables, shares times 100: what was reached, what was found again, and each clip.

    Args:
        rows: of `summarise`.
        lines: of the run.
        first: the tracker that differences are to.
    """
    parts = [RESULT_NOTE, _results(rows, first)]
    if any(row.recovery for row in rows):
        parts += [RECOVERY_NOTE, _recoveries(rows)]
    parts += [CLIP_NOTE, _clips(rows, lines)]
    return "\n\n".join(parts) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """The rows with all figures, shares times 100."""
    facts = ("set", "method", "clips", "objects", "failed")
    ends = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    recovery = ("returns", "recovered", "recovery_frames", "absent", "absent_right")
    table: list[list[str]] = [[*facts, *ends, *recovery, "frames_per_second"]]
    for row in rows:
        again = row.recovery
        table.append(
            [str(getattr(row, name)) for name in facts]
            + [cell for name in MEASURES for cell in _ends(getattr(row, name))]
            + (
                [""] * len(recovery)
                if again is None
                else [
                    *(str(again.returns), _share(again.recovered), _number(again.frames)),
                    *(str(again.absent), _share(again.absent_right)),
                ]
            )
            + [f"{row.frames_per_second:.3f}"]
        )
    return _text(table)


def objects_csv(lines: Sequence[Line]) -> str:
    """Every object of every clip, shares times 100."""
    table = [["set", "clip", "object", "method", "j_and_f", *MEASURES[1:-1]]]
    for line in lines:
        for one in line.objects:
            figures = [
                getattr(part, name)
                for part in (one.region, one.boundary)
                for name in ("mean", "recall", "decay")
            ]
            values = [f"{100 * value:.3f}" for value in (one.j_and_f, *figures)]
            table.append([line.key.set, line.key.clip, str(one.label), line.key.method, *values])
    return _text(table)


def percent(value: Interval | None, clips: int, *, signed: bool = False) -> str:
    """`64.1 [62.0, 66.3]`: a share and its interval times 100; empty when there is none.

    Args:
        value: of the row.
        clips: that it is of; a single one says nothing of how sure it is.
        signed: write the sign also where it is a plus.
    """
    if value is None:
        return ""
    form = "+.1f" if signed else ".1f"
    if clips < 2:
        return format(100 * value.mean, form)
    mean, low, high = (format(100 * part, form) for part in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"


def _results(rows: Sequence[Row], first: str) -> str:
    titles = ["set", "method", "clips", "objects", "failed", "J&F [95 %]", "J", "J recall", "J decay"]
    titles += ["F", "F recall", "F decay", f"J&F minus {first}", "frames/s"]
    cells = [
        [
            *(row.set, row.method, str(row.clips), str(row.objects), str(row.failed)),
            *(percent(getattr(row, name), row.clips) for name in MEASURES[:-1]),
            percent(row.lead, row.clips, signed=True),
            _rate(row.frames_per_second),
        ]
        for row in rows
    ]
    return markdown(titles, cells, names=2)


def _recoveries(rows: Sequence[Row]) -> str:
    titles = ["set", "method", "returns", "found again", "frames (median)", "absent frames", "nothing found"]
    cells = [
        [
            *(row.set, row.method, str(again.returns), _share(again.recovered, ".1f")),
            *(_number(again.frames), str(again.absent), _share(again.absent_right, ".1f")),
        ]
        for row in rows
        if (again := row.recovery) is not None
    ]
    return markdown(titles, cells, names=2)


def _clips(rows: Sequence[Row], lines: Sequence[Line]) -> str:
    methods = list(dict.fromkeys(row.method for row in rows))
    values = {
        line.key: sum(one.j_and_f for one in line.objects) / len(line.objects)
        for line in lines
        if line.error is None
    }
    clips = dict.fromkeys(line.key[:2] for line in lines)
    table = [[*clip, *(_share(values.get(Key(*clip, name)), ".1f") for name in methods)] for clip in clips]
    return markdown(["set", "clip", *methods], table, names=2)


def _rate(frames_per_second: float) -> str:
    """A mask that is only kept takes no time worth a figure."""
    return f"{frames_per_second:.1f}" if frames_per_second < FASTEST else f"over {FASTEST}"


def _share(value: float | None, form: str = ".3f") -> str:
    return "" if value is None else format(100 * value, form)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _ends(value: Interval | None) -> list[str]:
    if value is None:
        return ["", "", ""]
    return [f"{100 * part:.3f}" for part in (value.mean, value.low, value.high)]


def _text(table: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(table)
    return stream.getvalue()
