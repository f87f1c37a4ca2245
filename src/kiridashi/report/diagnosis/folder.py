"""The output folder of a diagnosis: a line a run, the pictures of its stages, verdict and report.

`results.jsonl` has the figures, `pictures/RUN/STAGE.jpg` a strip of chosen frames for each stage.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiridashi.core.picture import Rgb
from kiridashi.data.pictures import write_picture
from kiridashi.report.diagnosis.lines import Key, Line
from kiridashi.report.folder import RESULTS
from kiridashi.report.line_folder import LineFolder

REPORT, VERDICT, TABLE, PICTURES = "report.html", "verdict.json", "stages.csv", "pictures"
QUALITY = 85

__all__ = ["PICTURES", "REPORT", "RESULTS", "TABLE", "VERDICT", "DiagnosisFolder"]


class DiagnosisFolder(LineFolder[Key, Line]):
    """The folder of one diagnosis. Make it with `open`."""

    made = (REPORT, VERDICT, TABLE)

    @staticmethod
    def read_line(line: Mapping[str, Any]) -> Line:
        """Read back what `Line.to_json` gave.

        Raises:
            InputError: it is not that.
        """
        return Line.from_json(line)

    def strip_path(self, key: Key, stage: str) -> Path:
        """Where the strip of a stage lies."""
        return self.path / PICTURES / key.label / f"{stage}.jpg"

    def write_strips(self, key: Key, strips: Mapping[str, Rgb]) -> None:
        """Write the strips of a run, by stage.

        Raises:
            UsageError: a file cannot be written.
        """
        for stage, pixels in strips.items():
            write_picture(self.strip_path(key, stage), pixels, QUALITY)
