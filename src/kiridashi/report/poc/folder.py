"""What a trial leaves behind: a folder of answers a use case, line by line, below that of the report."""

from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.pictures import Key, Line
from kiridashi.report.folder import REPORT, RESULTS, RUN
from kiridashi.report.line_folder import LineFolder

LOG, SUMMARY, SITE = "log.jsonl", "summary.json", "site.yaml"

__all__ = ["LOG", "REPORT", "RESULTS", "RUN", "SITE", "SUMMARY", "TrialFolder"]


class TrialFolder(LineFolder[Key, Line]):
    """The answers of one use case. Make it with `open`."""

    made = ()

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> Line:
        """Read back what `Line.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        return Line.from_json(line)
