"""One LoRA for one picture: the diffusion model learns to make this picture (CAV-SAM; Hu et al., 2022).

The layers are peft's. They stand in the shared UNet only inside `adapted`; afterwards the UNet is what it
was, module by module.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.core.errors import InputError, UsageError
from kiridashi.models.lora import LORA, lora_layers
from kiridashi.reference.transition.backend import Backend
from kiridashi.reference.transition.options import TransitionOptions

Tick = Callable[[], None]
BETAS = (0.9, 0.999)


class Adapter:
    """The LoRA layers that stand in a UNet now.

    Args:
        unet: with peft's layers in it.
    """

    def __init__(self, unet: nn.Module) -> None:
        self._parameters = {name: value for name, value in unet.named_parameters() if LORA in name}

    def parameters(self) -> list[nn.Parameter]:
        """What a training of the LoRA changes."""
        return list(self._parameters.values())

    def state(self) -> dict[str, Tensor]:
        """Copies of the layers' weights by name, float32, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._parameters.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put a state into the layers.

        Raises:
            InputError: it is of other layers.
        """
        if not self.fits(state):
            raise InputError("this LoRA belongs to another network or rank; delete it from the cache folder")
        with torch.no_grad():
            for name, value in self._parameters.items():
                value.copy_(state[name])

    def fits(self, state: Mapping[str, Tensor]) -> bool:
        """Whether a state is one of these layers."""
        found = {name: value.shape for name, value in state.items()}
        return found == {name: value.shape for name, value in self._parameters.items()}


@contextmanager
def adapted(backend: Backend, rank: int, seed: int = 0) -> Iterator[Adapter]:
    """LoRA layers in the back-end's UNet while the block runs; at first they change nothing.

    Args:
        backend: whose `lora_targets` are adapted.
        rank: of every layer.
        seed: of the layers' start.
    """
    unet = backend.unet
    # An alpha equal to the rank keeps the scale at 1, as in CAV-SAM.
    with lora_layers(unet, list(backend.lora_targets), rank, seed):
        yield Adapter(unet)


def train_lora(
    backend: Backend,
    clean: Tensor,
    text: Tensor | None,
    options: TransitionOptions,
    tick: Tick | None = None,
) -> dict[str, Tensor]:
    """Fit a LoRA to one picture; the UNet itself is left as it was.

    AdamW with a constant rate on the mean squared error of the predicted noise at timesteps drawn evenly.
    Equal inputs on one machine give equal results.

    Args:
        backend: the diffusion model.
        clean: (1, C, H, W) latent of the picture.
        text: (1, N, D) embedding, or None.
        options: rank, steps, batch, rates and seed.
        tick: called after each step.

    Returns:
        The LoRA's weights by name, float32.

    Raises:
        UsageError: the loss is no number any more.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        adapted(backend, options.rank, options.seed) as lora,
    ):
        optimiser = torch.optim.AdamW(
            lora.parameters(), lr=options.learning_rate, betas=BETAS, weight_decay=options.weight_decay
        )
        generator = torch.Generator().manual_seed(options.seed)
        many = clean.clone().expand(options.lora_batch, -1, -1, -1)
        for _ in range(options.lora_steps):
            loss = _loss(backend, many, text, generator)
            if not torch.isfinite(loss):
                raise UsageError(
                    f"the LoRA's training runs away at a learning rate of {options.learning_rate}; "
                    "take a lower one (2e-4 is usual)"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if tick:
                tick()
        return lora.state()


def _loss(backend: Backend, clean: Tensor, text: Tensor | None, generator: torch.Generator) -> Tensor:
    schedule = backend.schedule
    times = torch.randint(len(schedule.kept), (len(clean),), generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    predicted = backend.predict(schedule.noisy(clean, noise, times), times, text)
    return F.mse_loss(predicted, schedule.goal(clean, noise, times))
