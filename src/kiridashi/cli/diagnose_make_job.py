"""The work of `kiridashi diagnose make`, from its arguments to its data sets."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.columns import columns
from kiridashi.cli.failures import ExitCode, Interrupted, tell, wants_debug
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.summary import NAMED

if TYPE_CHECKING:
    from kiridashi.transforms import Choice
    from kiridashi.transforms.making import Failure


def tell_names() -> None:
    """Print every transformation with its family and what it does."""
    from kiridashi.transforms import CARDS

    print("\n".join(columns([(card.name, card.family, card.summary) for card in CARDS.values()])))


@dataclass(frozen=True)
class MakeJob:
    """What the user asks of `diagnose make`; see its options."""

    data: Path
    out: Path
    preset: str = "five"
    severity: int = 3
    transforms: str | None = None
    split: str | None = None
    frame_format: str = "jpg"
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> "MakeSummary":
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, or the folder cannot be used.
            InputError: there are no clips.
            Interrupted: Ctrl-C; what is finished is in the folder.
        """
        from kiridashi.evaluate.vos.sets import open_set
        from kiridashi.transforms.making import FORMATS, Plan, begin, make

        check_choice("format", self.frame_format, FORMATS)
        choices = self._choices()
        plan = Plan(open_set(self.data, self.split), choices, self.out, self.seed, self.frame_format)
        total, started = len(plan.tasks()), time.perf_counter()
        with Display(quiet=self.quiet) as display:
            with display.waiting("looking at the clips"):
                pending = begin(plan, resume=self.resume, overwrite=self.overwrite)
            done = skipped = total - len(pending)
            try:
                with display.bar("make", len(pending), unit="clips") as advance:

                    def step() -> None:
                        nonlocal done
                        done += 1
                        advance()

                    failures = make(plan, pending, step=step, debug=wants_debug())
            except KeyboardInterrupt as error:
                raise Interrupted(done, total, self.out, unit="clips") from error
        seconds = time.perf_counter() - started
        return MakeSummary(self.out, choices, total, skipped, failures, seconds)

    def _choices(self) -> tuple["Choice", ...]:
        from kiridashi.transforms import CARDS, PRESETS, Choice, parse_choices

        if self.transforms is None:
            check_choice("preset", self.preset, PRESETS)
            return tuple(Choice(name, self.severity) for name in PRESETS[self.preset])
        for part in self.transforms.split(","):
            check_choice("transformation", part.partition(":")[0].strip(), CARDS)
        return parse_choices(self.transforms)


@dataclass(frozen=True)
class MakeSummary:
    """The end of making data sets.

    Attributes:
        out: the folder of the sets.
        choices: one a set.
        total: number of clips that were asked for, over all sets.
        skipped: those that were there already.
        failures: those that could not be made.
        seconds: of this run.
    """

    out: Path
    choices: Sequence["Choice"]
    total: int
    skipped: int
    failures: Sequence["Failure"]
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """0 when every clip is there, else 3."""
        return ExitCode.SOME_FAILED if self.failures else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "command": "diagnose make",
            "out": str(self.out),
            "sets": {choice.folder: str(self.out / choice.folder) for choice in self.choices},
            "clips": self.total - len(self.failures),
            "skipped": self.skipped,
            "failed": [{"set": one.set, "clip": one.clip, "error": one.error} for one in self.failures],
            "seconds": round(self.seconds, 3),
            "exit_code": int(self.exit_code),
        }

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; what failed is named on standard error also when quiet."""
        if as_json:
            print(json.dumps(self.to_json()))
        elif not quiet:
            before = f", {self.skipped} made before" if self.skipped else ""
            made = self.total - len(self.failures)
            print("\n".join(str(self.out / choice.folder) for choice in self.choices))
            print(f"{made} of {self.total} clips in {len(self.choices)} sets{before}, {self.seconds:.1f} s")
        for one in self.failures[:NAMED]:
            tell(f"{one.set}, {one.clip}: {one.error}", "not done")
        if len(self.failures) > NAMED:
            tell(f"and {len(self.failures) - NAMED} more", "not done")
        return self.exit_code
