"""The published trunk: a DeiT whose last three blocks are global-aware, with weights from a checkpoint.

DeiT: Touvron et al., 2021, arXiv 2012.12877. A picture of 224 x 224 pixels has 14 x 14 patches; with the
class token and the four global tokens that makes a sequence of 201.
"""

import re
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.errors import InputError, ModelUnavailableError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.gtformer.network import GTFormer
from kiridashi.localize.gtformer.options import DEIT_GRID
from kiridashi.models.fetching import ANSWER_SECONDS, HTTP_LIBRARIES, WANTED
from kiridashi.models.folder import IMAGENET_MEAN, IMAGENET_STD, read_weights

SIDE = 224
SEQUENCE = DEIT_GRID**2 + 5
CHECKPOINTS = {
    "deit-tiny": "facebook/deit-tiny-patch16-224",
    "deit-small": "facebook/deit-small-patch16-224",
    "deit-base": "facebook/deit-base-patch16-224",
}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
PREFIXES = ("vit.", "deit.", "module.")
# Names in files of transformers, and in those of timm, and ours; blocks apart.
WHOLE = {
    "class_token": ("embeddings.cls_token", "cls_token"),
    "position": ("embeddings.position_embeddings", "pos_embed"),
    "stem.project.weight": ("embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight"),
    "stem.project.bias": ("embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias"),
    "norm.weight": ("layernorm.weight", "norm.weight"),
    "norm.bias": ("layernorm.bias", "norm.bias"),
}
BLOCK = {
    "norm1": ("layernorm_before", "norm1"),
    "attn.proj": ("attention.output.dense", "attn.proj"),
    "norm2": ("layernorm_after", "norm2"),
    "fc1": ("intermediate.dense", "mlp.fc1"),
    "fc2": ("output.dense", "mlp.fc2"),
}


def to_pixels(picture: Picture, side: int = SIDE) -> Tensor:
    """(3, side, side) float32 of a picture: resized to the square, scaled, normalised as for ImageNet."""
    pixels = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1)[None]
    small = F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)[0]
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (small.float() / 255 - mean) / deviation


def load_checkpoint(network: GTFormer, source: str, *, local_files_only: bool = False) -> None:
    """Put a DeiT's or ViT's weights into a network with such a trunk, in place.

    Global tokens and class head stay as they are: no checkpoint has them.

    Args:
        network: with a DeiT trunk.
        source: a folder with safetensors, in transformers' names or timm's, or a hub id.
        local_files_only: never ask the network.

    Raises:
        UsageError: a network without DeiT trunk, or a source that is neither of the two.
        InputError: the weights are not those of such a DeiT, or pickled.
        ModelUnavailableError: a hub model that is not here and cannot be fetched.
    """
    if not network.options.is_deit:
        raise UsageError("a DeiT's weights belong in a network with a DeiT trunk; set trunk to deit-small")
    state = read_weights(_folder(source, local_files_only))
    translated = _translated(state, network.options.depth, source)
    own = network.state_dict()
    for name, tensor in translated.items():
        if own[name].shape != tensor.shape:
            raise InputError(
                f"{source}: {name} has shape {tuple(tensor.shape)}, but {network.options.trunk} has "
                f"{tuple(own[name].shape)}; take a checkpoint of the same size, patch 16, 224 x 224 pixels"
            )
    network.load_state_dict(translated, strict=False)


def _translated(state: dict[str, Tensor], depth: int, source: str) -> dict[str, Tensor]:
    plain = {_bare(name): tensor.float() for name, tensor in state.items()}

    def take(*names: str) -> Tensor:
        for name in names:
            if name in plain:
                return plain[name]
        raise InputError(f"{source}: no {' or '.join(names)} in it; expected a ViT or DeiT of {depth} blocks")

    found = {ours: take(*names) for ours, names in WHOLE.items()}
    found["position"] = _position(found["position"])
    for index in range(depth):
        theirs = f"encoder.layer.{index}.", f"blocks.{index}."
        for kind in ("weight", "bias"):
            for ours, names in BLOCK.items():
                found[f"blocks.{index}.{ours}.{kind}"] = take(
                    *(f"{before}{name}.{kind}" for before, name in zip(theirs, names, strict=True))
                )
            joined = f"{theirs[1]}attn.qkv.{kind}"
            if joined not in plain:
                parts = ("query", "key", "value")
                plain[joined] = torch.cat(
                    [take(f"{theirs[0]}attention.attention.{part}.{kind}") for part in parts]
                )
            found[f"blocks.{index}.attn.qkv.{kind}"] = plain[joined]
    return found


def _position(position: Tensor) -> Tensor:
    """Position embeddings without that of a distillation token, which a GTFormer does not have."""
    if position.ndim == 3 and position.shape[1] == DEIT_GRID**2 + 2:
        return torch.cat([position[:, :1], position[:, 2:]], dim=1)
    return position


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _folder(source: str, local_files_only: bool) -> Path:
    """Where a checkpoint's files are; fetched if they are not here."""
    from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if Path(source).is_dir():
        return Path(source)
    if not HUB_ID.fullmatch(source):
        raise UsageError(f"{source!r}: no such folder, and no hub id such as owner/name")
    cached = try_to_load_from_cache(source, "model.safetensors")
    if isinstance(cached, str):
        return Path(cached).parent
    if local_files_only:
        raise _unavailable(source, "only files of this machine are allowed")
    try:
        # snapshot_download waits for ever on a server that does not answer; this does not.
        HfApi().model_info(source, timeout=ANSWER_SECONDS)
        return Path(snapshot_download(source, allow_patterns=list(WANTED)))
    except Exception as error:
        # The hub's client lets its HTTP library's errors through, and which library that is varies.
        is_transport = type(error).__module__.partition(".")[0] in HTTP_LIBRARIES
        if not is_transport and not isinstance(error, OSError | HFValidationError | RuntimeError):
            raise
        reason = "no connection" if is_transport else next(iter(str(error).splitlines()), "no reason given")
        raise _unavailable(source, reason) from error


def _unavailable(source: str, reason: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{source}: not on this machine and cannot be fetched: {reason}\n"
        "give a folder with a copy of it, or take the compact trunk, which needs none"
    )
