"""The output folder of an evaluation: a line an episode and method.

A run can be taken up with more methods, shots, sets or episodes.
"""

from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.report.folder import REPORT, RESULTS
from kiridashi.report.line_folder import LineFolder

TABLE, CSV, BRIDGES = "table.md", "table.csv", "bridges.md"

__all__ = ["BRIDGES", "CSV", "REPORT", "RESULTS", "TABLE", "EvaluationFolder"]


class EvaluationFolder(LineFolder[Key, Line]):
    """The folder of one evaluation. Make it with `open`."""

    made = (TABLE, CSV, BRIDGES, REPORT)

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> Line:
        """Read back what `Line.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        return Line.from_json(line)
