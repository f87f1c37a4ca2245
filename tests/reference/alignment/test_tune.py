from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import Sam2VisionConfig, Sam2VisionModel

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.data.augmentation import AugmentationOptions
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.delta import NeckDelta
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.alignment.tune import tune_neck

DiscSite = Callable[..., Reference]
# The neck of Hiera-T, and the part that a loss at stride 16 reaches (specification of CAV-SAM, section 1.4).
HIERA_T_NECK, REACHED_AT_16 = 369_664, 295_424


def weights(model: PromptableModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.net.state_dict().items()}


def assert_untouched(model: PromptableModel, before: dict[str, Tensor], neck: nn.Module) -> None:
    after = model.net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert model.net.vision_encoder.neck is neck
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
    assert all(parameter.grad is None for parameter in model.net.parameters())


def changed(model: PromptableModel, delta: NeckDelta) -> dict[str, int]:
    """Size of each tensor of the neck that is not as it was."""
    own = model.net.vision_encoder.neck.state_dict()
    return {
        name: tensor.numel() for name, tensor in delta.tensors.items() if not torch.equal(tensor, own[name])
    }


@pytest.fixture(scope="module")
def hiera_t(tiny_sam2: PromptableModel) -> PromptableModel:
    """An image encoder with the neck of Hiera-T over its widths, but one block a stage."""
    torch.manual_seed(0)
    widths = [96, 192, 384, 768]
    config = Sam2VisionConfig(
        backbone_config={
            "model_type": "sam2_hiera_det_model",
            "image_size": [64, 64],
            "blocks_per_stage": [1, 1, 1, 1],
            "embed_dim_per_stage": widths,
            "global_attention_blocks": [],
        },
        backbone_channel_list=widths[::-1],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )
    net: Any = nn.Module()
    net.vision_encoder = Sam2VisionModel(config)
    return PromptableModel(net, replace(tiny_sam2.card, image_size=64))


@pytest.mark.parametrize(("stride", "reached"), [(16, REACHED_AT_16), (8, 192 * 256 + 256)])
def test_of_a_hiera_t_neck_the_loss_reaches_what_was_counted(
    hiera_t: PromptableModel, disc_site: DiscSite, stride: int, reached: int
) -> None:
    """At strides 8 and 4 this neck adds nothing from above, so that only their own convolution learns."""
    delta = tune_neck(hiera_t, [disc_site(0)], AlignmentOptions(steps=1, loss_size=32, stride=stride))
    assert delta.parameters == HIERA_T_NECK
    assert sum(changed(hiera_t, delta).values()) == reached


@pytest.mark.parametrize("family", ["tiny_compact", "tiny_sam2", "tiny_edgetam"])
def test_every_family_learns_and_stays_as_it_is(
    family: str, quick: AlignmentOptions, disc_site: DiscSite, request: pytest.FixtureRequest
) -> None:
    model: PromptableModel = request.getfixturevalue(family)
    before, neck = weights(model), model.net.vision_encoder.neck
    delta = tune_neck(model, [disc_site(0)], quick)
    assert_untouched(model, before, neck)
    # Weights and biases of strides 16 and 32: the neck lists them first.
    assert set(changed(model, delta)) == {f"convs.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")}
    assert set(delta.tensors) == {name for name, _ in neck.named_parameters()}
    assert len(delta.losses) == quick.steps


def test_the_loss_falls_and_the_object_stands_out(model: PromptableModel, disc_site: DiscSite) -> None:
    """With an unchanged copy each step the loss must fall nearly from step to step."""
    still = AugmentationOptions(0, 0, 0, 0, 0, 0, (1, 1), 0)
    options = AlignmentOptions(steps=25, loss_size=32, learning_rate=3e-3, augmentation=still, copies=1)
    losses = tune_neck(model, [disc_site(0)], options).losses
    assert losses[-1] < losses[0] - 0.05
    assert all(loss >= 0.6265 for loss in losses)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_the_model_as_it_was(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite, error: type[BaseException]
) -> None:
    before, neck = weights(model), model.net.vision_encoder.neck

    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise error

    with pytest.raises(error):
        tune_neck(model, [disc_site(0)], quick, interrupt)
    assert_untouched(model, before, neck)


