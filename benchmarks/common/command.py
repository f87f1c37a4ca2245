"""The options that every benchmark here takes, and the way from them to a model and a result."""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

# Idle threads must sleep, or two of them collapse beside another busy process. Read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from rich.console import Console

from kiridashi.core.errors import KiridashiError
from kiridashi.data.atomic import write_json
from kiridashi.models.catalogue import ALL_PARTS
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel

Unit = TypeVar("Unit")
Run = Callable[[argparse.Namespace, Console], dict[str, Any]]


def make_parser(description: str | None, limit: str) -> argparse.ArgumentParser:
    """The common options.

    Args:
        description: the docstring of the benchmark's module.
        limit: what `--limit` counts, for the help.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder that holds the sets"
    )
    parser.add_argument("--model", default="compact", help="a name of the catalogue or a model folder")
    parser.add_argument(
        "--untrained", action="store_true", help="measure parts that the model's card does not call trained"
    )
    parser.add_argument("--limit", type=positive, help=f"at most so many {limit}, drawn by the seed")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap and of what --limit draws")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser


def positive(text: str) -> int:
    """A whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text}")
    return number


def open_model(options: argparse.Namespace) -> PromptableModel:
    """The model that `--model` names; with `--untrained` no part of it is refused."""
    model = load_model(options.model)
    if options.untrained:
        return PromptableModel(model.net, replace(model.card, trained=ALL_PARTS))
    return model


def draw(units: Sequence[Unit], limit: int | None, seed: int) -> list[Unit]:
    """At most `limit` units, drawn by the seed and kept in their order."""
    if limit is None or limit >= len(units):
        return list(units)
    places = np.random.default_rng(seed).permutation(len(units))[:limit]
    return [units[place] for place in sorted(places.tolist())]


def finish(run: Run, options: argparse.Namespace) -> int:
    """Run, print the tables and write the JSON file.

    Args:
        run: gives a record with the printed text under "text".
        options: of `make_parser`.

    Returns:
        The exit status: 2 for an error that the user can mend.
    """
    console = Console(stderr=True)
    try:
        record = run(options, console)
        print(record.pop("text"))
        if options.json:
            settings = {name: _plain(value) for name, value in vars(options).items()}
            write_json(options.json, {"settings": settings, "machine": machine(), **record}, indent=1)
    except KiridashiError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    return 0


def machine() -> dict[str, Any]:
    """Where the run took place, for the record."""
    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
