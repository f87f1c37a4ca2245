"""`kiridashi everything`: all masks of some pictures."""

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("everything")(everything)


def everything(
    targets: options.Targets,
    out: options.OutFolder,
    grid: options.GridSide = 16,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find all that can be told apart in every target, without references.

    Writes DIR/annotations.json (COCO), DIR/overlays/STEM.jpg in colours, and DIR/results.jsonl. A
    target that cannot be used is named, and the others are done all the same (exit code 3).
    """
    from kiridashi.cli.everything_job import run_everything

    name = options.adapted_name(model, adapt)
    summary = run_everything(targets, out, grid, name, resume=resume, overwrite=overwrite, quiet=quiet)
    raise typer.Exit(summary.tell(quiet=quiet, as_json=as_json))
