"""Everything a run needs to go on bit for bit, as one safetensors file."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from kiridashi.data.atomic import write_bytes

MODEL, AVERAGE, FIRST, SECOND, RANDOM = "model.", "average.", "exp_avg.", "exp_avg_sq.", "random"


def save_checkpoint(
    path: Path,
    trained: dict[str, nn.Parameter],
    average: dict[str, Tensor],
    optimiser: torch.optim.AdamW,
    facts: dict[str, Any],
) -> None:
    """Write atomically.

    Args:
        path: of the file.
        trained: parameters by name, as the optimiser has them.
        average: their moving average.
        optimiser: AdamW over `trained`.
        facts: JSON values: the step, the best score.
    """
    tensors = {MODEL + name: value.detach() for name, value in trained.items()}
    tensors |= {AVERAGE + name: value for name, value in average.items()}
    tensors[RANDOM] = torch.get_rng_state()
    for name, parameter in trained.items():
        moments = optimiser.state.get(parameter)
        if moments:
            tensors[FIRST + name], tensors[SECOND + name] = moments["exp_avg"], moments["exp_avg_sq"]
    content = {name: value.cpu().contiguous() for name, value in tensors.items()}
    write_bytes(path, save(content, metadata={"facts": json.dumps(facts)}), fsync=True)


def load_checkpoint(
    path: Path, trained: dict[str, nn.Parameter], average: dict[str, Tensor], optimiser: torch.optim.AdamW
) -> dict[str, Any]:
    """Put a checkpoint's state in place and return its facts.

    Raises:
        KeyError: the checkpoint is one of other parameters.
    """
    with safe_open(path, framework="pt") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        present = set(file.keys())
        torch.set_rng_state(file.get_tensor(RANDOM))
        for name, parameter in trained.items():
            if MODEL + name not in present:
                raise KeyError(f"{path}: no {name} in the checkpoint; start a new run in another folder")
            parameter.data.copy_(file.get_tensor(MODEL + name))
            average[name].copy_(file.get_tensor(AVERAGE + name))
            if FIRST + name in present:
                optimiser.state[parameter] = {
                    "step": torch.tensor(float(facts["step"])),
                    "exp_avg": file.get_tensor(FIRST + name).to(parameter.device),
                    "exp_avg_sq": file.get_tensor(SECOND + name).to(parameter.device),
                }
    return facts
