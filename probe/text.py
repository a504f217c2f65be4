"""Peers' octets made fit to be shown: the one function that every face uses."""

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
    a text that is not cut can be had back. HTML and JSON need their own quoting besides: no
    character here breaks out of a line, any may break out of an attribute.

    Args:
        text: The peer's, or our own.
        most: Characters returned at the most, 1 or more; a longer text is cut and ends in ``…``.

    Returns:
        One printable line, never longer than ``most`` characters.

    Source:
        RFC 4251 §9.2 asks for the filtering of control characters.
    """
    if isinstance(text, bytes):
        text = text[: 4 * most + 4].decode(errors="surrogateescape")
    escaped = "".join(map(_escape_character, text[: most + 1]))
    return escaped if len(escaped) <= most else escaped[: most - 1] + _CUT


def quote(text: str | bytes, most: int = SHOWN_CAP) -> str:
    r"""Escape ``text`` and put it in quotation marks; its own become ``\"``."""
    return '"' + escape(text, most).replace('"', r"\"") + '"'


def _escape_character(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    code = ord(character)
    if code in _ASCII or code in _NOT_UTF_8:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four digits
