import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kiridashi.core.errors import InputError, UsageError
from kiridashi.models.catalogue import ModelCard, find_card, split_name
from kiridashi.models.delta import PARTS, Delta, DeltaCard, TunedPart, apply_delta, open_delta
from kiridashi.models.delta.opening import CARD_FILE, DELTA_FILE
from kiridashi.models.delta.parts import lora_targets, plain_parameters
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.loading import compact_eye, load_model
from kiridashi.models.promptable import PromptableModel


def make(model: PromptableModel, part: TunedPart = "decoder", size: float = 0.1) -> Delta:
    generator = torch.Generator().manual_seed(0)
    fingerprint = model_fingerprint(model)
    if part == "lora":
        tensors = {}
        modules = dict(model.net.named_modules())
        for layer in lora_targets(model.net):
            weight = modules[layer].weight
            rest = weight.shape[2:]
            tensors[f"{layer}.lora_A"] = size * torch.randn(2, weight.shape[1], *rest, generator=generator)
            tensors[f"{layer}.lora_B"] = torch.randn(weight.shape[0], 2, *rest, generator=generator)
        return Delta(tensors, DeltaCard(part, model.card.name, fingerprint, 2, 2.0))
    tensors = {
        name: value.detach() + size * torch.randn(value.shape, generator=generator)
        for name, value in plain_parameters(model.net, part).items()
    }
    return Delta(tensors, DeltaCard(part, model.card.name, fingerprint, pictures=3, gain={"mean": 0.1}))


@pytest.mark.parametrize("part", PARTS)
def test_a_saved_delta_is_the_same(part: TunedPart, tiny_sam2: PromptableModel, tmp_path: Path) -> None:
    delta = make(tiny_sam2, part)
    delta.save(tmp_path / "d.safetensors")
    loaded = Delta.load(tmp_path / "d.safetensors")
    assert loaded.card == delta.card
    assert loaded.digest == delta.digest
    assert loaded.parameters == sum(tensor.numel() for tensor in delta.tensors.values())
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.safetensors"]


def test_another_model_is_refused(
    make_sam2: Callable[..., PromptableModel], tiny_sam2: PromptableModel
) -> None:
    delta = make(tiny_sam2)
    with pytest.raises(InputError, match="is another one"):
        apply_delta(make_sam2(seed=5), delta)
    applied = apply_delta(tiny_sam2, delta)
    try:
        with pytest.raises(InputError, match="has the delta decoder-"):
            apply_delta(applied.model, delta)
    finally:
        applied.remove()


def test_a_delta_with_a_stranger_among_its_names_changes_nothing(tiny_sam2: PromptableModel) -> None:
    delta = make(tiny_sam2)
    odd = Delta({**delta.tensors, "mask_decoder.nothing": torch.zeros(1)}, delta.card)
    with pytest.raises(InputError, match="does not fit"):
        apply_delta(tiny_sam2, odd)
    assert model_fingerprint(tiny_sam2) == delta.card.fingerprint
    half = dict(make(tiny_sam2, "lora").tensors)
    half.pop(next(name for name in half if name.endswith("lora_B")))
    with pytest.raises(InputError, match="does not fit"):
        apply_delta(tiny_sam2, Delta(half, make(tiny_sam2, "lora").card))
    assert model_fingerprint(tiny_sam2) == delta.card.fingerprint


def test_damaged_and_foreign_files_are_refused(tiny_sam2: PromptableModel, tmp_path: Path) -> None:
    delta = make(tiny_sam2)
    path = tmp_path / DELTA_FILE
    path.write_bytes(b"no delta")
    with pytest.raises(InputError, match="damaged"):
        open_delta(tmp_path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not a delta of this version"):
        open_delta(tmp_path)
    delta.save(path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="its digest is another one"):
        open_delta(path)
    facts = {"format": "kiridashi-delta-1", "card": {"part": "tail"}, "sha256": ""}
    save_file({"a": torch.zeros(1)}, path, metadata={"kiridashi": json.dumps(facts)})
    with pytest.raises(InputError, match="missing or unknown"):
        open_delta(path)


def test_a_folder_without_a_delta_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no delta here"):
        open_delta(tmp_path)
    (tmp_path / CARD_FILE).write_text("{}")
    with pytest.raises(UsageError, match="brought no gain"):
        open_delta(tmp_path)


def test_a_name_with_a_delta_loads_a_network_of_its_own(tmp_path: Path) -> None:
    base = load_model()
    before = model_fingerprint(base)
    delta = make(base, "decoder", 0.001)
    delta.save(tmp_path / DELTA_FILE)
    name = f"compact@{tmp_path}"
    card = find_card(name)
    assert card.name == f"compact@decoder-{delta.digest[:12]}"
    assert card.sees_as_shipped
    assert card.base_name == "compact"
    adapted = load_model(name)
    assert adapted.card == card
    assert adapted.net is not base.net
    assert model_fingerprint(base) == before != model_fingerprint(adapted)
    assert compact_eye(adapted) is adapted
    assert not make_lora_card(card.name).sees_as_shipped


def make_lora_card(name: str) -> ModelCard:
    named = name.replace("decoder", "lora")
    return replace(find_card("compact"), name=named, adapted=named.removeprefix("compact@"))


def test_names_are_parted_where_a_model_ends(tmp_path: Path) -> None:
    odd = tmp_path / "my@model"
    odd.mkdir()
    (odd / "config.json").write_text("{}")
    assert split_name(str(odd)) == (str(odd), None)
    assert split_name(f"{odd}@there") == (str(odd), Path("there"))
    assert split_name("compact@a@b") == ("compact", Path("a@b"))
    assert split_name("unknown@a") == ("unknown@a", None)
    with pytest.raises(UsageError, match="no delta here"):
        find_card(f"compact@{tmp_path}")
