from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.cav import Cav, CavOptions, method, pseudo_masks, pseudo_video
from kiridashi.reference.cav.bridges import Bridge
from kiridashi.reference.cav.pseudo_masks import PseudoMasks
from kiridashi.reference.cav.pseudo_video import MOST_REFERENCES, show_references
from kiridashi.reference.concat import Concat
from kiridashi.reference.transition import transition
from kiridashi.reference.transition.compact import CompactBackend
from kiridashi.reference.transition.design import Design, make_unet
from kiridashi.testing import method_checks
from kiridashi.testing.scenes import noise, scene

Check = Callable[[Callable[[], Cav]], None]
Quick = Callable[..., CavOptions]
CHECKS = {check.__name__: check for check in method_checks()}
# There is nothing to tune a neck on in a picture that is object throughout.
FULL_MASK = ("check_full_mask", "check_refit_forgets")
SIZE = (48, 64)


class Halfway:
    """Stands in for DBST: two mixed frames, or an error."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.broken = False

    def frames(self, reference: Picture, target: Picture) -> list[Picture]:
        self.pairs.append((reference.name, target.name))
        if self.broken:
            raise UsageError("no frames today")
        mixed = [(target.pixels * share).astype(np.uint8) for share in (0.7, 0.9)]
        return [Picture(pixels, f"frame {number}") for number, pixels in enumerate(mixed)]


class Told:
    """A progress display that counts the steps of each job, and the jobs."""

    def __init__(self) -> None:
        self.jobs: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()

    @contextmanager
    def __call__(self, what: str) -> Iterator[Callable[[int, int], None]]:
        self.jobs[what] += 1

        def tell(_done: int, _total: int) -> None:
            self.steps[what] += 1

        yield tell


@pytest.fixture
def halfway(monkeypatch: pytest.MonkeyPatch) -> Halfway:
    made = Halfway()
    real = transition.make_transition

    def make(name: str, *args: Any, **kwargs: Any) -> Any:
        return made if name == "dbst" else real(name, *args, **kwargs)

    monkeypatch.setattr(method, "make_transition", make)
    return made


@pytest.fixture
def tiny_diffusion(monkeypatch: pytest.MonkeyPatch) -> None:
    design = Design(side=16, channels=(8, 16), head=8)
    backend = CompactBackend(make_unet(design, seed=1), design)
    monkeypatch.setattr(transition, "load_backend", lambda _name: backend)


@pytest.fixture
def cycles(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the cycle says, in the order in which it is asked."""
    values: list[float] = []
    monkeypatch.setattr(method, "cycle_iou", lambda *_: values.pop(0))
    return values


def weights(model: PromptableModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.net.state_dict().items()}


def assert_untouched(model: PromptableModel, before: dict[str, Tensor], neck: object) -> None:
    after = model.net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert model.net.vision_encoder.neck is neck
    assert not any(parameter.requires_grad for parameter in model.net.parameters())


def same(one: Segments, other: Segments) -> bool:
    return [part.mask for part in one] == [part.mask for part in other] and one.verdict == other.verdict


@pytest.mark.parametrize("name", [name for name in CHECKS if name not in FULL_MASK])
def test_cav_keeps_the_contract(name: str, model: PromptableModel, quick: Quick) -> None:
    CHECKS[name](lambda: Cav(model, options=quick("none", "affine", "ttga")))


@pytest.mark.parametrize("name", FULL_MASK)
def test_without_tuning_a_full_mask_is_taken(name: str, model: PromptableModel, quick: Quick) -> None:
    CHECKS[name](lambda: Cav(model, options=quick("none", "cross-fade")))


@pytest.mark.parametrize(
    "name",
    ["check_predictions_are_independent", "check_save_and_load", "check_several_references_of_unequal_size"],
)
def test_cav_keeps_the_contract_on_models_that_recall_by_matching(
    name: str, make_compact: Callable[..., PromptableModel], quick: Quick
) -> None:
    plain = make_compact(image_size=64)
    model = PromptableModel(plain.net, replace(plain.card, recalls_by_matching=True))
    CHECKS[name](lambda: Cav(model, options=quick("none", "cross-fade", "ttga")))


