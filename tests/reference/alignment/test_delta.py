import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.neck import neck_inputs, neck_map
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.delta import KEY, NeckDelta
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.alignment.tune import tune_neck

DiscSite = Callable[..., Reference]


@pytest.fixture(scope="module")
def delta(model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite) -> NeckDelta:
    return tune_neck(model, [disc_site(0)], quick)


@pytest.fixture
def saved(delta: NeckDelta, tmp_path: Path) -> Path:
    path = tmp_path / "neck.safetensors"
    delta.save(path)
    return path


def test_features_differ_inside_and_not_after(
    model: PromptableModel, delta: NeckDelta, disc_site: DiscSite
) -> None:
    """The cache of encoded pictures must neither serve old features inside nor keep new ones after."""
    picture = disc_site(0).picture
    before = model.encode(picture)
    with delta.applied(model) as tuned:
        assert tuned is model
        inside = model.encode(picture)
        with torch.no_grad():
            maps = neck_inputs(model.net, to_input(picture, model.card))[2:]
            expected = neck_map(model.net.vision_encoder.neck, maps)
        torch.testing.assert_close(inside.levels[-1], expected)
    assert not torch.allclose(inside.levels[-1], before.levels[-1])
    # The trunk is frozen, and the two finer maps are out of the loss's reach.
    for one, other in zip(inside.trunk, before.trunk, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(inside.levels[0], before.levels[0])
    assert model.encode(picture) is before


def test_the_model_is_bit_identical_after_use_and_after_an_error(
    model: PromptableModel, delta: NeckDelta, disc_site: DiscSite
) -> None:
    before = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
    neck = model.net.vision_encoder.neck
    with pytest.raises(InputError), delta.applied(model):
        model.encode(Picture(disc_site(1).picture.pixels[:0]))
    assert model.net.vision_encoder.neck is neck
    after = model.net.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_tampering_inside_the_block_does_not_reach_the_delta(
    model: PromptableModel, delta: NeckDelta
) -> None:
    name = next(iter(delta.tensors))
    original = delta.tensors[name].clone()
    with delta.applied(model), torch.no_grad():
        model.net.vision_encoder.neck.get_parameter(name).zero_()
    assert torch.equal(delta.tensors[name], original)


def test_what_is_saved_comes_back(delta: NeckDelta, saved: Path, model: PromptableModel) -> None:
    again = NeckDelta.load(saved, model)
    assert vars(again) | {"tensors": None} == vars(delta) | {"tensors": None}
    assert list(again.tensors) == sorted(delta.tensors)
    assert all(torch.equal(again.tensors[name], delta.tensors[name]) for name in delta.tensors)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_neck_of_another_model_is_refused(
    delta: NeckDelta, saved: Path, make_compact: Callable[..., PromptableModel]
) -> None:
    other = make_compact(image_size=64, seed=3)
    with pytest.raises(InputError, match=r"tuned for tiny-compact; .*tune it on the references again"):
        NeckDelta.load(saved, other)
    neck = other.net.vision_encoder.neck
    with pytest.raises(InputError, match="tuned for"), delta.applied(other):
        pass
    assert other.net.vision_encoder.neck is neck


def test_two_necks_do_not_go_on_top_of_each_other(model: PromptableModel, delta: NeckDelta) -> None:
    with (
        delta.applied(model),
        pytest.raises(InputError, match="holds a tuned neck already"),
        delta.applied(model),
    ):
        pass


def test_a_neck_that_lacks_a_tensor_is_refused(model: PromptableModel, delta: NeckDelta) -> None:
    fewer = dict(list(delta.tensors.items())[1:])
    with pytest.raises(InputError, match="tuned for"), replace(delta, tensors=fewer).applied(model):
        pass


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "missing", "empty"])
def test_damaged_files_are_refused(saved: Path, damage: str) -> None:
    content = bytearray(saved.read_bytes())
    if damage == "truncated":
        saved.write_bytes(content[:-10])
    elif damage == "flipped":
        content[-3] ^= 4
        saved.write_bytes(content)
    elif damage == "text":
        saved.write_text("no tensors here")
    elif damage == "empty":
        saved.write_bytes(b"")
    else:
        saved.unlink()
    with pytest.raises(InputError, match="tune it again"):
        NeckDelta.load(saved)


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"convs.0.bias": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="not a tuned neck of this version"):
        NeckDelta.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "changes",
    [
        {"options": {"augmentation": 3}},
        {"options": {"steps": 0, "augmentation": {"scale": [1, 1]}}},
        {"options": {"unknown": 1, "augmentation": {"scale": [1, 1]}}},
        {"losses": None},
        {"format": "kiridashi-neck-0"},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    saved: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(str(saved), framework="pt") as file:
        facts = json.loads(file.metadata()[KEY])
    path = tmp_path / "odd.safetensors"
    save_file(load_file(saved), path, metadata={KEY: json.dumps(facts | changes)})
    with pytest.raises(InputError, match="not a tuned neck of this version"):
        NeckDelta.load(path)
