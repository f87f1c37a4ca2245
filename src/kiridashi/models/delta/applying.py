"""Put a delta into a model, and take it out again without a trace."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kiridashi.core.errors import InputError
from kiridashi.models.delta.delta import Delta
from kiridashi.models.delta.opening import with_delta
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.promptable import PromptableModel


@dataclass(frozen=True, eq=False)
class Applied:
    """A delta that stands in a model now.

    Attributes:
        model: with the delta in it, named after both.
        base: the same network by its own card, for `remove`.
        kept: the parameters' own values, by name.
    """

    model: PromptableModel
    base: PromptableModel
    kept: Mapping[str, Tensor]

    def remove(self) -> PromptableModel:
        """Take the delta out; the network then holds the very tensors that it held before."""
        parameters = dict(self.base.net.named_parameters())
        for name, own in self.kept.items():
            parameters[name].data = own
        self.base.forget()
        return self.base


def apply_delta(model: PromptableModel, delta: Delta) -> Applied:
    """Put a delta into a model.

    The network is one and the same: while the delta stands in it, `model` itself must not be used. A LoRA is
    added to the weights (W + alpha / rank * B A; Hu et al., 2022, arXiv 2106.09685, section 4), so that the
    adapted model takes no longer than its base.

    Args:
        model: the one that the delta was tuned on.
        delta: of its weights.

    Raises:
        InputError: the delta was tuned on another model, or the model has a delta already.
    """
    if model_fingerprint(model) != delta.card.fingerprint:
        state = f"has the delta {model.card.adapted} in it" if model.card.adapted else "is another one"
        raise InputError(
            f"this delta was tuned on {delta.card.model}; {model.card.name} here {state}; "
            "name that model, or adapt this one"
        )
    parameters = dict(model.net.named_parameters())
    values = _lora_values(delta, parameters) if delta.card.part == "lora" else dict(delta.tensors)
    kept: dict[str, Tensor] = {}
    for name, value in values.items():
        if name not in parameters or parameters[name].shape != value.shape:
            raise InputError(f"this delta does not fit {model.card.name}: {name}; adapt the model again")
    for name, value in values.items():
        kept[name] = parameters[name].data
        parameters[name].data = value.to(kept[name].dtype)
    model.forget()
    card = with_delta(model.card, delta.card.part, delta.digest)
    return Applied(PromptableModel(model.net, card), model, kept)


def _lora_values(delta: Delta, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    scale = delta.card.alpha / max(delta.card.rank, 1)
    values = {}
    for layer in delta.layers():
        name = f"{layer}.weight"
        if name not in parameters:
            raise InputError(f"this delta does not fit the model: {layer}; adapt the model again")
        try:
            down, up = delta.factors(layer)
            step = scale * (up.flatten(1) @ down.flatten(1))
            with torch.no_grad():
                values[name] = parameters[name].data + step.view(parameters[name].shape)
        except (KeyError, RuntimeError) as error:
            raise InputError(f"this delta does not fit the model: {layer}; adapt the model again") from error
    return values
