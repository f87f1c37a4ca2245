"""The application: its verbs, and the one place where failures become messages and exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from kiridashi import __version__
from kiridashi.cli import (
    adapt,
    classes,
    cut,
    data,
    demo,
    detect,
    diagnose,
    doctor,
    evaluate,
    everything,
    localize,
    models,
    poc,
    segment,
    track,
)
from kiridashi.cli.failures import DEBUG_VARIABLE, ExitCode, Interrupted, tell, wants_debug
from kiridashi.cli.suggest import nearest
from kiridashi.core.errors import KiridashiError

# Older and newer versions of typer keep these two in different places; both hang off BadParameter.
_CommandLineError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="kiridashi",
    help="Cut your own objects out of pictures, from a handful of examples, without a GPU.",
    epilog="Exit codes: 0 all done, 2 wrong use, 3 some inputs failed, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"kiridashi {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help=f"Show tracebacks (or set {DEBUG_VARIABLE}=1); works after a verb too."),
    ] = False,
) -> None:
    """Options of every verb; `main` has taken --debug out before."""


segment.register(app)
cut.register(app)
everything.register(app)
detect.register(app)
classes.register(app)
localize.register(app)
track.register(app)
adapt.register(app)
evaluate.register(app)
data.register(app)
diagnose.register(app)
poc.register(app)
models.register(app)
doctor.register(app)
demo.register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: without the program's name; those of the process when None.
    """
    # Spinning threads of two busy processes slow each other down many times; this must be set
    # before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = _take_debug(list(sys.argv[1:] if arguments is None else arguments))
    try:
        return _run(words)
    # Whatever goes wrong ends here, as a line that the user can read.
    except BaseException as error:
        if wants_debug():
            raise
        return _explain(error)


def _run(words: list[str]) -> int:
    result = app(args=words, prog_name="kiridashi", standalone_mode=False)
    code = int(result or ExitCode.DONE)
    if code == ExitCode.INTERRUPTED:
        # typer turns Ctrl-C outside of a batch into this code without a word.
        tell("interrupted", kind="")
    return code


def _take_debug(words: list[str]) -> list[str]:
    """Take --debug out, wherever it stands before a `--`."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" in words[:end]:
        os.environ[DEBUG_VARIABLE] = "1"
    return [word for word in words[:end] if word != "--debug"] + words[end:]


def _explain(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.DEFECT
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, Interrupted):
        tell(str(error), kind="")
        return ExitCode.INTERRUPTED
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        tell("interrupted", kind="")
        return ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone; Python would complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    if isinstance(error, _CommandLineError):
        # A verb on its own: its help says more than an error would.
        is_help = type(error).__name__ == "NoArgsIsHelpError"
        tell(str(error), kind="") if is_help else tell(_command_line_text(error))
        return ExitCode.WRONG_USE
    if isinstance(error, KiridashiError):
        tell(str(error))
        return ExitCode.WRONG_USE
    if isinstance(error, MemoryError):
        tell("not enough memory; close other programs or use smaller pictures")
        return ExitCode.DEFECT
    reason = str(error).splitlines()[0] if str(error) else "no message"
    tell(
        f"{type(error).__name__}: {reason}\nthis is a defect of Kiridashi; add --debug to see where", "defect"
    )
    return ExitCode.DEFECT


def _command_line_text(error: Exception) -> str:
    """What is wrong with the command line, the nearest name, and where the help is, on one line."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "kiridashi"
    option = getattr(error, "option_name", None)
    if hasattr(error, "possibilities") and option is not None:
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        text = f"no such option: {option}{_hint(nearest(option, known))}"
    else:
        text = " ".join(str(getattr(error, "format_message", error.__str__)()).split()).rstrip(".")
    return f"{text[:1].lower()}{text[1:]} (see {path} --help)"


def _hint(name: str | None) -> str:
    return f"; did you mean {name}?" if name else ""
