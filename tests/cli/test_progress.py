import re

import pytest

from kiridashi.cli.progress import Display, progress_bar, waiting


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error as one that somebody looks at."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)


@pytest.mark.usefixtures("terminal")
def test_work_inside_of_work_has_a_bar_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(now)))
    with Display(quiet=False) as display, display.bar("segment", 2) as step:
        step()
        with display.part("tuning") as tell:
            tell(3, 8)
            assert display._progress is not None
            display._progress.refresh()
            shown = told(capsys)
        display._progress.refresh()
        step()
    assert re.search(r"segment +\S+ 1/2 ", shown)
    assert re.search(r"tuning +\S+ 3/8 +.*steps/s", shown)
    after = told(capsys)
    assert "2/2" in after
    assert "tuning" not in after.splitlines()[-1]


@pytest.mark.usefixtures("terminal")
def test_what_was_in_a_cache_says_nothing_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    with Display(quiet=False) as display:
        assert display._progress is not None
        display._progress.get_time = lambda: now[0]
        with display.part("transition") as tell:
            for done in range(1, 101):
                tell(done, 110)
            for done in range(101, 106):
                now[0] += 2
                tell(done, 110)
            (task,) = display._progress.tasks
            assert task.completed == 105
            assert task.speed == pytest.approx(0.5)


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_drawn_unasked(quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with Display(quiet=quiet) as display, display.bar("segment", 1) as step, display.waiting("loading"):
        with display.part("tuning") as tell:
            tell(1, 2)
        step()
    with progress_bar("cut", 1, quiet=quiet) as step, waiting("loading", quiet=quiet):
        step()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("terminal")
def test_quiet_wins_over_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(quiet=True) as display, display.part("tuning") as tell:
        tell(1, 2)
    assert capsys.readouterr().err == ""
