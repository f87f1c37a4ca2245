"""What an evaluation of video object segmentation leaves behind."""

from kiridashi.report.vos.folder import CSV, OBJECTS, RESULTS, TABLE, VosFolder

__all__ = ["CSV", "OBJECTS", "RESULTS", "TABLE", "VosFolder"]
