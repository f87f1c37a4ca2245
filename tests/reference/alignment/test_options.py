import json
from typing import Any

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.data.augmentation import AugmentationOptions
from kiridashi.reference.alignment.options import AlignmentOptions


def test_the_defaults_are_the_papers() -> None:
    options = AlignmentOptions()
    assert (options.loss, options.steps, options.learning_rate, options.weight_decay) == (
        "acc",
        100,
        1e-3,
        5e-4,
    )
    assert options.patience is options.temperature is options.copies is None


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("loss", "bce", "acc, abc"),
        ("steps", 0, "at least 1"),
        ("patience", 0, "at least 1"),
        ("copies", 0, "at least 1"),
        ("loss_size", 0, "at least 1"),
        ("seed", -1, "at least 0"),
        ("stride", 32, "4, 8, 16"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("temperature", 0.0, "above 0"),
        ("learning_rate", 2.0, "at most 1"),
        ("weight_decay", -1e-4, "0 to 1"),
    ],
)
def test_what_cannot_work_is_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        AlignmentOptions(**{field: value})
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("brightness", 1.5), ("hue", 0.6), ("rotation", -1), ("shear", 90), ("translation", float("nan"))],
)
def test_ranges_without_sense_are_refused(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=field):
        AugmentationOptions(**{field: value})


@pytest.mark.parametrize("scale", [(0.0, 1.0), (1.2, 0.8), (0.5, float("inf"))])
def test_scales_without_sense_are_refused(scale: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="scale"):
        AugmentationOptions(scale=scale)


def test_options_survive_json() -> None:
    options = AlignmentOptions("abc", patience=7, augmentation=AugmentationOptions(scale=(0.5, 1.5)))
    again = AlignmentOptions.from_dict(json.loads(json.dumps(options.to_dict())))
    assert again == options
