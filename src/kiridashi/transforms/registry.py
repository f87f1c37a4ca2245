"""Every transformation by its name, and named choices of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kiridashi.core.errors import UsageError
from kiridashi.transforms import lighting, sensor
from kiridashi.transforms.background import Background
from kiridashi.transforms.cut import Cut
from kiridashi.transforms.donor import Donor
from kiridashi.transforms.frame import MOST, Transform, identity
from kiridashi.transforms.interjection import Interjection
from kiridashi.transforms.lookalike import LookAlike
from kiridashi.transforms.occlusion import Occlusion
from kiridashi.transforms.removal import Removal
from kiridashi.transforms.speed import Faster, Slower
from kiridashi.transforms.viewpoint import Viewpoint

Build = Callable[[int, int, Donor], Transform]
USUAL_SEVERITY = 3


@dataclass(frozen=True)
class Card:
    """What is known of a transformation.

    Attributes:
        name: to choose it by.
        family: T0..T10.
        summary: what it does, in a line.
        build: from severity (1..5), seed and donor.
    """

    name: str
    family: str
    summary: str
    build: Build


def _control(_severity: int, _seed: int, _donor: Donor) -> Transform:
    return identity


def _cards() -> list[Card]:
    cards = [
        Card("identity", "T0", "nothing changes: the control", _control),
        Card(
            "interjection",
            "T1",
            "after every tenth frame 1 to 5 frames of another scene",
            lambda severity, _, donor: Interjection(severity, donor),
        ),
        Card("cut", "T2", "a cut to another scene for 2 to 16 frames, and back", Cut),
        Card(
            "occlusion",
            "T3",
            "a board passes in front and covers 20 to 100 % of the objects",
            lambda severity, seed, _: Occlusion(severity, seed),
        ),
        Card(
            "lighting",
            "T4",
            "all effects of light together, at half their strength",
            lambda severity, seed, _: lighting.Lighting(severity, seed),
        ),
        Card("speed", "T5", "one of every 2 to 8 frames", lambda severity, *_: Faster(severity)),
        Card("speed-slow", "T5", "every frame 2 to 8 times", lambda severity, *_: Slower(severity)),
        Card(
            "viewpoint",
            "T6",
            "the camera turns, tilts, zooms and shifts",
            lambda severity, seed, _: Viewpoint(severity, seed),
        ),
        Card(
            "look-alike",
            "T7",
            "1 to 5 copies of the objects move about",
            lambda severity, seed, _: LookAlike(severity, seed),
        ),
        Card(
            "removal",
            "T8",
            "the objects are painted over for 2 to 16 frames",
            lambda severity, seed, _: Removal(severity, seed),
        ),
        Card(
            "background",
            "T9",
            "another scene shines through the background, or replaces it",
            lambda severity, _, donor: Background(severity, donor),
        ),
        Card(
            "sensor",
            "T10",
            "blur, few lines, noise and JPEG together, at half their strength",
            lambda severity, seed, _: sensor.Sensor(severity, seed),
        ),
    ]
    return [*cards, *map(_light, lighting.EFFECTS), *map(_fault, sensor.EFFECTS)]


def _light(effect: str) -> Card:
    return Card(
        f"lighting-{effect}",
        "T4",
        _summary(lighting.EFFECTS[effect].__doc__),
        lambda severity, seed, _: lighting.Lighting(severity, seed, effect),
    )


def _fault(effect: str) -> Card:
    return Card(
        f"sensor-{effect}",
        "T10",
        _summary(sensor.EFFECTS[effect].__doc__),
        lambda severity, seed, _: sensor.Sensor(severity, seed, effect),
    )


def _summary(text: str | None) -> str:
    line = (text or "").strip().splitlines()[0].rstrip(".")
    return line[:1].lower() + line[1:]


CARDS = {card.name: card for card in _cards()}


@dataclass(frozen=True)
class Choice:
    """A transformation in a strength.

    Attributes:
        name: of its card.
        severity: 1..5; 0: nothing changes.

    Raises:
        UsageError: there is no such transformation or severity.
    """

    name: str
    severity: int = USUAL_SEVERITY

    def __post_init__(self) -> None:
        if self.name not in CARDS:
            raise UsageError(f"no transformation named {self.name!r}; known: {', '.join(CARDS)}")
        if not 0 <= self.severity <= MOST:
            raise UsageError(
                f"{self.name}: a severity is a whole number from 0 to {MOST}, got {self.severity}"
            )

    @property
    def folder(self) -> str:
        """Name of its data set."""
        return self.name if CARDS[self.name].build is _control else f"{self.name}-{self.severity}"


def _one_of_each_family() -> tuple[str, ...]:
    first: dict[str, str] = {}
    for card in CARDS.values():
        first.setdefault(card.family, card.name)
    return tuple(first.values())


# "five": what the analysis of SAM 2 is known to look at. "all": one of every family.
PRESETS: dict[str, tuple[str, ...]] = {
    "five": ("cut", "occlusion", "lighting", "speed", "viewpoint"),
    "all": _one_of_each_family(),
}


def build(choice: Choice, seed: int, donor: Donor) -> Transform:
    """A fresh transformation, for one clip.

    Args:
        choice: which, and how strong.
        seed: equal seeds give equal results.
        donor: of another scene, for those that need one.
    """
    if not choice.severity:
        return identity
    return CARDS[choice.name].build(choice.severity, seed, donor)


def parse_choices(text: str) -> tuple[Choice, ...]:
    """The choices of `NAME:SEVERITY,...`; without a severity it is 3.

    Raises:
        UsageError: it is not of that form, names what does not exist, or the same twice.
    """
    choices = [_choice(part.strip()) for part in text.split(",") if part.strip()]
    check_different(choices)
    return tuple(choices)


def check_different(choices: Sequence[Choice]) -> None:
    """Refuse no choice at all, and the same one twice.

    Raises:
        UsageError: there is none, or one of them twice.
    """
    if not choices or len(set(choices)) != len(choices):
        raise UsageError(f"expected one or more different transformations, got {[c.folder for c in choices]}")


def _choice(part: str) -> Choice:
    name, colon, severity = part.partition(":")
    if colon and not (severity.isascii() and severity.isdigit() and len(severity) < 3):
        raise UsageError(f"{part!r}: expected NAME:SEVERITY with a severity from 0 to {MOST}")
    return Choice(name, int(severity) if colon else USUAL_SEVERITY)
