from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kiridashi.classes.base_training import BaseOptions, BaseResult, Gain, gathering, load_head, train_base
from kiridashi.classes.base_training import base as module
from kiridashi.classes.base_training.gathering import Gathered
from kiridashi.classes.embedding import Embedder
from kiridashi.core.errors import InputError
from kiridashi.models.promptable import PromptableModel

from .material import Discs, Killed, Killing, content, vectors

OPTIONS = BaseOptions(
    points=0, steps=20, batch=32, check_every=5, patience=4, learning_rate=1e-3, held_aside=0.4
)


@pytest.fixture(scope="module")
def discs(tiny_compact: PromptableModel) -> Gathered:
    """What is gathered of 48 pictures of six classes."""
    dataset = Discs(48)
    return gathering.gather(tiny_compact, Embedder(tiny_compact, None), dataset, OPTIONS, lambda *_: None)


@pytest.fixture
def gathered(discs: Gathered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of gathering, which takes long."""
    monkeypatch.setattr(module, "gather", lambda *_: discs)


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eye with a flaw that a head can mend."""
    wide = vectors(10, each=24, nuisance=1.2)
    padded = torch.nn.functional.pad(wide.embeddings, (0, 432 - wide.embeddings.shape[1]))
    monkeypatch.setattr(module, "gather", lambda *_: replace(wide, embeddings=padded))


@pytest.mark.usefixtures("noisy")
def test_a_head_that_helps_with_new_classes_is_in_the_result(
    tiny_compact: PromptableModel, tmp_path: Path
) -> None:
    result = train_base(tiny_compact, Discs(1), replace(OPTIONS, steps=150, patience=10))
    assert result.head is not None
    assert "better on 2 classes that nothing was learned from" in result.verdict
    assert all(one.gain >= 0 for one in result.gains)
    assert not set(result.split.trained) & {*result.split.stopping, *result.split.judging}
    path = tmp_path / "head.safetensors"
    result.head.save(path)
    head = load_head(path)
    assert head.facts.notes["accuracy"][0]["after"] == result.gains[0].after
    assert head.facts.notes["classes"]["judging"] == list(result.split.judging)
    assert head.facts.model == "tiny-compact"
    assert Embedder(tiny_compact, head=head).fingerprint != Embedder(tiny_compact, None).fingerprint


@pytest.mark.usefixtures("gathered")
def test_without_a_gain_the_plain_embedding_is_kept(tiny_compact: PromptableModel) -> None:
    result = train_base(tiny_compact, Discs(48), replace(OPTIONS, learning_rate=1e-7))
    assert result.head is None
    assert "brought nothing" in result.verdict
    assert "the plain embedding is kept" in result.verdict
    assert [one.shots for one in result.gains] == [1, 5]


def test_a_killed_run_goes_on_and_ends_as_an_uninterrupted_one(
    tiny_compact: PromptableModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "CHUNK", 8)

    def run(folder: str, progress: Killing | None = None) -> BaseResult:
        return train_base(tiny_compact, Discs(48), replace(OPTIONS, folder=tmp_path / folder), progress)

    for where in (("embedding", 30), ("head", 10)):
        with pytest.raises(Killed):
            run("killed", Killing(*where))
    again = run("killed")
    told: list[tuple[str, int, int]] = []
    whole = train_base(
        tiny_compact, Discs(48), replace(OPTIONS, folder=tmp_path / "whole"), lambda *one: told.append(one)
    )
    assert (again.gains, again.learned) == (whole.gains, whole.learned)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    assert {what for what, _, _ in told} == {"embedding", "head"}
    assert ("embedding", 48, 48) in told


@pytest.mark.usefixtures("gathered")
def test_the_decoder_is_tuned_where_it_is_asked_for(
    make_compact: Callable[..., PromptableModel], tmp_path: Path
) -> None:
    options = replace(OPTIONS, folder=tmp_path, decoder_steps=2, check_every=1, steps=2)
    model = make_compact()
    before = {name: tensor.clone() for name, tensor in model.net.mask_decoder.state_dict().items()}
    result = train_base(model, Discs(4), options)
    assert result.decoder is not None
    changed = [
        not torch.equal(tensor, before[name]) for name, tensor in model.net.mask_decoder.state_dict().items()
    ]
    assert any(changed) == (result.decoder.best_step > 0)


@pytest.mark.usefixtures("gathered")
def test_another_setting_starts_another_run(tiny_compact: PromptableModel, tmp_path: Path) -> None:
    options = replace(OPTIONS, folder=tmp_path, steps=5)
    train_base(tiny_compact, Discs(48), options)
    train_base(tiny_compact, Discs(48), options)
    assert len(list(tmp_path.iterdir())) == 1
    train_base(tiny_compact, Discs(48), replace(options, seed=1))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_loss_at_any_number_of_shots_is_no_gain() -> None:
    better, worse = Gain(1, 0.5, 0.7, 0.01), Gain(5, 0.8, 0.79, 0.01)
    assert module._is_won((better,), 0.005)
    assert not module._is_won((better, worse), 0.005)
    assert not module._is_won((Gain(1, 0.5, 0.504, 0.0),), 0.005)
    assert not module._is_won((Gain(1, 0.5, 0.52, 0.015),), 0.005)
    assert not module._is_won((), 0.005)


def test_sets_that_cannot_be_trained_on_are_told(tiny_compact: PromptableModel) -> None:
    with pytest.raises(InputError, match="no picture to train on"):
        train_base(tiny_compact, Discs(0), OPTIONS)
    with pytest.raises(InputError, match="needs 6 classes"):
        train_base(tiny_compact, Discs(24, classes=3), OPTIONS)
