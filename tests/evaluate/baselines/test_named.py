import pytest

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.baselines import CosinePrototypes, RandomForestPixels
from kiridashi.evaluate.baselines.named import BASELINE_NAMES, make_baseline
from kiridashi.evaluate.baselines.unet import UNet
from kiridashi.models.promptable import PromptableModel


def test_names_lead_to_their_baselines(tiny_compact: PromptableModel) -> None:
    made = [make_baseline(name, tiny_compact, seed=3) for name in BASELINE_NAMES]
    assert [type(each) for each in made] == [RandomForestPixels, CosinePrototypes, UNet]
    assert made[0].seed == 3  # type: ignore[attr-defined]


def test_other_names_are_refused(tiny_compact: PromptableModel) -> None:
    with pytest.raises(UsageError, match="forest, cosine"):
        make_baseline("tree", tiny_compact)
