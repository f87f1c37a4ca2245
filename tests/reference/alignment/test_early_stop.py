from kiridashi.reference.alignment.early_stop import EarlyStop


def stopped_after(losses: list[float], patience: int | None) -> int | None:
    stop = EarlyStop(patience)
    return next((step for step, loss in enumerate(losses, 1) if stop.update(loss)), None)


def test_a_level_loss_stops_after_the_patience() -> None:
    assert stopped_after([1.0] * 50, 5) == 6


def test_a_falling_loss_goes_on() -> None:
    assert stopped_after([1.2 - 0.005 * step for step in range(100)], 5) is None


def test_one_bad_copy_does_not_stop() -> None:
    losses = [1.2 - 0.01 * step for step in range(30)]
    losses[10] += 0.2
    assert stopped_after(losses, 8) is None


def test_without_patience_nothing_stops() -> None:
    assert stopped_after([1.0 + step for step in range(50)], None) is None
