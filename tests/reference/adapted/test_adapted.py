from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.models.loading import load_model
from kiridashi.models.threads import in_order
from kiridashi.reference.adapted import Adapted, HeadOptions
from kiridashi.reference.adapted.learning import new_head, teach
from kiridashi.reference.adapted.material import FINE, Standard, copy_of, lesson, see
from kiridashi.reference.adapted.network import Head, head_loss
from kiridashi.reference.method import Method
from kiridashi.reference.prior.evidence import look
from kiridashi.reference.prototype import Prototype
from kiridashi.reference.saving import load_state, save_state
from kiridashi.testing import method_checks

DiscSite = Callable[..., Reference]
Check = Callable[[Callable[[], Method]], None]
# They learn next to nothing; the second leaves references out.
QUICK = HeadOptions(looks=1, most_copies=1, folds=1, steps=1, batch=1)
FOLDED = HeadOptions(looks=1, most_copies=1, folds=2, steps=1, batch=1)


@pytest.mark.parametrize("check", method_checks(), ids=lambda check: check.__name__)
def test_adapted_keeps_the_contract(check: Check) -> None:
    check(lambda: Adapted(load_model(), options=QUICK))


def test_the_head_learns_a_few_discs(disc_site: DiscSite) -> None:
    site = disc_site(0)
    view = look(load_model(), site.picture)
    standard = Standard.of([view])
    flat = np.full((128, 128), 0.5, np.float32)
    seen = see(view, site.picture, flat, standard)
    one = lesson(seen, site.mask, None)
    head = teach(new_head(0), [one], HeadOptions(steps=40, batch=2), seed=0)
    with torch.inference_mode():
        logits = head(seen.batch())
        untaught = Head().eval()(seen.batch())
    assert logits.shape == (1, 1, FINE, FINE)
    assert head_loss(logits, one.truth[None]) < 0.5 * head_loss(untaught, one.truth[None])
    found = Mask.from_array(logits[0, 0].numpy() > 0)
    assert found.iou(Mask.from_array(one.truth[0].numpy() > 0.5)) > 0.7


def test_heads_taught_at_once_are_those_taught_in_turn(disc_site: DiscSite) -> None:
    site = disc_site(0)
    view = look(load_model(), site.picture)
    seen = see(view, site.picture, np.full((128, 128), 0.5, np.float32), Standard.of([view]))
    options = HeadOptions(steps=3, batch=1)
    heads = [[new_head(seed) for seed in range(3)] for _ in range(2)]
    for group, threads in zip(heads, (1, 3), strict=True):

        def learn(seed: int, group: list[Head] = group) -> Head:
            return teach(group[seed], [lesson(seen, site.mask, None)], options, seed)

        assert [result() for _, result in in_order(range(3), learn, threads)] == group
    for one, other in zip(*heads, strict=True):
        pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        assert all(torch.equal(mine, yours) for mine, yours in pairs)


def test_it_is_never_worse_than_the_base_on_what_it_measured(disc_site: DiscSite) -> None:
    """An untaught head has no say: the answer is that of `prototype`, and the figures say so."""
    sites = [disc_site(seed) for seed in range(2)]
    method = Adapted(load_model(), options=FOLDED).fit(sites)
    gain = method.gain_
    assert gain.adapted >= gain.base > 0.5
    assert gain.references == len(method.heads_) == 2
    if gain.share == 0:
        base = Prototype(load_model()).fit(sites)
        base.threshold_ = method.threshold_
        target = disc_site(9).picture
        assert method.predict(target).union() == base.predict(target).union()
        assert "brought nothing" in method.predict(target).provenance["refinement"]


def test_negatives_of_a_single_reference_move_the_threshold(disc_site: DiscSite) -> None:
    """They are judged by priors that have not seen them, as in `prototype`."""
    site, negatives = disc_site(0), [Negative(disc_site(5).picture), Negative(disc_site(6).picture)]
    found = Adapted(load_model(), options=QUICK).fit([site], negatives)
    assert found.threshold_ == pytest.approx(Prototype(load_model()).fit([site], negatives).threshold_)
    assert found.threshold_ != Adapted(load_model(), options=QUICK).fit([site]).threshold_


def test_copies_fill_up_the_looks() -> None:
    options = HeadOptions(looks=60, most_copies=12)
    assert [options.copies(count) for count in (1, 5, 10, 50, 100)] == [12, 11, 5, 1, 0]


def test_a_single_reference_gives_what_prototype_gives(disc_site: DiscSite, tmp_path: Path) -> None:
    """What cannot be shown to help has no say."""
    method = Adapted(load_model(), options=QUICK).fit([disc_site(0)])
    assert method.gain_.references == 0
    assert method.heads_ == []
    target = disc_site(9).picture
    found = method.predict(target)
    assert found.union() == Prototype(load_model()).fit([disc_site(0)]).predict(target).union()
    assert "a single reference" in found.provenance["refinement"]
    method.save(tmp_path / "one.safetensors")
    assert Adapted(load_model()).load(tmp_path / "one.safetensors").predict(target).union() == found.union()


def test_progress_is_told_to_the_end(disc_site: DiscSite) -> None:
    told: list[tuple[int, int]] = []
    options = HeadOptions(looks=1, most_copies=1, folds=2, steps=2, batch=1)
    Adapted(load_model(), options=options, progress=lambda *step: told.append(step)).fit(
        [disc_site(0), disc_site(1)]
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_is_unknown_of_a_negative_teaches_nothing(disc_site: DiscSite) -> None:
    """A negative with a marked part is background there, and unknown elsewhere."""
    site = disc_site(0)
    view = look(load_model(), site.picture)
    seen = see(view, site.picture, np.full((128, 128), 0.5, np.float32), Standard.of([view]))
    part = lesson(seen, None, site.mask)
    assert part.truth.sum() == 0
    assert 0 < part.counted.mean() < 0.2
    assert lesson(seen, None, None).counted.min() == 1
    assert lesson(seen, site.mask, None).counted.min() == 1


def test_copies_move_the_mask_with_the_picture(disc_site: DiscSite) -> None:
    site = disc_site(1, discs=2)
    for seed in range(4):
        picture, mask = copy_of(site.picture, site.mask, HeadOptions(), np.random.default_rng(seed))
        red = picture.pixels[..., 0].astype(int) - picture.pixels[..., 1] > 30
        assert Mask.from_array(red).iou(mask) > 0.85


def test_an_empty_mask_and_no_references_are_refused() -> None:
    picture = Picture(np.zeros((20, 20, 3), np.uint8), "x")
    with pytest.raises(InputError, match="mask is empty"):
        Adapted(load_model()).fit([Reference(picture, Mask.empty((20, 20)))])
    with pytest.raises(UsageError, match="at least one reference"):
        Adapted(load_model()).fit([], [Negative(picture)])


def test_a_damaged_state_is_refused(disc_site: DiscSite, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    Adapted(load_model(), options=QUICK).fit([disc_site(0)]).save(path)
    tensors, facts = load_state(path, "adapted")
    save_state(path, "adapted", {n: t for n, t in tensors.items() if n != "standard.mean0"}, facts)
    with pytest.raises(InputError, match="damaged"):
        Adapted(load_model()).load(path)
    save_state(path, "adapted", tensors, facts | {"gain": {"odd": 1}})
    with pytest.raises(InputError, match="damaged"):
        Adapted(load_model()).load(path)


@pytest.mark.parametrize("field", [{"steps": 0}, {"looks": 0}, {"learning_rate": 0.0}, {"weight_decay": 2.0}])
def test_options_out_of_range_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        HeadOptions(**field)  # type: ignore[arg-type]
