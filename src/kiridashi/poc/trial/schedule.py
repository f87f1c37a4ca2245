"""In which order a trial is made, so that whatever time allows is worth having.

Stage 1 is a small set: the fewest shots, which also tells how long everything takes. Stage 2 measures gain
and time: the most shots first, for they decide, then the other points of the learning curve, then the other
draws. Stage 3 shows the option that is to be judged the pictures in every transformation. Stage 4 teaches
the classes one after another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiridashi.evaluate.pictures import Key, Plan

if TYPE_CHECKING:
    from kiridashi.evaluate.pictures.drawing import Draw


TRANSFORMING, GROWING = 3, 4
_ENDS = {TRANSFORMING: ", transformed", GROWING: ", one after another"}


@dataclass(frozen=True, order=True)
class Unit:
    """What is done as a whole or not at all.

    Attributes:
        stage: 1..4.
        shots: pictures a class that are learned from.
        seed: of the draw.
        method: that learns.
    """

    stage: int
    shots: int
    seed: int
    method: str

    @property
    def name(self) -> str:
        """As it stands in logs."""
        return f"{self.method}, {self.shots} shots, seed {self.seed}{_ENDS.get(self.stage, '')}"


def units(methods: list[str], shots: list[int], seeds: list[int]) -> list[Unit]:
    """Stages 1 and 2, in order."""
    few, most = min(shots), max(shots)
    after = [most, *(count for count in sorted(shots) if count != most)]
    order = [(1, few, seeds[0])]
    order += [(2, count, seed) for seed in seeds for count in after if (count, seed) != (few, seeds[0])]
    return [Unit(*one, method) for one in order for method in methods]


@dataclass(frozen=True, eq=False)
class Part(Plan):
    """A plan of which one unit is asked.

    Attributes:
        unit: the one.
        few: ask this many of the pictures with the object a class, and none without; None: all.
    """

    unit: Unit = Unit(2, 1, 0, "")
    few: int | None = None

    def questions(self, one: "Draw", method: str) -> list[tuple[Key, bool]]:
        """The questions of the unit; none for other draws and methods."""
        unit = self.unit
        if (one.shots, one.seed, method) != (unit.shots, unit.seed, unit.method):
            return []
        asked = super().questions(one, method)
        if self.few is None:
            return asked
        chosen = set(one.present[: self.few])
        return [(key, there) for key, there in asked if key.picture in chosen]


def part_of(plan: Plan, unit: Unit, few: int | None = None) -> Part:
    """A plan's share of a unit; the draws are those of the whole plan."""
    fields: Mapping[str, object] = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    return Part(**fields, unit=unit, few=few)  # type: ignore[arg-type]
