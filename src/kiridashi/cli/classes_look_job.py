"""The work of `kiridashi classes check`, `monitor` and `checklist`: looking without changing anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.classes_told import NAMED, Told, count, percent
from kiridashi.cli.columns import columns
from kiridashi.cli.progress import Display
from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import write_text

if TYPE_CHECKING:
    from kiridashi.classes.checking import Check, ClassCheck
    from kiridashi.classes.checklist import Remark
    from kiridashi.classes.embedding import Embedder
    from kiridashi.classes.monitoring import ClassDrift, Drift, Shift
    from kiridashi.classes.registry import Registry, RegistryState
    from kiridashi.classes.samples import Unusable


@dataclass(frozen=True)
class CheckJob:
    """What the user asks of `classes check`; see its options."""

    data: Path
    store: Path
    model: str | None = None
    head: Path | None = None
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            InputError: no registry, or a damaged one, or no object whose class is known.
            UsageError: made with another model.
            ModelUnavailableError: the model's files are not here.
        """
        from kiridashi.classes.checking import check
        from kiridashi.classes.opening import open_detector

        with Display(quiet=self.quiet) as display:
            with display.waiting("loading the model and the classes"):
                registry, detector = open_detector(self.store, self.model, head=self.head)
            with registry:
                state = registry.state()
                known = {sample.digest for sample in registry.samples()}
            with display.waiting("naming the objects"):
                labels, vectors, seen, left_out = _embedded(self.data, detector.embedder, known)
        found = check(state, labels, vectors)
        document = {
            "command": "classes check",
            "store": str(self.store),
            "data": str(self.data),
            "event": state.event,
            "in_known_pictures": seen,
            **found.to_json(),
        }
        lines = _check_lines(found)
        if seen:
            lines.append(
                f"{count(seen, 'object')} in pictures that the registry was made from, so these figures "
                "flatter; check with other pictures"
            )
        return Told(lines, document, left_out=left_out)


def monitor(store: Path, plot: Path | None, window: int) -> Told:
    """What has changed in what `detect` sees.

    Raises:
        InputError: no registry, or a damaged one.
        UsageError: the window is too small, or the plot cannot be written.
    """
    from kiridashi.classes.drift_plot import draw
    from kiridashi.classes.monitoring import drift
    from kiridashi.classes.registry_file import open_registry

    if plot is not None and plot.suffix.lower() != ".svg":
        raise UsageError(f"--plot makes an SVG picture; call it {plot.with_suffix('.svg')}")
    with open_registry(store) as registry:
        found = drift(registry.state(), registry.history(), registry.statistics(), window)
    document: dict[str, Any] = {"command": "classes monitor", "store": str(store), **found.to_json()}
    lines = _drift_lines(found)
    if plot is not None:
        write_text(plot, draw(found))
        document["plot"] = str(plot)
        lines.append(f"look at {plot}")
    return Told(lines, document)


@dataclass(frozen=True)
class ChecklistJob:
    """What the user asks of `classes checklist`; see its options."""

    name: str | None
    samples: Path | None
    store: Path | None
    background: Path | None = None
    label: str | None = None

    def run(self) -> Told:
        """Look at samples that are not in a registry yet, or at those of its classes.

        Raises:
            InputError: nothing there can be used, or the registry is damaged.
            UsageError: neither or both of a place of samples and a registry, or no such class.
        """
        if (self.samples is None) == (self.store is None):
            raise UsageError(
                "name either --samples DIR, to look before adding, or --store FILE, for what is in it"
            )
        left_out: Sequence[Unusable] = ()
        if self.samples is not None:
            remarks, left_out = self._of_folder(self.samples)
            found = {self.name or self.samples.name: remarks}
        else:
            assert self.store is not None  # one of the two is given
            found = self._of_registry(self.store)
        document = {
            "command": "classes checklist",
            "classes": {
                name: [{"level": one.level.value, "about": one.about, "text": one.text} for one in remarks]
                for name, remarks in found.items()
            },
        }
        lines = []
        for name, remarks in found.items():
            lines += [name, *columns([(f"  {one.level.value}", one.about, one.text) for one in remarks])]
        return Told(lines or ["no class yet"], document, left_out=left_out)

    def _of_folder(self, place: Path) -> "tuple[list[Remark], Sequence[Unusable]]":
        from kiridashi.classes.checklist import examine, traits
        from kiridashi.classes.samples import gather

        shown = gather(place, self.label or self.name)
        lookalikes, left_out = 0, list(shown.unusable)
        if self.background is not None:
            given = gather(self.background, None, unmarked=True)
            lookalikes = len(given.marked) + len(given.unmarked)
            left_out += given.unusable
        return examine(
            [traits(one.picture, one.mask) for one in shown.marked], lookalikes=lookalikes
        ), left_out

    def _of_registry(self, store: Path) -> "dict[str, list[Remark]]":
        from kiridashi.classes.registry_file import open_registry

        with open_registry(store) as registry:
            state = registry.state()
            names = list(state.classes) if self.name is None else [state.named(self.name).name]
            return {name: _of_class(registry, state, name) for name in names}


