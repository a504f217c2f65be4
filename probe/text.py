"""Peers' octets made fit to be shown: the one function that every face uses."""

from typing import Final

SHOWN_CAP: Final = 256
"""Characters of a peer that are shown unless the caller says otherwise: an identification string
that keeps to RFC 4253 §4.2 fits."""

_CUT: Final = "…"


def escape(text: str | bytes, most: int = SHOWN_CAP) -> str:
    r"""Make text of a peer safe for a terminal, a log, JSON, HTML text or a label.

    Octets are read as UTF-8. What is not UTF-8 becomes ``\xNN``; a backslash is doubled; every
    character that is not printable (control characters, ESC, line ends, bidirectional overrides,
    surrogates) becomes ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``. HTML and JSON need their own
    quoting besides: no character here breaks out of a line, any may break out of an attribute.

    Args:
        text: The peer's, or our own.
        most: Characters returned at the most; a longer text is cut and ends in ``…``.

    Returns:
        One printable line, never longer than ``most`` characters.

    Source:
        RFC 4251 §9.2 asks for the filtering of control characters.
    """
    if isinstance(text, bytes):
        text = text[: 4 * most + 4].decode(errors="surrogateescape")
    escaped = "".join(map(_escape_character, text[: most + 1]))
    return escaped if len(escaped) <= most else escaped[: most - 1] + _CUT


def _escape_character(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - the range of surrogateescape, PEP 383
        code -= 0xDC00
    for width, prefix in ((2, r"\x"), (4, r"\u")):
        if code < 16**width:
            return f"{prefix}{code:0{width}x}"
    return f"\\U{code:08x}"
