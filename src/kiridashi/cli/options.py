"""Options that several verbs share, with one wording."""

from pathlib import Path
from typing import Annotated

import typer

ModelName = Annotated[
    str,
    typer.Option("--model", metavar="NAME", help="A model of `kiridashi models list`, or a model folder."),
]
Adapt = Annotated[
    Path | None,
    typer.Option(
        "--adapt",
        metavar="DELTA",
        help="What `kiridashi adapt` learned: its folder, or the file in it. The model is used with it.",
        show_default=False,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="For cav: folder in which what is learned of pictures is kept from run to run.  "
        "[default: $KIRIDASHI_CACHE, or kiridashi in the user's cache folder]",
        show_default=False,
    ),
]
TransitionPreset = Annotated[
    str | None,
    typer.Option(
        "--transition-preset",
        metavar="fast|balanced|paper",
        help="For cav: how much work goes into the frames between reference and picture.  [default: fast]",
        show_default=False,
    ),
]
DiffusionModel = Annotated[
    str | None,
    typer.Option(
        "--diffusion-model",
        metavar="compact|HUB_ID|FOLDER",
        help="For cav: what makes these frames: the small model of this package, or a Stable Diffusion "
        "1 or 2 model.  [default: compact]",
        show_default=False,
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="DIR",
        help="Folder of the pictures; nothing outside of it is opened.  [default: where the format keeps "
        "them]",
        show_default=False,
    ),
]
TablePictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        metavar="DIR",
        help="Folder of the pictures that a CSV or COCO file names.  [default: the file's own, and images/ "
        "in it]",
        show_default=False,
    ),
]
PictureCache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Folder in which what is computed of pictures is kept from run to run.  [default: "
        "$KIRIDASHI_CACHE, or kiridashi in the user's cache folder]",
        show_default=False,
    ),
]
ClipSplit = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="For DAVIS: its list of clips.  [default: val, or all clips without such a list]",
        show_default=False,
    ),
]
Store = Annotated[
    Path,
    typer.Option("--store", metavar="FILE", help="The registry of classes.", show_default=False),
]
RegistryModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A model of `kiridashi models list`, or a model folder.  [default: the registry's own]",
        show_default=False,
    ),
]
Head = Annotated[
    Path | None,
    typer.Option(
        "--head",
        metavar="FILE",
        help="The embedding head that the registry was made with, if any.",
        show_default=False,
    ),
]
Language = Annotated[str, typer.Option("--language", metavar="en|ja", help="Language of the report.")]
GridSide = Annotated[int, typer.Option("--grid", metavar="N", min=1, max=128, help="Ask at N x N points.")]
OutFolder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for the results.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON summary on standard output.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run that DIR holds; what is finished is kept.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the results of the run that DIR holds.")
]
Seed = Annotated[
    int,
    typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="Seed of everything that draws numbers."),
]
Shots = Annotated[str, typer.Option("--shots", metavar="K,...", help="Numbers of references.")]
Runs = Annotated[
    int,
    typer.Option("--runs", metavar="N", min=1, max=100, help="Runs, with the seeds from --seed upwards."),
]
Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET",
        help="Pictures, folders of pictures, or patterns such as 'photos/*.jpg'.",
        show_default=False,
    ),
]


def with_delta(model: str | None, adapt: Path | None) -> str | None:
    """The name of a model with a delta in it, as `load_model` reads it; the model's own without a delta.

    Args:
        model: a name, or None: the model that the delta was tuned on.
        adapt: a delta's folder or file.

    Raises:
        UsageError: there is no delta, or the model has one in it already.
        InputError: it is damaged.
    """
    if adapt is None:
        return model
    from kiridashi.core.errors import UsageError
    from kiridashi.models.catalogue import split_name
    from kiridashi.models.delta.delta import read_facts
    from kiridashi.models.delta.opening import delta_file

    if model is not None and split_name(model)[1] is not None:
        raise UsageError(f"{model} has a delta in it already; leave --adapt away, or name the model alone")
    card, _ = read_facts(delta_file(adapt))
    return f"{model or card.model}@{adapt}"


def adapted_name(model: str, adapt: Path | None) -> str:
    """As `with_delta`, of a model that has a name."""
    return with_delta(model, adapt) or model
