from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.ifsis.instances import InstanceSet, open_instances
from kiridashi.evaluate.ifsis.looking import Look, Vectors, background_of
from kiridashi.evaluate.ifsis.run import Found, Outcome, Plan, run
from kiridashi.evaluate.ifsis.splits import Split
from kiridashi.evaluate.ifsis.summary import as_markdown, summarise

SPLIT = Split(("bolt", "cog"), ("nut",))


@dataclass(frozen=True)
class ColourEye:
    """Proposes the three places of every picture, and embeds a mask as its mean colour."""

    masks: tuple[Mask, ...]
    asked: list[str]

    def look(self, picture: Picture) -> Look:
        self.asked.append(picture.name)
        vectors = self.embed(picture, self.masks)
        return Look(picture.size, self.masks, np.full(3, 0.9, np.float32), vectors)

    def embed(self, picture: Picture, masks: Sequence[Mask]) -> Vectors:
        means = [picture.pixels[mask.to_array()].mean(axis=0) / 255 for mask in masks]
        return np.array(means, dtype=np.float32).reshape(-1, 3)


@pytest.fixture
def eye(strip: Callable[[int], Mask]) -> ColourEye:
    return ColourEye((strip(1), strip(2), strip(3)), [])


class Nearest:
    """Names a proposal after the nearest mean; what is grey is background."""

    def start(self, base: Mapping[str, Vectors], background: Vectors) -> None:
        self.means = {label: shots.mean(axis=0) for label, shots in base.items()}
        self.background = background

    def add(self, label: str, shots: Vectors) -> None:
        self.means[label] = shots.mean(axis=0)

    def detect(self, look: Look) -> Sequence[Found]:
        found = []
        for place, vector in enumerate(look.embeddings):
            distances = {label: float(np.abs(vector - mean).sum()) for label, mean in self.means.items()}
            label = min(distances, key=lambda name: distances[name])
            if np.ptp(vector) > 0.1:
                found.append(Found(place, label, 1 - distances[label] / 10))
        return found


class Thief(Nearest):
    """Calls everything by its newest class."""

    def add(self, label: str, shots: Vectors) -> None:
        self.means = {label: shots.mean(axis=0)}


@pytest.fixture
def parts(make_set: Callable[..., Path]) -> InstanceSet:
    pictures = {
        f"p{index}": {1: "bolt", 2: "cog"} if index % 2 else {2: "nut", 3: "nut"} for index in range(12)
    }
    return open_instances(make_set(pictures))


def plan(parts: InstanceSet, **more: object) -> Plan:
    settings: dict[str, object] = {"shots": (1, 3), "seeds": (0, 1), "base_shots": 2, **more}
    return Plan(parts, parts, SPLIT, {"nearest": Nearest, "thief": Thief}, **settings)  # type: ignore[arg-type]


def find(outcomes: Sequence[Outcome], method: str, shots: int, setting: str) -> list[Outcome]:
    return [one for one in outcomes if (one.method, one.shots, one.setting) == (method, shots, setting)]


def test_a_perfect_detector_reaches_all_and_forgets_nothing(parts: InstanceSet, eye: ColourEye) -> None:
    outcomes = run(plan(parts), eye)
    assert len(outcomes) == 2 * 2 * (2 + 3)
    for setting, shots in (("all", 1), ("all", 3)):
        for one in find(outcomes, "nearest", shots, setting):
            assert {label: value.ap for label, value in one.precision.items()} == pytest.approx(
                dict.fromkeys(SPLIT.labels, 1.0)
            )
    for one in find(outcomes, "nearest", 0, "all"):
        assert set(one.precision) == {"bolt", "cog"}
    rows = {(row.method, row.setting, row.shots): row for row in summarise(outcomes, SPLIT)}
    ours, thief = rows["nearest", "all", 3], rows["thief", "all", 3]
    assert ours.forgetting is not None
    assert thief.forgetting is not None
    assert [ours.forgetting.mean, thief.forgetting.mean] == pytest.approx([0, 1])
    assert ours.bap is not None
    assert ours.bap.count == 2
    assert ours.lead is None
    assert thief.lead is not None
    assert rows["nearest", "all", 0].nap is None
    # Without base classes everything is taken for a nut, which costs nothing as long as it ranks last.
    assert rows["nearest", "novel", 1].ap.mean == pytest.approx(1)
    assert rows["nearest", "novel", 1].bap is None
    assert len(as_markdown(list(rows.values())).splitlines()) == 2 + len(rows)