def test_equal_seeds_give_equal_necks_in_any_order(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite
) -> None:
    shown = [disc_site(0), disc_site(1, discs=2, size=(90, 60)), disc_site(2)]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = tune_neck(model, shown, quick)
    assert torch.equal(torch.get_rng_state(), state)
    twin = tune_neck(model, shown[::-1], quick)
    other = tune_neck(model, shown, replace(quick, seed=1))
    assert one.losses == twin.losses != other.losses
    assert one.references == twin.references
    assert all(torch.equal(one.tensors[name], twin.tensors[name]) for name in one.tensors)


def test_references_are_looked_at_in_turn_and_once(
    model: PromptableModel, disc_site: DiscSite, quick: AlignmentOptions
) -> None:
    """The trunk runs once a reference and once a copy; copies that are met again cost nothing."""
    shown = [disc_site(seed) for seed in range(3)]

    def runs(options: AlignmentOptions) -> int:
        seen: list[int] = []
        hook = model.net.vision_encoder.backbone.register_forward_hook(lambda *_: seen.append(1))
        try:
            tune_neck(model, shown, options)
        finally:
            hook.remove()
        return len(seen)

    assert runs(replace(quick, steps=7)) == 3 + 7
    assert runs(replace(quick, steps=7, copies=4)) == 3 + 4
    assert runs(replace(quick, steps=7, copies=1)) == 3 + 3


def test_a_large_reference_is_worked_on_at_the_networks_size(
    model: PromptableModel, quick: AlignmentOptions
) -> None:
    """A hair of one pixel in a large picture does not vanish when its copies are made smaller."""
    pixels = np.random.default_rng(0).integers(0, 255, (300, 500, 3), dtype=np.uint8)
    hair = np.zeros((300, 500), dtype=bool)
    hair[20:280, 250] = True
    delta = tune_neck(model, [Reference(Picture(pixels), Mask.from_array(hair))], quick)
    assert all(np.isfinite(delta.losses))
    assert changed(model, delta)


def test_progress_is_told_after_each_step(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite
) -> None:
    told: list[tuple[int, int]] = []
    tune_neck(model, [disc_site(0)], quick, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_patience_ends_the_tuning_early(model: PromptableModel, disc_site: DiscSite) -> None:
    """At a vanishing learning rate nothing falls; the same copy each step leaves no noise."""
    options = AlignmentOptions(steps=30, loss_size=32, patience=2, learning_rate=1e-12, copies=1)
    assert len(tune_neck(model, [disc_site(0)], options).losses) == 3


def test_tuning_works_inside_inference_mode(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite
) -> None:
    outside = tune_neck(model, [disc_site(0)], quick)
    with torch.inference_mode():
        inside = tune_neck(model, [disc_site(0)], quick)
    assert inside.losses == outside.losses


def test_the_boldest_settings_stay_finite(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite
) -> None:
    bold = replace(quick, steps=8, learning_rate=1.0, weight_decay=1.0, temperature=1e-3)
    delta = tune_neck(model, [disc_site(0)], bold)
    assert all(np.isfinite(delta.losses))
    assert all(tensor.isfinite().all() for tensor in delta.tensors.values())


def test_bad_references_and_untrained_encoders_are_refused(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite, make_picture: Callable[..., Picture]
) -> None:
    everything = Reference(make_picture(), Mask.from_array(np.ones((48, 64), dtype=bool)))
    with pytest.raises(InputError, match="covers 100"):
        tune_neck(model, [disc_site(0), everything], quick)
    with pytest.raises(UsageError, match="at least one reference"):
        tune_neck(model, [], quick)
    untrained = PromptableModel(model.net, replace(model.card, trained=frozenset({"mask_decoder"})))
    with pytest.raises(UsageError, match="trained image encoder"):
        tune_neck(untrained, [disc_site(0)], quick)
