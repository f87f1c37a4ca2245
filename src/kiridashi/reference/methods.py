"""The reference methods by name."""

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from kiridashi.core.errors import UsageError
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.method import Method

if TYPE_CHECKING:
    from kiridashi.reference.cav import CavOptions
    from kiridashi.reference.cav.progress import Progress

# `cav` lets the cycle choose; `cav-ROW` is one row of the ablation, always taken.
ROWS = MappingProxyType(
    {
        "cav-dbst": ("dbst",),
        "cav-ttga": ("ttga",),
        "cav-both": ("both",),
        "cav-cross-fade": ("cross-fade",),
        "cav-affine": ("affine",),
    }
)
METHOD_NAMES = ("prototype", "adapted", "concat", "cav", *ROWS)


def make_method(
    name: str,
    model: PromptableModel,
    *,
    verdict: bool = True,
    instances: bool = True,
    seed: int = 0,
    cache: Path | None = None,
    options: "CavOptions | None" = None,
    progress: "Progress | None" = None,
) -> Method:
    """An unfitted method.

    Args:
        name: of `METHOD_NAMES`.
        model: that it runs on.
        verdict: judge presence; off, the best guess is always given.
        instances: split the answer into objects.
        seed: of all that is random.
        cache: folder in which methods keep what they learned of pictures; None: that of the options.
        options: of the `cav` methods, whose bridges and seeds are set by name and seed; None: the usual.
        progress: shows what takes a `cav` method long; None: nobody listens.

    Raises:
        UsageError: no method of this name; suggests the nearest.
    """
    if name not in METHOD_NAMES:
        near = get_close_matches(name, METHOD_NAMES, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"no method named {name!r}.{hint} Known: {', '.join(METHOD_NAMES)}")
    if name == "prototype":
        from kiridashi.reference.prototype import Prototype

        return Prototype(model, verdict=verdict, instances=instances, seed=seed)
    if name == "adapted":
        from kiridashi.reference.adapted import Adapted

        return Adapted(model, verdict=verdict, instances=instances, seed=seed)
    if name == "concat":
        from kiridashi.reference.concat import Concat

        return Concat(model, verdict=verdict, instances=instances, seed=seed)
    from kiridashi.reference.cav import Cav, CavOptions
    from kiridashi.reference.cav.progress import silent

    chosen = (options or CavOptions()).seeded(seed)
    if cache is not None:
        chosen = replace(chosen, cache=cache)
    if name in ROWS:
        chosen = replace(chosen, bridges=ROWS[name])
    return Cav(
        model,
        verdict=verdict,
        instances=instances,
        seed=seed,
        options=chosen,
        progress=progress or silent,
    )
