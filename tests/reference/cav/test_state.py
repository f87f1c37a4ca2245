import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from kiridashi.core.errors import InputError
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.tune import tune_neck
from kiridashi.reference.answer import AnswerRule
from kiridashi.reference.cav import CavOptions, state
from kiridashi.reference.cav.state import CavState
from kiridashi.reference.instances import ObjectSize

NAME = "cav"
RULE = AnswerRule(0.4, ObjectSize(0.05, uniform=True, thickness=0.5))
Quick = Callable[..., CavOptions]


@pytest.fixture(scope="module")
def options(quick: Quick) -> CavOptions:
    return quick("none", "ttga")


@pytest.fixture(scope="module")
def learned(model: PromptableModel, disc_site: Callable[..., Reference], options: CavOptions) -> CavState:
    references = [disc_site(0, size=(40, 64)), disc_site(1, size=(64, 48))]
    return CavState(references, tune_neck(model, references, options.alignment), RULE, "ttga")


@pytest.fixture
def path(learned: CavState, model: PromptableModel, options: CavOptions, tmp_path: Path) -> Path:
    path = tmp_path / "site.safetensors"
    state.save(path, NAME, learned, model, options)
    return path


def change_facts(path: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    with safe_open(str(path), framework="np") as file:
        metadata = file.metadata()
    facts = change(json.loads(metadata["facts"]))
    save_file(load_file(path), path, metadata={**metadata, "facts": json.dumps(facts)})


def test_all_that_was_learned_comes_back(
    path: Path, learned: CavState, model: PromptableModel, options: CavOptions
) -> None:
    back = state.load(path, NAME, model, options)
    for one, other in zip(back.references, learned.references, strict=True):
        assert one.picture.name == other.picture.name
        assert np.array_equal(one.picture.pixels, other.picture.pixels)
        assert one.mask == other.mask
    assert (back.rule, back.bridge) == (RULE, "ttga")
    assert back.delta is not None
    assert learned.delta is not None
    assert back.delta.losses == learned.delta.losses
    assert back.delta.options == options.alignment
    assert back.delta.tensors.keys() == learned.delta.tensors.keys()
    assert all(torch.equal(back.delta.tensors[name], one) for name, one in learned.delta.tensors.items())


def test_without_a_tuned_neck_there_is_none(
    learned: CavState, model: PromptableModel, quick: Quick, tmp_path: Path
) -> None:
    path = tmp_path / "plain.safetensors"
    state.save(path, NAME, CavState(learned.references, None, RULE), model, quick("none"))
    back = state.load(path, NAME, model, quick("none"))
    assert back.delta is None
    assert back.bridge == ""
    assert not [name for name in load_file(path) if name.startswith(state.NECK)]


def test_other_options_and_another_model_are_refused(
    path: Path, model: PromptableModel, options: CavOptions
) -> None:
    for other in (replace(options, margin=0.2), options.seeded(5), replace(options, bridges=("ttga",))):
        with pytest.raises(InputError, match="same options"):
            state.load(path, NAME, model, other)
    elsewhere = PromptableModel(model.net, replace(model.card, name="another"))
    with pytest.raises(InputError, match="same model"):
        state.load(path, NAME, elsewhere, options)


def test_where_things_are_kept_is_no_option_of_the_results(
    path: Path, model: PromptableModel, options: CavOptions, tmp_path: Path
) -> None:
    assert state.load(path, NAME, model, replace(options, cache=tmp_path)).bridge == "ttga"


def test_a_model_of_the_same_name_with_other_weights_is_refused(
    path: Path, make_sam2: Callable[..., PromptableModel], options: CavOptions
) -> None:
    with pytest.raises(InputError, match="tune it on the references again"):
        state.load(path, NAME, make_sam2(image_size=64, seed=9), options)


@pytest.mark.parametrize(
    "damage",
    [
        {"names": ["a", "b", "c"]},
        {"names": None},
        {"rule": {}},
        {"rule": {**RULE.facts(), "typical": "large"}},
        {"neck": {"model": "tiny-sam2"}},
    ],
)
def test_damaged_facts_are_refused(
    path: Path, model: PromptableModel, options: CavOptions, damage: dict[str, Any]
) -> None:
    change_facts(path, lambda facts: {**facts, **damage})
    with pytest.raises(InputError, match=r"site\.safetensors: damaged .*; fit the references again"):
        state.load(path, NAME, model, options)


def test_files_of_something_else_are_refused(
    path: Path, learned: CavState, model: PromptableModel, options: CavOptions
) -> None:
    with pytest.raises(InputError, match="expected a saved 'concat'"):
        state.load(path, "concat", model, options)
    content = path.read_bytes()
    for rubbish in (b"", b"nonsense", content[:-5]):
        path.write_bytes(rubbish)
        with pytest.raises(InputError, match="not a saved method"):
            state.load(path, NAME, model, options)
    with pytest.raises(InputError, match="not a saved method"):
        state.load(path.with_name("absent"), NAME, model, options)
