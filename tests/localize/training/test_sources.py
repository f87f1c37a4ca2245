from pathlib import Path

import pytest
import torch

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.pictures import read_picture
from kiridashi.localize.gtformer.compact import FrozenTrunk, Seen
from kiridashi.localize.training.augmentation import View
from kiridashi.localize.training.sources import FeatureSource, PixelSource
from kiridashi.models.promptable import PromptableModel

from .site import single


def ignore(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def trunk(tiny_compact: PromptableModel) -> FrozenTrunk:
    return FrozenTrunk(tiny_compact, (16, 32), 4)


def test_a_batch_is_what_the_trunk_sees(trunk: FrozenTrunk, tmp_path: Path) -> None:
    paths = [item.path for item in single(tmp_path, 3)]
    told: list[tuple[int, int]] = []
    source = FeatureSource(trunk, paths, 2, None, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert source.channels == 432
    patches, thumbnails = source.batch([2, 0], None)
    assert patches.shape == (2, 16, 432)
    for place, path in enumerate((paths[2], paths[0])):
        seen = trunk.see(read_picture(path))
        torch.testing.assert_close(patches[place], trunk.patches([one[None] for one in seen.maps])[0])
        torch.testing.assert_close(thumbnails[place], seen.thumbnail.float())


def test_views_are_drawn_by_the_generator(trunk: FrozenTrunk, tmp_path: Path) -> None:
    path = single(tmp_path, 1)[0].path
    source = FeatureSource(trunk, [path], 2, None, ignore)
    mirrored = trunk.see(View(mirrored=True).of(read_picture(path)))
    expected = [source.batch([0], None)[1][0], mirrored.thumbnail.float()]
    generator = torch.Generator().manual_seed(0)
    found = source.batch([0] * 20, generator)[1]
    kinds = [next(kind for kind in (0, 1) if torch.equal(one, expected[kind])) for one in found]
    assert set(kinds) == {0, 1}
    again = source.batch([0] * 20, torch.Generator().manual_seed(0))[1]
    assert torch.equal(found, again)


def test_features_outlive_the_run_in_a_folder(
    trunk: FrozenTrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [item.path for item in single(tmp_path / "pictures", 2)]
    cache = tmp_path / "cache"
    first = FeatureSource(trunk, paths, 2, cache, ignore)
    files = sorted((cache / "localize").iterdir())
    assert len(files) == 4
    # One file is damaged, one gone: these are made anew, the others read.
    files[0].write_bytes(b"damaged")
    files[1].unlink()
    looked: list[str] = []
    see = FrozenTrunk.see

    def noted(self: FrozenTrunk, picture: Picture) -> Seen:
        looked.append(picture.name)
        return see(self, picture)

    monkeypatch.setattr(FrozenTrunk, "see", noted)
    second = FeatureSource(trunk, paths, 2, cache, ignore)
    assert len(looked) == 2
    for one, other in zip(first.batch([0, 1], None), second.batch([0, 1], None), strict=True):
        assert torch.equal(one, other)
    # Another grid is another view of things.
    FeatureSource(FrozenTrunk(trunk.model, (16, 32), 2), paths, 2, cache, ignore)
    assert len(looked) == 6


def test_beyond_the_memory_the_folder_serves_the_batches(trunk: FrozenTrunk, tmp_path: Path) -> None:
    paths = [item.path for item in single(tmp_path / "pictures", 3)]
    held = FeatureSource(trunk, paths, 2, None, ignore)
    read = FeatureSource(trunk, paths, 2, tmp_path / "cache", ignore, memory=1000)
    assert read._held == [[], [], []]
    # What was trimmed meanwhile is made again.
    next((tmp_path / "cache" / "localize").iterdir()).unlink()
    for seed in range(3):
        one, other = (source.batch([0, 1, 2], torch.Generator().manual_seed(seed)) for source in (held, read))
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    assert read.channels == 432
    with pytest.raises(UsageError, match="give a cache folder, or fewer views"):
        FeatureSource(trunk, paths, 2, None, ignore, memory=1000)


def test_a_picture_that_cannot_be_read_is_named(trunk: FrozenTrunk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.png"):
        FeatureSource(trunk, [tmp_path / "gone.png"], 1, None, ignore)
    with pytest.raises(InputError, match=r"gone.png"):
        PixelSource([tmp_path / "gone.png"], ignore)


def test_pixels_are_cropped_by_the_generator_and_whole_without(tmp_path: Path) -> None:
    paths = [item.path for item in single(tmp_path, 2)]
    source = PixelSource(paths, ignore)
    whole, thumbnails = source.batch([0, 1], None)
    assert whole.shape == (2, 3, 224, 224)
    assert thumbnails.shape == (2, 3, 32, 32)
    torch.testing.assert_close(source.batch([0, 1], None)[0], whole)
    drawn = [source.batch([0], torch.Generator().manual_seed(seed))[0] for seed in (0, 0, 1)]
    assert drawn[0].shape == (1, 3, 224, 224)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert len(source.digests) == 2
