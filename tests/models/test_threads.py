import threading

import pytest

from kiridashi.models.threads import in_order


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    met = threading.Barrier(threads)

    def work(item: int) -> int:
        if item < threads:
            # Passed only when as many are under way as there are threads.
            met.wait(timeout=10)
        return item * item

    assert [(item, result()) for item, result in in_order(range(9), work, threads)] == [
        (item, item * item) for item in range(9)
    ]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_waits_for_its_own_turn(threads: int) -> None:
    def work(item: int) -> int:
        return 1 // item

    results = dict(in_order([0, 1], work, threads))
    assert results[1]() == 1
    with pytest.raises(ZeroDivisionError):
        results[0]()


def test_little_is_made_ahead_and_the_rest_dropped() -> None:
    begun: list[int] = []
    results = in_order(range(1000), begun.append, 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert 1 <= len(begun) <= 3


def test_each_thread_has_one_of_torch_and_the_caller_keeps_its_own() -> None:
    import torch

    before = torch.get_num_threads()
    counts = [result() for _, result in in_order(range(4), lambda _: torch.get_num_threads(), 2)]
    assert counts == [1] * 4
    assert torch.get_num_threads() == before
