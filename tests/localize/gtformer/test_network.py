from dataclasses import replace

import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.localize.gtformer.network import FeatureStem, GTFormer, pooled
from kiridashi.localize.gtformer.options import GTFormerOptions, published

SMALL = GTFormerOptions(
    grid=4, width=16, depth=3, global_aware=2, heads=2, drop_path=0.0, thumbnail_deviation=0.02
)


def network(options: GTFormerOptions = SMALL, classes: int = 3, channels: int = 10) -> GTFormer:
    torch.manual_seed(0)
    built = GTFormer(options, classes, channels)
    with torch.no_grad():
        for block in built.blocks:
            block.attn.qkv.weight.normal_(0, 0.5)  # type: ignore[union-attr, operator]
    return built.eval()


def batch(count: int = 2, options: GTFormerOptions = SMALL) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, options.patches, 10, generator=generator)
    return inputs, torch.randn(count, 3, 32, 32, generator=generator)


def test_shapes_and_ranges() -> None:
    seen = network()(*batch())
    assert seen.logits.shape == (2, 3)
    assert seen.map.shape == (2, 4, 4)
    assert seen.token_maps.shape == (2, 4, 4, 4)
    assert seen.class_maps.shape == (2, 3, 4, 4)
    assert seen.trunk.shape == (2, 10, 4, 4)
    assert seen.map.min() > 0
    assert seen.map.max() < 1
    torch.testing.assert_close(seen.map, seen.token_maps.mean(dim=1))


def test_the_map_is_the_mean_of_the_gates_of_the_last_blocks_at_the_patches() -> None:
    built, (inputs, thumbnails) = network(), batch()
    x = built.sequence(inputs, thumbnails)
    assert x.shape == (2, SMALL.tokens, 16)
    x = built.blocks[0](x)
    gates = []
    for block in built.blocks[1:]:
        x, gate = block.global_aware(x)  # type: ignore[operator]
        gates.append(gate)
    patches = ((gates[0] + gates[1]) / 2)[:, :, 1:17]
    torch.testing.assert_close(built(inputs, thumbnails).token_maps.flatten(2), patches)


def test_patches_lie_on_the_grid_row_by_row() -> None:
    built, (inputs, thumbnails) = network(), batch(1)
    trunk = built(inputs, thumbnails).trunk[0]
    torch.testing.assert_close(trunk[:, 1, 2], inputs[0, 1 * 4 + 2])


def test_features_are_standardised_before_anything_else() -> None:
    built, (inputs, thumbnails) = network(), batch()
    before = built(inputs, thumbnails)
    assert isinstance(built.stem, FeatureStem)
    built.stem.mean.fill_(5.0)
    built.stem.deviation.fill_(3.0)
    after = built(3 * inputs + 5, thumbnails)
    torch.testing.assert_close(after.map, before.map)
    torch.testing.assert_close(after.trunk, before.trunk, atol=1e-5, rtol=1e-5)


def test_logits_are_the_mean_of_the_class_maps_plain_or_weighted_by_the_map() -> None:
    plain = network(replace(SMALL, pooling="mean"))(*batch())
    torch.testing.assert_close(plain.logits, plain.class_maps.mean(dim=(2, 3)))
    gated = network(replace(SMALL, pooling="gated"))(*batch())
    weights = gated.map[:, None]
    expected = (gated.class_maps * weights).sum((2, 3)) / weights.sum((2, 3))
    torch.testing.assert_close(gated.logits, expected)
    assert (gated.logits - plain.logits).abs().max() > 1e-5


def test_evidence_is_read_off_each_place_alone() -> None:
    built, (inputs, thumbnails) = network(), batch()
    before = built(inputs, thumbnails).evidence
    assert before.shape == (2, 3, 4, 4)
    inputs[:, 5] += 1
    changed = (built(inputs, thumbnails).evidence - before).abs().amax(dim=(0, 1)) > 1e-6
    assert changed.nonzero().tolist() == [[1, 1]]


def test_pooled_maps_are_weighted_means() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert pooled(maps, torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])).tolist() == [[2.5]]
    assert pooled(maps, torch.zeros(1, 2, 2)).tolist() == [[0]]


def test_all_pictures_start_with_the_same_global_tokens_unless_as_published() -> None:
    torch.manual_seed(0)
    calm, published_start = (
        GTFormer(replace(SMALL, thumbnail_deviation=deviation), 3, 10) for deviation in (0.0, 0.02)
    )
    _, thumbnails = batch()
    assert calm.global_tokens(thumbnails).abs().max() == 0
    assert published_start.global_tokens(thumbnails).std() > 0.1


def test_how_strong_the_features_of_a_place_are_survives_the_layer_norm() -> None:
    torch.manual_seed(0)
    stem = FeatureStem(10, 16, 32)
    stem.initialise()
    weak, strong = (stem(length * torch.ones(1, 1, 10) / 10**0.5) for length in (0.3, 6.0))
    angle = torch.cosine_similarity(weak.flatten(), strong.flatten(), dim=0)
    assert angle < 0.8


def test_the_answer_to_a_picture_does_not_hang_on_its_batch() -> None:
    built, (inputs, thumbnails) = network(), batch(3)
    together = built(inputs, thumbnails)
    alone = built(inputs[1:2], thumbnails[1:2])
    torch.testing.assert_close(alone.map[0], together.map[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone.logits[0], together.logits[1], atol=1e-5, rtol=1e-4)


def test_the_map_hangs_on_the_thumbnail() -> None:
    built, (inputs, thumbnails) = network(), batch()
    moved = built(inputs, -thumbnails).map
    assert (moved - built(inputs, thumbnails).map).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trunk": "resnet"}, "trunk is one of compact"),
        ({"pooling": "max"}, "pooling is one of mean, gated"),
        ({"grid": 0}, "grid is a whole number of 1 to 64"),
        ({"depth": 1000}, "depth is a whole number"),
        ({"width": 30}, "a multiple of the 4 heads"),
        ({"strides": (32, 16)}, "strides are some of 4, 8, 16, 32 in this order"),
        ({"strides": ()}, "strides are some of"),
        ({"global_aware": 9}, "without a gate there is no map"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio is 0.25 to 8"),
        ({"drop_path": 1.0}, "drop_path is 0 to below 1"),
        ({"stem_hidden": -1}, "stem_hidden is 0 to 1024"),
        ({"thumbnail_deviation": 2.0}, "thumbnail_deviation is 0 to 1"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"trunk": "deit-small"}, "deit-small has a grid of 14"),
    ],
)
def test_options_out_of_range_are_told(change: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        GTFormerOptions(**change)  # type: ignore[arg-type]


def test_options_come_back() -> None:
    options = published()
    assert GTFormerOptions.from_dict(options.to_dict()) == options
    with pytest.raises(UsageError, match="published are deit-tiny, deit-small, deit-base"):
        published("compact")
