from collections.abc import Callable

import numpy as np
import pytest
import torch

from kiridashi.adapt.loop import Lesson, lesson_loss
from kiridashi.adapt.samples import Sample
from kiridashi.adapt.trunks import block_count
from kiridashi.adapt.tuning import tuning
from kiridashi.core.errors import InputError
from kiridashi.models.delta import PARTS, Delta, DeltaCard, TunedPart, apply_delta
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.promptable import PromptableModel


def step(model: PromptableModel, part: TunedPart, sample: Sample, first: int = 0) -> Delta:
    """One large step of a part; the delta of it."""
    fingerprint = model_fingerprint(model)
    with tuning(model, part, rank=2, first_block=first, seed=1) as tuned:
        optimiser = torch.optim.SGD(tuned.parameters.values(), lr=0.05)
        lesson = Lesson(sample, tuned.see(sample.picture), None)
        for _ in range(2):
            optimiser.zero_grad()
            lesson_loss(tuned, lesson, np.random.default_rng(0)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        rank = 2 if part == "lora" else 0
        return Delta(tuned.state(), DeltaCard(part, model.card.name, fingerprint, rank, float(rank)))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_steps_applies_and_leaves_no_trace(
    family: PromptableModel, part: TunedPart, discs: list[Sample]
) -> None:
    before = {name: value.clone() for name, value in family.net.state_dict().items()}
    base = family.encode(discs[1].picture)
    delta = step(family, part, discs[0])
    assert all(torch.equal(value, before[name]) for name, value in family.net.state_dict().items())

    applied = apply_delta(family, delta)
    changed = [n for n, value in family.net.state_dict().items() if not torch.equal(value, before[n])]
    prefix = {"lora": "vision_encoder.backbone.", "neck": ("vision_encoder.neck.", "mask_decoder.conv_s")}
    wanted = prefix.get(part, ("mask_decoder.", "prompt_encoder.mask_embed."))
    assert changed
    assert all(name.startswith(wanted) for name in changed)
    seen = applied.model.encode(discs[1].picture)
    same = all(torch.equal(a, b) for a, b in zip(base.levels, seen.levels, strict=True))
    assert same is (part == "decoder")
    assert applied.model.card.adapted.startswith(part)

    assert applied.remove() is family
    assert family.net.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in family.net.state_dict().items())
    again = family.encode(discs[1].picture)
    assert all(torch.equal(a, b) for a, b in zip(base.levels, again.levels, strict=True))


@pytest.mark.parametrize("part", PARTS)
def test_what_is_kept_below_gives_what_the_model_gives(
    family: PromptableModel, part: TunedPart, discs: list[Sample]
) -> None:
    levels = family.encode(discs[0].picture).levels
    first = block_count(family.net.vision_encoder.backbone) // 2
    with tuning(family, part, rank=2, first_block=first) as tuned, torch.no_grad():
        found = tuned.features(tuned.see(discs[0].picture), discs[0].picture.size).levels
    for mine, theirs in zip(found, levels, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_a_lora_is_added_as_peft_adds_it(family: PromptableModel, discs: list[Sample]) -> None:
    """The tuned model before it is taken apart, and the base with the delta in it, see the same."""
    fingerprint = model_fingerprint(family)
    with tuning(family, "lora", rank=2, seed=3) as tuned:
        with torch.no_grad():
            for name, value in tuned.parameters.items():
                value.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(name)))
            inside = tuned.features(tuned.see(discs[0].picture), discs[0].picture.size).levels
        delta = Delta(tuned.state(), DeltaCard("lora", "x", fingerprint, 2, 2.0))
    plain = family.encode(discs[0].picture).levels
    applied = apply_delta(family, delta)
    outside = applied.model.encode(discs[0].picture).levels
    applied.remove()
    for mine, theirs in zip(inside, outside, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(inside[-1], plain[-1], atol=1e-2)


def test_a_failure_inside_leaves_no_trace(family: PromptableModel) -> None:
    before = model_fingerprint(family)

    def fail() -> None:
        with tuning(family, "lora", rank=2) as tuned:
            with torch.no_grad():
                next(iter(tuned.parameters.values())).add_(1)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert model_fingerprint(family) == before
    assert not any(value.requires_grad for value in family.net.parameters())


def test_a_state_of_another_rank_is_refused(tiny_sam2: PromptableModel) -> None:
    with tuning(tiny_sam2, "lora", rank=2) as tuned:
        other = tuned.state()
    with (
        tuning(tiny_sam2, "lora", rank=4) as tuned,
        pytest.raises(InputError, match="another part, rank or depth"),
    ):
        tuned.load(other)


def test_features_carry_gradients_to_the_part_alone(
    tiny_compact: PromptableModel, discs: list[Sample], quick: Callable[..., object]
) -> None:
    with tuning(tiny_compact, "neck") as tuned:
        lesson = Lesson(discs[0], tuned.see(discs[0].picture), None)
        lesson_loss(tuned, lesson, np.random.default_rng(0)).backward()  # type: ignore[no-untyped-call]
        with_gradient = {
            name for name, value in tiny_compact.net.named_parameters() if value.grad is not None
        }
        assert with_gradient
        assert with_gradient <= set(tuned.parameters)
