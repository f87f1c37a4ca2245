"""The reference methods by name."""

from difflib import get_close_matches

from kiridashi.core.errors import UsageError
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.method import Method

METHOD_NAMES = ("prototype", "concat")


def make_method(
    name: str, model: PromptableModel, *, verdict: bool = True, instances: bool = True, seed: int = 0
) -> Method:
    """An unfitted method.

    Raises:
        UsageError: no method of this name; suggests the nearest.
    """
    from kiridashi.reference.concat import Concat
    from kiridashi.reference.prototype import Prototype

    makers: dict[str, type[Prototype] | type[Concat]] = {"prototype": Prototype, "concat": Concat}
    if name not in makers:
        near = get_close_matches(name, METHOD_NAMES, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"no method named {name!r}.{hint} Known: {', '.join(METHOD_NAMES)}")
    return makers[name](model, verdict=verdict, instances=instances, seed=seed)
