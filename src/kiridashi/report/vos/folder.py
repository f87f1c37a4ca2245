"""The output folder of an evaluation: a line a clip and tracker.

A run can be taken up with more trackers or sets.
"""

from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.vos.lines import Key, Line
from kiridashi.report.folder import RESULTS
from kiridashi.report.line_folder import LineFolder

TABLE, CSV, OBJECTS = "table.md", "table.csv", "objects.csv"

__all__ = ["CSV", "OBJECTS", "RESULTS", "TABLE", "VosFolder"]


class VosFolder(LineFolder[Key, Line]):
    """The folder of one evaluation. Make it with `open`."""

    made = (TABLE, CSV, OBJECTS)

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> Line:
        """Read back what `Line.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        return Line.from_json(line)
