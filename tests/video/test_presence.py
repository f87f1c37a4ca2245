import pytest

from kiridashi.video import presence


def test_more_evidence_is_a_higher_score() -> None:
    scores = [presence.of_matching(0.8, likeness) for likeness in (-1, 0.2, 0.6, 0.9, 1)]
    assert scores == sorted(scores)
    assert presence.of_matching(0.4, 0.7) < presence.of_matching(0.9, 0.7)


def test_what_is_sure_is_on_its_side_of_the_half() -> None:
    assert presence.of_matching(0.85, 0.9) > 0.5
    assert presence.of_matching(0.45, 0.25) < 0.5


@pytest.mark.parametrize(("logit", "score"), [(0, 0.5), (-1024, 0), (1024, 1)])
def test_the_score_of_a_model_is_its_own(logit: float, score: float) -> None:
    assert presence.of_model(logit) == pytest.approx(score)
