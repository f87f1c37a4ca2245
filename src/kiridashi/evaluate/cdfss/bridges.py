"""What a method that chooses its way for each query made of the choice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kiridashi.evaluate.cdfss.lines import Line
from kiridashi.evaluate.cdfss.measures import in_common, mean_iou, paired_intervals, strata
from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.tables import markdown

# Of an answer's provenance.
BRIDGE = "bridge"
# The method whose answer is that of the plain pair.
PLAIN_METHOD = "concat"


@dataclass(frozen=True)
class BridgeRow:
    """How often each bridge was taken on one set, and what that was worth.

    Attributes:
        set: its name.
        shots: number of supports.
        method: that chose.
        taken: answers by the name of the bridge, the most frequent first; with a vote each answer counts.
        worth: mean IoU minus that of the plain pair over the queries that both have; None when the plain
            pair was not asked.
    """

    set: str
    shots: int
    method: str
    taken: Mapping[str, int]
    worth: Interval | None

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self) | {"taken": dict(self.taken)}


def bridge_rows(lines: Sequence[Line], choosing: Sequence[str]) -> list[BridgeRow]:
    """One row a set, number of shots and method that has an answer with a bridge.

    Args:
        lines: of a run.
        choosing: the methods that choose.
    """
    cells = dict.fromkeys((line.key.set, line.key.shots) for line in lines)
    rows = []
    for name, shots in cells:
        of_cell = [line for line in lines if (line.key.set, line.key.shots) == (name, shots)]
        plain = [line for line in of_cell if line.key.method == PLAIN_METHOD]
        for method in choosing:
            mine = [line for line in of_cell if line.key.method == method]
            taken = Counter(each[BRIDGE] for line in mine for each in line.provenance if BRIDGE in each)
            if taken:
                rows.append(BridgeRow(name, shots, method, dict(taken.most_common()), _worth(mine, plain)))
    return rows


def bridges_markdown(rows: Sequence[BridgeRow]) -> str:
    """The rows as a markdown table, shares times 100."""
    names = list(dict.fromkeys(name for row in rows for name in row.taken))
    titles = ["set", "shots", "method", *(f"{name} taken" for name in names)]
    titles.append(f"mean IoU minus {PLAIN_METHOD} [95 %]")
    cells = [
        [
            row.set,
            str(row.shots),
            row.method,
            *(str(row.taken.get(name, 0)) for name in names),
            worth_text(row.worth),
        ]
        for row in rows
    ]
    return markdown(titles, cells, names=3) + "\n"


def worth_text(worth: Interval | None) -> str:
    """`+1.2 [-0.3, +2.8]`: a difference of shares and its interval times 100; "" for none."""
    if worth is None:
        return ""
    mean, low, high = (f"{100 * value:+.1f}" for value in (worth.mean, worth.low, worth.high))
    return f"{mean} [{low}, {high}]"


def _worth(ours: Sequence[Line], plain: Sequence[Line]) -> Interval | None:
    mine, theirs = in_common(ours, plain)
    return paired_intervals(strata(mine), strata(theirs), (mean_iou,))[0] if mine else None
