from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition import anchors as module
from kiridashi.reference.transition import lora
from kiridashi.reference.transition.anchors import NOISE, Anchor, Anchors
from kiridashi.reference.transition.compact import CompactBackend
from kiridashi.reference.transition.design import make_unet
from kiridashi.reference.transition.options import TransitionOptions

Colour = Callable[..., Picture]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each LoRA that was trained."""
    done: list[int] = []
    train = lora.train_lora

    def counted(*arguments: object) -> object:
        done.append(1)
        return train(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "train_lora", counted)
    return done


def same(one: Anchor, other: Anchor) -> bool:
    loras = one.lora.keys() == other.lora.keys()
    loras = loras and all(torch.equal(value, other.lora[name]) for name, value in one.lora.items())
    return loras and torch.equal(one.noise, other.noise)


def test_an_anchor_is_made_once_and_read_back_bit_for_bit(
    backend: CompactBackend,
    colour: Colour,
    quick: TransitionOptions,
    tmp_path: Path,
    trainings: list[int],
) -> None:
    ticks: list[int] = []
    anchors = Anchors(backend, quick, tmp_path / "cache")
    first = anchors.anchor(colour(9, 90, 200), tick=lambda: ticks.append(1))
    assert len(ticks) == anchors.cost == quick.lora_steps + quick.steps
    assert anchors.anchor(colour(9, 90, 200), tick=lambda: ticks.append(1)) is first
    again = Anchors(backend, quick, tmp_path / "cache").anchor(colour(9, 90, 200))
    assert same(again, first)
    assert len(trainings) == 1
    assert len(ticks) == 2 * anchors.cost
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "rubbish", "no noise", "other rank", "not a number"])
def test_a_damaged_file_is_made_anew(
    backend: CompactBackend,
    colour: Colour,
    quick: TransitionOptions,
    tmp_path: Path,
    trainings: list[int],
    damage: str,
) -> None:
    picture = colour(9, 90, 200)
    first = Anchors(backend, quick, tmp_path).anchor(picture)
    path = Anchors(backend, quick, tmp_path).path(picture)
    assert path is not None
    tensors = load_file(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "rubbish":
        path.write_bytes(b"\x00rubbish")
    elif damage == "no noise":
        del tensors[NOISE]
        save_file(tensors, path)
    elif damage == "other rank":
        save_file({name: value[:1].clone() for name, value in tensors.items()}, path)
    else:
        save_file({**tensors, NOISE: tensors[NOISE] * float("nan")}, path)
    assert same(Anchors(backend, quick, tmp_path).anchor(picture), first)
    assert len(trainings) == 2
    assert same(Anchors(backend, quick, tmp_path).anchor(picture), first)
    assert len(trainings) == 2


def test_whatever_decides_an_anchor_is_in_its_key(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    picture = colour(9, 90, 200)
    changes: list[dict[str, object]] = [
        {"steps": 4},
        {"seed": 1},
        {"rank": 3},
        {"lora_steps": 3},
        {"lora_batch": 2},
        {"learning_rate": 1e-3},
        {"weight_decay": 0.0},
    ]
    keys = [Anchors(backend, replace(quick, **change), None).key(picture) for change in changes]  # type: ignore[arg-type]
    anchors = Anchors(backend, quick)
    other = CompactBackend(make_unet(backend.design, seed=2), backend.design)
    keys += [anchors.key(picture), anchors.key(picture, "cat"), anchors.key(colour(8, 90, 200))]
    keys.append(Anchors(other, quick).key(picture))
    assert len(set(keys)) == len(keys)
    # How many frames are made of it does not touch an anchor.
    assert Anchors(backend, replace(quick, frames=5)).key(picture) == anchors.key(picture)


def test_without_lora_the_network_is_used_as_it_is(
    backend: CompactBackend,
    colour: Colour,
    quick: TransitionOptions,
    tmp_path: Path,
    trainings: list[int],
) -> None:
    options = replace(quick, lora_steps=0)
    first = Anchors(backend, options, tmp_path).anchor(colour(9, 90, 200))
    assert first.lora == {}
    assert same(Anchors(backend, options, tmp_path).anchor(colour(9, 90, 200)), first)
    assert not trainings


def test_a_folder_that_cannot_be_made_is_reported_before_anything_is_trained(
    backend: CompactBackend,
    colour: Colour,
    quick: TransitionOptions,
    tmp_path: Path,
    trainings: list[int],
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="name another folder"):
        Anchors(backend, quick, tmp_path / "file" / "cache").anchor(colour(1, 2, 3))
    assert not trainings
