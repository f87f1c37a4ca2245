from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from tests.classes.states import Vectors, matrix, state_of

from kiridashi.classes.detector import Detector
from kiridashi.classes.forgetting import Theft, answer, compare
from kiridashi.classes.opening import classifier_of, thresholds_of
from kiridashi.classes.proposals import Proposal
from kiridashi.classes.registry import RegistryState
from kiridashi.core.mask import Mask

Class = tuple[Vectors, Vectors]
NUT: Class = ([[1, 0, 0]], [[1, 0.1, 0], [1, 0.6, 0]])
BOLT: Class = ([[0, 0, 1]], [[0, 0.1, 1]])


def test_a_new_class_that_steals_is_named_with_its_victim() -> None:
    before = state_of({"nut": NUT, "bolt": BOLT})
    after = state_of({"nut": NUT, "bolt": BOLT, "washer": ([[1, 0.8, 0]], [[1, 0.9, 0]])})
    found = compare(before, after)
    assert [(one.name, one.samples, one.before, one.after) for one in found.classes] == [
        ("nut", 2, 1.0, 0.5),
        ("bolt", 1, 1.0, 1.0),
        ("washer", 1, None, 1.0),
    ]
    assert found.thefts == (Theft("nut", "washer", 1),)
    assert [one.mistaken for one in found.classes] == [(("washer", 1),), (), ()]
    assert found.to_json()["classes"][0]["mistaken"] == [{"taken_for": "washer", "count": 1}]
    assert [one.name for one in found.worse] == ["nut"]
    assert (found.drop, found.before, found.after) == (0.5, 1.0, 0.75)


def test_what_becomes_background_is_lost_to_nobody() -> None:
    before = state_of({"nut": NUT})
    found = compare(before, state_of({"nut": NUT}, background=[[1, 0.7, 0]]))
    assert found.thefts == (Theft("nut", None, 1),)


def test_a_renamed_class_stays_itself() -> None:
    before = state_of({"nut": NUT})
    renamed = replace(before.classes["nut"], name="Mutter")
    found = compare(before, replace(before, classes=MappingProxyType({"Mutter": renamed})))
    assert found.drop == 0
    assert found.classes[0].before == found.classes[0].after == 1.0
    assert not found.thefts


def test_samples_that_only_one_state_has_are_not_stolen() -> None:
    before = state_of({"nut": NUT})
    # The first sample is another one than before, and it is not recognised.
    other = replace(before.classes["nut"], validation=matrix([[0, 1, 0], [1, 0.6, 0]]), validation_ids=(9, 2))
    found = compare(before, replace(before, classes=MappingProxyType({"nut": other})))
    assert found.classes[0].after == 0.5
    assert not found.thefts


def test_a_removed_class_gives_its_loot_back() -> None:
    thief: dict[str, Class] = {"nut": NUT, "washer": ([[1, 0.8, 0]], [])}
    found = compare(state_of(thief), state_of({"nut": NUT}))
    assert found.drop == -0.5
    assert not found.worse


def test_without_held_aside_samples_nothing_is_claimed() -> None:
    plain = state_of({"nut": ([[1, 0, 0]], [])})
    found = compare(plain, state_of({"nut": ([[1, 0, 0]], []), "bolt": ([[1, 0, 0.1]], [])}))
    assert (found.before, found.after, found.drop) == (None, None, 0.0)
    assert compare(state_of({}), state_of({})).classes == ()


class _NoEyes(Detector):
    """The detector's judgement without a model."""

    def __init__(self, state: RegistryState) -> None:
        self.classifier, self.thresholds = classifier_of(state), MappingProxyType(thresholds_of(state))


@pytest.mark.parametrize("threshold", [None, 0.2, 0.8])
def test_answers_are_those_of_the_detector(threshold: float | None) -> None:
    state = state_of({"nut": NUT, "bolt": BOLT}, background=[[0, 1, 0], [0.5, 1, 0]], threshold=threshold)
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    mask = Mask.from_array(np.ones((2, 2)))
    judged = _NoEyes(state).judge([Proposal(mask, 1.0, row) for row in torch.from_numpy(rows)])
    answers = answer(state, rows)
    assert answers == [one.name for one in judged]
    assert set(answers) == {"nut", "bolt", None}
