"""XML in and out: what others wrote, element by element and without entities; and our own, of any text."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from kiridashi.data.files import check_file, one_line, reason_of, unusable

MAX_BYTES = 2**29


def read_elements(path: Path, *tags: str, max_bytes: int = MAX_BYTES) -> Iterator[Any]:
    """The elements of the named tags as each ends; what was handed out is dropped when the next is asked for.

    Args:
        path: the file.
        tags: of elements that do not lie inside each other.
        max_bytes: that the file may have.

    Yields:
        `xml.etree.ElementTree.Element`.

    Raises:
        InputError: the file cannot be used, is no XML, or declares a document type or entities.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    check_file(path, max_bytes)
    open_elements: list[Any] = []
    try:
        for event, element in iterparse(str(path), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                open_elements.append(element)
                if len(open_elements) > 64:
                    raise unusable(path, "XML nested too deeply")
                continue
            open_elements.pop()
            wanted = element.tag in tags
            if wanted:
                yield element
            # What is not asked for is dropped as well, or it would fill the memory.
            if wanted or len(open_elements) == 1:
                element.clear()
                if open_elements:
                    open_elements[-1].remove(element)
    except DefusedXmlException as error:
        raise unusable(path, "declares a document type or entities, which annotations never need") from error
    except (ParseError, UnicodeDecodeError, ValueError, LookupError) as error:
        raise unusable(path, f"not XML ({reason_of(error)})") from error
    except OSError as error:
        raise unusable(path, reason_of(error)) from error


def root_tag(path: Path) -> str:
    """The name of the outermost element.

    Raises:
        InputError: see `read_elements`.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    check_file(path, MAX_BYTES)
    try:
        for _, element in iterparse(str(path), events=("start",), forbid_dtd=True):
            return str(element.tag)
    except DefusedXmlException as error:
        raise unusable(path, "declares a document type or entities, which annotations never need") from error
    except (ParseError, UnicodeDecodeError, ValueError, LookupError, OSError) as error:
        raise unusable(path, f"not XML ({reason_of(error)})") from error
    raise unusable(path, "an empty document")


class XmlWriter:
    """XML on a stream, indented by depth; texts without what XML cannot hold."""

    def __init__(self, stream: Any) -> None:
        self._out = XMLGenerator(stream, encoding="utf-8", short_empty_elements=True)
        self._depth = 0
        self._out.startDocument()

    def begin(self, tag: str, attributes: Mapping[str, str] | None = None) -> None:
        """Open an element."""
        self._indent()
        self._out.startElement(tag, _attributes(attributes))
        self._depth += 1

    def end(self, tag: str) -> None:
        """Close it."""
        self._depth -= 1
        self._indent()
        self._out.endElement(tag)

    def text(self, tag: str, text: str, attributes: Mapping[str, str] | None = None) -> None:
        """An element with a text."""
        self._indent()
        self._out.startElement(tag, _attributes(attributes))
        self._out.characters(plain(text))
        self._out.endElement(tag)

    def close(self) -> None:
        """End the document."""
        self._out.ignorableWhitespace("\n")
        self._out.endDocument()

    def _indent(self) -> None:
        self._out.ignorableWhitespace("\n" + "  " * self._depth)


def _attributes(values: Mapping[str, str] | None) -> "AttributesImpl[str]":
    return AttributesImpl({key: plain(value) for key, value in (values or {}).items()})


def plain(text: str) -> str:
    """Without characters that XML cannot hold."""
    return "".join(one for one in one_line(text) if one not in "\ufffe\uffff")
