"""What is done with annotated sets: check, repair, divide and count them."""

from kiridashi.data.sets.checking import KINDS, Checked, Kind, check_set
from kiridashi.data.sets.repairing import Repaired, repair_set
from kiridashi.data.sets.splitting import Division, Part, divide, read_parts
from kiridashi.data.sets.statistics import SetFigures, figures

__all__ = [
    "KINDS",
    "Checked",
    "Division",
    "Kind",
    "Part",
    "Repaired",
    "SetFigures",
    "check_set",
    "divide",
    "figures",
    "read_parts",
    "repair_set",
]
