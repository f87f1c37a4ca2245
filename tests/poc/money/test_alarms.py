import numpy as np
import pytest
from tests.poc.money.test_reckoning import MONEY

from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.figures import figures_of
from kiridashi.evaluate.metrics.object_precision import Matched
from kiridashi.evaluate.pictures import Key, Line
from kiridashi.evaluate.pictures.lines import Score
from kiridashi.poc.money.alarms import mistakes

EMPTY = Mask.empty((4, 4))
WHOLE = Mask.from_array(np.ones((4, 4), dtype=bool))


def line(
    picture: str, there: bool, score: float, said: bool, hit: bool = True, label: str = "a", seed: int = 0
) -> Line:
    answer = Score(said, score, figures_of(EMPTY, WHOLE), (int(hit), 16), Matched((), (), 1), EMPTY)
    return Line(Key("set", label, 1, seed, picture, "", "ours"), there, (), (), "data", answer)


def test_a_find_that_misses_the_object_is_none() -> None:
    lines = [line("a", True, 0.9, True), line("b", True, 0.9, True, hit=False), line("c", True, 0.1, False)]
    assert mistakes(lines, None).missed == (("a/a", False), ("a/b", True), ("a/c", True))


def test_a_good_part_is_held_up_once_whichever_class_is_seen() -> None:
    lines = [line("g", False, 0.9, label == "b", label=label) for label in "abc"]
    lines.append(line("g", False, 0.9, False, seed=1))
    assert mistakes(lines, None).alarms == (("g", True), ("g", False))


@pytest.mark.parametrize("dear", ["miss", "false_alarm"])
def test_the_threshold_goes_by_what_mistakes_cost(dear: str) -> None:
    rng = np.random.default_rng(0)
    lines = [line(f"p{n}", True, float(rng.normal(0.6, 0.2)), True) for n in range(30)]
    lines += [line(f"g{n}", False, float(rng.normal(0.4, 0.2)), True) for n in range(30)]
    errors = MONEY.errors.model_copy(update={"miss": 1.0, "false_alarm": 1.0} | {dear: 5000.0})
    found = mistakes(lines, MONEY.model_copy(update={"errors": errors}))
    missed, alarms = (np.mean([wrong for _, wrong in of]) for of in (found.missed, found.alarms))
    assert (missed < 0.1 < alarms) if dear == "miss" else (alarms < 0.1 < missed)


def test_scores_that_tell_nothing_apart_promise_nothing() -> None:
    rng = np.random.default_rng(1)
    lines = [line(f"{'pg'[n % 2]}{n}", n % 2 == 0, float(rng.random()), True) for n in range(60)]
    errors = MONEY.errors.model_copy(update={"miss": 9.0, "false_alarm": 1.0})
    found = mistakes(lines, MONEY.model_copy(update={"errors": errors}))
    # Chosen and counted on the same pictures, chance alone would make this far fewer.
    wrong = np.mean([w for _, w in found.missed]) + np.mean([w for _, w in found.alarms])
    assert wrong > 0.8
