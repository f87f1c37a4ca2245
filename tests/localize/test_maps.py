from collections.abc import Callable

import numpy as np
import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.coarse import CoarseLocaliser
from kiridashi.localize.gtformer.compact import FrozenTrunk
from kiridashi.localize.gtformer.options import GTFormerOptions
from kiridashi.localize.maps import METHODS, TrainedLocaliser, stretched
from kiridashi.localize.trained import Facts, TrainedNetwork
from kiridashi.localize.training.options import TrainingOptions
from kiridashi.models.promptable import PromptableModel

NETWORK = GTFormerOptions(strides=(16, 32), grid=4, width=16, depth=2, global_aware=1, heads=2)
MakePicture = Callable[..., Picture]


def network(model: PromptableModel, single: bool = True) -> TrainedNetwork:
    fingerprint = FrozenTrunk(model, (16, 32), 4).fingerprint
    facts = Facts(("a", "b", "c"), single, TrainingOptions(network=NETWORK), 432, "tiny", fingerprint)
    torch.manual_seed(0)
    built = TrainedNetwork(facts)
    with torch.no_grad():
        built.gtformer.blocks[1].attn.qkv.weight.normal_(0, 0.3)  # type: ignore[union-attr, operator]
    return built.eval()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("single", [True, False])
def test_a_look_has_scores_and_maps(
    tiny_compact: PromptableModel, make_picture: MakePicture, method: str, single: bool
) -> None:
    localiser: CoarseLocaliser = TrainedLocaliser(
        tiny_compact,
        network(tiny_compact, single),
        method=method,  # type: ignore[arg-type]
    )
    assert localiser.classes == ("a", "b", "c")
    # Inference mode is what callers are in, and what Grad-CAM cannot work in.
    with torch.inference_mode():
        look = localiser.look(make_picture((40, 90)))
    assert look.scores.shape == (3,)
    assert look.map.shape == (4, 4)
    assert look.class_maps.shape == (3, 4, 4)
    assert {one.dtype for one in (look.scores, look.map, look.class_maps)} == {np.dtype(np.float32)}
    assert np.ptp(look.map) > 0.01
    assert (look.scores.sum() == pytest.approx(1, abs=1e-5)) == single


def test_the_map_of_gtformer_is_not_stretched_and_bounds_those_of_the_classes(
    tiny_compact: PromptableModel, make_picture: MakePicture
) -> None:
    built, picture = network(tiny_compact), make_picture()
    look = TrainedLocaliser(tiny_compact, built).look(picture)
    trunk = FrozenTrunk(tiny_compact, (16, 32), 4)
    seen = trunk.see(picture)
    with torch.no_grad():
        expected, _ = built(trunk.patches([m[None] for m in seen.maps]), seen.thumbnail[None].float())
    np.testing.assert_allclose(look.map, expected.map[0], atol=1e-3)
    # With one label a picture, the classes share what is there.
    np.testing.assert_allclose(look.class_maps.sum(axis=0), look.map, atol=1e-5)


def test_cam_is_the_linear_layer_on_each_place(tiny_compact: PromptableModel) -> None:
    head = network(tiny_compact).cam
    trunk = torch.randn(2, 432, 4, 4, generator=torch.Generator().manual_seed(0))
    maps = head.activation(trunk)
    weight, bias = head.linear.weight[:, :, 0, 0], head.linear.bias
    assert bias is not None
    torch.testing.assert_close(maps[1, :, 2, 3], weight @ trunk[1, :, 2, 3] + bias)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), head(trunk))


def test_grad_cam_weighs_channels_by_their_mean_gradient(tiny_compact: PromptableModel) -> None:
    head = network(tiny_compact).grad_cam
    trunk = torch.randn(432, 4, 4, generator=torch.Generator().manual_seed(0))
    found = head.activation(trunk)
    for place in range(3):
        given = trunk.clone()[None].requires_grad_(True)
        (gradient,) = torch.autograd.grad(head(given)[0, place], given)
        expected = (gradient[0].mean(dim=(1, 2))[:, None, None] * trunk).sum(dim=0).clamp(min=0)
        torch.testing.assert_close(found[place], expected, atol=1e-5, rtol=1e-4)
    assert found.max() > 0


def test_a_map_is_stretched_unless_it_is_constant() -> None:
    given = torch.tensor([[2.0, 4.0], [3.0, 2.0]])
    assert stretched(given).tolist() == [[0, 1], [0.5, 0]]
    assert stretched(torch.full((2, 2), 0.7)).tolist() == [[0, 0], [0, 0]]


def test_the_maps_of_cam_are_stretched(tiny_compact: PromptableModel, make_picture: MakePicture) -> None:
    for method in ("cam", "grad-cam"):
        localiser = TrainedLocaliser(tiny_compact, network(tiny_compact), method=method)
        look = localiser.look(make_picture())
        assert look.map.min() == 0
        assert look.map.max() == 1
        np.testing.assert_array_equal(look.map, look.class_maps[look.scores.argmax()])


def test_what_does_not_fit_is_refused(tiny_compact: PromptableModel) -> None:
    built = network(tiny_compact)
    with pytest.raises(UsageError, match="method is one of gtformer, cam, grad-cam"):
        TrainedLocaliser(tiny_compact, built, method="pro2sam")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has 3 classes, got 2 names"):
        TrainedLocaliser(tiny_compact, built, ("a", "b"))
    assert TrainedLocaliser(tiny_compact, built, ("x", "y", "z")).classes == ("x", "y", "z")
