"""The site files of the worked examples, without running them."""

from pathlib import Path

import pytest

from kiridashi.cli.poc_methods import lineup
from kiridashi.poc.proof import Proof
from kiridashi.poc.site import read_site

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples" / "poc").glob("*.yaml"))


@pytest.mark.data
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_begin(path: Path, shared_data: Path, tmp_path: Path) -> None:
    file = read_site(path, shared_data)
    proof = Proof(file, tmp_path / "out", lineup(file.site.model))
    proof.open()
    (trial,) = proof.trials
    assert {key.method for key in trial.questions()} == {"adapted", "forest", "unet", "prototype"}
    assert trial.shots == trial.case.budget.shots
    # What licences do not allow us to pass on stays out of the report.
    assert not trial.case.data.may_be_shown
    assert len({(key.label, key.picture) for key in trial.questions()}) >= 35


def test_there_are_examples() -> None:
    assert [path.stem for path in EXAMPLES] == ["magnetic_tile", "neu_seg"]
