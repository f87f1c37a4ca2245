import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from kiridashi import __version__

Run = Callable[..., SimpleNamespace]

HEAVY = ("torch", "transformers", "skimage", "scipy", "cv2", "numpy", "sklearn", "jinja2")


@pytest.mark.parametrize("verb", [[], ["segment"], ["cut"], ["everything"], ["models"], ["doctor"], ["demo"]])
def test_help_of_every_verb(run: Run, verb: list[str]) -> None:
    told = run(*verb, "--help")
    assert told.code == 0
    assert "Usage: kiridashi" in told.out


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from kiridashi.cli import main; code = main(['--help']); "
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]; "
        "sys.exit(str(loaded) if loaded else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "segment" in done.stdout


def test_the_module_runs_like_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiridashi", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"kiridashi {__version__}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["segmnt"], "segment"),
        (["evrything"], "everything"),
        (["models", "lst"], "list"),
        (["models", "show", "sam2.1-tny"], "Did you mean sam2.1-tiny?"),
        (["cut", "--boks", "1,2,3,4"], "did you mean --box?"),
        (["segment", "x.png"], "missing option '--reference'"),
    ],
)
def test_unknown_names_suggest_the_nearest(run: Run, words: list[str], says: str) -> None:
    told = run(*words)
    assert told.code == 2
    assert says in told.err
    assert len(told.err.splitlines()) == 1


def test_nothing_at_all_shows_the_help(run: Run) -> None:
    told = run()
    assert told.code == 2
    assert "Commands:" in told.err


def test_a_defect_is_told_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIRIDASHI_DEBUG", raising=False)
    monkeypatch.setattr("kiridashi.models.catalogue.cards", lambda: 1 / 0)
    told = run("models", "list")
    assert told.code == 1
    assert "--debug" in told.err
    assert "Traceback" not in told.err


def test_ctrl_c_outside_of_a_batch_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kiridashi.models.catalogue.cards", interrupt)
    told = run("models", "list")
    assert (told.code, told.err) == (130, "interrupted\n")


def test_models_list_and_show(run: Run) -> None:
    import json

    names = [card["name"] for card in json.loads(run("models", "list", "--json").out)]
    assert names[0] == "compact"
    assert "edgetam" in names
    assert "compact" in run("models", "list").out
    shown = run("models", "show", "compact")
    assert "Apache-2.0" in shown.out


def test_fetching_what_is_here_is_wrong_use(run: Run) -> None:
    told = run("models", "fetch", "compact")
    assert told.code == 2
    assert "package" in told.err
