from dataclasses import dataclass, field

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.cdfss.drawing import RULES, draw_distinct, draw_each_once, draw_patnet
from kiridashi.evaluate.episodes import Example, sample_episodes


@dataclass
class Names:
    name: str = "names"
    classes: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "a": tuple(f"a{i}" for i in range(4)),
            "b": tuple(f"b{i}" for i in range(7)),
        }
    )

    def read(self, name: str, label: str) -> Example:
        pytest.fail(f"drawing episodes read {name} of {label}")


def test_patnet_draws_what_its_loop_draws() -> None:
    """The rule written out with numpy's legacy generator, whose seed the benchmark fixes."""
    source, stream = Names(), np.random.RandomState(0)
    expected = []
    for index in range(40):
        names = source.classes["ab"[index % 2]]
        query = stream.choice(names, 1, replace=False)[0]
        supports: list[str] = []
        while len(supports) < 3:
            name = stream.choice(names, 1, replace=False)[0]
            if name != query:
                supports.append(str(name))
        expected.append(("ab"[index % 2], str(query), tuple(supports)))
    drawn = draw_patnet(source, 3, 40, 0)
    assert [(each.label, each.query, each.supports) for each in drawn] == expected
    assert any(len(set(each.supports)) < 3 for each in drawn)
    assert len(draw_patnet(source, 1, None, 0)) == 600
    assert drawn[:10] == draw_patnet(source, 3, 10, 0)


def test_each_picture_is_the_query_once() -> None:
    source = Names()
    drawn = draw_each_once(source, 5, None, 0)
    assert [each.query for each in drawn] == [*source.classes["a"], *source.classes["b"]]
    for each in drawn:
        assert len(each.supports) == 5
        assert set(each.supports) <= set(source.classes[each.label]) - {each.query}
    few = draw_each_once(source, 5, 4, 0)
    assert set(few) < set(drawn)
    assert [each.label for each in few] == ["a", "a", "b", "b"]
    assert draw_each_once(source, 5, 99, 0) == drawn


def test_distinct_is_the_rule_of_the_other_benchmarks() -> None:
    assert draw_distinct(Names(), 3, 12, 5) == sample_episodes(Names(), 3, 12, 5)


@pytest.mark.parametrize("rule", [*RULES.values(), draw_each_once])
@pytest.mark.parametrize(("shots", "episodes"), [(0, 3), (1, 0)])
def test_nothing_to_draw_is_refused(rule: object, shots: int, episodes: int) -> None:
    assert callable(rule)
    with pytest.raises(UsageError, match="at least 1"):
        rule(Names(), shots, episodes, 0)
