"""The rows of a run as text: markdown to read, CSV to reckon with."""

import csv
import io
from collections.abc import Sequence

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.tables import markdown
from kiridashi.evaluate.wsol.summary import Row

RESULT_NOTE = (
    "Thresholds as a site has to choose them, before it sees the pictures. What methods share, such as a "
    "picture's encoding, costs the first of them its seconds:"
)
ORACLE_NOTE = (
    "Oracle: the best threshold for the test pictures themselves. Figures of the literature are of this "
    "kind; they bound what a map is worth, and nobody reaches them by intent:"
)
FALLBACK_NOTE = "When the coarse result was kept, and whether that was right:"


def as_markdown(rows: Sequence[Row], first: str) -> str:
    """The rows as markdown tables, shares times 100: what was reached, the oracle's, and the fallback's.

    Args:
        rows: of `summarise`.
        first: the method that differences are to.
    """
    parts = [RESULT_NOTE, _results(rows, first)]
    if any(row.max_box_acc for row in rows):
        parts += [
            ORACLE_NOTE,
            _oracles(rows),
        ]
    if any(row.fallback for row in rows):
        parts += [FALLBACK_NOTE, _fallbacks(rows)]
    return "\n\n".join(parts) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """The rows with all figures, shares times 100."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    measures = ("gt_known", "top1", "top5", "mean_iou", "pxap", "max_box_acc", "max_box_acc_v2", "presence")
    leads = ("lead_gt_known", "lead_pxap", "lead_mean_iou")
    oracles = ("oracle_gt_known", "oracle_mean_iou")
    ends = [f"{name}{end}" for name in (*measures, *leads, *oracles) for end in ("", "_low", "_high")]
    fallback = ("fallback_share", "fallback_right", "turned_down", "taken_right")
    facts = ("set", "method", "answers", "pictures", "failed")
    writer.writerow([*facts, *ends, "thresholds", "oracle_threshold", *fallback, "seconds"])
    for row in rows:
        found = [getattr(row, name) for name in (*measures, *leads)]
        found += [row.oracle.gt_known, row.oracle.mean_iou] if row.oracle else [None, None]
        kept = row.fallback
        writer.writerow(
            [getattr(row, name) for name in facts]
            + [cell for each in found for cell in _ends(each)]
            + [" ".join(f"{value:.2f}" for value in row.thresholds)]
            + [f"{row.oracle.threshold:.2f}" if row.oracle else ""]
            + (
                ["", "", "", ""]
                if kept is None
                else [_share(kept.share), _share(kept.right), str(kept.turned_down), _share(kept.taken_right)]
            )
            + [f"{row.seconds:.3f}"]
        )
    return stream.getvalue()


def percent(value: Interval | None, *, signed: bool = False) -> str:
    """`64.1 [62.0, 66.3]`: a share and its interval times 100; empty when there is none."""
    if value is None:
        return ""
    form = "+.1f" if signed else ".1f"
    mean, low, high = (format(100 * v, form) for v in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"


def _results(rows: Sequence[Row], first: str) -> str:
    titles = ["set", "method", "n", "failed", "GT-known [95 %]", "Top-1", "Top-5", "mean IoU", "PxAP"]
    titles += [f"GT-known minus {first}", f"PxAP minus {first}", f"mean IoU minus {first}", "threshold"]
    presences = any(row.presence for row in rows)
    titles += ["presence (AUROC)"] if presences else []
    titles += ["s an answer"]
    cells = []
    for row in rows:
        line = [row.set, row.method, str(row.answers), str(row.failed)]
        line += [percent(each) for each in (row.gt_known, row.top1, row.top5, row.mean_iou, row.pxap)]
        line += [percent(each, signed=True) for each in (row.lead_gt_known, row.lead_pxap, row.lead_mean_iou)]
        line += [_threshold(row)]
        line += [percent(row.presence)] if presences else []
        cells.append([*line, f"{row.seconds:.3f}"])
    return markdown(titles, cells, names=2)


def _oracles(rows: Sequence[Row]) -> str:
    titles = ["set", "method", "MaxBoxAcc [95 %]", "MaxBoxAccV2", "oracle GT-known", "oracle mean IoU"]
    titles += ["oracle threshold"]
    cells = []
    for row in rows:
        if row.max_box_acc is None:
            continue
        best = row.oracle
        line = [row.set, row.method, percent(row.max_box_acc), percent(row.max_box_acc_v2)]
        line += [percent(best.gt_known if best else None), percent(best.mean_iou if best else None)]
        cells.append([*line, f"{best.threshold:.2f}" if best else ""])
    return markdown(titles, cells, names=2)


def _fallbacks(rows: Sequence[Row]) -> str:
    titles = ["set", "method", "kept", "right when kept", "of", "right when not"]
    cells = [
        [
            *(row.set, row.method, _share(kept.share), _share(kept.right)),
            *(str(kept.turned_down), _share(kept.taken_right)),
        ]
        for row in rows
        if (kept := row.fallback) is not None
    ]
    return markdown(titles, cells, names=2)


def _threshold(row: Row) -> str:
    if not row.thresholds:
        return "own"
    low, high = min(row.thresholds), max(row.thresholds)
    text = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
    return text if row.tuned else f"{text} (fixed)"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _ends(value: Interval | None) -> list[str]:
    if value is None:
        return ["", "", ""]
    return [f"{100 * part:.3f}" for part in (value.mean, value.low, value.high)]
