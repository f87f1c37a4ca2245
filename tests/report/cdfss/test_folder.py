from pathlib import Path

import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.evaluate.episodes import Episode
from kiridashi.report.cdfss import RESULTS, EvaluationFolder
from kiridashi.report.folder import RUN


def line(index: int, error: str = "no") -> Line:
    return Line(Key("x", 1, 0, index, "m"), Episode(index, "a", "q", ("s",)), "data", error=error)


def test_the_later_line_of_an_episode_holds(tmp_path: Path) -> None:
    folder = EvaluationFolder.open(tmp_path, {"seed": 0})
    for each in (line(1, "first"), line(0), line(1, "second"), line(7)):
        folder.append(each)
    again = EvaluationFolder.open(tmp_path, {"seed": 0}, resume=True)
    found = again.get(line(1).key)
    assert found is not None
    assert found.error == "second"
    asked = again.finish([line(0).key, line(1).key, line(5).key])
    assert [each.key.episode for each in asked] == [0, 1]
    assert len((tmp_path / RESULTS).read_text().splitlines()) == 3
    assert set(EvaluationFolder.open(tmp_path, {"seed": 0}, resume=True).lines) == set(again.lines)


def test_results_are_neither_mixed_nor_lost_by_mistake(tmp_path: Path) -> None:
    EvaluationFolder.open(tmp_path, {"seed": 0}).append(line(0))
    with pytest.raises(UsageError, match="already holds results"):
        EvaluationFolder.open(tmp_path, {"seed": 0})
    with pytest.raises(UsageError, match="seed was 0, now 1"):
        EvaluationFolder.open(tmp_path, {"seed": 1}, resume=True)
    with pytest.raises(UsageError, match="contradict"):
        EvaluationFolder.open(tmp_path, {"seed": 0}, resume=True, overwrite=True)
    (tmp_path / "notes.txt").write_text("mine")
    assert EvaluationFolder.open(tmp_path, {"seed": 1}, overwrite=True).lines == {}
    assert (tmp_path / "notes.txt").is_file()
    assert not (tmp_path / RESULTS).exists()


def test_what_cannot_be_taken_up_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="names a folder"):
        EvaluationFolder.open(tmp_path / "file", {})
    out = tmp_path / "out"
    EvaluationFolder.open(out, {}).append(line(0))
    (out / RUN).unlink()
    with pytest.raises(UsageError, match=r"no run\.json"):
        EvaluationFolder.open(out, {}, resume=True)
    EvaluationFolder.open(out, {}, overwrite=True)
    (out / RESULTS).write_text('{"set": "x"}\n')
    with pytest.raises(InputError, match="not one of this evaluation"):
        EvaluationFolder.open(out, {}, resume=True)
