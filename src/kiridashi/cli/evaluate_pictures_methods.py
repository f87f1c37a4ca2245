"""The few-shot methods and baselines that can be measured, by name."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiridashi.evaluate.pictures.measuring import Maker, Segmenter
    from kiridashi.models.promptable import PromptableModel


def makers(names: Sequence[str], model: str) -> dict[str, "Maker"]:
    """Makers of methods: from a seed to an unfitted method with its verdict of presence.

    Args:
        names: of `segment`'s methods and of the baselines.
        model: that they run on.

    Raises:
        UsageError: there is no such method.
        ModelUnavailableError: the model's files are not here.
    """
    from kiridashi.cli.suggest import check_choice
    from kiridashi.evaluate.baselines.named import BASELINE_NAMES
    from kiridashi.models.loading import load_model
    from kiridashi.reference.methods import METHOD_NAMES

    for name in names:
        check_choice("method", name, (*METHOD_NAMES, *BASELINE_NAMES))
    loaded = load_model(model)
    return {name: partial(fresh_method, name, loaded) for name in names}


def fresh_method(name: str, model: "PromptableModel", seed: int, **options: Any) -> "Segmenter":
    """An unfitted method or baseline on a model whose cache is empty: each pays for its own encodings.

    Args:
        name: of a method or a baseline.
        model: that it runs on.
        seed: of all that is random.
        options: of `kiridashi.reference.methods.make_method`; baselines have none.
    """
    from kiridashi.evaluate.baselines.named import BASELINE_NAMES, make_baseline
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.reference.methods import make_method

    fresh = PromptableModel(model.net, model.card)
    if name in BASELINE_NAMES:
        return make_baseline(name, fresh, seed)
    return make_method(name, fresh, seed=seed, **options)