def test_tuning_refuses_a_full_mask_and_leaves_what_was_learned(model: PromptableModel, quick: Quick) -> None:
    cav = Cav(model, options=quick("none", "ttga")).fit([scene(0, SIZE)])
    target = scene(1, SIZE).picture
    before = cav.predict(target)
    whole = Reference(target, Mask.from_array(np.ones(SIZE, dtype=bool)))
    with pytest.raises(InputError, match=r"scene 1: .* covers 100\.0%"):
        cav.fit([scene(0, SIZE), whole])
    assert same(cav.predict(target), before)


def test_the_number_of_references_is_bounded(model: PromptableModel, quick: Quick) -> None:
    cav = Cav(model, options=quick("none"))
    for count in (0, MOST_REFERENCES + 1):
        with pytest.raises(UsageError, match=f"cav takes 1 to {MOST_REFERENCES} references, got {count}"):
            cav.fit([scene(0, SIZE)] * count)


def test_an_untrained_memory_is_refused(model: PromptableModel, quick: Quick) -> None:
    card = replace(model.card, trained=frozenset({"image_encoder", "mask_decoder"}))
    with pytest.raises(UsageError, match="trained memory"):
        Cav(PromptableModel(model.net, card), options=quick("none")).fit([scene(0, SIZE)])


def test_nothing_can_be_asked_before_fit(model: PromptableModel, quick: Quick, tmp_path: Path) -> None:
    cav, picture = Cav(model, options=quick("none")), scene(0, SIZE).picture
    asks: list[Callable[[], object]] = [
        lambda: cav.predict(picture),
        lambda: cav.settle([picture]),
        lambda: cav.frames(picture, "none"),
        lambda: cav.save(tmp_path / "state"),
    ]
    for ask in asks:
        with pytest.raises(UsageError, match="before fit"):
            ask()


def test_the_plain_pair_is_concat(model: PromptableModel, quick: Quick) -> None:
    references, target = [scene(0, SIZE), scene(1, (40, 40))], scene(2, SIZE).picture
    negatives = [Negative(noise(4, SIZE))]
    plain = Cav(model, options=quick("none")).fit(references, negatives).predict(target)
    assert same(plain, Concat(model).fit(references, negatives).predict(target))
    assert plain.provenance["bridge"] == "none"
    assert "cycle IoU" not in plain.provenance


