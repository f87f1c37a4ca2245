"""What a check of an annotated set leaves behind: its problems line by line, and the report in one file."""

from kiridashi.report.dataset.folder import PROBLEMS, write_problems
from kiridashi.report.dataset.rendering import render, write_report

__all__ = ["PROBLEMS", "render", "write_problems", "write_report"]
