"""A small network of the references' own: learned on the frozen trunk's maps, from augmented copies."""

from kiridashi.reference.adapted.method import Adapted
from kiridashi.reference.adapted.options import HeadOptions

__all__ = ["Adapted", "HeadOptions"]
