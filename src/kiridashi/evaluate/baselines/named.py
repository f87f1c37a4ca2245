"""The baselines that learn from references, by name."""

from typing import TYPE_CHECKING

from kiridashi.core.errors import UsageError

if TYPE_CHECKING:
    from kiridashi.evaluate.answering import Segmenter
    from kiridashi.models.promptable import PromptableModel

BASELINE_NAMES = ("forest", "cosine", "unet")


def make_baseline(name: str, model: "PromptableModel", seed: int = 0) -> "Segmenter":
    """An unfitted baseline.

    Args:
        name: one of `BASELINE_NAMES`.
        model: whose features `cosine` compares; the others need none.
        seed: of the forest and the network.

    Raises:
        UsageError: no baseline of this name.
    """
    from kiridashi.evaluate.baselines.cosine import CosinePrototypes
    from kiridashi.evaluate.baselines.forest import RandomForestPixels

    if name == "forest":
        return RandomForestPixels(seed)
    if name == "unet":
        from kiridashi.evaluate.baselines.unet import UNet

        return UNet(seed)
    if name == "cosine":
        return CosinePrototypes(model)
    raise UsageError(f"no baseline named {name!r}; there are {', '.join(BASELINE_NAMES)}")
