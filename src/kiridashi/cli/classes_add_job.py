"""The work of `kiridashi classes add`."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.classes_told import Told, count, forgetting_lines, refusal, way_back
from kiridashi.cli.progress import Display
from kiridashi.core.errors import InputError, UsageError

if TYPE_CHECKING:
    from kiridashi.classes.adding import Added, Batch
    from kiridashi.classes.checklist import Remark
    from kiridashi.classes.embedding import Embedder
    from kiridashi.classes.registry import Registry, RegistryState, Sample
    from kiridashi.classes.samples import Gathered, Unusable
    from kiridashi.models.promptable import PromptableModel

DEFAULT_MODEL = "compact"
MOST_REMARKS = 4


@dataclass(frozen=True)
class AddJob:
    """What the user asks of `classes add`; see its options."""

    name: str
    samples: Path | None
    store: Path
    background: Path | None = None
    validation: Path | None = None
    label: str | None = None
    more: bool = False
    all_shots: bool = False
    fail_on_drop: float | None = None
    author: str | None = None
    reason: str = ""
    model: str | None = None
    head: Path | None = None
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            UsageError: the name is taken or not allowed, the registry is of another model or cannot be
                written, or the options do not fit together.
            InputError: no sample can be used, or the registry is damaged.
            ModelUnavailableError: the model's files are not here.
        """
        if self.validation is not None and self.all_shots:
            raise UsageError(
                "--validation and --all-shots exclude one another: its samples would be held aside"
            )
        if self.samples is None and not (self.more and (self.background or self.validation)):
            raise UsageError(
                "name the samples with --samples DIR; only --more does without, with --background DIR or "
                "--validation DIR"
            )
        with Display(quiet=self.quiet) as display:
            state = self._look()
            with display.waiting("reading the samples"):
                given, shared = self._sort_out(state, self._gather())
            with display.waiting("loading the model"):
                model, embedder = self._model(state)
            began = time.perf_counter()
            batch = self._embed(display, model, embedder, given)
            embedding = time.perf_counter() - began
            with self._registry(embedder) as registry:
                added = self._add(registry, batch)
                committing = time.perf_counter() - began - embedding
        left_out = [unusable for one in given for unusable in one.unusable]
        seconds = {"embedding": round(embedding, 3), "adding": round(committing, 3)}
        remarks = [*shared, *self._remarks(added, batch)]
        return self._told(added, batch, remarks, left_out, seconds)

    def _look(self) -> "RegistryState | None":
        """The registry's state, if there is one; whatever is wrong is told before any work is done."""
        from kiridashi.classes.adding import check_name
        from kiridashi.classes.registry_file import check_writable, open_registry

        state = None
        if self.store.exists():
            with open_registry(self.store, writable=True) as registry:
                state = registry.state()
        else:
            check_writable(self.store)
        check_name(state, self.name, more=self.more)
        return state

    def _gather(self) -> "tuple[Gathered, Gathered, Gathered]":
        """Samples to show, to hold aside, and background."""
        from kiridashi.classes.samples import Gathered, gather

        label = self.label or self.name
        nothing = Gathered(())
        return (
            nothing if self.samples is None else gather(self.samples, label),
            nothing if self.validation is None else gather(self.validation, label),
            nothing if self.background is None else gather(self.background, None, unmarked=True),
        )

    def _sort_out(
        self, state: "RegistryState | None", given: "tuple[Gathered, Gathered, Gathered]"
    ) -> "tuple[tuple[Gathered, ...], list[Remark]]":
        """What is new to the class, and what is said of objects that other classes have too.

        Raises:
            InputError: nothing is new.
        """
        from kiridashi.classes.repeats import sort_out

        if state is None:
            return given, []
        name = state.named(self.name).name if self.more else None
        with self._reading() as registry:
            found = [
                sort_out(registry, state, one, name, background=place == 2) for place, one in enumerate(given)
            ]
        if not any(one.new.marked or one.new.unmarked for one in found):
            raise InputError(f"class {name!r} has all of these samples already; nothing was changed")
        shown, aside, background = (one.shared for one in found)
        remarks = _shared({other: shown.get(other, 0) + aside.get(other, 0) for other in {**shown, **aside}})
        remarks += _shared(background, background=True)
        return tuple(one.new for one in found), remarks

    def _reading(self) -> "Registry":
        from kiridashi.classes.registry_file import open_registry

        return open_registry(self.store)

    def _model(self, state: "RegistryState | None") -> "tuple[PromptableModel, Embedder]":
        from kiridashi.classes.opening import check_embedder, embedder_of, loaded, model_of

        if state is None:
            model = loaded(self.model or DEFAULT_MODEL)
        else:
            model = model_of(self.store, state, self.model)
        embedder = embedder_of(model, self.head, None if state is None else state.fingerprint)
        if state is not None:
            check_embedder(self.store, state, embedder)
        return model, embedder

    def _embed(
        self,
        display: Display,
        model: "PromptableModel",
        embedder: "Embedder",
        given: "Sequence[Gathered]",
    ) -> "Batch":
        """Embed what is given; samples are held aside where none were given for that."""
        from kiridashi.classes.adding import Batch, embed_marked, embed_unmarked, hold_aside

        total = sum(len(one.marked) + len(one.unmarked) for one in given)
        with display.bar("embed", total, unit="samples") as step:
            shown, aside, background = (embed_marked(embedder, one.marked, step) for one in given)
            background += embed_unmarked(model, embedder, given[2].unmarked, step)
        if not (shown or aside or background):
            raise InputError(
                "nothing that might be an object was found in the pictures of --background; mark what looks "
                "alike in them, with a mask for each"
            )
        if self.validation is not None or self.all_shots:
            return Batch(shown, aside, background)
        shots, validation = hold_aside(shown)
        return Batch(shots, validation, background)

    def _registry(self, embedder: "Embedder") -> "Registry":
        from kiridashi.classes.opening import open_or_create

        return open_or_create(self.store, embedder, author=self.author)

    def _add(self, registry: "Registry", batch: "Batch") -> "Added":
        from kiridashi.classes.adding import add_class

        limit = None if self.fail_on_drop is None else self.fail_on_drop / 100
        return add_class(
            registry,
            self.name,
            batch,
            more=self.more,
            fail_on_drop=limit,
            author=self.author,
            reason=self.reason,
        )

    def _told(
        self,
        added: "Added",
        batch: "Batch",
        remarks: "Sequence[Remark]",
        left_out: "Sequence[Unusable]",
        seconds: dict[str, float],
    ) -> Told:
        refused = None
        if added.event is None and self.fail_on_drop is not None:
            refused = refusal(added.forgetting, self.fail_on_drop)
        document: dict[str, Any] = {
            "command": "classes add",
            "store": str(self.store),
            "name": added.name,
            "added": added.event is not None,
            "event": None if added.event is None else added.event.id,
            "shots": len(batch.shots),
            "held_aside": len(batch.validation),
            "background": len(batch.background),
            "threshold": added.threshold,
            "forgetting": added.forgetting.to_json(),
            "remarks": [{"level": one.level.value, "about": one.about, "text": one.text} for one in remarks],
            "seconds": seconds,
        }
        lines = [] if refused else [self._first_line(added, batch, seconds)]
        lines += forgetting_lines(added.forgetting, changed=added.name, done=refused is None)
        pressing = [one for one in remarks if one.level.value == "missing"][:MOST_REMARKS]
        lines += [f"note ({one.about}): {one.text}" for one in pressing]
        if added.event is not None:
            lines.append(
                f"more advice: kiridashi classes checklist {shlex.quote(added.name)} "
                f"--store {shlex.quote(str(self.store))}"
            )
            lines.append(way_back(added.event.id - 1, self.store))
        return Told(lines, document, refused, left_out)

    def _first_line(self, added: "Added", batch: "Batch", seconds: dict[str, float]) -> str:
        done = f"added to {added.name!r}" if self.more else f"class {added.name!r} added"
        parts = [count(len(batch.shots), "shot")] if batch.shots else []
        if batch.validation or batch.shots:
            parts.append(f"{len(batch.validation)} held aside" if batch.validation else "none held aside")
        if batch.background:
            parts.append(f"{len(batch.background)} as background")
        parts.append(f"threshold {added.threshold:.2f}")
        return f"{done}: {', '.join(parts)} ({sum(seconds.values()):.1f} s)"

    def _remarks(self, added: "Added", batch: "Batch") -> "list[Remark]":
        import numpy as np

        from kiridashi.classes.checklist import examine, traits

        samples: Sequence[Sample] = [*batch.shots, *batch.validation]
        if not samples:
            return []
        embeddings = np.stack([np.asarray(one.embedding, np.float32) for one in samples])
        seen = [traits(one.picture, one.mask) for one in samples]
        return examine(seen, lookalikes=len(added.state.background), embeddings=embeddings)


def _shared(others: "Mapping[str, int]", *, background: bool = False) -> "list[Remark]":
    """What is wrong with objects that are samples of other classes too."""
    from kiridashi.classes.checklist import Level, Remark

    what = "given as background here" if background else "given here"
    harm = (
        "they will hardly be found any more"
        if background
        else "one thing with two names gets either; remove it from one of them"
    )
    return [
        Remark(
            Level.MISSING,
            "other classes",
            f"{count(number, 'object')} {what} {'is' if number == 1 else 'are'} known as {other!r}: {harm}",
        )
        for other, number in others.items()
    ]
