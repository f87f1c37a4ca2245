"""What an evaluation of weakly supervised localisation leaves behind."""

from kiridashi.report.wsol.folder import AGREEMENT, CSV, RESULTS, SCATTER, TABLE, WsolFolder

__all__ = ["AGREEMENT", "CSV", "RESULTS", "SCATTER", "TABLE", "WsolFolder"]
