"""The report: one HTML file that needs nothing beside it."""

from kiridashi.report.page.content import Report, Timing
from kiridashi.report.page.messages import LANGUAGES
from kiridashi.report.page.rendering import render, write_report

__all__ = ["LANGUAGES", "Report", "Timing", "render", "write_report"]
