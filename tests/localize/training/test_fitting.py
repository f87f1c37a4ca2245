import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.data.pictures import read_picture
from kiridashi.localize.gtformer.compact import FrozenTrunk
from kiridashi.localize.gtformer.network import FeatureStem
from kiridashi.localize.gtformer.options import published
from kiridashi.localize.maps import TrainedLocaliser
from kiridashi.localize.model_folder import load
from kiridashi.localize.trained import PARTS, Facts, TrainedNetwork
from kiridashi.localize.training import fitting, loop
from kiridashi.localize.training.fitting import RESUMING
from kiridashi.localize.training.labels import targets_of
from kiridashi.localize.training.loop import fit_network, predict_logits, standardise, training_loss
from kiridashi.localize.training.options import TrainingOptions
from kiridashi.localize.training.schedule import rate
from kiridashi.localize.training.sources import FeatureSource
from kiridashi.models.promptable import PromptableModel

from .site import FAST, Item, Killed, Killing, draw, single, with_normal

CLASSES = ("bright", "green")
Train = Callable[..., TrainedNetwork]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, tiny_compact: PromptableModel) -> Train:
    """As `fitting.train`, with a model and features that the tests share."""
    return partial(fitting.train, model=tiny_compact, cache=tmp_path_factory.mktemp("cache"))


def ignore(_done: int, _total: int) -> None:
    pass


def weights(network: TrainedNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def assert_equal(one: TrainedNetwork, other: TrainedNetwork) -> None:
    theirs = weights(other)
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, theirs[name]), name


def test_it_learns_to_tell_classes_apart(train: Train, tiny_compact: PromptableModel, tmp_path: Path) -> None:
    items = single(tmp_path, 24)
    options = replace(FAST, epochs=12, held_aside=0.25)
    network = train(items, CLASSES, options)
    facts = network.facts
    assert facts.single
    assert facts.pictures == {"all": 24, "normal": 0, "held aside": 6, "of bright": 12, "of green": 12}
    assert set(facts.validation) == set(PARTS)
    for figures in facts.validation.values():
        assert figures["accuracy"] > 0.8
        assert figures["label loss"] < 0.6
    assert facts.score_thresholds == {"bright": 0.5, "green": 0.5}
    assert all(2 <= epoch <= facts.epochs <= 12 for epoch in facts.best.values())
    look = TrainedLocaliser(tiny_compact, network).look(read_picture(items[0].path))
    assert look.scores.sum() == pytest.approx(1, abs=1e-5)
    assert look.scores.argmax() == CLASSES.index(next(iter(items[0].labels)))


def test_a_killed_run_ends_as_an_uninterrupted_one(
    train: Train, tiny_compact: PromptableModel, tmp_path: Path
) -> None:
    items = single(tmp_path / "pictures", 20)
    options = replace(FAST, held_aside=0.2)
    one = train(items, CLASSES, options)
    out = tmp_path / "model"
    with pytest.raises(Killed):
        train(items, CLASSES, options, out, Killing("training", 2))
    assert len(list((out / RESUMING).iterdir())) == 1
    epochs: list[int] = []
    again = train(
        items,
        CLASSES,
        options,
        out,
        lambda what, done, _: epochs.append(done) if what == "training" else None,
    )
    assert epochs == [3, 4]
    assert_equal(one, again)
    assert again.facts == one.facts
    # The state of the run is gone, the model is there.
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "weights.safetensors"]
    assert_equal(load(out, tiny_compact).network, one)


def test_the_state_of_another_run_is_left_alone(train: Train, tmp_path: Path) -> None:
    items, out = single(tmp_path / "pictures"), tmp_path / "model"
    with pytest.raises(Killed):
        train(items, CLASSES, FAST, out, Killing("training", 2))
    epochs: list[int] = []
    train(
        items,
        CLASSES,
        replace(FAST, seed=1),
        out,
        lambda what, done, _: epochs.append(done) if what == "training" else None,
    )
    assert epochs == [1, 2, 3, 4]


