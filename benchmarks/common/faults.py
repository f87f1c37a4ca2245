"""Faults planted into a working model, each in one stage, undone at the end of the block.

Where the fault lies is known, so that a diagnosis can be held against it. They are planted into the parts
that do the work in a model that recalls by matching.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.video.bank import ObjectBank
from kiridashi.models.video.estimate import Estimate, Recalled
from kiridashi.models.video.matching import MatchingMemory

# A function that enters a fault into a model for as long as the stack is open.
Plant = Callable[[PromptableModel, ExitStack], None]
# Deviation of the noise, in deviations of what it is added to: less of it does not harm the answer.
NOISE = 20.0


def encoder_noised(model: PromptableModel, stack: ExitStack) -> None:
    """The image encoder's maps drown in noise that is new in every frame."""
    generator = torch.Generator().manual_seed(0)

    def drown(maps: Iterable[Tensor]) -> None:
        for value in maps:
            value += NOISE * value.std() * torch.randn(value.shape, generator=generator)

    encoder = model.net.vision_encoder
    # What is matched, and what the decoder sees: two outputs of one trunk.
    hooks = (
        encoder.backbone.register_forward_hook(lambda _module, _given, output: drown(output.trunk_maps)),
        encoder.register_forward_hook(lambda _module, _given, output: drown(output.fpn_hidden_states)),
    )
    for hook in hooks:
        stack.callback(hook.remove)


def memory_shuffled(_model: PromptableModel, stack: ExitStack) -> None:
    """Reading takes the looks of one remembered place for those of another."""
    read = MatchingMemory.read

    def misread(self: MatchingMemory, features: Features, bank: ObjectBank, frame: int) -> Recalled:
        # Only `spatial` of the bank is asked for.
        return read(self, features, _Shuffled(bank), frame)  # type: ignore[arg-type]

    stack.enter_context(mock.patch.object(MatchingMemory, "read", misread))


def memory_miswritten(_model: PromptableModel, stack: ExitStack) -> None:
    """What is written says of the wrong places that the object is there."""
    write = MatchingMemory.write

    def miswrite(self: MatchingMemory, features: Features, estimate: Estimate, prompted: bool) -> Tensor:
        return _mixed(write(self, features, estimate, prompted))

    stack.enter_context(mock.patch.object(MatchingMemory, "write", miswrite))


def prompts_zeroed(model: PromptableModel, stack: ExitStack) -> None:
    """The decoder gets prompt embeddings of zeros, sparse and dense."""
    hook = model.net.prompt_encoder.register_forward_hook(
        lambda _module, _given, output: tuple(torch.zeros_like(one) for one in output)
    )
    stack.callback(hook.remove)


def decoder_tokens_zeroed(model: PromptableModel, stack: ExitStack) -> None:
    """The tokens of masks and prompts come out of the two-way attention as zeros."""
    hook = model.net.mask_decoder.transformer.register_forward_hook(
        lambda _module, _given, output: (torch.zeros_like(output[0]), output[1])
    )
    stack.callback(hook.remove)


def decoder_noised(model: PromptableModel, stack: ExitStack) -> None:
    """The image tokens of the two-way attention drown in noise."""
    generator = torch.Generator().manual_seed(0)

    def drown(_module: Any, _given: Any, output: Any) -> Any:
        keys = output[1]
        return output[0], keys + NOISE * keys.std() * torch.randn(keys.shape, generator=generator)

    stack.callback(model.net.mask_decoder.transformer.register_forward_hook(drown).remove)


def pointer_zeroed(model: PromptableModel, stack: ExitStack) -> None:
    """The object pointer is all zeros."""
    hook = model.net.object_pointer_proj.register_forward_hook(
        lambda _module, _given, output: torch.zeros_like(output)
    )
    stack.callback(hook.remove)


def pointer_noised(model: PromptableModel, stack: ExitStack) -> None:
    """The object pointer is another one in every frame."""
    generator = torch.Generator().manual_seed(0)

    def drown(_module: Any, _given: Any, output: Tensor) -> Tensor:
        return output + NOISE * output.std() * torch.randn(output.shape, generator=generator)

    stack.callback(model.net.object_pointer_proj.register_forward_hook(drown).remove)


# Each fault with the stage that it lies in.
FAULTS: dict[str, tuple[Plant, str]] = {
    "encoder noised": (encoder_noised, "encoder"),
    "memory shuffled": (memory_shuffled, "memory"),
    "memory miswritten": (memory_miswritten, "written"),
    "prompts zeroed": (prompts_zeroed, "decoder"),
    "decoder tokens zeroed": (decoder_tokens_zeroed, "decoder"),
    "decoder noised": (decoder_noised, "decoder"),
    "pointer zeroed": (pointer_zeroed, "pointer"),
    "pointer noised": (pointer_noised, "pointer"),
}


@contextmanager
def planted(model: PromptableModel, name: str) -> Iterator[PromptableModel]:
    """The model with a fault of `FAULTS` inside of the block.

    Yields:
        A model of its own over the same network, so that no sound encoding is remembered.
    """
    with ExitStack() as stack:
        FAULTS[name][0](model, stack)
        yield PromptableModel(model.net, model.card)


class _Shuffled:
    """A bank whose looks and shares do not belong together."""

    def __init__(self, bank: ObjectBank) -> None:
        self._bank = bank

    def spatial(self, frame: int) -> Iterator[tuple[int, Tensor]]:
        return ((age, _mixed(tokens)) for age, tokens in self._bank.spatial(frame))


def _mixed(tokens: Tensor) -> Tensor:
    """Memory tokens (.., L, D + 1) with their shares, the last channel, at other places."""
    order = torch.randperm(tokens.shape[-2], generator=torch.Generator().manual_seed(0))
    return torch.cat([tokens[..., :-1], tokens[..., order, -1:]], dim=-1)
