from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.cache import NeckCache
from kiridashi.reference.alignment.options import AlignmentOptions

DiscSite = Callable[..., Reference]


class Counted:
    """Counts the steps that are really taken."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, done: int, total: int) -> None:
        self.steps += 1


@pytest.fixture
def count() -> Counted:
    return Counted()


@pytest.fixture
def cache(tmp_path: Path) -> NeckCache:
    return NeckCache(tmp_path / "necks")


def test_a_set_of_references_is_paid_for_once(
    cache: NeckCache, model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite, count: Counted
) -> None:
    shown = [disc_site(0), disc_site(1)]
    runs: list[int] = []
    hook = model.net.vision_encoder.backbone.register_forward_hook(lambda *_: runs.append(1))
    try:
        first = cache.neck(model, shown, quick, count)
        paid = len(runs)
        again = cache.neck(model, [disc_site(1), disc_site(0)], quick, count)
        # Another process shares nothing but the folder.
        elsewhere = NeckCache(cache.folder).neck(model, shown, quick, count)
    finally:
        hook.remove()
    assert count.steps == quick.steps
    assert len(runs) == paid == 2 + quick.steps
    for other in (again, elsewhere):
        assert other.losses == first.losses
        assert all(torch.equal(other.tensors[name], first.tensors[name]) for name in first.tensors)
    assert len(list(cache.folder.iterdir())) == 1


def test_whatever_matters_has_its_own_file(
    cache: NeckCache,
    model: PromptableModel,
    quick: AlignmentOptions,
    disc_site: DiscSite,
    make_compact: Callable[..., PromptableModel],
) -> None:
    one, two = disc_site(0), disc_site(1)
    paths = {
        cache.path(model, [one], quick),
        cache.path(model, [two], quick),
        cache.path(model, [one, two], quick),
        cache.path(model, [Reference(one.picture, two.mask)], quick),
        cache.path(model, [one], replace(quick, seed=1)),
        cache.path(model, [one], replace(quick, augmentation=replace(quick.augmentation, hue=0.2))),
        cache.path(make_compact(image_size=64, seed=3), [one], quick),
    }
    assert len(paths) == 7
    assert cache.path(model, [one], AlignmentOptions(**vars(quick))) in paths


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_file_is_made_anew(
    cache: NeckCache,
    model: PromptableModel,
    quick: AlignmentOptions,
    disc_site: DiscSite,
    count: Counted,
    damage: bytes | None,
) -> None:
    first = cache.neck(model, [disc_site(0)], quick)
    path = cache.path(model, [disc_site(0)], quick)
    content = path.read_bytes()
    path.write_bytes(content[:-7] if damage is None else damage)
    again = cache.neck(model, [disc_site(0)], quick, count)
    assert count.steps == quick.steps
    assert again.losses == first.losses
    assert path.read_bytes() == content


def test_an_interrupted_tuning_leaves_no_file(
    cache: NeckCache, model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite, count: Counted
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.neck(model, [disc_site(0)], quick, interrupt)
    assert list(cache.folder.iterdir()) == []
    cache.neck(model, [disc_site(0)], quick, count)
    assert count.steps == quick.steps


def test_a_folder_that_cannot_be_made_is_said_before_the_work(
    model: PromptableModel, quick: AlignmentOptions, disc_site: DiscSite, tmp_path: Path, count: Counted
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="name another folder"):
        NeckCache(tmp_path / "file" / "necks").neck(model, [disc_site(0)], quick, count)
    assert count.steps == 0
