from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.evaluate.cdfss.run import Plan, run
from kiridashi.evaluate.cdfss.tasks import open_tasks


@dataclass
class Memory:
    lines: dict[Key, Line] = field(default_factory=dict)

    def get(self, key: Key) -> Line | None:
        return self.lines.get(key)

    def append(self, line: Line) -> None:
        self.lines[line.key] = line


@pytest.fixture
def plan(few_shot: Path, bright: Callable[..., Any]) -> Callable[..., Plan]:
    """plan(**methods): five episodes of the tiny set."""

    def make(shots: tuple[int, ...] = (1,), by_vote: bool = False, **methods: Any) -> Plan:
        methods = methods or {"exact": bright, "shifted": partial(bright, shift=5)}
        return Plan(open_tasks([few_shot]), methods, shots, 5, (0,), by_vote)

    return make


def test_every_episode_gets_every_method(plan: Callable[..., Plan]) -> None:
    store, steps = Memory(), []
    made = plan(shots=(1, 2))
    run(made, store, step=lambda: steps.append(1))
    assert list(store.lines) == made.keys()
    assert len(steps) == len(store.lines) == 20
    for key, line in store.lines.items():
        assert line.counts is not None
        assert line.error is None
        assert len(line.episode.supports) == key.shots
        assert (line.counts.iou == 1) == (key.method == "exact")
        assert line.fit_seconds >= 0
        assert line.peak_mib is None or line.peak_mib > 1


def test_lines_survive_the_way_through_json(plan: Callable[..., Plan]) -> None:
    store = Memory()
    run(plan(), store)
    for line in store.lines.values():
        back = Line.from_json(line.to_json())
        assert (back.key, back.episode, back.counts) == (line.key, line.episode, line.counts)
        assert back.mask == line.mask
    with pytest.raises(InputError, match="not one of this evaluation"):
        Line.from_json({"set": "x"})


def test_a_failure_costs_only_its_own_line(plan: Callable[..., Plan], bright: Callable[..., Any]) -> None:
    store = Memory()
    made = plan(
        exact=bright, picky=partial(bright, refuses="p1.png"), broken=partial(bright, defect="p1.png")
    )
    run(made, store)
    failed = {(line.key.method, line.error) for line in store.lines.values() if line.error}
    asked = sum(line.episode.query == "p1" for line in store.lines.values())
    assert asked >= 3
    assert failed == {
        ("picky", "p1.png: too difficult"),
        ("broken", "unexpected RuntimeError: nobody expected this"),
    }
    with pytest.raises(RuntimeError, match="nobody"):
        run(made, Memory(), debug=True)


def test_an_unreadable_picture_fails_for_all_methods(plan: Callable[..., Plan], few_shot: Path) -> None:
    store = Memory()
    made = plan()
    (few_shot / "images" / "p1.png").write_bytes(b"torn")
    run(made, store)
    failed = [line for line in store.lines.values() if line.error]
    assert {line.key.method for line in failed} == {"exact", "shifted"}
    assert all("p1" in (line.episode.query, *line.episode.supports) for line in failed)
    assert 0 < len(failed) < 10


def test_wrong_use_ends_the_run(plan: Callable[..., Plan]) -> None:
    def refuse() -> Any:
        raise UsageError("this method needs a memory")

    with pytest.raises(UsageError, match="needs a memory"):
        run(plan(refuse=refuse), Memory())


def test_what_is_done_is_not_done_again(
    plan: Callable[..., Plan], bright: Callable[..., Any], few_shot: Path
) -> None:
    store, steps = Memory(), []
    run(plan(), store)
    broken = next(iter(store.lines))
    store.lines[broken] = Line(broken, store.lines[broken].episode, store.lines[broken].data, error="killed")
    more = plan(exact=bright, shifted=bright, third=bright)
    assert more.pending(store) == 6
    run(more, store, step=lambda: steps.append(1))
    assert len(steps) == 6
    assert more.pending(store) == 0
    (few_shot / "masks" / "p9.png").write_bytes((few_shot / "masks" / "p0.png").read_bytes())
    assert plan().pending(store) == 10


def test_votes_when_asked_to(plan: Callable[..., Plan], bright: Callable[..., Any]) -> None:
    made = []

    def counted() -> Any:
        made.append(bright())
        return made[-1]

    run(plan(shots=(3,), by_vote=True, exact=counted), Memory())
    assert [method.count_ for method in made] == [1] * 15


@pytest.mark.parametrize("shots", [(), (1, 1)])
def test_a_plan_that_says_nothing_is_refused(plan: Callable[..., Plan], shots: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="shots"):
        plan(shots=shots)
