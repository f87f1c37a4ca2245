"""What a user would do without this package, at equal shots: the figures a method has to beat."""

from kiridashi.evaluate.baselines.cosine import CosinePrototypes
from kiridashi.evaluate.baselines.forest import RandomForestPixels

__all__ = ["CosinePrototypes", "RandomForestPixels"]
