"""What several verbs of `kiridashi classes` say in the same words."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.columns import columns
from kiridashi.cli.failures import ExitCode, tell

if TYPE_CHECKING:
    from kiridashi.classes.forgetting import ClassRecall, Forgetting
    from kiridashi.classes.samples import Unusable

# More lines than this are in --json rather than on the screen.
NAMED = 10


@dataclass(frozen=True)
class Told:
    """The end of a verb.

    Attributes:
        lines: for a person.
        document: for a program.
        refused: why nothing was changed, where it was not.
        left_out: inputs that could not be used.
    """

    lines: Sequence[str]
    document: Mapping[str, Any]
    refused: str | None = None
    left_out: "Sequence[Unusable]" = ()

    @property
    def exit_code(self) -> ExitCode:
        """2 when the change was refused, 3 when an input was left out, else 0."""
        if self.refused is not None:
            return ExitCode.WRONG_USE
        return ExitCode.SOME_FAILED if self.left_out else ExitCode.DONE

    def tell(self, *, quiet: bool = False, as_json: bool = False) -> int:
        """Print it and return the exit code; what was refused or left out is told also when quiet."""
        if as_json:
            failed = [{"file": one.file, "error": one.reason} for one in self.left_out]
            print(json.dumps({**self.document, "failed": failed, "exit_code": int(self.exit_code)}))
        elif not quiet and self.lines:
            print("\n".join(self.lines))
        for one in self.left_out[:NAMED]:
            tell(f"{one.file}: {one.reason}", "left out")
        if len(self.left_out) > NAMED:
            tell(f"and {len(self.left_out) - NAMED} more; --json has them all", "left out")
        if self.refused is not None:
            tell(self.refused)
        return self.exit_code


def forgetting_lines(forgetting: "Forgetting", *, changed: str | None = None, done: bool = True) -> list[str]:
    """What a change did to the classes that were there.

    Args:
        forgetting: before and after.
        changed: the class that was added or got samples, whose own figure is told too.
        done: the change was made, and not refused.
    """
    lines = []
    own = next((one for one in forgetting.classes if one.name == changed), None)
    if own is not None and own.after is not None:
        lines.append(_own_line(own))
    others = [one for one in forgetting.old if one.name != changed]
    if not others:
        kept = [one for one in forgetting.classes if one.name != changed]
        if kept:
            other = "other " if changed else ""
            lines.append(f"no {other}class has held-aside samples, so nobody knows whether it suffers")
        return lines
    before = sum(one.before or 0 for one in others) / len(others)
    after = sum(one.after or 0 for one in others) / len(others)
    whom = "the other class" if len(others) == 1 else f"the {len(others)} other classes"
    lines.append(
        f"held-aside samples of {whom} ({sum(one.samples for one in others)}) that are named rightly: "
        f"{_percent(before)} before, {_percent(after)} {'now' if done else 'it would be'}"
    )
    worse = [one for one in forgetting.worse if one.name != changed]
    lines += columns([_row(one, forgetting) for one in worse[:NAMED]])
    if len(worse) > NAMED:
        lines.append(f"  and {len(worse) - NAMED} more that lost; --json has them all")
    return lines


def _own_line(own: "ClassRecall") -> str:
    taken = ", ".join(f"{number} taken for {named or 'unknown'}" for named, number in own.mistaken)
    right = own.samples - sum(number for _, number in own.mistaken)
    if own.samples == 1:
        how = "is named rightly" if right else f"is not named rightly: {taken.removeprefix('1 ')}"
        return f"its own held-aside sample {how}"
    rest = f": {taken}" if taken else ""
    return f"of its own {own.samples} held-aside samples, {right} named rightly{rest}"


def count(number: int, noun: str) -> str:
    """`1 shot`, `2 shots`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("ss") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def percent(share: float | None) -> str:
    """A share as per cent; `-` where there is none."""
    return "-" if share is None else _percent(share)


def made_with(model: str, head: str | None) -> str:
    """What embeddings come from."""
    return f"model {model}" + ("" if head is None else f" and head {head}")


def way_back(event: int, store: Path) -> str:
    """How to take a change back."""
    return f"to take it back: kiridashi classes rollback {event} --store {shlex.quote(str(store))}"


def refusal(forgetting: "Forgetting", points: float) -> str:
    """Why `--fail-on-drop` refuses."""
    worst = forgetting.worse[0]
    samples = count(worst.samples, "held-aside sample")
    return (
        f"refused, nothing was changed: {worst.name!r} would lose {100 * worst.drop:.0f} points "
        f"({percent(worst.before)} to {percent(worst.after)} of {samples}), "
        f"more than --fail-on-drop {points:g}; give more samples that show the difference, or look-alikes "
        "with --background"
    )


def _row(one: "ClassRecall", forgetting: "Forgetting") -> tuple[str, ...]:
    thefts = [theft for theft in forgetting.thefts if theft.victim == one.name]
    where = ", ".join(f"{theft.count} taken for {theft.thief or 'unknown'}" for theft in thefts)
    return (
        f"  {one.name}",
        f"{percent(one.before)} -> {percent(one.after)}",
        f"of {one.samples}",
        where,
    )


def _percent(share: float) -> str:
    text = f"{100 * share:.1f}"
    return f"{text.removesuffix('.0')} %"
