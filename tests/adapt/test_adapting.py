import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from kiridashi.adapt import loop
from kiridashi.adapt.adapting import Earlier, adapt
from kiridashi.adapt.options import AdaptOptions
from kiridashi.adapt.samples import Sample
from kiridashi.adapt.tasks import FloatMap
from kiridashi.core.errors import UsageError
from kiridashi.core.reference import Reference
from kiridashi.models.delta import Delta, DeltaCard, apply_delta
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.promptable import PromptableModel

Quick = Callable[..., AdaptOptions]


def flat(samples: Sequence[Sample]) -> list[FloatMap | None]:
    return [np.full((16, 16), 0.4, np.float32) for _ in samples]


def test_the_model_stays_and_the_card_has_the_figures(
    tiny_drawing: PromptableModel, discs: list[Sample], quick: Quick, tmp_path: Path
) -> None:
    before = model_fingerprint(tiny_drawing)
    done = adapt(tiny_drawing, discs, quick(epochs=2), priors=flat, checkpoint=tmp_path / "state.safetensors")
    assert model_fingerprint(tiny_drawing) == before
    assert not list(tmp_path.iterdir())
    card = json.loads(json.dumps(done.card))
    assert card["fingerprint"] == before
    assert card["brought_something"] is (done.delta is not None)
    assert set(card["gain"]["before"]) == {"box", "click", "prior"}
    assert card["gain"]["samples"] == len(done.division.aside) == 2
    assert len(card["scores"]) == card["gain"]["epochs"] + 1
    assert card["gain"]["mean"] == pytest.approx(
        np.mean([card["gain"]["after"][k] - card["gain"]["before"][k] for k in card["gain"]["after"]])
    )


def test_what_is_gained_is_what_the_delta_brings(
    tiny_drawing: PromptableModel, discs: list[Sample], quick: Quick
) -> None:
    """The base with the delta in it answers as well as the card says."""
    from kiridashi.adapt.measuring import measure

    done = adapt(tiny_drawing, discs, quick(epochs=4, patience=4, least_gain=-1.0, learning_rate=0.003))
    if done.delta is None:
        assert done.card["gain"]["best"] == 0
        pytest.fail("four epochs on red discs must bring the random decoder something")
    applied = apply_delta(tiny_drawing, done.delta)
    found = measure(applied.model, done.division.aside, [None] * len(done.division.aside))
    applied.remove()
    assert {kind: found.mean(kind) for kind in found.ious} == pytest.approx(done.card["gain"]["after"])


def test_no_gain_means_no_delta(tiny_drawing: PromptableModel, discs: list[Sample], quick: Quick) -> None:
    done = adapt(tiny_drawing, discs, quick(least_gain=2.0))
    assert done.delta is None
    assert done.card["brought_something"] is False


def test_a_killed_run_goes_on_to_the_same_end(
    tiny_drawing: PromptableModel,
    discs: list[Sample],
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = quick(epochs=3, patience=3, least_gain=-1.0)
    whole = adapt(tiny_drawing, discs, options)
    state = tmp_path / "state.safetensors"

    def stop(done: int, of: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapt(tiny_drawing, discs, options, checkpoint=state, tell=stop)
    assert state.is_file()
    told: list[int] = []
    again = adapt(tiny_drawing, discs, options, checkpoint=state, tell=lambda done, of: told.append(done))
    assert told[0] == 2
    assert again.card["scores"] == pytest.approx(whole.card["scores"])
    assert (again.delta is None) == (whole.delta is None)
    if again.delta is not None and whole.delta is not None:
        for name, tensor in whole.delta.tensors.items():
            torch.testing.assert_close(again.delta.tensors[name], tensor)


def test_going_on_replays_and_measures_the_earlier_samples(
    tiny_drawing: PromptableModel, discs: list[Sample], quick: Quick, disc_site: Callable[..., Reference]
) -> None:
    with_noise = adapt(tiny_drawing, discs, quick(least_gain=-1.0, patience=1))
    tensors = {name: value * 1.01 for name, value in _decoder(tiny_drawing).items()}
    fingerprint = model_fingerprint(tiny_drawing)
    old = [sample_of(disc_site(seed, size=(40, 50))) for seed in range(20, 24)]
    earlier = Earlier(Delta(tensors, DeltaCard("decoder", "x", fingerprint)), tuple(old))
    site = disc_site(9, size=(50, 50))
    new = [Sample(site.picture, site.mask, "new"), *discs[1:]]
    done = adapt(tiny_drawing, new, quick(least_gain=-1.0), earlier=earlier)
    assert done.card["gain"]["replayed"]["samples"] == 1
    assert "replayed" not in with_noise.card["gain"]
    assert set(old) < set(done.division.learned)
    assert done.card["pictures"] == 2 + 3
    # It begins where the earlier delta was, not at the base.
    assert done.card["scores"][0] != pytest.approx(with_noise.card["scores"][0], abs=1e-9)


def sample_of(site: Reference) -> Sample:
    return Sample(site.picture, site.mask, "old")


def _decoder(model: PromptableModel) -> dict[str, torch.Tensor]:
    from kiridashi.models.delta.parts import plain_parameters

    return {name: value.detach().clone() for name, value in plain_parameters(model.net, "decoder").items()}


def test_a_loss_that_is_no_number_is_told(
    tiny_drawing: PromptableModel, discs: list[Sample], quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "lesson_loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(UsageError, match="lower learning_rate"):
        adapt(tiny_drawing, discs, quick())


def test_an_untrained_decoder_is_refused(
    tiny_sam2: PromptableModel, discs: list[Sample], quick: Quick
) -> None:
    from dataclasses import replace

    card = replace(tiny_sam2.card, trained=frozenset({"image_encoder"}))
    with pytest.raises(UsageError, match="needs a trained mask decoder"):
        adapt(PromptableModel(tiny_sam2.net, card), discs, quick())
