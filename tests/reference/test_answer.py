import json
from collections.abc import Callable

import numpy as np
import pytest
import torch

from kiridashi.core.mask import Mask
from kiridashi.models.video import ObjectResult
from kiridashi.reference.answer import DEFAULT_THRESHOLD, AnswerRule, presence_score
from kiridashi.reference.instances import ObjectSize

SIZE = (64, 64)
RULE = AnswerRule(0.5, ObjectSize(0.05, uniform=False, thickness=0.5))
PROVENANCE = {"method": "some"}


def two_squares(object_score: float) -> ObjectResult:
    """What a session says of two squares; when the object is absent, the guess still shows them."""
    guess = torch.full((16, 16), -9.0)
    guess[2:6, 2:6] = guess[9:14, 9:14] = 9.0
    logits = guess if object_score > 0 else torch.full((16, 16), -1024.0)
    return ObjectResult(logits, object_score, 0.9, SIZE, guess)


def test_the_score_is_a_probability() -> None:
    assert presence_score(two_squares(0.0)) == 0.5
    assert presence_score(two_squares(np.log(3))) == pytest.approx(0.75)
    assert presence_score(two_squares(-np.log(3))) == pytest.approx(0.25)


def test_a_present_object_is_given_in_its_instances_best_first() -> None:
    found = RULE.apply(two_squares(3.0), PROVENANCE, verdict=True, instances=True)
    assert found.size == SIZE
    assert found.provenance == PROVENANCE
    assert found.verdict is not None
    assert (found.verdict.present, found.verdict.threshold) == (True, 0.5)
    assert len(found) == 2
    assert list(found.scores) == sorted(found.scores, reverse=True)
    whole = RULE.apply(two_squares(3.0), PROVENANCE, verdict=True, instances=False)
    assert len(whole) == 1
    assert whole.union() == found.union()


def test_an_absent_object_has_no_segments_unless_nobody_judges() -> None:
    absent = RULE.apply(two_squares(-3.0), PROVENANCE, verdict=True, instances=True)
    assert absent.verdict is not None
    assert not absent.verdict.present
    assert (absent.size, len(absent)) == (SIZE, 0)
    guessed = RULE.apply(two_squares(-3.0), PROVENANCE, verdict=False, instances=True)
    assert guessed.verdict is None
    assert guessed.union() == RULE.apply(two_squares(3.0), PROVENANCE, verdict=False, instances=True).union()


def test_a_threshold_below_the_networks_own_shows_its_guess() -> None:
    """The network calls it absent, this site's references do not score higher."""
    rule = AnswerRule(0.1, RULE.size)
    found = rule.apply(two_squares(-1.0), PROVENANCE, verdict=True, instances=True)
    assert found.verdict is not None
    assert found.verdict.present
    assert len(found) == 2


def test_the_rule_is_learned_from_masks_and_scores(make_disc: Callable[..., Mask]) -> None:
    disc = make_disc()
    plain = AnswerRule.fit([disc], [], [])
    assert plain.threshold == DEFAULT_THRESHOLD
    assert plain.size == ObjectSize.of([disc])
    between = AnswerRule.fit([disc], [0.9, 0.95], [0.6, 0.7])
    assert 0.7 < between.threshold < 0.9


def test_facts_are_json_and_come_back(make_disc: Callable[..., Mask]) -> None:
    rule = AnswerRule.fit([make_disc(), make_disc(radius=5)], [0.8], [0.3])
    facts = json.loads(json.dumps(rule.facts()))
    assert AnswerRule.from_facts(facts) == rule
    for damage, error in (({"typical": "large"}, ValueError), ({"thickness": None}, TypeError)):
        with pytest.raises(error):
            AnswerRule.from_facts({**facts, **damage})
    del facts["uniform"]
    with pytest.raises(KeyError):
        AnswerRule.from_facts(facts)
