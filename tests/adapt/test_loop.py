from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from kiridashi.adapt.loop import Epochs, Lesson, fit_part
from kiridashi.adapt.options import RATES, SHARES, AdaptOptions
from kiridashi.adapt.samples import Sample
from kiridashi.adapt.tuning import tuning
from kiridashi.models.promptable import PromptableModel

Quick = Callable[..., AdaptOptions]
Tensors = dict[str, torch.Tensor]
# Before anything; two epochs at the first rate that lose, one at the second that gains and two that do not.
SCORES = (0.5, 0.4, 0.3, 0.7, 0.6, 0.6)


def silent(done: int, of: int) -> None:
    """Nobody listens."""


def fit(
    model: PromptableModel,
    samples: Sequence[Sample],
    options: AdaptOptions,
    scores: Sequence[float],
    checkpoint: Path | None = None,
    tell: Callable[[int, int], None] = silent,
) -> tuple[Epochs, Tensors, Tensors]:
    """Tuning with scores that are given, and the parameters before and after it."""
    given = iter(scores)
    with tuning(model, "decoder") as part:
        lessons = [Lesson(sample, part.see(sample.picture), None) for sample in samples]
        start = part.state()
        done = fit_part(part, lessons, options, 2, lambda: next(given), tell, checkpoint)
        return done, start, part.state()


@pytest.fixture
def patient(quick: Quick) -> AdaptOptions:
    return quick(epochs=8, patience=2, learning_rate=None)


def test_where_a_rate_brings_nothing_a_lower_one_is_tried_from_the_start(
    tiny_drawing: PromptableModel, discs: list[Sample], patient: AdaptOptions
) -> None:
    told: list[tuple[int, int]] = []
    done, _, end = fit(tiny_drawing, discs, patient, SCORES, tell=lambda *each: told.append(each))
    rate = RATES["decoder"] * SHARES[1]
    assert done == Epochs(3, 1, (0.5, 0.7, 0.6, 0.6), rate)
    assert told == [(1, 8), (2, 8), (3, 10), (4, 10), (5, 10)]
    # Nothing of the first rate is left: one epoch of the second alone gives the same.
    alone = AdaptOptions(epochs=8, patience=1, most_copies=0, learning_rate=rate)
    _, start, expected = fit(tiny_drawing, discs, alone, (0.5, 0.7, 0.6))
    assert all(torch.equal(end[name], value) for name, value in expected.items())
    assert any(not torch.equal(end[name], value) for name, value in start.items())


def test_where_no_rate_brings_anything_all_is_as_at_the_start(
    tiny_drawing: PromptableModel, discs: list[Sample], patient: AdaptOptions
) -> None:
    done, start, end = fit(tiny_drawing, discs, patient, [0.5] * 7)
    assert done == Epochs(2, 0, (0.5, 0.5, 0.5), RATES["decoder"] * SHARES[-1])
    assert all(torch.equal(end[name], value) for name, value in start.items())


def test_a_rate_that_the_user_named_is_the_only_one(
    tiny_drawing: PromptableModel, discs: list[Sample], quick: Quick
) -> None:
    done, _, _ = fit(tiny_drawing, discs, quick(epochs=8, learning_rate=0.01), (0.5, 0.4, 0.3))
    assert done == Epochs(2, 0, (0.5, 0.4, 0.3), 0.01)


@pytest.mark.parametrize("killed", range(1, 6))
def test_a_run_killed_at_any_rate_goes_on_to_the_same_end(
    tiny_drawing: PromptableModel, discs: list[Sample], patient: AdaptOptions, tmp_path: Path, killed: int
) -> None:
    whole, _, expected = fit(tiny_drawing, discs, patient, SCORES)
    path = tmp_path / "state.safetensors"

    def stop(done: int, of: int) -> None:
        if done == killed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny_drawing, discs, patient, SCORES, path, stop)
    again, _, end = fit(tiny_drawing, discs, patient, SCORES[killed + 1 :], path)
    assert again == whole
    for name, value in expected.items():
        torch.testing.assert_close(end[name], value)
