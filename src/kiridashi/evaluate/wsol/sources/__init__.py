"""Where pictures with labels and truth come from."""

from kiridashi.evaluate.wsol.sources.defects import DEFECT, as_defects
from kiridashi.evaluate.wsol.sources.labels import Marked, from_labels
from kiridashi.evaluate.wsol.sources.opening import open_set

__all__ = ["DEFECT", "Marked", "as_defects", "from_labels", "open_set"]
