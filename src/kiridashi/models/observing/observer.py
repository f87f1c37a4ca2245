"""Forward hooks at the observation points of a model, removed whatever happens.

| stage | hook | tensor |
| --- | --- | --- |
| encoder | `vision_encoder` | its map of stride 16 |
| memory-1 .. | `memory_attention.layers[i]` | the layer's output |
| vote | `prompt_encoder` | the mask prompt, which matching draws its vote on |
| decoder | `mask_decoder.transformer` | the image tokens after the two-way attention |
| tokens | the same | the mask tokens and their kin after it, one after the other |
| pointer | `object_pointer_proj` | the object pointer |
| written | `memory_encoder`, or the state of a session that recalls by matching | the memory of the frame |
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.models.observing.points import TOKENS, VOTE, Point, Stage, stages_of
from kiridashi.models.promptable import Features, PromptableModel

# Maps are averaged to at most so many places a side: what is kept is bounded, whatever the model.
SIDE = 32
# What was seen in a frame, by the name of the stage.
Seen = dict[str, Tensor]


class Observer:
    """Holds what was last seen at each stage; made by `observe`.

    For one object: with several in one frame, the last that passed is held.

    Attributes:
        stages: of the model, in order.
    """

    def __init__(self, model: PromptableModel) -> None:
        self.stages = stages_of(model)
        self._matches = model.card.recalls_by_matching
        self._seen: dict[str, Tensor] = {}

    def see(self, name: str, value: Tensor) -> None:
        """Hold a tensor, copied and made small; called by the hooks."""
        self._seen[name] = small(value) if value.ndim == 3 else value.detach().float().clone()

    def take(self, features: Features | None = None, memory: Mapping[str, Tensor] | None = None) -> Seen:
        """What was seen since the last `take`, by stage.

        Args:
            features: of the frame, where the model may have known it already, so that nothing passed the
                encoder.
            memory: state of the session after the frame; what a model that recalls by matching has written
                is read from it.

        Returns:
            (C, h, w) float32 maps of at most `SIDE` places a side, and the (C,) pointer. A stage that nothing
            passed is left out.
        """
        if features is not None and Point.ENCODER not in self._seen:
            self.see(Point.ENCODER, features.levels[-1][0])
        if self._matches and memory is not None:
            written = newest_memory(memory)
            if written is not None:
                self.see(Point.WRITTEN, written)
        seen, self._seen = self._seen, {}
        return {stage.name: seen[stage.name] for stage in self.stages if stage.name in seen}


@contextmanager
def observe(model: PromptableModel) -> Iterator[Observer]:
    """Look at a model's stages inside the block; all hooks are gone at its end.

    Args:
        model: with a memory.
    """
    observer = Observer(model)
    net = model.net
    with ExitStack() as stack:

        def hook(module: nn.Module, tell: Callable[[Any, Any], None]) -> None:
            handle = module.register_forward_hook(
                lambda _module, _given, named, output: tell(named, output), with_kwargs=True
            )
            stack.callback(handle.remove)

        hook(
            net.vision_encoder,
            lambda _, output: observer.see(Point.ENCODER, output.fpn_hidden_states[-1][0]),
        )
        hook(net.mask_decoder.transformer, _decoder_teller(observer, net.mask_decoder.num_mask_tokens))
        hook(
            net.object_pointer_proj, lambda _, output: observer.see(Point.POINTER, output.flatten(0, -2)[-1])
        )
        if model.card.recalls_by_matching:
            hook(net.prompt_encoder, lambda named, _: _see_vote(observer, named.get("input_masks")))
        else:
            hook(net.memory_encoder, lambda _, output: observer.see(Point.WRITTEN, output[0][-1]))
            for stage, layer in zip(_layers(observer.stages), net.memory_attention.layers, strict=True):
                hook(layer, _layer_teller(observer, stage))
        yield observer


def small(value: Tensor) -> Tensor:
    """(C, h, w) float32, averaged to at most `SIDE` places a side."""
    height, width = value.shape[-2:]
    value = value.detach().float()
    if max(height, width) <= SIDE:
        return value.clone()
    size = (min(height, SIDE), min(width, SIDE))
    return F.interpolate(value[None], size=size, mode="area")[0]


def newest_memory(state: Mapping[str, Tensor]) -> Tensor | None:
    """(D, h, w) of the memory that a session wrote in its last frame; None when it wrote none.

    Args:
        state: of a session with one object that recalls by matching (`VideoSession.state`).
    """
    last = int(state["frame"]) - 1
    for name, frames in state.items():
        if name.endswith((".recent.frames", ".prompted.frames")) and int(frames[-1]) == last:
            return _map(state[name.removesuffix("frames") + "features"][-1])
    return None


def _see_vote(observer: Observer, masks: Tensor | None) -> None:
    if masks is not None:
        observer.see(VOTE, masks[-1])


def _decoder_teller(observer: Observer, masks: int) -> Callable[[Any, Any], None]:
    def tell(_: Any, output: Any) -> None:
        tokens, image = output
        observer.see(Point.DECODER, _map(image))
        # Presence, predicted IoU and one for each mask; the prompt's own follow.
        observer.see(TOKENS, tokens.reshape(-1, *tokens.shape[-2:])[-1, : masks + 2].flatten())

    return tell


def _layer_teller(observer: Observer, stage: Stage) -> Callable[[Any, Any], None]:
    def tell(_: Any, output: Any) -> None:
        observer.see(stage.name, _map(output[0] if isinstance(output, tuple) else output))

    return tell


def _layers(stages: tuple[Stage, ...]) -> list[Stage]:
    return [stage for stage in stages if stage.point is Point.MEMORY]


def _map(tokens: Tensor) -> Tensor:
    """(C, h, w) of the last (hw, C) of a batch of tokens of a square grid."""
    last = tokens.reshape(-1, *tokens.shape[-2:])[-1]
    side = math.isqrt(last.shape[0])
    if side * side != last.shape[0]:
        raise ValueError(f"{last.shape[0]} tokens are no square grid")
    return last.T.reshape(-1, side, side)
