"""The work of `kiridashi everything`."""

import time
from collections.abc import Sequence
from pathlib import Path

from kiridashi.cli.batch import run_batch
from kiridashi.cli.progress import waiting
from kiridashi.cli.summary import Summary
from kiridashi.data.targets import find_targets
from kiridashi.report.folder import ANNOTATIONS, OVERLAYS, RESULTS, RunFolder


def run_everything(
    arguments: Sequence[str],
    out: Path,
    grid: int,
    model_name: str,
    *,
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> Summary:
    """All masks of the targets.

    Returns:
        The summary.

    Raises:
        KiridashiError: the arguments, the folder or the model cannot be used.
        Interrupted: Ctrl-C.
    """
    from kiridashi.models.catalogue import find_card

    card = find_card(model_name)
    targets = find_targets(arguments, exclude=[out])
    settings = {
        "command": "everything",
        "model": card.name,
        "model file": card.sha256 or card.source,
        "grid": grid,
    }
    folder = RunFolder.open(out, settings, resume=resume, overwrite=overwrite, with_masks=False)

    started = time.perf_counter()
    with waiting("loading the model", quiet=quiet):
        from kiridashi.models.everything import everything
        from kiridashi.models.grid import GridSettings
        from kiridashi.models.loading import load_model
        from kiridashi.models.threads import pictures_at_once

        model = load_model(model_name)
    loading = time.perf_counter() - started
    options = GridSettings(points_per_side=grid)
    outcome = run_batch(
        folder,
        targets,
        lambda picture: everything(model, picture, options),
        quiet=quiet,
        verb="everything",
        threads=pictures_at_once(model),
    )
    names = {"overlays": OVERLAYS, "annotations": ANNOTATIONS, "results": RESULTS}
    files = {kind: out / name for kind, name in names.items()}
    return Summary("everything", out, outcome, loading, files)
