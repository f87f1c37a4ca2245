"""The three parts of a model that a few pictures can tune."""

from typing import Any, Literal, get_args

from torch import nn

from kiridashi.core.errors import UsageError

TunedPart = Literal["lora", "neck", "decoder"]
PARTS: tuple[TunedPart, ...] = get_args(TunedPart)
# Where a LoRA stands, by the name that `named_parameters` gives a layer's two factors.
LORA_DOWN, LORA_UP = ".lora_A", ".lora_B"


def check_part(name: str) -> TunedPart:
    """A part by its name.

    Raises:
        UsageError: there is no such part.
    """
    for part in PARTS:
        if part == name:
            return part
    raise UsageError(f"what to adapt is one of {', '.join(PARTS)}, got {name!r}")


def trunk_prefix() -> str:
    """What the names of the trunk's parameters begin with."""
    return "vision_encoder.backbone."


def plain_parameters(net: Any, part: TunedPart) -> dict[str, nn.Parameter]:
    """The parameters that a part without a LoRA tunes themselves, by their names in the network.

    The decoder is taken with the embedding of dense prompts, which says how much a prior counts, and
    without its two projections of the fine maps, so that what it reads can be computed once. These two
    belong to the neck.
    """
    projections = ("mask_decoder.conv_s0.", "mask_decoder.conv_s1.")
    if part == "neck":
        return _under(net, ("vision_encoder.neck.", *projections))
    if part == "decoder":
        found = _under(net, ("mask_decoder.", "prompt_encoder.mask_embed."))
        return {name: value for name, value in found.items() if not name.startswith(projections)}
    raise ValueError(f"{part} has no parameters of its own")


def lora_targets(net: Any, first_block: int = 0) -> list[str]:
    """Names of the trunk's layers that a LoRA stands beside: linear ones and pointwise convolutions.

    Depthwise convolutions are left alone: a low-rank factor of them is larger than they are.

    Args:
        net: a network of the SAM 2 family.
        first_block: of the trunk's `blocks`, before which nothing is tuned; a trunk that is not a list of
            blocks is taken whole.
    """
    names = []
    for name, module in net.vision_encoder.backbone.named_modules():
        if not _is_target(module) or _block_number(name) < first_block:
            continue
        names.append(trunk_prefix() + name)
    return names


def _under(net: Any, prefixes: tuple[str, ...]) -> dict[str, nn.Parameter]:
    return {name: value for name, value in net.named_parameters() if name.startswith(prefixes)}


def _is_target(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.kernel_size == (1, 1)
    return isinstance(module, nn.Linear)


def _block_number(name: str) -> int:
    """The number of the trunk's block that a layer is in; layers behind all blocks count as after them."""
    head, _, rest = name.partition(".")
    if head == "blocks":
        return int(rest.partition(".")[0])
    return -1 if head in ("stem", "patch_embed") else 1 << 30
