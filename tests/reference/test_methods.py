"""The methods by name, and the contract and promises of prototype and concat; cav has its own room."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.cav import Cav, CavOptions
from kiridashi.reference.cav.bridges import BRIDGES, CANDIDATES
from kiridashi.reference.concat import MOST_REFERENCES, Concat
from kiridashi.reference.method import Method
from kiridashi.reference.methods import METHOD_NAMES, ROWS, make_method
from kiridashi.reference.prototype import Prototype
from kiridashi.testing import method_checks

Check = Callable[[Callable[[], Method]], None]
CHECKS = method_checks()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_prototype_keeps_the_contract(check: Check) -> None:
    check(lambda: Prototype(load_model()))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_concat_keeps_the_contract(check: Check, tiny_sam2: PromptableModel) -> None:
    check(lambda: Concat(tiny_sam2))


def test_methods_are_made_by_name() -> None:
    for name in METHOD_NAMES:
        assert isinstance(make_method(name, load_model()), Method)
    with pytest.raises(UsageError, match="Did you mean prototype"):
        make_method("protoype", load_model())
    with pytest.raises(UsageError, match="Did you mean cav-cross-fade"):
        make_method("cav-crossfade", load_model())


def test_cav_lets_the_cycle_choose_and_its_rows_do_not(tiny_sam2: PromptableModel) -> None:
    chosen = {}
    for name in METHOD_NAMES:
        method = make_method(name, tiny_sam2)
        if isinstance(method, Cav):
            chosen[name] = method.options.bridges
    assert chosen == {"cav": CANDIDATES, **ROWS}
    assert {bridge for bridges in chosen.values() for bridge in bridges} == set(BRIDGES)


def test_settings_of_cav_reach_it(tiny_sam2: PromptableModel, tmp_path: Path) -> None:
    @contextmanager
    def shown(_: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda _done, _total: None

    given = CavOptions(bridges=("none",), margin=0.3, cache=tmp_path / "own")
    method = make_method("cav-ttga", tiny_sam2, seed=4, options=given, verdict=False, progress=shown)
    assert isinstance(method, Cav)
    assert method.options == replace(given.seeded(4), bridges=("ttga",))
    assert (method.verdict, method.instances, method.seed) == (False, True, 4)
    assert method.progress is shown
    elsewhere = make_method("cav", tiny_sam2, options=given, cache=tmp_path)
    assert isinstance(elsewhere, Cav)
    assert elsewhere.options == replace(given, cache=tmp_path)


def test_prototype_counts_separate_objects(disc_site: Callable[..., Reference]) -> None:
    method = Prototype(load_model()).fit([disc_site(0, discs=2), disc_site(1, discs=3)])
    target = disc_site(7, discs=4)
    found = method.predict(target.picture)
    assert found.verdict is not None
    assert found.verdict.present
    assert len(found) == 4
    assert found.union().iou(target.mask) > 0.75


def test_prototype_says_not_here(
    disc_site: Callable[..., Reference], bare_site: Callable[..., Picture]
) -> None:
    references = [disc_site(seed, discs=1 + seed % 3) for seed in range(3)]
    method = Prototype(load_model()).fit(references, [Negative(bare_site(20)), Negative(bare_site(21))])
    verdict = method.predict(bare_site(30)).verdict
    assert verdict is not None
    assert not verdict.present
    assert method.predict(bare_site(30)).items == ()
    assert method.predict(disc_site(31).picture).verdict.present  # type: ignore[union-attr]


def test_without_verdict_the_best_guess_is_given(disc_site: Callable[..., Reference]) -> None:
    references = [disc_site(0, discs=3)]
    method = Prototype(load_model(), verdict=False, instances=False).fit(references)
    found = method.predict(disc_site(5, discs=3).picture)
    assert found.verdict is None
    assert len(found) == 1


def test_a_look_alike_marked_as_negative_is_not_found() -> None:
    """Red and orange discs: shown the orange ones as negatives, only red is left."""

    def scene(seed: int) -> tuple[Picture, Mask, Mask]:
        rng = np.random.default_rng(seed)
        pixels = rng.integers(90, 130, (120, 160, 3)).astype(np.uint8)
        rows, columns = np.ogrid[:120, :160]
        centres = (35, 40 + 5 * seed), (85, 115 - 5 * seed)
        spots = [(rows - y) ** 2 + (columns - x) ** 2 <= 196 for y, x in centres]
        pixels[spots[0]], pixels[spots[1]] = (200, 40, 40), (215, 130, 30)
        return Picture(pixels, f"scene-{seed}"), Mask.from_array(spots[0]), Mask.from_array(spots[1])

    picture, red, orange = scene(0)
    method = Prototype(load_model()).fit([Reference(picture, red)], [Negative(picture, orange)])
    target, wanted, look_alike = scene(3)
    answer = method.predict(target).union()
    assert answer.iou(wanted) > 0.6
    assert answer.intersection(look_alike) < 0.1 * look_alike.area


def test_concat_refuses_an_untrained_memory(
    disc_site: Callable[..., Reference], tiny_sam2: PromptableModel
) -> None:
    card = replace(tiny_sam2.card, trained=frozenset({"image_encoder", "mask_decoder"}))
    with pytest.raises(UsageError, match="trained memory"):
        Concat(PromptableModel(tiny_sam2.net, card)).fit([disc_site(0)])


def test_concat_takes_as_many_references_as_its_memory(
    disc_site: Callable[..., Reference], tiny_sam2: PromptableModel
) -> None:
    with pytest.raises(UsageError, match=f"1 to {MOST_REFERENCES}"):
        Concat(tiny_sam2).fit([disc_site(0)] * (MOST_REFERENCES + 1))


def test_a_saved_method_is_not_taken_for_another(
    disc_site: Callable[..., Reference], tiny_sam2: PromptableModel, tmp_path: Path
) -> None:
    path = tmp_path / "method.safetensors"
    Concat(tiny_sam2).fit([disc_site(0)]).save(path)
    with pytest.raises(InputError, match="prototype"):
        Prototype(load_model()).load(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="not a saved method"):
        Concat(tiny_sam2).load(path)