def test_a_seed_is_a_result(train: Train, tmp_path: Path) -> None:
    items = single(tmp_path)
    state = torch.get_rng_state()
    runs = [train(items, CLASSES, replace(FAST, seed=seed)) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert_equal(runs[0], runs[1])
    assert not torch.equal(runs[0].gtformer.head.weight, runs[2].gtformer.head.weight)


def test_one_class_is_learned_against_pictures_without_it(
    train: Train, tiny_compact: PromptableModel, tmp_path: Path
) -> None:
    items = with_normal(tmp_path, 16)
    options = replace(FAST, epochs=16, learning_rate=1e-2)
    network = train(items, ("bright",), options, normal=("OK",))
    assert network.facts.pictures == {"all": 16, "normal": 8, "held aside": 0, "of bright": 8}
    assert network.facts.normal == ("OK",)
    assert network.facts.validation == {}
    assert network.facts.score_thresholds == {"bright": 0.5}
    looks = [TrainedLocaliser(tiny_compact, network).look(read_picture(item.path)) for item in items]
    there = [look for look, item in zip(looks, items, strict=True) if item.labels]
    empty = [look for look, item in zip(looks, items, strict=True) if not item.labels]
    assert min(look.scores[0] for look in there) > max(look.scores[0] for look in empty)
    # Nothing pulls the map of an empty picture up to the area of objects.
    assert max(look.map.mean() for look in empty) < 0.5 * min(look.map.mean() for look in there)


def test_score_thresholds_are_found_on_the_pictures_held_aside(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def noted(scores: torch.Tensor, present: torch.Tensor, _default: float) -> float:
        asked.append((len(scores), int(present.sum())))
        return 0.37

    monkeypatch.setattr(fitting, "score_threshold", noted)
    network = train(with_normal(tmp_path, 40), ("bright",), replace(FAST, epochs=2, held_aside=0.4))
    assert network.facts.pictures["held aside"] == 16
    assert asked == [(16, 8)]
    assert network.facts.score_thresholds == {"bright": 0.37}


def test_one_class_alone_is_refused(train: Train, tmp_path: Path) -> None:
    items = [draw(tmp_path, number, ["bright"]) for number in range(3)]
    with pytest.raises(UsageError, match="add pictures in which it is not to be seen"):
        train(items, ("bright",), FAST)


def test_several_labels_a_picture_and_a_class_with_one_picture(
    train: Train, tiny_compact: PromptableModel, tmp_path: Path
) -> None:
    items = [draw(tmp_path, number, ["bright"]) for number in range(22)]
    items += [draw(tmp_path, 50, ["bright", "green"]), draw(tmp_path, 51, [])]
    options = replace(FAST, held_aside=0.3)
    network = train(items, CLASSES, options)
    assert not network.facts.single
    # The only green one is learned from.
    assert network.facts.pictures["held aside"] == 6
    look = TrainedLocaliser(tiny_compact, network).look(read_picture(items[22].path))
    assert look.class_maps.shape == (2, 4, 4)


def test_maps_and_labels_are_learned_together(tiny_compact: PromptableModel, tmp_path: Path) -> None:
    items = single(tmp_path)
    trunk = FrozenTrunk(tiny_compact, (16, 32), 4)
    source = FeatureSource(trunk, [item.path for item in items], 1, None, ignore)
    targets = targets_of([item.labels for item in items], CLASSES, "auto")
    facts = Facts(CLASSES, True, FAST, source.channels, "tiny", trunk.fingerprint)
    torch.manual_seed(0)
    network = TrainedNetwork(facts)
    assert isinstance(network.gtformer.stem, FeatureStem)
    standardise(network.gtformer.stem, source, range(12))
    inputs, thumbnails = source.batch(range(12), None)
    standard = network(inputs, thumbnails)[0].trunk
    torch.testing.assert_close(standard.mean(dim=(0, 2, 3)), torch.zeros(432), atol=1e-2, rtol=0)
    deviation = standard.std(dim=(0, 2, 3))
    assert deviation[deviation > 0.5].mean() == pytest.approx(1, abs=0.05)
    before = training_loss(network, inputs, thumbnails, targets, torch.ones(2)).item()
    fit_network(network, source, targets, range(12), [], ignore)
    assert training_loss(network, inputs, thumbnails, targets, torch.ones(2)).item() < before - 0.5


def test_the_plain_heads_do_not_touch_the_network(train: Train, tmp_path: Path) -> None:
    items = single(tmp_path)
    one, other = (train(items, CLASSES, replace(FAST, plain_rate=plain)) for plain in (1e-3, 1e-1))
    assert torch.equal(one.gtformer.head.weight, other.gtformer.head.weight)
    assert not torch.equal(one.cam.linear.weight, other.cam.linear.weight)


def test_the_schedule_is_applied(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[list[float]] = []
    step = torch.optim.AdamW.step

    def noted(self: torch.optim.AdamW) -> object:
        taken.append([group["lr"] for group in self.param_groups])
        return step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    train(single(tmp_path, 12), CLASSES, replace(FAST, warmup=0.25))
    assert len(taken) == 8
    slow = FAST.thumbnail_factor * FAST.learning_rate
    for place, peak in enumerate((FAST.learning_rate, slow, FAST.plain_rate)):
        expected = [rate(step, 8, peak, FAST.final_rate, 0.25) for step in range(8)]
        assert [one[place] for one in taken] == pytest.approx(expected)


def test_a_small_set_is_passed_several_times_an_epoch(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[float] = []
    step = torch.optim.AdamW.step

    def noted(self: torch.optim.AdamW) -> object:
        taken.append(self.param_groups[0]["lr"])
        return step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    options = replace(FAST, least_steps=20)
    network = train(single(tmp_path, 12), CLASSES, options)
    # Two steps a pass, three passes an epoch, four epochs; the schedule ends with them.
    assert len(taken) == 24
    assert taken[-1] == pytest.approx(FAST.final_rate)
    assert network.facts.epochs == 4


def test_it_stops_when_the_labels_held_aside_are_no_longer_learned(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = iter([5.0, 4.0, 3.0, 3.5, 3.6, 3.7, 3.8])
    monkeypatch.setattr(loop, "label_losses", lambda *_: dict.fromkeys(PARTS, next(falling)))
    options = replace(FAST, epochs=50, patience=3, held_aside=0.2)
    network = train(single(tmp_path, 20), CLASSES, options)
    assert network.facts.epochs == 6
    assert set(network.facts.best.values()) == {3}


def test_it_is_refused_without_its_model_or_classes(tmp_path: Path, train: Train) -> None:
    items = single(tmp_path)
    with pytest.raises(UsageError, match="give a model"):
        fitting.train(items, CLASSES, FAST)
    with pytest.raises(UsageError, match="none of the classes"):
        train(items, ("bright", "red"), FAST)


def test_a_loss_that_is_no_number_is_told(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "label_loss", lambda *_, **__: torch.tensor(float("nan")))
    with pytest.raises(UsageError, match="take a lower learning_rate"):
        train(single(tmp_path), CLASSES, FAST)


def test_the_card_says_what_was_trained(train: Train, tmp_path: Path) -> None:
    out = tmp_path / "model"
    train(single(tmp_path / "pictures"), CLASSES, FAST, out, notes={"labels": "a.csv"})
    card = json.loads((out / "card.json").read_text())
    assert card["format"] == "kiridashi-localiser-1"
    assert card["trunk"] == "compact"
    assert card["model"]["name"] == "tiny-compact"
    assert len(card["model"]["encoder_sha256"]) == 64
    assert card["classes"] == list(CLASSES)
    assert card["trained_on"]["all"] == 12
    assert card["epochs"] == 4
    assert card["notes"] == {"labels": "a.csv"}
    assert TrainingOptions.from_dict(card["options"]) == FAST


def test_the_published_trunk_is_trained_on_pixels(tmp_path: Path) -> None:
    items = single(tmp_path / "pictures", 2)
    options = TrainingOptions(network=published("deit-tiny"), epochs=1, least_steps=1, batch=2, views=1)
    out = tmp_path / "model"
    network = fitting.train(items, CLASSES, options, out, checkpoint="random")
    assert (network.facts.model, network.facts.fingerprint) == ("deit-tiny", "")
    look = load(out, None).look(read_picture(items[0].path))
    assert look.map.shape == (14, 14)
    cam = load(out, None, "grad-cam").look(read_picture(items[0].path))
    assert cam.class_maps.shape == (2, 14, 14)


def test_pictures_are_looked_at_as_they_are_when_measured(
    train: Train, tiny_compact: PromptableModel, tmp_path: Path
) -> None:
    items: list[Item] = single(tmp_path)
    network = train(items, CLASSES, FAST)
    trunk = FrozenTrunk(tiny_compact, (16, 32), 4)
    source = FeatureSource(trunk, [item.path for item in items], 2, None, ignore)
    logits = predict_logits(network, source, [3])["gtformer"]
    look = TrainedLocaliser(tiny_compact, network).look(read_picture(items[3].path))
    torch.testing.assert_close(network.scores(logits)[0], torch.from_numpy(look.scores), atol=2e-3, rtol=1e-2)
