"""What `localize predict` leaves behind: its folder, and a report in which each stage can be seen."""

from kiridashi.report.localisation.content import Localisations
from kiridashi.report.localisation.folder import LocalisationFolder
from kiridashi.report.localisation.rendering import render, write_report
from kiridashi.report.localisation.stages import ChoiceNote, Outcome, Stages

__all__ = [
    "ChoiceNote",
    "LocalisationFolder",
    "Localisations",
    "Outcome",
    "Stages",
    "render",
    "write_report",
]