def test_no_picture_is_shown_and_tested(parts: InstanceSet, eye: ColourEye) -> None:
    taught: list[Vectors] = []

    class Watcher(Nearest):
        def add(self, label: str, shots: Vectors) -> None:
            taught.append(shots)
            super().add(label, shots)

    one_seed = Plan(parts, parts, SPLIT, {"watcher": Watcher}, (3,), (5,), base_shots=2, settings=("all",))
    before, after = run(one_seed, eye)
    assert [len(shots) for shots in taught] == [3]
    # Three nuts are those of two pictures; two bolts and two cogs those of two to four.
    assert 12 - 6 <= after.pictures <= 12 - 4
    assert before.pictures == after.pictures
    # Every picture is looked at once, whatever the number of methods and draws.
    assert len(eye.asked) == len(set(eye.asked))


def test_train_and_test_sets_may_differ(make_set: Callable[..., Path], eye: ColourEye) -> None:
    train = open_instances(make_set({"a": {1: "bolt", 2: "nut", 3: "cog"}}, "train"))
    test = open_instances(make_set({"b": {1: "nut", 2: "bolt", 3: "cog"}, "c": {}}, "test"))
    outcomes = run(Plan(train, test, SPLIT, {"nearest": Nearest}, (1,), (0,)), eye)
    assert {one.pictures for one in outcomes} == {2}
    assert find(outcomes, "nearest", 1, "all")[0].precision["nut"].ap == pytest.approx(1)
    assert eye.asked == ["a.png", "b.png", "c.png"]


def test_a_plan_that_cannot_be_is_refused(parts: InstanceSet, eye: ColourEye) -> None:
    for wrong in ({"shots": ()}, {"seeds": (1, 1)}, {"settings": ("some",)}, {"base_shots": None}):
        with pytest.raises(UsageError):
            plan(parts, **wrong)
    with pytest.raises(UsageError, match="no class 'screw'"):
        Plan(parts, parts, Split(("screw",), ("nut",)), {"nearest": Nearest}, base_shots=1)
    with pytest.raises(UsageError, match="no test picture with 'nut'"):
        run(plan(parts, shots=(12,)), eye)
    with pytest.raises(UsageError, match="12 instances of 'nut', 13"):
        run(plan(parts, shots=(13,)), eye)


def test_background_lies_beside_all_objects(strip: Callable[[int], Mask]) -> None:
    masks = (strip(1), strip(2), strip(3))
    look = Look((20, 40), masks, np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    assert background_of(look, [strip(2)]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert background_of(look, []).shape == (3, 3)
    assert background_of(look, masks).shape == (0, 3)


def test_the_real_set_can_be_drawn_from(shared_data: Path) -> None:
    animals = open_instances(shared_data / "voc_animals_instances")
    assert sum(map(len, animals.instances.values())) == 77
    marked = animals.read("2008_003607")
    assert all(not mask.is_empty for mask in marked.masks.values())


def test_what_a_detector_is_taught(parts: InstanceSet, eye: ColourEye) -> None:
    started: list[tuple[list[str], Vectors]] = []
    added: list[Vectors] = []

    class Pupil(Nearest):
        def start(self, base: Mapping[str, Vectors], background: Vectors) -> None:
            started.append((list(base), background))
            super().start(base, background)

        def add(self, label: str, shots: Vectors) -> None:
            added.append(shots)
            super().add(label, shots)

    run(Plan(parts, parts, SPLIT, {"pupil": Pupil}, (1, 3), (0,), base_shots=2), eye)
    assert [labels for labels, _ in started] == [[], [], *[["bolt", "cog"]] * 3]
    assert [len(shots) for shots in added] == [1, 3, 1, 3]
    assert added[1][:1].tolist() == added[0].tolist()
    # Beside a bolt and a cog only the grey third place is left.
    for _, background in started:
        assert len(background) >= 2
        assert np.ptp(background, axis=1).max() < 0.01
