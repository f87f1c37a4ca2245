"""What `diagnose` leaves behind: a line a run, pictures of the stages, a verdict, and a report."""

from kiridashi.report.diagnosis.content import Diagnosis, RuleNote
from kiridashi.report.diagnosis.finding import Finding, Verdict, Where
from kiridashi.report.diagnosis.folder import DiagnosisFolder
from kiridashi.report.diagnosis.lines import Key, Line
from kiridashi.report.diagnosis.rendering import messages, render, write_report

__all__ = [
    "Diagnosis",
    "DiagnosisFolder",
    "Finding",
    "Key",
    "Line",
    "RuleNote",
    "Verdict",
    "Where",
    "messages",
    "render",
    "write_report",
]
