"""The report that a manager decides from: one file, in two languages, fit to print."""

from kiridashi.report.poc.document import CaseReport, Decision, Document
from kiridashi.report.poc.rendering import render, write_report

__all__ = ["CaseReport", "Decision", "Document", "render", "write_report"]
