"""What one training run is told, as a TOML file.

Relative paths are relative to the folder in which the run is started.
"""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from kiridashi.core.errors import InputError

StageName = Literal["image", "transition"]


@dataclass(frozen=True)
class RunConfig:
    """One run.

    Attributes:
        stage: "image" (prompts on pictures) or "transition" (diffusion).
        out: folder of checkpoints, log, plot and the best weights.
        data: folder with the training sets.
        sources: folder of `training.scenes.fetch`, or empty.
        weights: safetensors to start from; empty: the trunk of the shipped file, the rest fresh.
        steps: of the optimiser.
        batch: items a step.
        seed: of everything random.
        learning_rate: after the warm-up; a cosine takes it to a hundredth.
        warmup: steps of linear warm-up.
        weight_decay: of AdamW, on matrices only.
        clip: largest norm of the gradient.
        average: decay of the moving average of the weights, which is what is validated and exported.
        device: "cpu" or a CUDA device.
        workers: processes that prepare items; 0 prepares them in place.
        checkpoint_every: steps.
        validate_every: steps.
        options: of the stage; see there.
    """

    stage: StageName
    out: Path
    data: Path
    steps: int
    batch: int
    sources: Path | None = None
    weights: Path | None = None
    seed: int = 0
    learning_rate: float = 1e-3
    warmup: int = 200
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.999
    device: str = "cpu"
    workers: int = 1
    checkpoint_every: int = 250
    validate_every: int = 1000
    options: dict[str, Any] = field(default_factory=dict)


def read_config(path: Path) -> RunConfig:
    """Read a run's TOML file.

    Raises:
        InputError: it cannot be read, or a key is missing or unknown, or there is no such stage.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable TOML file ({error})") from error
    known = {one.name for one in fields(RunConfig)}
    if unknown := sorted(raw.keys() - known):
        raise InputError(f"{path}: unknown keys {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    stages = get_args(StageName)
    if raw.get("stage", stages[0]) not in stages:
        raise InputError(f"{path}: no stage {raw['stage']!r}; known are {', '.join(stages)}")
    for name in ("out", "data", "sources", "weights"):
        if name in raw:
            raw[name] = Path(raw[name]) if raw[name] else None
    try:
        return RunConfig(**raw)
    except TypeError as error:
        raise InputError(f"{path}: {error}") from error
