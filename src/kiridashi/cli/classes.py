"""`kiridashi classes`: a registry of the classes of a site, which grows one class at a time."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the class.", show_default=False)]
Author = Annotated[
    str | None,
    typer.Option(
        "--author", metavar="TEXT", help="Who, for the history.  [default: this user]", show_default=False
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for the history.", show_default=False)
]
FailOnDrop = Annotated[
    float | None,
    typer.Option(
        "--fail-on-drop",
        metavar="POINTS",
        min=0,
        max=100,
        help="Change nothing if a class that is there would lose more than so many per cent of its "
        "held-aside samples (exit code 2).",
        show_default=False,
    ),
]
Background = Annotated[
    Path | None,
    typer.Option(
        "--background",
        metavar="DIR",
        help="What is easily taken for it and is not: pictures with masks, or without (then of all that is "
        "in them).",
        show_default=False,
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="TEXT",
        help="What annotation files call the class.  [default: NAME]",
        show_default=False,
    ),
]
SAMPLES = (
    "Pictures with masks: STEM_mask.png beside each, or masks/STEM.png; or LabelMe files beside them; or a "
    "COCO file (or a folder with one)."
)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(
        no_args_is_help=True,
        help="Classes that grow: add one from a few samples, see what it does to the others.",
        rich_markup_mode=None,
    )
    verbs.callback()(_classes)
    verbs.command("add")(add)
    verbs.command("list")(list_classes)
    verbs.command("show")(show)
    verbs.command("history")(history)
    verbs.command("remove")(remove)
    verbs.command("rename")(rename)
    verbs.command("rollback")(rollback)
    verbs.command("rebuild")(rebuild)
    verbs.command("check")(check)
    verbs.command("monitor")(monitor)
    verbs.command("checklist")(checklist)
    verbs.command("train-base")(train_base)
    app.add_typer(verbs, name="classes")


def _classes() -> None:
    """Classes that grow: add one from a few samples, see what it does to the others, take it back.

    All of a site is in one file, the registry: samples, history and what was seen. `kiridashi detect` finds
    the objects of its classes in pictures.
    """


def add(
    name: Name,
    store: Annotated[
        Path,
        typer.Option(
            "--store",
            metavar="FILE",
            help="The registry of classes; made if there is none.",
            show_default=False,
        ),
    ],
    samples: Annotated[
        Path | None, typer.Option("--samples", metavar="DIR", help=SAMPLES, show_default=False)
    ] = None,
    background: Background = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            metavar="DIR",
            help="Samples to hold aside. Not given: those of every fifth picture, from five pictures on.",
            show_default=False,
        ),
    ] = None,
    all_shots: Annotated[
        bool, typer.Option("--all-shots", help="Hold no sample aside: learn from all of them.")
    ] = False,
    more: Annotated[
        bool, typer.Option("--more", help="Add samples, or only --background, to a class that is there.")
    ] = False,
    label: Label = None,
    fail_on_drop: FailOnDrop = None,
    author: Author = None,
    reason: Reason = "",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A model of `kiridashi models list`, or a model folder.  [default: the registry's own, "
            "compact for a new one]",
            show_default=False,
        ),
    ] = None,
    adapt: options.Adapt = None,
    head: options.Head = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Add a class from samples; says what that does.

    One to thirty samples, each a picture with the mask of one object. Samples that are held aside do not
    make the class; they show later whether it suffers from another one. Samples that cannot be used are
    named, and the class is made from the others all the same (exit code 3).
    """
    from kiridashi.cli.classes_add_job import AddJob

    job = AddJob(
        name=name,
        samples=samples,
        store=store,
        background=background,
        validation=validation,
        label=label,
        more=more,
        all_shots=all_shots,
        fail_on_drop=fail_on_drop,
        author=author,
        reason=reason,
        model=options.with_delta(model, adapt),
        head=head,
        quiet=quiet or as_json,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def list_classes(store: options.Store, as_json: options.AsJson = False) -> None:
    """List the classes."""
    from kiridashi.cli.classes_read_job import list_classes as work

    raise typer.Exit(work(store).tell(as_json=as_json))


def show(name: Name, store: options.Store, as_json: options.AsJson = False) -> None:
    """Show one class and its samples."""
    from kiridashi.cli.classes_read_job import show_class

    raise typer.Exit(show_class(store, name).tell(as_json=as_json))


def history(store: options.Store, as_json: options.AsJson = False) -> None:
    """Show all changes: when, by whom and why."""
    from kiridashi.cli.classes_read_job import show_history

    raise typer.Exit(show_history(store).tell(as_json=as_json))


def remove(
    name: Name,
    store: options.Store,
    author: Author = None,
    reason: Reason = "",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Take a class out; `rollback` brings it back."""
    from kiridashi.cli.classes_change_job import remove_class

    raise typer.Exit(remove_class(store, name, author, reason).tell(quiet=quiet, as_json=as_json))


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.", show_default=False)],
    store: options.Store,
    author: Author = None,
    reason: Reason = "",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Give a class another name; nothing else changes."""
    from kiridashi.cli.classes_change_job import rename_class

    raise typer.Exit(rename_class(store, name, new, author, reason).tell(quiet=quiet, as_json=as_json))


def rollback(
    event: Annotated[
        int,
        typer.Argument(metavar="EVENT", help="Number of an event of `classes history`.", show_default=False),
    ],
    store: options.Store,
    author: Author = None,
    reason: Reason = "",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Return to the state after an earlier event.

    That is an event too, and can be taken back.
    """
    from kiridashi.cli.classes_change_job import roll_back

    raise typer.Exit(roll_back(store, event, author, reason).tell(quiet=quiet, as_json=as_json))


def rebuild(
    store: options.Store,
    model: options.RegistryModel = None,
    adapt: options.Adapt = None,
    head: Annotated[
        Path | None,
        typer.Option(
            "--head",
            metavar="FILE",
            help="An embedding head of `classes train-base`. Not given: the package's own.",
            show_default=False,
        ),
    ] = None,
    fail_on_drop: FailOnDrop = None,
    author: Author = None,
    reason: Reason = "",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Embed the samples anew, for another model.

    Their pictures are in the registry, so nothing else is needed. Thresholds are calibrated again.
    """
    from kiridashi.cli.classes_change_job import RebuildJob

    name = options.with_delta(model, adapt)
    job = RebuildJob(store, name, head, fail_on_drop, author, reason, quiet or as_json)
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def check(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A COCO or LabelMe file, a folder with one, or a folder with one folder of samples for each "
            "class, called like it.",
            show_default=False,
        ),
    ],
    store: options.Store,
    model: options.RegistryModel = None,
    adapt: options.Adapt = None,
    head: options.Head = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """See how well marked objects are named.

    Says how many are named rightly and which classes are mixed up. The masks are given, so this judges the
    names alone. Objects of classes that the registry does not have should come out as unknown. Nothing is
    changed.
    """
    from kiridashi.cli.classes_look_job import CheckJob

    name = options.with_delta(model, adapt)
    job = CheckJob(data, store, name, head, quiet or as_json)
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def monitor(
    store: options.Store,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.svg", help="Draw it.", show_default=False),
    ] = None,
    window: Annotated[
        int,
        typer.Option(
            "--window", metavar="N", min=10, max=100_000, help="Compare the first and the newest N at most."
        ),
    ] = 50,
    as_json: options.AsJson = False,
) -> None:
    """See whether what `detect` sees has changed.

    Compares the newest objects of each class with the first ones after its last change, and likewise the
    things that no class takes.
    """
    from kiridashi.cli.classes_look_job import monitor as work

    raise typer.Exit(work(store, plot, window).tell(as_json=as_json))


def checklist(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of a class; without one: of all.", show_default=False),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", metavar="DIR", help=f"Look before adding. {SAMPLES}", show_default=False),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="FILE", help="Look at what this registry has.", show_default=False),
    ] = None,
    background: Background = None,
    label: Label = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what the samples of a class lack."""
    from kiridashi.cli.classes_look_job import ChecklistJob

    raise typer.Exit(ChecklistJob(name, samples, store, background, label).run().tell(as_json=as_json))


def train_base(
    annotations: Annotated[
        Path,
        typer.Argument(metavar="COCO", help="A COCO file with outlines of base classes.", show_default=False),
    ],
    out: options.OutFolder,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="DIR",
            help="Folder of its pictures.  [default: images/ beside the file, or the file's folder]",
            show_default=False,
        ),
    ] = None,
    model: options.ModelName = "compact",
    points: Annotated[
        int, typer.Option("--points", metavar="N", min=0, max=4096, help="Points drawn in each picture.")
    ] = 64,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, help="At most, of the head.")] = 2000,
    decoder_steps: Annotated[
        int, typer.Option("--decoder-steps", metavar="N", min=0, help="Of tuning the mask decoder first.")
    ] = 0,
    held_aside: Annotated[
        float,
        typer.Option(
            "--held-aside",
            metavar="SHARE",
            min=0.01,
            max=0.99,
            help="Of the classes, to see whether it helps.",
        ),
    ] = 0.25,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Train an embedding head on base classes.

    It makes embeddings tell new classes apart better. Classes are held aside, and the head is kept only if
    it helps with them. Writes DIR/head.safetensors (if it does), DIR/model (if the decoder was tuned for the
    better) and DIR/training.json. The same command goes on where an interrupted one was.
    """
    from kiridashi.cli.classes_train_job import TrainBaseJob

    job = TrainBaseJob(
        annotations=annotations,
        out=out,
        pictures=pictures,
        model=model,
        points=points,
        steps=steps,
        decoder_steps=decoder_steps,
        held_aside=held_aside,
        seed=seed,
        quiet=quiet or as_json,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