def test_where_the_gate_refuses_the_target_tuning_changes_nothing(
    model: PromptableModel, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = scene(2, SIZE).picture
    plain = Cav(model, options=quick("none")).fit([scene(0, SIZE)]).predict(target)
    tuned = Cav(model, options=quick("ttga")).fit([scene(0, SIZE)])
    assert not same(tuned.predict(target), plain)
    monkeypatch.setattr(pseudo_masks, "LEAST_PEAK", 1.1)
    assert same(tuned.predict(target), plain)


def test_a_negative_marked_in_part_says_nothing_of_the_whole_picture(
    model: PromptableModel, quick: Quick
) -> None:
    reference, look_alike = scene(0, SIZE), scene(5, SIZE)
    cav = Cav(model, options=quick("none"))
    threshold = cav.fit([reference]).rule_.threshold
    assert cav.fit([reference], [Negative(look_alike.picture, look_alike.mask)]).rule_.threshold == threshold
    assert cav.fit([reference], [Negative(look_alike.picture)]).rule_.threshold != threshold


def test_the_model_stays_as_it_was(model: PromptableModel, quick: Quick, halfway: Halfway) -> None:
    before, neck = weights(model), model.net.vision_encoder.neck
    target = scene(1, SIZE).picture
    features = model.encode(target).levels[-1].clone()
    cav = Cav(model, options=quick("none", "ttga", "both", video_uses_tuned_neck=True))
    cav.fit([scene(0, SIZE)]).predict(target)
    assert_untouched(model, before, neck)
    halfway.broken = True
    with pytest.raises(UsageError, match="no frames today"):
        cav.predict(scene(2, SIZE).picture)
    assert_untouched(model, before, neck)
    assert torch.equal(model.encode(target).levels[-1], features)


def test_a_failure_on_the_tuned_neck_takes_it_out_again(
    model: PromptableModel, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, neck = weights(model), model.net.vision_encoder.neck
    cav = Cav(model, options=quick("ttga", video_uses_tuned_neck=True)).fit([scene(0, SIZE)])

    def fail(*_: object) -> None:
        assert model.net.vision_encoder.neck is not neck
        raise UsageError("in the middle")

    monkeypatch.setattr(method, "follow", fail)
    with pytest.raises(UsageError, match="in the middle"):
        cav.predict(scene(1, SIZE).picture)
    assert_untouched(model, before, neck)


def test_the_whole_video_can_run_on_the_tuned_neck(model: PromptableModel, quick: Quick) -> None:
    references = [scene(0, SIZE)]
    cav = Cav(model, options=quick("ttga", video_uses_tuned_neck=True)).fit(references)
    assert cav.delta_ is not None
    with cav.delta_.applied(model):
        expected = show_references(model, references).state()
    differs = False
    for name, tensor in cav.aligned_shown_.items():
        assert torch.equal(tensor, expected[name])
        differs |= not torch.equal(tensor, cav.shown_[name])
    assert differs
    usual = Cav(model, options=quick("ttga")).fit(references)
    assert usual.aligned_shown_ is usual.shown_


def test_pseudo_masks_come_from_the_neck_of_the_bridge(
    model: PromptableModel, quick: Quick, halfway: Halfway, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[tuple[Sequence[Picture], Sequence[Mask | None]]] = []
    real = pseudo_video.follow

    def follow(*given: Any) -> Any:
        followed.append((given[2], given[3]))
        return real(*given)

    options = quick("dbst", "ttga", "both")
    bold = replace(options.alignment, learning_rate=0.5)
    reference, target = scene(0, SIZE), scene(1, SIZE).picture
    cav = Cav(model, verdict=False, options=replace(options, alignment=bold)).fit([reference])
    monkeypatch.setattr(method, "follow", follow)
    cav.predict(target)
    assert cav.delta_ is not None
    first = halfway.frames(reference.picture, target)[0]
    with cav.delta_.applied(model):
        tuned = PseudoMasks(model, [reference])
        on_target, on_frame = tuned.mask(target), tuned.mask(first)
    plain = PseudoMasks(model, [reference]).mask(first)
    assert plain is not None
    assert on_frame != plain
    (frames, hints), (stand_in, own), (same_frames, aligned) = followed
    assert (frames, hints) == (same_frames, [plain])
    assert (stand_in, own) == (([target], [on_target]) if on_target else ([], []))
    assert aligned == [on_frame]


def test_the_plain_pair_decides_whether_the_object_is_there(model: PromptableModel, quick: Quick) -> None:
    """A pseudo mask of the target in the memory would find itself, in a picture of anything."""
    reference, target = scene(0, SIZE), scene(1, SIZE).picture
    scores = []
    for bridge in ("none", "dbst", "both"):
        verdict = Cav(model, options=quick(bridge)).fit([reference]).predict(target).verdict
        assert verdict is not None
        scores.append(verdict.score)
    assert scores == [scores[0]] * 3


@pytest.mark.parametrize(("cycle", "tried"), [(0.75, ["none"]), (0.65, ["none", "dbst", "both"])])
def test_no_other_bridge_is_tried_where_none_could_win(
    model: PromptableModel, quick: Quick, monkeypatch: pytest.MonkeyPatch, cycle: float, tried: list[str]
) -> None:
    crossed: list[str] = []
    real = Cav._cross

    def cross(self: Cav, bridge: Bridge, picture: Picture) -> Any:
        crossed.append(bridge.name)
        return real(self, bridge, picture)

    monkeypatch.setattr(Cav, "_cross", cross)
    monkeypatch.setattr(method, "cycle_iou", lambda *_: cycle)
    cav = Cav(model, options=quick("dbst", "both", "none", margin=0.3)).fit([scene(0, SIZE)])
    found = cav.predict(scene(1, SIZE).picture)
    assert crossed == tried
    assert found.provenance["bridge"] == "none"


@pytest.mark.parametrize("order", [("none", "dbst", "both"), ("both", "none", "affine", "dbst")])
def test_bridges_share_the_frames_of_a_pair(
    model: PromptableModel, quick: Quick, halfway: Halfway, order: tuple[str, ...]
) -> None:
    told = Told()
    cav = Cav(model, options=quick(*order), progress=told).fit([scene(0, SIZE)])
    target = scene(1, SIZE).picture
    cav.predict(target)
    reference, frames = cav.frames(target, "both")
    assert halfway.pairs == [("scene 0", "scene 1")]
    assert (reference.picture.name, [frame.name for frame in frames]) == ("scene 0", ["frame 0", "frame 1"])
    assert cav.frames(target, "none")[1] == []
    assert told.jobs["transition to scene 1"] == len({"dbst", "affine"} & set(order))
    cav.predict(scene(2, SIZE).picture)
    assert halfway.pairs[1:] == [("scene 0", "scene 2")]
    with pytest.raises(UsageError, match="got 'cross-fade'"):
        cav.frames(target, "cross-fade")


def test_the_way_sets_out_from_the_nearest_reference(
    model: PromptableModel, quick: Quick, halfway: Halfway
) -> None:
    references = [scene(0, SIZE), scene(3, (64, 40)), scene(6, SIZE)]
    cav = Cav(model, options=quick("dbst")).fit(references)
    for index in (2, 1):
        picture = references[index].picture
        cav.pseudo_masks_ = SimpleNamespace(nearest=lambda _, i=index: i, mask=lambda _: None)  # type: ignore[assignment]
        assert cav.frames(picture, "dbst")[0] is references[index]
    assert [start for start, _ in halfway.pairs] == ["scene 6", "scene 3"]


@pytest.mark.usefixtures("tiny_diffusion")
def test_dbst_runs_with_a_diffusion_model(model: PromptableModel, quick: Quick, tmp_path: Path) -> None:
    """The same pair twice and a target equal to the reference, with what was learned kept."""
    told, reference = Told(), scene(0, SIZE)
    options = quick("none", "dbst", "both", cache=tmp_path)
    cav = Cav(model, options=options, progress=told).fit([reference])
    found = cav.predict(reference.picture)
    assert found.provenance["bridge"] in options.bridges
    assert float(found.provenance["cycle IoU"]) >= 0
    frames = cav.frames(reference.picture, "dbst")[1]
    assert [frame.size for frame in frames] == [SIZE] * 2
    assert told.steps["transition to scene 0"] == 2 * (2 + 2) + 2 * 2
    # One picture at both ends.
    assert len(list((tmp_path / "transitions").iterdir())) == 1
    target = scene(1, SIZE).picture
    assert same(
        cav.predict(target), Cav(model, options=quick(*options.bridges)).fit([reference]).predict(target)
    )


def test_tuning_is_paid_for_once(model: PromptableModel, quick: Quick, tmp_path: Path) -> None:
    told, references, target = Told(), [scene(0, SIZE), scene(1, SIZE)], scene(2, SIZE).picture
    options = quick("ttga", cache=tmp_path)
    first = Cav(model, options=options, progress=told).fit(references)
    assert told.steps["tuning the neck"] == options.alignment.steps
    second = Cav(model, options=options, progress=told).fit(references)
    assert told.steps["tuning the neck"] == options.alignment.steps
    assert same(second.predict(target), first.predict(target))
    Cav(model, options=options.seeded(1), progress=told).fit(references)
    assert told.steps["tuning the neck"] == 2 * options.alignment.steps


def test_only_bridges_that_want_it_tune_the_neck(model: PromptableModel, quick: Quick) -> None:
    told = Told()
    cav = Cav(model, options=quick("none", "affine"), progress=told).fit([scene(0, SIZE)])
    assert cav.delta_ is None
    assert not told.jobs


def test_the_seed_reaches_tuning_and_transition(model: PromptableModel) -> None:
    options = Cav(model, seed=3).options
    assert (options.alignment.seed, options.transition.seed) == (3, 3)
    given = CavOptions().seeded(5)
    assert Cav(model, seed=3, options=given).options is given


def test_each_picture_takes_the_bridge_whose_answer_comes_back_best(
    model: PromptableModel, quick: Quick, cycles: list[float]
) -> None:
    options = quick("none", "affine", "cross-fade")
    cav, target = Cav(model, options=options).fit([scene(0, SIZE)]), scene(1, SIZE).picture
    for values, chosen in (([0.5, 0.6, 0.7], 2), ([0.5, 0.7, 0.6], 1), ([0.5, 0.5, 0.54], 0)):
        cycles[:] = values
        found = cav.predict(target)
        assert found.provenance["bridge"] == options.bridges[chosen]
        assert found.provenance["cycle IoU"] == f"{values[chosen]:.3f}"
        alone = Cav(model, options=quick(options.bridges[chosen])).fit([scene(0, SIZE)])
        assert same(found, alone.predict(target))


def test_a_site_settles_on_the_best_mean_cycle(
    model: PromptableModel, quick: Quick, cycles: list[float], tmp_path: Path
) -> None:
    """Of the second picture alone, the plain pair would be taken."""
    options, pictures = quick("none", "affine"), [scene(seed, SIZE).picture for seed in (1, 2)]
    cav = Cav(model, options=options).fit([scene(0, SIZE)])
    with pytest.raises(UsageError, match="at least one picture"):
        cav.settle([])
    cycles[:] = [0.4, 0.9, 0.6, 0.5]
    assert cav.settle(pictures) == "affine"
    settled = cav.predict(pictures[1])
    assert settled.provenance["bridge"] == "affine"
    assert "cycle IoU" not in settled.provenance

    path = tmp_path / "site.safetensors"
    cav.save(path)
    loaded = Cav(model, options=options).load(path)
    assert loaded.bridge_ == "affine"
    assert same(loaded.predict(pictures[1]), settled)

    # Settling again, fitting again and loading an unsettled one all start anew.
    cycles[:] = [0.4, 0.3, 0.6, 0.5]
    assert cav.settle(pictures) == "none"
    cav.fit([scene(0, SIZE)])
    cycles[:] = [0.1, 0.8]
    assert cav.predict(pictures[0]).provenance["cycle IoU"] == "0.800"
    cav.save(path)
    assert loaded.load(path).bridge_ is None


def test_a_refused_file_leaves_an_instance_unfitted(
    model: PromptableModel, quick: Quick, make_sam2: Callable[..., PromptableModel], tmp_path: Path
) -> None:
    path, options = tmp_path / "site.safetensors", quick("ttga")
    Cav(model, options=options).fit([scene(0, SIZE)]).save(path)
    other = Cav(make_sam2(image_size=64, seed=9), options=options)
    with pytest.raises(InputError, match="another one"):
        other.load(path)
    with pytest.raises(UsageError, match="before fit"):
        other.predict(scene(1, SIZE).picture)


def test_without_a_verdict_the_best_guess_is_given_as_one_segment(
    model: PromptableModel, quick: Quick
) -> None:
    references: Sequence[Reference] = [scene(0, SIZE)]
    cav = Cav(model, verdict=False, instances=False, options=quick("none")).fit(references)
    found = cav.predict(noise(1, SIZE))
    assert found.verdict is None
    assert len(found) == 1
