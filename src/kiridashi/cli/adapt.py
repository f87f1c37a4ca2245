"""`kiridashi adapt`: fine-tune a part of the model on a site's own pictures."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("adapt")(adapt)


def adapt(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Pictures with masks: a folder of images/ and masks/, or any annotations that "
            "`kiridashi data` reads.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DELTA", help="Folder for what was learned.", show_default=False),
    ],
    what: Annotated[
        str,
        typer.Option(
            "--what",
            metavar="decoder|neck|lora",
            help="The part to tune: decoder (what draws the masks), neck (what joins the levels of "
            "the image encoder), lora (a small change beside each of its upper layers).",
        ),
    ] = "decoder",
    model: options.ModelName = "compact",
    shots: Annotated[
        int | None,
        typer.Option("--shots", metavar="K", min=1, help="Take K pictures of each class.  [default: all]"),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", metavar="NAME", help="Take only this class. Repeat for more.  [default: all]"
        ),
    ] = None,
    pictures: options.Pictures = None,
    go_on: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="DELTA",
            help="Go on from an earlier delta of this model and part. The samples that it kept are learned "
            "again beside the new ones, so that they are not forgotten.",
            show_default=False,
        ),
    ] = None,
    keep_samples: Annotated[
        bool,
        typer.Option(
            "--keep-samples/--no-samples",
            help="Keep up to 24 small pictures with the delta for a later --continue.",
        ),
    ] = True,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", metavar="N", min=1, help="Go through the pictures at most so often.  [default: 8]"
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="X",
            help="How large the steps are, at their largest.  [default: by the part]",
        ),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option("--rank", metavar="N", min=1, help="Of what lora adds to each layer.  [default: 8]"),
    ] = None,
    seed: options.Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in DELTA.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what DELTA holds.")] = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Tune a part of the model on pictures with masks, and keep the change apart from the model.

    A quarter of the pictures is held aside: it says when to stop and what was gained with boxes, clicks and
    `segment`. DELTA/delta.safetensors then goes with any verb as --adapt DELTA; leave it away, and the model
    is what it was. Where tuning brings nothing no delta is written. DELTA/card.json has all figures.
    """
    from kiridashi.cli.adapt_job import AdaptJob

    job = AdaptJob(
        data=data,
        out=out,
        what=what,
        model=model,
        shots=shots,
        classes=tuple(classes or ()),
        pictures=pictures,
        go_on=go_on,
        keep_samples=keep_samples,
        settings={"epochs": epochs, "learning_rate": learning_rate, "rank": rank},
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
