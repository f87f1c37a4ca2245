"""Read a site file: bounded, without YAML's surprises, and with the line of whatever is wrong."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kiridashi.core.errors import InputError
from kiridashi.data.files import check_file, one_line, unusable
from kiridashi.poc.site import schema
from kiridashi.poc.site.schema import Site

MAX_BYTES = 2**20
SHOWN_ERRORS, SHOWN_KEYS, SHOWN_TEXT = 8, 4, 40
MOST_DEPTH = 12
HOW = "`kiridashi poc new` writes one to begin from"
# What pydantic finds wrong, in the words of the file.
_SHAPES = {
    "model_type": "expected keys with their values",
    "dict_type": "expected keys with their values",
    "list_type": "expected a list",
}


@dataclass(frozen=True)
class SiteFile:
    """A site file that was read.

    Attributes:
        path: of the file.
        root: the folder that paths in it are relative to, and stay inside of.
        text: as it was.
        site: what it says.
    """

    path: Path
    root: Path
    text: str
    site: Site

    @property
    def sha256(self) -> str:
        """Of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def inside(self, name: str) -> Path:
        """The file or folder of a path in the site file.

        Raises:
            InputError: it is absolute, or leads out of the root, also by a link.
        """
        plain = name.replace("\\", "/")
        path = (self.root / plain).resolve()
        absolute = plain.startswith("/") or ":" in plain.split("/")[0] or "\0" in plain
        if absolute or not path.is_relative_to(self.root.resolve()):
            raise unusable(
                self.path,
                f"the path {name[:80]!r} leads out of {self.root}; write paths relative to it, and name the "
                "folder of the pictures with --data if it is another",
            )
        return path


def read_site(path: str | Path, root: Path | None = None) -> SiteFile:
    """Read and check a site file.

    Args:
        path: of the YAML file.
        root: the folder that its paths are relative to; None: the file's own.

    Raises:
        InputError: it cannot be read, is no YAML, or a key is unknown, missing or out of its limits; each
            with its line and key.
    """
    path = Path(path)
    check_file(path, MAX_BYTES)
    text = _text(path)
    node, value = _compose(path, text), _value(path, text)
    if not isinstance(value, dict):
        raise unusable(
            path,
            f"expected a site file: YAML with keys such as title and use_cases, got {_kind(value)}; {HOW}",
        )
    try:
        site = Site.model_validate(value)
    except ValidationError as error:
        raise InputError("\n".join(_told(path, node, error))) from error
    return SiteFile(path, path.parent if root is None else root, text, site)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise unusable(path, "expected UTF-8 text") from error


def _compose(path: Path, text: str) -> Any:
    """The document with the line of every key; refuses what safe_load would pass in silence."""
    try:
        _refuse_tricks(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        for mapping in _mappings(node):
            _refuse_repeats(path, mapping)
    except yaml.YAMLError as error:
        raise _no_yaml(path, error) from error
    return node


def _refuse_tricks(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        # An alias lets a small file stand for a huge one, and no site needs one.
        if isinstance(event, yaml.AliasEvent):
            raise _at(path, event, "aliases (*name) are not read; write the value out")
        # Deep nesting costs the reader more and more time.
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise _at(path, event, "nested too deeply for a site file")


def _value(path: Path, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    # A timestamp such as 2024-99-99 is a ValueError of its constructor.
    except (yaml.YAMLError, ValueError) as error:
        raise _no_yaml(path, error) from error


def _no_yaml(path: Path, error: Exception) -> InputError:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return unusable(path, f"{where}no valid YAML: {problem}; a site file is YAML, {HOW}")


def _mappings(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)


def _refuse_repeats(path: Path, mapping: Any) -> None:
    seen: set[str] = set()
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at(path, key, "expected a word as a key")
        if key.value in seen:
            raise _at(path, key, f"{key.value}: stands here a second time; keep one of them")
        seen.add(key.value)


def _at(path: Path, marked: Any, reason: str) -> InputError:
    return unusable(path, f"line {marked.start_mark.line + 1}: {reason}")


def _told(path: Path, node: Any, error: ValidationError) -> list[str]:
    lines = []
    found = error.errors(include_url=False)
    for one in found[:SHOWN_ERRORS]:
        names = [str(part) for part in one["loc"]]
        line, key = _place(node, one["loc"])
        reason = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            reason = f"there is no such key{_hint(names)}"
        elif one["type"] == "missing":
            reason = "this key is missing"
        elif one["type"] in _SHAPES:
            reason = f"{_expected(one)}, got {_kind(one['input'])}"
        elif not isinstance(one["input"], dict | list):
            reason += f"; got {one['input']!r}"
        lines.append(one_line(f"{path}: line {line}: {'.'.join(key) or 'the file'}: {reason}"))
    if len(found) > SHOWN_ERRORS:
        lines.append(f"and {len(found) - SHOWN_ERRORS} more")
    # A choice between kinds gives an error for each of them.
    return list(dict.fromkeys(lines))


def _expected(error: Mapping[str, Any]) -> str:
    part = getattr(schema, str(error.get("ctx", {}).get("class_name")), None)
    if part is None:
        return _SHAPES[error["type"]]
    # What must be there comes first.
    names = sorted(part.model_fields, key=lambda name: not part.model_fields[name].is_required())
    more = " ..." if len(names) > SHOWN_KEYS else ""
    return f"{_SHAPES[error['type']]} ({', '.join(names[:SHOWN_KEYS])}{more})"


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "keys" if isinstance(value, dict) else "a list"
    return f"the text {value[:SHOWN_TEXT]!r}" if isinstance(value, str) else str(value)[:SHOWN_TEXT]


def _place(node: Any, location: Sequence[str | int]) -> tuple[int, list[str]]:
    """The line of the deepest part that is there, and the keys as the file has them."""
    line, names = 1 if node is None else node.start_mark.line + 1, []
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            names.append(str(part))
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            names.append(str(part + 1))
    return line, names


def _hint(names: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(names[-1], _known_keys(), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _known_keys() -> list[str]:
    schema = Site.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({key for part in parts for key in part.get("properties", {})})
