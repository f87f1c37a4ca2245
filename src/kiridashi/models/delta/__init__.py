"""Deltas: what fine-tuning changed of a model, kept apart from its weights, put in and taken out."""

from kiridashi.models.delta.applying import Applied, apply_delta
from kiridashi.models.delta.delta import Delta, DeltaCard
from kiridashi.models.delta.opening import delta_file, open_delta
from kiridashi.models.delta.parts import PARTS, TunedPart

__all__ = ["PARTS", "Applied", "Delta", "DeltaCard", "TunedPart", "apply_delta", "delta_file", "open_delta"]