def _of_class(registry: "Registry", state: "RegistryState", name: str) -> "list[Remark]":
    import numpy as np

    from kiridashi.classes.checklist import examine, examine_rivals, traits

    samples = [each for each in registry.samples(name) if each.kind.value != "background"]
    seen = [traits(_named(registry, each.digest, each.name), each.mask) for each in samples]
    embeddings = np.stack([each.embedding for each in samples])
    rows = {other: each.shots.mean(axis=0) for other, each in state.classes.items()}
    return [
        *examine_rivals(name, rows),
        *examine(seen, lookalikes=len(state.background), embeddings=embeddings),
    ]


def _named(registry: "Registry", digest: str, name: str) -> Any:
    from dataclasses import replace

    return replace(registry.picture(digest), name=name)


def _embedded(
    data: Path, embedder: "Embedder", known: Collection[str]
) -> "tuple[list[str], Any, int, list[Unusable]]":
    """Class names, (N, D) embeddings, how many are in pictures of known digests, and what was left out."""
    import numpy as np

    from kiridashi.classes.samples import Unusable, find_labelled
    from kiridashi.core.errors import InputError

    labels: list[str] = []
    vectors: list[Any] = []
    left_out: list[Unusable] = []
    seen = 0
    for found in find_labelled(data):
        if isinstance(found, Unusable):
            left_out.append(found)
        else:
            labels.append(found.label or "")
            seen += found.picture.digest in known
            vectors.append(embedder.embed_sample(found.picture, found.mask).numpy())
    if not labels:
        why = f"; {left_out[0].file}: {left_out[0].reason}" if left_out else ""
        raise InputError(f"{data}: no object there whose class is known{why}")
    return labels, np.stack(vectors), seen, left_out


def _check_lines(found: "Check") -> list[str]:
    rows: list[tuple[str, ...]] = [
        (
            "class",
            "objects",
            "named rightly",
            "taken for another",
            "unknown",
            "precision",
            "most mixed up with",
        )
    ]
    rows += [_check_row(one) for one in found.classes if one.objects or one.taken]
    lines = columns(rows, right=(1, 2, 3, 4, 5))
    absent = [one.name for one in found.classes if not one.objects]
    if absent:
        more = " ..." if len(absent) > NAMED else ""
        lines.append(f"not in the data: {', '.join(absent[:NAMED])}{more}")
    if found.accuracy is not None:
        lines.append(
            f"{count(found.objects, 'object')} of known classes: {percent(found.accuracy)} named rightly, "
            "mean of the classes"
        )
    if found.others:
        names = ", ".join(found.other_names[:NAMED])
        lines.append(
            f"{count(found.others, 'object')} of other things ({names}): "
            f"{percent(found.refused / found.others)} rightly taken for unknown"
        )
    return lines


def _check_row(one: "ClassCheck") -> tuple[str, ...]:
    return (
        one.name,
        str(one.objects),
        percent(one.recall),
        str(sum(number for _, number in one.mixed)),
        str(one.unknown),
        percent(one.precision),
        ", ".join(f"{other} ({number})" for other, number in one.mixed[:3]),
    )


def _drift_lines(found: "Drift") -> list[str]:
    if not found.pictures and not any(one.count for one in found.classes):
        return ["nothing was recorded since the last change; `kiridashi detect` records what it sees"]
    rows: list[tuple[str, ...]] = [
        ("class", "instances", "score then -> now", "", "distance then -> now", "", "since (UTC)")
    ]
    rows += [_drift_row(one) for one in found.classes]
    lines = columns(rows, right=(1,))
    lines.append(
        f"unknown things in {count(found.pictures, 'picture')}: {percent(found.unknown.then)} then, "
        f"{percent(found.unknown.now)} now: {found.unknown.verdict.value}"
    )
    worse = [one.name for one in found.classes if one.worse]
    if worse:
        lines.append(
            f"look at {', '.join(worse[:NAMED])}: less sure, or less like the samples, than at first; see "
            "what changed (light, camera, parts), and give samples of today with "
            "`kiridashi classes add NAME --more`"
        )
    if found.unknown.verdict.value == "higher":
        lines.append("more unknown things than at first: is there a new part or defect to register?")
    return lines


def _drift_row(one: "ClassDrift") -> tuple[str, ...]:
    return (
        one.name,
        str(one.count),
        _moved(one.score),
        one.score.verdict.value,
        _moved(one.distance),
        one.distance.verdict.value,
        f"{one.since:%Y-%m-%d %H:%M}",
    )


def _moved(shift: "Shift") -> str:
    if shift.then is None or shift.now is None:
        return "-"
    return f"{shift.then:.2f} -> {shift.now:.2f}"
