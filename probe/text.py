"""Peers' octets made fit to be shown: the one function that every face uses."""

import re
from collections.abc import Iterator
from typing import Final

SHOWN_CAP: Final = 256
"""Characters of a peer that are shown unless the caller says otherwise: an identification string
that keeps to RFC 4253 §4.2 fits."""

_CUT: Final = "…"

_ASCII: Final = range(0x80)

_NOT_UTF_8: Final = range(0xDC80, 0xDD00)
"""What ``surrogateescape`` makes of an octet that is not UTF-8: PEP 383."""


def escape(text: str | bytes, most: int = SHOWN_CAP) -> str:
    r"""Make text of a peer safe for a terminal, a log, JSON, HTML text or a label.

    Octets are read as UTF-8. An octet that is not UTF-8 becomes ``\xNN``; a backslash is doubled;
    every character that is not printable (control characters, ESC, line ends, bidirectional
    overrides, surrogates) becomes ``\xNN`` if it is ASCII, else ``\uNNNN`` or ``\UNNNNNNNN``. So
    a text that is not cut can be had back by ``unescape``. HTML and JSON need their own quoting
    besides: no character here breaks out of a line, any may break out of an attribute.

    Args:
        text: The peer's, or our own.
        most: Characters returned at the most, 1 or more; a longer text is cut, never inside an
            escape, and ends in ``…``.

    Returns:
        One printable line, never longer than ``most`` characters.

    Source:
        RFC 4251 §9.2 asks for the filtering of control characters.
    """
    if isinstance(text, bytes):
        text = text[: 4 * most + 4].decode(errors="surrogateescape")
    if text.isprintable() and len(text) <= most and "\\" not in text:  # nearly always
        return text
    pieces = list(map(_escape_character, text[: most + 1]))
    length = sum(map(len, pieces))
    if length <= most:
        return "".join(pieces)
    while length >= most:
        length -= len(pieces.pop())
    return "".join(pieces) + _CUT


def unescape(text: str) -> str:
    r"""Undo ``escape``, as far as it did not cut.

    Octets that are not UTF-8 come back as Python's own escapes for them (PEP 383): encode the
    result with ``surrogateescape`` to have the octets that a peer sent.
    """
    return _ESCAPE.sub(lambda escape: _unescape_one(escape[1]), text)


def quote(text: str | bytes, most: int = SHOWN_CAP) -> str:
    r"""Escape ``text`` and put it in quotation marks; its own become ``\"``."""
    return '"' + escape(text, most).replace('"', r"\"") + '"'


DUMPED_OCTETS: Final = 16
"""Octets in a line of a dump."""


def dump(octets: bytes, most_lines: int, offset: int = 0) -> Iterator[str]:
    """Show octets in lines of sixteen, in hex and as text; equal lines in a row once.

    Args:
        octets: A peer's, or our own.
        most_lines: Lines at the most; what is left out is counted in one more.
        offset: The number of the first octet.
    """
    starts = range(0, len(octets), DUMPED_OCTETS)
    lines = [octets[start : start + DUMPED_OCTETS] for start in starts[:most_lines]]
    for number, line in enumerate(lines):
        before = lines[max(number - 2, 0) : number]
        if line not in before[-1:]:
            text = "".join(chr(octet) if octet in _PRINTABLE else "." for octet in line)
            yield f"{offset + number * DUMPED_OCTETS:04x}  {line.hex(' '):47}  {text}"
        elif before != [line, line]:
            yield "*"
    if len(starts) > most_lines:
        yield f"…     {len(octets) - most_lines * DUMPED_OCTETS} octets more"


_PRINTABLE: Final = range(0x20, 0x7F)

_ESCAPE: Final = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")


def _unescape_one(escape: str) -> str:
    if escape == "\\":
        return escape
    code = int(escape[1:], 16)
    return chr(0xDC00 + code if escape[0] == "x" and code not in _ASCII else code)


def _escape_character(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    code = ord(character)
    if code in _ASCII or code in _NOT_UTF_8:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four digits
