"""The output folder of a comparison: a line a picture and method.

A run can be taken up with more methods, shots, seeds or pictures.
"""

from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.pictures.lines import Key, Line
from kiridashi.report.folder import REPORT, RESULTS
from kiridashi.report.line_folder import LineFolder

TABLE, CSV, CONDITIONS, COSTS = "table.md", "table.csv", "conditions.md", "costs.md"

__all__ = ["CONDITIONS", "COSTS", "CSV", "REPORT", "RESULTS", "TABLE", "PicturesFolder"]


class PicturesFolder(LineFolder[Key, Line]):
    """The folder of one comparison. Make it with `open`."""

    made = (TABLE, CSV, CONDITIONS, COSTS, REPORT)

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> Line:
        """Read back what `Line.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        return Line.from_json(line)
