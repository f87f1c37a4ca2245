"""The work of `kiridashi classes remove`, `rename`, `rollback` and `rebuild`."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiridashi.cli.classes_told import Told, count, forgetting_lines, made_with, refusal, way_back
from kiridashi.cli.progress import Display


def remove_class(store: Path, name: str, author: str | None, reason: str) -> Told:
    """Take a class out and say what that does to the others.

    Raises:
        InputError: no registry, or a damaged one.
        UsageError: no such class, or the registry cannot be written.
    """
    from kiridashi.classes.forgetting import compare
    from kiridashi.classes.registry_file import open_registry

    with open_registry(store, writable=True) as registry:
        before = registry.state()
        stored = before.named(name).name
        event = registry.remove(stored, author=author, reason=reason)
        forgetting = compare(before, registry.state())
    document = _document("remove", store, event.id, name=stored, forgetting=forgetting.to_json())
    lines = [f"class {stored!r} removed; its samples stay in the history"]
    return Told([*lines, *forgetting_lines(forgetting), way_back(event.id - 1, store)], document)


def rename_class(store: Path, name: str, new: str, author: str | None, reason: str) -> Told:
    """Give a class another name.

    Raises:
        InputError: no registry, or a damaged one.
        UsageError: no such class, the new name is taken or not allowed, or the registry cannot be written.
    """
    from kiridashi.classes.registry_file import open_registry

    with open_registry(store, writable=True) as registry:
        event = registry.rename(name, new, author=author, reason=reason)
    was, now = event.facts["was"], event.facts["name"]
    document = _document("rename", store, event.id, was=was, name=now)
    return Told([f"class {was!r} is now called {now!r}", way_back(event.id - 1, store)], document)


def roll_back(store: Path, to: int, author: str | None, reason: str) -> Told:
    """Return to the state after an earlier event.

    Raises:
        InputError: no registry, or a damaged one.
        UsageError: no such event, it is the present one, or the registry cannot be written.
    """
    from kiridashi.classes.forgetting import compare
    from kiridashi.classes.registry_file import open_registry

    with open_registry(store, writable=True) as registry:
        before = registry.state()
        event = registry.roll_back(to, author=author, reason=reason)
        after = registry.state()
        forgetting = compare(before, after)
    names = ", ".join(list(after.classes)[:12]) + (" ..." if len(after.classes) > 12 else "")
    document = _document(
        "rollback", store, event.id, to=to, classes=list(after.classes), forgetting=forgetting.to_json()
    )
    lines = [
        f"back at the state after event {to}: {count(len(after.classes), 'class')}"
        + (f" ({names})" if names else "")
    ]
    lines += forgetting_lines(forgetting)
    if before.fingerprint != after.fingerprint:
        how = made_with(after.model, after.head)
        lines.append(f"the embeddings are again those of {how} ({after.fingerprint[:12]})")
    return Told([*lines, way_back(event.id - 1, store)], document)


@dataclass(frozen=True)
class RebuildJob:
    """What the user asks of `classes rebuild`; see its options."""

    store: Path
    model: str | None = None
    head: Path | None = None
    fail_on_drop: float | None = None
    author: str | None = None
    reason: str = ""
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            InputError: no registry, or a damaged one, or a damaged head.
            UsageError: the registry cannot be written, or was changed meanwhile.
            ModelUnavailableError: the model's files are not here.
        """
        from kiridashi.classes.opening import embedder_of, model_of
        from kiridashi.classes.rebuilding import rebuild
        from kiridashi.classes.registry_file import open_registry

        with open_registry(self.store, writable=True) as registry, Display(quiet=self.quiet) as display:
            before = registry.state()
            with display.waiting("loading the model"):
                embedder = embedder_of(model_of(self.store, before, self.model), self.head)
            name = embedder.model_name
            if embedder.fingerprint == before.fingerprint:
                document = _document("rebuild", self.store, None, model=name, samples=0)
                return Told(
                    [f"nothing to do: the embeddings are those of {made_with(name, before.head)} already"],
                    document,
                )
            pictures = len({sample.digest for sample in registry.samples()})
            began = time.perf_counter()
            with display.bar("embed", pictures) as step:
                rebuilt = rebuild(
                    registry,
                    embedder,
                    fail_on_drop=None if self.fail_on_drop is None else self.fail_on_drop / 100,
                    author=self.author,
                    reason=self.reason,
                    step=step,
                )
            seconds = time.perf_counter() - began
        event = rebuilt.event
        refused = None
        if event is None and self.fail_on_drop is not None:
            refused = refusal(rebuilt.forgetting, self.fail_on_drop)
        document = _document(
            "rebuild",
            self.store,
            None if event is None else event.id,
            model=name,
            samples=rebuilt.samples,
            seconds=round(seconds, 3),
            forgetting=rebuilt.forgetting.to_json(),
        )
        lines = forgetting_lines(rebuilt.forgetting, done=refused is None)
        if event is not None:
            how = made_with(name, rebuilt.state.head)
            first = f"{count(rebuilt.samples, 'sample')} embedded anew with {how} ({seconds:.1f} s)"
            lines = [first, *lines, way_back(event.id - 1, self.store)]
        return Told(lines, document, refused)


def _document(verb: str, store: Path, event: int | None, **more: Any) -> dict[str, Any]:
    return {"command": f"classes {verb}", "store": str(store), "event": event, **more}
