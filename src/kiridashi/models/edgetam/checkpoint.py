"""Published EdgeTAM checkpoints, whose trunk carries timm's names and branches, made ready for our trunk."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.models.edgetam.repvit import RepVitTrunkConfig
from kiridashi.models.folding import as_entries, fold_branches, fold_norm

TIMM_TYPE = "timm_wrapper"
KNOWN_ARCHITECTURE = "repvit_m1"
TRUNK = "vision_encoder.backbone."
TIMM_TRUNK = TRUNK + "timm_model."
BATCH_NORM_EPS = 1e-5
COUNTER = "num_batches_tracked"


def with_own_trunk(
    config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights with a timm trunk replaced by ours; any other checkpoint as it is.

    Raises:
        InputError: a timm trunk that is not RepViT-M1, or that lacks weights or has unknown ones.
    """
    vision = _section(config, "vision_config")
    backbone = _section(vision, "backbone_config")
    if backbone.get("model_type") != TIMM_TYPE:
        return dict(config), dict(state)
    architecture = str(backbone.get("architecture"))
    if architecture.partition(".")[0] != KNOWN_ARCHITECTURE:
        raise InputError(
            f"the trunk {architecture!r} is not known here; "
            f"of timm's trunks only {KNOWN_ARCHITECTURE}, that of EdgeTAM, is"
        )
    own = RepVitTrunkConfig()
    theirs = {key for key in state if key.startswith(TIMM_TRUNK)}
    folded = fold_trunk({key.removeprefix(TIMM_TRUNK): state[key] for key in theirs}, own)
    weights = {key: value for key, value in state.items() if key not in theirs}
    weights |= {TRUNK + key: value for key, value in folded.items()}
    return {**config, "vision_config": {**vision, "backbone_config": own.to_dict()}}, weights


def fold_trunk(published: Mapping[str, Tensor], config: RepVitTrunkConfig) -> dict[str, Tensor]:
    """The state dict of `RepVitTrunk` from one under the published names.

    Raises:
        InputError: weights are missing, or some are not part of the trunk.
    """
    source = _Source(published)
    folded: dict[str, Tensor] = {}
    for index in range(2):
        folded |= as_entries(f"stem.{index}", source.conv(f"stem.conv{index + 1}"))
    for stage, depth in enumerate(config.depths):
        first = 0
        if stage:
            folded |= _downsample(source, f"stages_{stage}.downsample", f"stages.{stage}.0")
            first = 1
        for block in range(depth):
            theirs, ours = f"stages_{stage}.blocks.{block}", f"stages.{stage}.{first + block}"
            folded |= _block(source, theirs, ours, gated=block % 2 == 0)
    source.check_used_up()
    return folded


class _Source:
    """A state dict under the published names that remembers what was taken from it."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._left = {key: value for key, value in state.items() if not key.endswith(COUNTER)}

    def take(self, *names: str) -> dict[str, Tensor]:
        missing = [name for name in names if name not in self._left]
        if missing:
            raise InputError(f"the trunk's weights lack {TIMM_TRUNK}{missing[0]}; fetch the model again")
        return {name: self._left.pop(name) for name in names}

    def conv(self, name: str) -> tuple[Tensor, Tensor]:
        """A convolution `c` and its normalisation `bn`, folded."""
        norm = [f"{name}.bn.{field}" for field in ("weight", "bias", "running_mean", "running_var")]
        return fold_norm(self.take(f"{name}.c.weight", *norm), f"{name}.c", f"{name}.bn", BATCH_NORM_EPS)

    def plain(self, name: str) -> tuple[Tensor, Tensor]:
        """A convolution without normalisation."""
        weight, bias = self.take(f"{name}.weight", f"{name}.bias").values()
        return weight, bias

    def check_used_up(self) -> None:
        if self._left:
            raise InputError(f"the trunk has weights that RepViT-M1 lacks, the first is {min(self._left)}")


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _block(source: _Source, theirs: str, ours: str, *, gated: bool) -> dict[str, Tensor]:
    mixer = f"{theirs}.token_mixer"
    merged = fold_branches(*source.conv(f"{mixer}.conv"), *source.conv(f"{mixer}.conv1"))
    folded = as_entries(f"{ours}.spatial", merged)
    if gated:
        folded |= as_entries(f"{ours}.gate.squeeze", source.plain(f"{theirs}.se.fc1"))
        folded |= as_entries(f"{ours}.gate.excite", source.plain(f"{theirs}.se.fc2"))
    return folded | _mixer(source, f"{theirs}.channel_mixer", f"{ours}.channel")


def _downsample(source: _Source, theirs: str, ours: str) -> dict[str, Tensor]:
    return (
        _block(source, f"{theirs}.pre_block", f"{ours}.before", gated=False)
        | as_entries(f"{ours}.spatial", source.conv(f"{theirs}.spatial_downsample"))
        | as_entries(f"{ours}.project", source.conv(f"{theirs}.channel_downsample"))
        | _mixer(source, f"{theirs}.ffn", f"{ours}.channel")
    )


def _mixer(source: _Source, theirs: str, ours: str) -> dict[str, Tensor]:
    return as_entries(f"{ours}.widen", source.conv(f"{theirs}.conv1")) | as_entries(
        f"{ours}.narrow", source.conv(f"{theirs}.conv2")
    )
