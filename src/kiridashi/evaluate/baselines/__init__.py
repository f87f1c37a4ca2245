"""What a user would do without this package, from the same references or prompts: the figures to beat."""

from kiridashi.evaluate.baselines.cosine import CosinePrototypes
from kiridashi.evaluate.baselines.forest import RandomForestPixels
from kiridashi.evaluate.baselines.unet import UNet

__all__ = ["CosinePrototypes", "RandomForestPixels", "UNet"]
