"""peft's LoRA layers in a network for a while; afterwards it is what it was, module by module."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from kiridashi.core.errors import UsageError

LORA = "lora_"
Standing = tuple[dict[str, tuple[nn.Module, str, nn.Module]], dict[str, bool]]


@contextmanager
def lora_layers(
    net: nn.Module, targets: Sequence[str], rank: int, seed: int, start: str = "gaussian"
) -> Iterator[dict[str, nn.Parameter]]:
    """Low-rank layers (Hu et al., 2022, arXiv 2106.09685) beside some of a network's while the block runs.

    At first they change nothing. Their alpha equals the rank: the scale is 1.

    Args:
        net: the network.
        targets: names of its layers.
        rank: of every layer.
        seed: of the layers' start.
        start: of the first factor, "gaussian" or "uniform"; the second starts at zero.

    Yields:
        The layers' parameters by name.

    Raises:
        UsageError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UsageError("LoRA layers need peft; type: pip install 'kiridashi[adapt]'") from error

    kept = _standing(net)
    how = start if start == "gaussian" else True
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(targets), init_lora_weights=how)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # In a box: peft asks a network of transformers for word embeddings, which these do not have.
            inject_adapter_in_model(config, nn.ModuleDict({"net": net}))
        yield {name: value for name, value in net.named_parameters() if LORA in name}
    finally:
        _restore(net, kept)


def _standing(net: nn.Module) -> Standing:
    """Every module with its parent, and what requires a gradient."""
    modules = {
        f"{path}.{name}" if path else name: (parent, name, child)
        for path, parent in net.named_modules()
        for name, child in parent.named_children()
    }
    wanted = {name: value.requires_grad for name, value in net.named_parameters()}
    return modules, wanted


def _restore(net: nn.Module, kept: Standing) -> None:
    modules, wanted = kept
    for parent, name, child in modules.values():
        if parent._modules[name] is not child:
            setattr(parent, name, child)
    for name, value in net.named_parameters():
        value.requires_grad_(wanted[name])
        value.grad = None
