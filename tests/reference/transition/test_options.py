import pytest

from kiridashi.core.errors import UsageError
from kiridashi.reference.transition.options import PRESETS, TransitionOptions, preset


def test_the_defaults_are_the_published_settings() -> None:
    options = preset("paper")
    assert options == TransitionOptions()
    assert options.alphas() == pytest.approx([0.2, 0.275, 0.35, 0.425, 0.5, 0.575, 0.65, 0.725, 0.8])
    assert (options.steps, options.rank, options.lora_steps) == (20, 16, 200)
    assert (options.learning_rate, options.weight_decay, options.adain) == (2e-4, 1e-2, True)


def test_the_ends_of_the_alphas_are_exact_and_one_frame_stands_in_the_middle() -> None:
    alphas = TransitionOptions(frames=7, alpha_min=0.1, alpha_max=0.7).alphas()
    assert (alphas[0], alphas[-1]) == (0.1, 0.7)
    assert TransitionOptions(frames=1).alphas() == (0.5,)
    assert TransitionOptions(frames=3, alpha_min=0.4, alpha_max=0.4).alphas() == pytest.approx([0.4] * 3)


def test_smaller_presets_cost_less() -> None:
    def cost(options: TransitionOptions) -> int:
        trained = 3 * options.lora_steps * options.lora_batch
        return 2 * (trained + options.steps) + options.frames * options.steps

    assert set(PRESETS) == {"paper", "balanced", "fast"}
    assert cost(preset("fast")) < cost(preset("balanced"))
    assert cost(preset("fast")) < cost(preset("paper"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("frames", 0),
        ("frames", 65),
        ("steps", 0),
        ("rank", 0),
        ("lora_steps", -1),
        ("lora_batch", 0),
        ("seed", -1),
        ("alpha_min", 0.9),
        ("alpha_max", 1.1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", -0.1),
        ("backend", ""),
    ],
)
def test_a_value_out_of_its_range_is_named(setting: str, value: float) -> None:
    with pytest.raises(UsageError, match=setting):
        TransitionOptions(**{setting: value})  # type: ignore[arg-type]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UsageError, match="paper, balanced, fast"):
        preset("slow")
