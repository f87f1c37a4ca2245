import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from kiridashi.models.doctor import Finding

Run = Callable[..., SimpleNamespace]

FINE = Finding("python", "ok", "3.11")
BAD = Finding("compact", "wrong", "damaged", "reinstall it")


@pytest.mark.parametrize(("findings", "code"), [([FINE], 0), ([FINE, BAD], 3)])
def test_the_exit_code_says_whether_something_is_wrong(
    run: Run, monkeypatch: pytest.MonkeyPatch, findings: list[Finding], code: int
) -> None:
    monkeypatch.setattr("kiridashi.models.doctor.diagnose", lambda: findings)
    told = run("doctor")
    assert told.code == code
    assert "python" in told.out
    assert ("-> reinstall it" in told.out) == (code == 3)
    assert len(json.loads(run("doctor", "--json").out)) == len(findings)
