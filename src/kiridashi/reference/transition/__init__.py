"""Frames between a reference and a target: DBST of CAV-SAM, and its controls."""

from kiridashi.reference.transition.options import PRESETS, TransitionOptions, preset
from kiridashi.reference.transition.strip import transition_strip
from kiridashi.reference.transition.transition import (
    TRANSITION_NAMES,
    Transition,
    load_backend,
    make_transition,
)

__all__ = [
    "PRESETS",
    "TRANSITION_NAMES",
    "Transition",
    "TransitionOptions",
    "load_backend",
    "make_transition",
    "preset",
    "transition_strip",
]
