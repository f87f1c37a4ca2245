"""`kiridashi doctor`: what is installed, and what is wrong."""

import json
from dataclasses import asdict

import typer

from kiridashi.cli import options
from kiridashi.cli.failures import ExitCode

SIGNS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(as_json: options.AsJson = False) -> None:
    """Print versions, device and model files, what is wrong, and what to type.

    The exit code is 3 when something is wrong.
    """
    from kiridashi.models.doctor import diagnose

    findings = diagnose()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{SIGNS[finding.state]}  {finding.name:<{width}}  {finding.detail}")
            if finding.advice:
                print(f"{'':{width + 9}}-> {finding.advice}")
    is_wrong = any(finding.state == "wrong" for finding in findings)
    raise typer.Exit(ExitCode.SOME_FAILED if is_wrong else ExitCode.DONE)
