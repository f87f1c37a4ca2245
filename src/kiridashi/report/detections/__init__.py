"""The report of a detection: objects of many classes in one HTML file that needs nothing beside it."""

from kiridashi.report.detections.content import Detections, KnownClass
from kiridashi.report.detections.rendering import render, write_report

__all__ = ["Detections", "KnownClass", "render", "write_report"]
