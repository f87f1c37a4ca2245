"""The network to train: the shipped trunk and, at first, fresh everything else."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Sam2VideoModel

from kiridashi.core.errors import InputError
from kiridashi.models.catalogue import find_card
from kiridashi.models.compact.architecture import compact_config
from kiridashi.models.fetching import shipped_file
from kiridashi.models.loading import quiet

TRUNK = "vision_encoder.backbone."
CONTEXT = TRUNK + "context."
COARSE_SCALE = 0.2
ENCODER = (CONTEXT, "vision_encoder.neck.")
DECODER = ("prompt_encoder.", "mask_decoder.")


def make_network(weights: Path | None, seed: int) -> Any:
    """`Sam2VideoModel` of the compact sizes, float32, in eval mode, no gradients.

    Args:
        weights: safetensors of the whole network or of a part of it; what is missing is fresh. None:
            the trunk of the package's file.
        seed: of the fresh part.

    Raises:
        InputError: the file holds weights that the network lacks.
    """
    state = load_file(weights or shipped_file(find_card("compact")))
    if weights is None:
        state = {name: value for name, value in state.items() if is_trunk(name)}
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Sam2VideoModel(compact_config())
        refresh(net)
    unexpected = net.load_state_dict({k: v.float() for k, v in state.items()}, strict=False).unexpected_keys
    if unexpected:
        raise InputError(f"{weights}: weights that the compact network lacks: {', '.join(unexpected[:3])}")
    return net.eval().requires_grad_(False)


def refresh(net: Any) -> None:
    """Initialise everything but the trunk for training from scratch.

    transformers' initialisation is for checkpoints to be loaded over: its small normal weights learn
    slowly, and it leaves the position codes of clicks and of picture tokens two different random codes,
    so that a click says nothing about where it is.
    """
    for name, module in net.named_modules():
        fresh = not is_trunk(name + ".")
        if fresh and isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.reset_parameters()
    code: Tensor = net.shared_image_embedding.positional_embedding
    net.prompt_encoder.shared_embedding.positional_embedding.copy_(code)
    # Tokens of about the size of their position codes: five times larger ones, as they come out otherwise,
    # drown where they are.
    for lateral in net.vision_encoder.neck.convs[:2]:
        with torch.no_grad():
            lateral.weight.mul_(COARSE_SCALE)


def is_trunk(name: str) -> bool:
    """Whether a weight belongs to the frozen trunk."""
    return name.startswith(TRUNK) and not name.startswith(CONTEXT)


def parameters_of(net: Any, prefixes: tuple[str, ...]) -> dict[str, nn.Parameter]:
    """Parameters whose names begin with one of the prefixes, made trainable."""
    chosen = {name: value for name, value in net.named_parameters() if name.startswith(prefixes)}
    for value in chosen.values():
        value.requires_grad_(True)
    return chosen
