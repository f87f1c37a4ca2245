"""The output folder of an evaluation: a line a method, picture and class.

A run can be taken up with more methods or sets.
"""

from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.wsol.lines import Key, Line
from kiridashi.report.folder import RESULTS
from kiridashi.report.line_folder import LineFolder

TABLE, CSV, AGREEMENT = "table.md", "table.csv", "coarse_and_final.csv"
SCATTER = "coarse_and_final.svg"

__all__ = ["AGREEMENT", "CSV", "RESULTS", "SCATTER", "TABLE", "WsolFolder"]


class WsolFolder(LineFolder[Key, Line]):
    """The folder of one evaluation. Make it with `open`."""

    made = (TABLE, CSV, AGREEMENT, SCATTER)

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> Line:
        """Read back what `Line.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        return Line.from_json(line)
