"""The published network, with random weights: no test fetches any."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DeiTConfig, DeiTModel, ViTConfig, ViTForImageClassification, ViTModel

from kiridashi.core.errors import InputError, ModelUnavailableError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.gtformer.deit import SEQUENCE, SIDE, load_checkpoint, to_pixels
from kiridashi.localize.gtformer.losses import label_loss, map_loss
from kiridashi.localize.gtformer.network import GTFormer
from kiridashi.localize.gtformer.options import GTFormerOptions, published

SIZES = {
    "hidden_size": 192,
    "num_hidden_layers": 12,
    "num_attention_heads": 3,
    "intermediate_size": 768,
    "layer_norm_eps": 1e-6,
    "initializer_range": 0.1,
}


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def thumbnails() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def tiny() -> GTFormer:
    torch.manual_seed(0)
    return GTFormer(published("deit-tiny"), classes=2)


def test_deit_small_has_201_tokens_and_a_map_of_14_by_14(
    pixels: torch.Tensor, thumbnails: torch.Tensor
) -> None:
    options = published()
    assert (options.width, options.depth, options.global_aware, options.heads) == (384, 12, 3, 6)
    assert options.tokens == SEQUENCE == 201
    torch.manual_seed(0)
    network = GTFormer(options, classes=5).eval()
    with torch.no_grad():
        sequence = network.sequence(pixels[:1], thumbnails[:1])
        assert sequence.shape == (1, 201, 384)
        seen = network(pixels[:1], thumbnails[:1])
        x, gates = sequence, []
        for index, block in enumerate(network.blocks):
            if index < 9:
                x = block(x)
            else:
                x, gate = block.global_aware(x)  # type: ignore[operator]
                gates.append(gate.mean(dim=1))
    assert seen.map.shape == (1, 14, 14)
    assert seen.class_maps.shape == (1, 5, 14, 14)
    assert seen.map.min() > 0
    assert seen.map.max() < 1
    torch.testing.assert_close(seen.map.flatten(1), torch.stack(gates).mean(dim=0)[:, 1:197])


def test_one_step_lowers_the_loss(pixels: torch.Tensor, thumbnails: torch.Tensor) -> None:
    network, labels = tiny().eval(), torch.eye(2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def loss() -> torch.Tensor:
        seen = network(pixels, thumbnails)
        parts = [label_loss(seen.logits, labels, torch.ones(2), single=True)]
        there = torch.ones(2, dtype=torch.bool)
        parts += [map_loss(seen.map, there, area=0.25)]
        parts += [0.5 * map_loss(seen.token_maps[:, k], there, area=0.25) for k in range(4)]
        return torch.stack(parts).sum()

    before = loss()
    before.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert loss().item() < before.item() - 1e-3


@pytest.mark.parametrize("kind", ["vit", "classifier", "timm"])
def test_weights_of_a_checkpoint_give_its_features(tmp_path: Path, kind: str, pixels: torch.Tensor) -> None:
    torch.manual_seed(0)
    config = ViTConfig(**SIZES, num_labels=4)
    whole = ViTForImageClassification(config).eval()
    reference = whole.vit
    if kind == "vit":
        bare = ViTModel(config)
        bare.load_state_dict(reference.state_dict(), strict=False)
        bare.save_pretrained(tmp_path)
    else:
        whole.save_pretrained(tmp_path)
    if kind == "timm":
        _as_timm(tmp_path)
    network = tiny().eval()
    load_checkpoint(network, str(tmp_path), local_files_only=True)
    with torch.no_grad():
        expected = reference(pixel_values=pixels[:1]).last_hidden_state
        # Without the global tokens and their gates, the network is the ViT.
        x = network.sequence(pixels[:1], torch.zeros(1, 3, 32, 32))[:, :197]
        for block in network.blocks:
            x = block(x)
        found = network.norm(x)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    assert expected.std() > 0.1


def _as_timm(folder: Path) -> None:
    """Rename a file's tensors to timm's names, with query, key and value in one."""
    path = folder / "model.safetensors"
    state = {name.removeprefix("vit."): tensor for name, tensor in load_file(path).items()}
    renamed = {
        "cls_token": state["embeddings.cls_token"],
        "pos_embed": state["embeddings.position_embeddings"],
        "patch_embed.proj.weight": state["embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": state["embeddings.patch_embeddings.projection.bias"],
        "norm.weight": state["layernorm.weight"],
        "norm.bias": state["layernorm.bias"],
    }
    names = {
        "layernorm_before": "norm1",
        "attention.output.dense": "attn.proj",
        "layernorm_after": "norm2",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
    }
    for index in range(12):
        for kind in ("weight", "bias"):
            theirs, block = f"encoder.layer.{index}", f"blocks.{index}"
            for name, short in names.items():
                renamed[f"{block}.{short}.{kind}"] = state[f"{theirs}.{name}.{kind}"]
            parts = [state[f"{theirs}.attention.attention.{p}.{kind}"] for p in ("query", "key", "value")]
            renamed[f"{block}.attn.qkv.{kind}"] = torch.cat(parts)
    save_file(renamed, path)


def test_a_distillation_token_is_left_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = DeiTModel(DeiTConfig(**SIZES))
    with torch.no_grad():
        reference.embeddings.position_embeddings.normal_(0, 0.1)
    reference.save_pretrained(tmp_path)
    network = tiny()
    load_checkpoint(network, str(tmp_path), local_files_only=True)
    position = reference.embeddings.position_embeddings
    torch.testing.assert_close(network.position[:, 0], position[:, 0])
    torch.testing.assert_close(network.position[:, 1:], position[:, 2:])


def test_weights_of_another_size_or_pickled_are_refused(tmp_path: Path) -> None:
    ViTModel(ViTConfig(**{**SIZES, "hidden_size": 96})).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"has shape.*take a checkpoint of the same size"):
        load_checkpoint(tiny(), str(tmp_path))
    shorter = tmp_path / "shorter"
    ViTModel(ViTConfig(**{**SIZES, "num_hidden_layers": 2})).save_pretrained(shorter)
    with pytest.raises(InputError, match="expected a ViT or DeiT of 12 blocks"):
        load_checkpoint(tiny(), str(shorter))
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError, match="is a pickle"):
        load_checkpoint(tiny(), str(pickled))


def test_what_is_not_on_this_machine_is_told() -> None:
    for local in (True, False):
        with pytest.raises(ModelUnavailableError, match="not on this machine"):
            load_checkpoint(tiny(), "nobody/no-such-deit", local_files_only=local)
    with pytest.raises(UsageError, match="no such folder, and no hub id"):
        load_checkpoint(tiny(), "no such folder")
    small = GTFormerOptions(grid=2, width=8, depth=1, global_aware=1, heads=1)
    with pytest.raises(UsageError, match="set trunk to deit-small"):
        load_checkpoint(GTFormer(small, 2, 4), "nobody/no-such-deit")


def test_pixels_are_normalised_as_for_imagenet() -> None:
    white = Picture(np.full((30, 50, 3), 255, np.uint8))
    found = to_pixels(white)
    assert found.shape == (3, 224, 224)
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(found.mean(dim=(1, 2)), expected)
