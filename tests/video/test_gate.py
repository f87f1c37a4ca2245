import pytest
import torch

from kiridashi.core.errors import InputError, UsageError
from kiridashi.models.promptable import Features
from kiridashi.video.gate import MOST_PROMPTED, MOST_RECENT, Gate, GateOptions, embed


def features(*direction: float) -> Features:
    trunk = torch.tensor(direction, dtype=torch.float32).view(1, -1, 1, 1).expand(1, len(direction), 2, 2)
    return Features((), torch.zeros(1), (trunk,), (8, 8))


def test_distance_is_to_the_nearest_frame_remembered() -> None:
    gate = Gate(GateOptions(distance=1.0))
    assert gate.distance(features(1, 0)) == 0
    gate.remember(features(2, 0), prompted=True)
    gate.remember(features(0, 3), prompted=False)
    assert gate.distance(features(0, 1)) == pytest.approx(0)
    assert gate.distance(features(-1, 0)) == pytest.approx(2**0.5)
    assert gate.is_unlike(2**0.5)
    assert not gate.is_unlike(0.99)


def test_the_memory_is_bounded_and_the_first_prompt_stays() -> None:
    gate = Gate(GateOptions())
    gate.remember(features(1, 0), prompted=True)
    for _ in range(40):
        gate.remember(features(0, 1), prompted=True)
        gate.remember(features(0, 1), prompted=False)
    held = gate.state()
    assert {name: len(rows) for name, rows in held.items()} == {
        "prompted": MOST_PROMPTED,
        "recent": MOST_RECENT,
    }
    assert gate.distance(features(1, 0)) == 0


def test_a_state_comes_back() -> None:
    gate = Gate(GateOptions())
    gate.remember(features(1, 0), prompted=True)
    gate.remember(features(1, 1), prompted=False)
    again = Gate(GateOptions()).restore(gate.state())
    for look in (features(0, 1), features(1, 0.4)):
        assert again.distance(look) == gate.distance(look)
    with pytest.raises(InputError, match="unknown tensor"):
        Gate(GateOptions()).restore({"other": torch.zeros(1, 2)})


def test_an_embedding_has_no_places() -> None:
    shifted = Features((), torch.zeros(1), (torch.eye(4).view(1, 4, 4, 1).roll(1, 2),), (8, 8))
    plain = Features((), torch.zeros(1), (torch.eye(4).view(1, 4, 4, 1),), (8, 8))
    torch.testing.assert_close(embed(plain), embed(shifted))


@pytest.mark.parametrize("wrong", [{"distance": -0.1}, {"distance": 2.1}, {"likeness": 1.1}])
def test_thresholds_have_ranges(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="the gate takes"):
        GateOptions(**wrong)
