from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.gtformer.compact import FrozenTrunk
from kiridashi.models.promptable import PromptableModel

MakePicture = Callable[..., Picture]


def test_patches_are_the_trunk_maps_joined_on_the_grid(
    tiny_compact: PromptableModel, make_picture: MakePicture
) -> None:
    picture = make_picture()
    maps = tiny_compact.encode(picture).trunk
    # Strides 16 and 32 of 128 pixels: 8 x 8 averaged to 4 x 4, and 4 x 4 as it is.
    trunk = FrozenTrunk(tiny_compact, (16, 32), 4)
    seen = trunk.see(picture)
    assert [tuple(one.shape) for one in seen.maps] == [(112, 4, 4), (320, 4, 4)]
    assert {one.dtype for one in (*seen.maps, seen.thumbnail)} == {torch.float16}
    patches = trunk.patches([one[None] for one in seen.maps])
    assert patches.shape == (1, 16, 432)
    expected = torch.cat([F.avg_pool2d(maps[2], 2), maps[3]], dim=1)[0, :, 1, 2]
    torch.testing.assert_close(patches[0, 1 * 4 + 2], expected, atol=1e-2, rtol=1e-2)


def test_a_coarser_map_is_enlarged_when_it_is_joined(
    tiny_compact: PromptableModel, make_picture: MakePicture
) -> None:
    trunk = FrozenTrunk(tiny_compact, (16, 32), 8)
    seen = trunk.see(make_picture())
    assert [one.shape[-1] for one in seen.maps] == [8, 4]
    patches = trunk.patches([one[None] for one in seen.maps])
    assert patches.shape == (1, 64, 432)
    torch.testing.assert_close(patches[0, 9, :112], seen.maps[0][:, 1, 1].float())


@pytest.mark.parametrize("name", ["tiny_compact", "tiny_sam2"])
def test_training_and_looking_see_the_same(
    request: pytest.FixtureRequest, make_picture: MakePicture, name: str
) -> None:
    model = request.getfixturevalue(name)
    trunk, picture = FrozenTrunk(model, (16, 32), 4), make_picture(seed=3)
    learned, looked = trunk.see(picture), trunk.see(picture, keep=True)
    for one, other in zip(learned.maps, looked.maps, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(learned.thumbnail, looked.thumbnail)


def test_looking_leaves_the_features_with_the_model(
    make_compact: Callable[..., PromptableModel], make_picture: MakePicture
) -> None:
    model, picture = make_compact(), make_picture()
    FrozenTrunk(model, (32,), 4).see(picture, keep=True)
    kept = model._encoded[picture.digest]
    assert model.encode(picture) is kept


def test_an_untrained_encoder_is_refused(tiny_compact: PromptableModel) -> None:
    untrained = PromptableModel(tiny_compact.net, replace(tiny_compact.card, trained=frozenset()))
    with pytest.raises(UsageError, match="localising needs a trained image encoder"):
        FrozenTrunk(untrained, (32,), 4)
