from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kiridashi.classes.base_training import decoder as module
from kiridashi.classes.base_training.decoder import DecoderResult, tune_decoder
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.core.errors import UsageError
from kiridashi.models.mask_loss import mask_loss
from kiridashi.models.promptable import Features, PromptableModel

from .material import Discs, Killed, Killing, ignore

Builder = Callable[..., PromptableModel]


def options(folder: Path, steps: int = 6, every: int = 2) -> BaseOptions:
    return BaseOptions(folder=folder, decoder_steps=steps, decoder_rate=1e-3, check_every=every, points=0)


def tuned(model: PromptableModel, folder: Path, steps: int = 6, every: int = 2) -> DecoderResult:
    return tune_decoder(model, Discs(4), options(folder, steps, every), ignore, folder)


def parts(model: PromptableModel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Copies of the decoder's weights and of all others."""
    state = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
    decoder = {name: tensor for name, tensor in state.items() if name.startswith("mask_decoder.")}
    return decoder, {name: tensor for name, tensor in state.items() if name not in decoder}


def test_tuning_lowers_the_loss_and_touches_the_decoder_only(make_compact: Builder, tmp_path: Path) -> None:
    model = make_compact()
    decoder, others = parts(model)
    result = tuned(model, tmp_path)
    assert result.best_step > 0
    assert result.after < result.before
    after, others_after = parts(model)
    assert any(not torch.equal(decoder[name], after[name]) for name in decoder)
    assert all(torch.equal(others[name], others_after[name]) for name in others)
    assert not any(one.requires_grad for one in model.net.parameters())


def test_without_a_gain_the_decoder_stays_as_it_was(
    make_compact: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_compact()
    decoder, _ = parts(model)
    # Each look is worse than the one before.
    losses = iter([1.0, 1.5, 2.0])
    monkeypatch.setattr(module._Source, "mean_loss", lambda *_: next(losses))
    result = tuned(model, tmp_path, steps=2, every=1)
    assert result.best_step == 0
    assert result.after == result.before
    assert all(torch.equal(tensor, parts(model)[0][name]) for name, tensor in decoder.items())


def test_a_killed_run_ends_as_an_uninterrupted_one(make_compact: Builder, tmp_path: Path) -> None:
    one, other = make_compact(), make_compact()
    result = tuned(one, tmp_path / "one")
    with pytest.raises(Killed):
        tune_decoder(
            other,
            Discs(4),
            options(tmp_path / "other"),
            Killing("decoder", 4),
            tmp_path / "other",
        )
    again = make_compact()
    assert tuned(again, tmp_path / "other") == result
    for name, tensor in parts(one)[0].items():
        assert torch.equal(tensor, parts(again)[0][name]), name


def test_pictures_are_encoded_once(
    make_compact: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_compact()
    calls: list[None] = []
    encode = model.encode_input

    def counted(pixels: Tensor, size: tuple[int, int]) -> Features:
        calls.append(None)
        return encode(pixels, size)

    monkeypatch.setattr(model, "encode_input", counted)
    tuned(model, tmp_path, steps=5)
    assert len(calls) == 4


def test_one_picture_is_not_enough(make_compact: Builder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs 2 pictures or more, got 1"):
        tune_decoder(make_compact(), Discs(1), options(tmp_path), ignore, tmp_path)


def test_the_loss_is_that_of_the_best_mask_and_of_every_predicted_iou() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:6, 2:6] = 1
    right, wrong = 20 * (2 * truth - 1), 20 * (1 - 2 * truth)
    everywhere = torch.ones(8, 8)
    logits = torch.stack([wrong, right, wrong], dim=1)
    exact = mask_loss(logits, torch.tensor([[0.0, 1.0, 0.0]]), truth, everywhere)
    assert exact.item() == pytest.approx(0, abs=1e-4)
    off = mask_loss(logits, torch.tensor([[0.3, 1.0, 0.0]]), truth, everywhere)
    assert off.item() == pytest.approx(0.1, abs=1e-4)
    bad = mask_loss(logits[:, :1], torch.zeros(1, 1), truth, everywhere)
    assert bad.item() > 100
    # What is not known does not count.
    half = everywhere.clone()
    half[3:, :] = 0
    spoilt = torch.where(half > 0, right[0], wrong[0])[None, None]
    assert mask_loss(spoilt, torch.ones(1, 1), truth, half).item() == pytest.approx(0, abs=1e-4)
    assert mask_loss(spoilt, torch.ones(1, 1), truth, everywhere).item() > 10
