"""CAV-SAM: a reference and a target as a short video (`cav`), and its ablation."""

from kiridashi.reference.cav.bridges import BRIDGES, Bridge
from kiridashi.reference.cav.method import Cav
from kiridashi.reference.cav.options import CavOptions

__all__ = ["BRIDGES", "Bridge", "Cav", "CavOptions"]
