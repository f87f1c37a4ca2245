"""What of a user's samples a registry has already: the same object of the same picture."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from kiridashi.classes.registry import Registry, RegistryState, SampleKind, StoredSample
from kiridashi.classes.samples import Gathered, Marked, Unusable
from kiridashi.core.mask import Mask

_Object = tuple[str, str]


@dataclass(frozen=True, eq=False)
class SortedOut:
    """A gathering after a look into the registry.

    Attributes:
        new: without what the class has already, which is among the unusable now.
        shared: number of its objects that are samples of another class, by that class's name.
    """

    new: Gathered
    shared: Mapping[str, int] = field(default_factory=dict)


def sort_out(
    registry: Registry, state: RegistryState, gathered: Gathered, name: str | None, *, background: bool
) -> SortedOut:
    """Leave out what a class has already, and count what other classes have.

    Args:
        registry: open.
        state: of it.
        gathered: given by the user.
        name: of the class that gets them; None: of none that is there.
        background: whether they are given as what the class is not.
    """
    digests = {one.picture.digest for one in gathered.marked} | {one.digest for one in gathered.unmarked}
    known = registry.samples_in(digests)
    own = None if name is None else state.classes[name].identity
    names = {each.identity: other for other, each in state.classes.items()}
    owners = _by_object(known)
    marked: list[Marked] = []
    repeated: list[Unusable] = []
    shared: Counter[str] = Counter()
    for one in gathered.marked:
        holders = owners[one.picture.digest, _text(one.mask)]
        if (own, background) in holders:
            repeated.append(_repeated(one.picture.name, name, background))
            continue
        marked.append(one)
        # A look-alike of two classes is nothing strange.
        others = {names[who] for who, as_background in holders if who is not None and not as_background}
        shared.update(sorted(others))
    seen = {one.digest for one in known if (one.identity, _is_background(one)) == (own, True)}
    unmarked = [one for one in gathered.unmarked if own is None or one.digest not in seen]
    repeated += [_repeated(one.name, name, True) for one in gathered.unmarked if one not in unmarked]
    new = replace(
        gathered,
        marked=tuple(marked),
        unmarked=tuple(unmarked),
        unusable=(*gathered.unusable, *repeated),
    )
    return SortedOut(new, shared)


def _by_object(known: Iterable[StoredSample]) -> defaultdict[_Object, set[tuple[int | None, bool]]]:
    owners: defaultdict[_Object, set[tuple[int | None, bool]]] = defaultdict(set)
    for one in known:
        owners[one.digest, _text(one.mask)].add((one.identity, _is_background(one)))
    return owners


def _is_background(sample: StoredSample) -> bool:
    return sample.kind is SampleKind.BACKGROUND


def _text(mask: Mask) -> str:
    return str(mask.to_rle()["counts"])


def _repeated(file: str, name: str | None, background: bool) -> Unusable:
    what = "background" if background else "a sample"
    return Unusable(file, f"it is {what} of {name!r} already; it counts once")
