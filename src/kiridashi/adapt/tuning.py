"""The part of a model that is tuned: in the model meanwhile, and gone without a trace afterwards."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kiridashi.adapt.trunks import Maps, above, below
from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.models.delta import TunedPart
from kiridashi.models.delta.parts import LORA_DOWN, LORA_UP, lora_targets, plain_parameters
from kiridashi.models.lora import lora_layers
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import Features, PromptableModel

# How peft names the two factors of a layer, and how a delta does.
PEFT = ((".lora_A.default.weight", LORA_DOWN), (".lora_B.default.weight", LORA_UP))


@dataclass(frozen=True, eq=False)
class Tuning:
    """A part of a model whose parameters require gradients now.

    Attributes:
        model: whose part it is.
        part: which one.
        first_block: of the trunk, from which on a LoRA stands; 0 for the other parts.
        parameters: by their names in a delta.
    """

    model: PromptableModel
    part: TunedPart
    first_block: int
    parameters: Mapping[str, nn.Parameter]

    @torch.no_grad()
    def see(self, picture: Picture) -> Maps:
        """What is below the tuned part of a picture, to be computed once.

        Of the decoder these are its three levels, of the neck the maps that it reads, of a LoRA the state
        before the first tuned block.
        """
        pixels = to_input(picture, self.model.card)
        trunk = self.model.net.vision_encoder.backbone
        if self.part == "lora":
            return below(trunk, pixels, self.first_block)
        maps = above(trunk, below(trunk, pixels, 0), 0)
        return maps if self.part == "neck" else self._levels(maps)

    def features(self, kept: Maps, size: tuple[int, int]) -> Features:
        """Features from what `see` gave, with gradients to the tuned part."""
        levels = kept
        if self.part == "lora":
            kept = above(self.model.net.vision_encoder.backbone, kept, self.first_block)
        if self.part != "decoder":
            levels = self._levels(kept)
        return Features(levels, torch.empty(0), (), size)

    def state(self) -> dict[str, Tensor]:
        """Copies of the parameters as they are now."""
        return {name: value.detach().clone() for name, value in self.parameters.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put a state in place.

        Raises:
            InputError: it is of other parameters.
        """
        has = {name: value.shape for name, value in state.items()}
        if has != {name: value.shape for name, value in self.parameters.items()}:
            raise InputError(
                "the earlier delta is of another part, rank or depth; adapt with the settings "
                "that it was made with"
            )
        with torch.no_grad():
            for name, value in self.parameters.items():
                value.copy_(state[name])
        self.model.forget()

    def _levels(self, maps: Maps) -> Maps:
        """The levels that the decoder reads, from the maps that the neck reads."""
        encoder, decoder = self.model.net.vision_encoder, self.model.net.mask_decoder
        found, _ = encoder.neck(maps)
        fine, middle, coarse = found[-3:][::-1]
        return decoder.conv_s0(fine), decoder.conv_s1(middle), coarse


@contextmanager
def tuning(
    model: PromptableModel, part: TunedPart, *, rank: int = 8, first_block: int = 0, seed: int = 0
) -> Iterator[Tuning]:
    """A part of a model to tune inside the block; at its end the model holds the very tensors it held before.

    Args:
        model: its network is changed in place; nobody else may use it meanwhile.
        part: that is tuned.
        rank: of a LoRA.
        first_block: of the trunk, from which on a LoRA stands.
        seed: of a LoRA's start.
    """
    net = model.net
    targets = lora_targets(net, first_block) if part == "lora" else []
    layers: AbstractContextManager[dict[str, nn.Parameter]]
    layers = lora_layers(net, targets, rank, seed, "uniform") if part == "lora" else nullcontext({})
    own = {} if part == "lora" else plain_parameters(net, part)
    kept = {name: value.data for name, value in own.items()}
    try:
        with torch.inference_mode(False), torch.enable_grad(), layers as added:
            for name, value in own.items():
                value.data = kept[name].clone()
            parameters = own or {_delta_name(name): value for name, value in added.items()}
            net.requires_grad_(False)
            for value in parameters.values():
                value.requires_grad_(True)
            yield Tuning(model, part, first_block if part == "lora" else 0, parameters)
    finally:
        for name, value in own.items():
            value.data, value.grad = kept[name], None
        net.requires_grad_(False)
        model.forget()


def _delta_name(name: str) -> str:
    for theirs, ours in PEFT:
        if name.endswith(theirs):
            return name.removesuffix(theirs) + ours
    return name
