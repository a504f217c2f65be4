"""RFC 4251 §9.2, law 9: what a peer says is shown on one printable line, whatever it says."""

import re
import tracemalloc
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from probe import text as text_module
from probe.text import dump, escape, quote

ENOUGH = 10 * 1000
"""Characters that no generated text needs when it is escaped."""

ESCAPED: dict[str, tuple[str | bytes, str]] = {
    "NUL": (b"\0", r"\x00"),
    "line ends": (b"a\r\nb", r"a\x0d\x0ab"),
    "tab": (b"\t", r"\x09"),
    "ESC": (b"\x1b[2J", r"\x1b[2J"),
    "other C0": (b"\x07\x08\x0b\x0c", r"\x07\x08\x0b\x0c"),
    "DEL": (b"\x7f", r"\x7f"),
    "C1": ("\x80\x9f", r"\u0080\u009f"),
    "C1 in UTF-8": (b"\xc2\x9b31m", r"\u009b31m"),
    "no-break space and soft hyphen": ("\xa0\xad", r"\u00a0\u00ad"),
    "zero width, line and paragraph separators": ("\u200b\u2028\u2029", r"\u200b\u2028\u2029"),
    "bidirectional overrides": ("\u202eexe.txt\u2066", r"\u202eexe.txt\u2066"),
    "byte order mark, private use, noncharacter": ("\ufeff\ue000\uffff", r"\ufeff\ue000\uffff"),
    "beyond 16 bits": ("\U000e0001\U0010ffff", r"\U000e0001\U0010ffff"),
    "no UTF-8": (b"\x80\xff", r"\x80\xff"),
    "Latin-1": (b"caf\xe9", r"caf\xe9"),
    "overlong UTF-8": (b"\xc0\xaf", r"\xc0\xaf"),
    "surrogate in UTF-8": (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    "character without its end": (b"\xe2\x80", r"\xe2\x80"),
    "lone surrogates": ("\ud800\udfff\udc7f", r"\ud800\udfff\udc7f"),
    "octets that Python made surrogates": ("\udc80\udcff", r"\x80\xff"),
    "backslash": ("C:\\x1b", r"C:\\x1b"),
    "no text": ("", ""),
    "no octets": (b"", ""),
}

CUT: dict[str, tuple[str | bytes, int, str]] = {
    "fits": ("abcd", 4, "abcd"),
    "one too many": ("abcde", 4, "abc…"),
    "room for one": ("abcd", 1, "…"),
    "fits though its octets are more": ("äöüß".encode(), 4, "äöüß"),
    "two octets a character": ("äöüßx".encode(), 4, "äöü…"),
    "four octets a character": ("🔑🔑🔑🔑🔑".encode(), 4, "🔑🔑🔑…"),
    "escapes fit": (b"\x1b\x1b", 8, r"\x1b\x1b"),
    "escapes do not": (b"\x1b\x1b\x1b", 9, r"\x1b\x1b…"),
}

texts = st.text(st.characters(codec=None), max_size=300)  # lone surrogates, too
octets = st.binary(max_size=300)
either = st.one_of(texts, octets)

BROKEN = b"\xff\xc3\xa4\xed\xa0\x80\xf0\x9f\x92"
"""No UTF-8, two octets that are, a surrogate as octets, and a character that is cut."""


DIGITS = {"x": 2, "u": 4, "U": 8}
"""Of each kind of escape."""


PIECE = re.compile(r"\\\\|\\x..|\\u.{4}|\\U.{8}|.")
"""A character of an escaped text, or an escape."""


def decode(text: str | bytes) -> str:
    """PEP 383: octets as characters, so that those which are not UTF-8 are kept apart."""
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


def unescape(shown: str) -> str:
    """Undo what the docstring of ``escape`` says, and nothing else."""
    text, backslash, rest = shown.partition("\\")
    while backslash:
        if rest.startswith("\\"):
            character, rest = "\\", rest[1:]
        else:
            kind, digits = rest[0], DIGITS[rest[0]]
            code, rest = int(rest[1 : 1 + digits], 16), rest[1 + digits :]
            is_octet = kind == "x" and code > 0x7F
            character = chr(0xDC00 + code if is_octet else code)
        plain, backslash, rest = rest.partition("\\")
        text += character + plain
    return text


def is_harmless(character: str) -> bool:
    """Whether Unicode calls it a letter, mark, number, punctuation or symbol, or it is a space."""
    return character == " " or unicodedata.category(character)[0] in "LMNPS"


@settings(deadline=None)
@given(either, st.integers(1, 40))
@example(BROKEN, 20)
def test_what_is_shown_is_one_printable_line_of_the_length_asked_for(
    text: str | bytes,
    most: int,
) -> None:
    shown = escape(text, most)
    assert all(map(is_harmless, shown))
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()
    assert len(shown) <= most


# A reader can tell what came: no two texts look the same.
@settings(deadline=None)
@given(either)
@example(BROKEN)
@example(b"\x85")
@example(b"\xc2\x85")
@example("\x85\udc85\ud800")
@example("\\x1b \x1b")
def test_nothing_is_lost(text: str | bytes) -> None:
    assert unescape(escape(text, ENOUGH)) == decode(text)


@settings(deadline=None)
@given(octets)
def test_the_octets_can_be_had_back(text: bytes) -> None:
    assert unescape(escape(text, ENOUGH)).encode("utf-8", "surrogateescape") == text


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\")))
def test_printable_ascii_stays_as_it_is(text: str) -> None:
    assert escape(text, ENOUGH) == text
    assert escape(text.encode(), ENOUGH) == text


@pytest.mark.parametrize("text", ["Grüße", "привет", "こんにちは", "e\u0301", "🔑", "§4.2 …"])
def test_letters_and_signs_of_any_script_stay_as_they_are(text: str) -> None:
    assert escape(text) == text
    assert escape(text.encode()) == text


@pytest.mark.parametrize(("text", "shown"), ESCAPED.values(), ids=ESCAPED.keys())
def test_what_could_harm_or_mislead_is_escaped(text: str | bytes, shown: str) -> None:
    assert escape(text) == shown


@settings(deadline=None)
@given(either, st.integers(1, 20))
@example(b"a" + 19 * "\U0001f511".encode(), 18)
@example(b"ab" + 19 * "\u20ac".encode(), 18)
@example(b"abc" + 19 * "\u00e4".encode(), 18)
def test_a_text_that_is_too_long_is_cut_and_says_so(text: str | bytes, most: int) -> None:
    whole = escape(text, ENOUGH)
    shown = escape(text, most)
    if len(whole) <= most:
        assert shown == whole
    else:
        assert_cut(whole, shown, most)


def assert_cut(whole: str, shown: str, most: int) -> None:
    """As much is shown as fits, and no escape in part."""
    kept = shown.removesuffix("…")
    assert shown == kept + "…"
    assert len(shown) <= most
    pieces = PIECE.findall(whole)
    shown_pieces = PIECE.findall(kept)
    assert pieces[: len(shown_pieces)] == shown_pieces
    assert len(shown) + len(pieces[len(shown_pieces)]) > most


@pytest.mark.parametrize(("text", "most", "shown"), CUT.values(), ids=CUT.keys())
def test_the_cut(text: str | bytes, most: int, shown: str) -> None:
    assert escape(text, most) == shown


def test_256_characters_are_shown_unless_said_otherwise() -> None:
    assert escape(256 * "x") == 256 * "x"
    assert escape(257 * "x") == 255 * "x" + "…"


# Law 1: a flood costs what is shown of it, not what came.
@pytest.mark.parametrize("character", ["a", "\x1b", "\\"])
def test_the_cost_is_that_of_what_is_shown(character: str) -> None:
    flood = character * (4 * 1024 * 1024)
    for text in (flood, flood.encode()):
        tracemalloc.start()
        try:
            assert 250 < len(escape(text)) <= 256
            _, peak_octets = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak_octets < 256 * 1024


# Law 9: a peer's quotation marks must not end ours, and let it speak in our name.
def test_a_quotation_cannot_be_left() -> None:
    assert quote(b'x"; ok. "\n', 80) == r'"x\"; ok. \"\n"'.replace(r"\n", r"\x0a")


# And back. ---------------------------------------------------------------------------------------


@given(either)
@example(BROKEN)
def test_unescape_undoes_it(text: str | bytes) -> None:
    assert text_module.unescape(escape(text, ENOUGH)) == decode(text)


@given(either, st.integers(1, 40))
def test_what_was_cut_stays_as_it_was_shown(text: str | bytes, most: int) -> None:
    shown = escape(text, most)
    assert escape(text_module.unescape(shown), ENOUGH) == shown


def test_what_is_no_escape_is_left_alone() -> None:
    for text in (r"\Uffffffff", r"\q", "\\", r"\x4", r"\xAB"):
        assert text_module.unescape(text) == text


# Octets in lines. --------------------------------------------------------------------------------


def test_octets_are_dumped_in_lines_of_sixteen() -> None:
    assert list(dump(b"SSH-2.0-sshprobe\x1b[", 9, 0x18)) == [
        "0018  53 53 48 2d 32 2e 30 2d 73 73 68 70 72 6f 62 65  SSH-2.0-sshprobe",
        "0028  1b 5b                                            .[",
    ]


def test_equal_lines_are_dumped_once() -> None:
    _, *rest = dump(bytes(16 * 9) + b"!", 99)
    assert rest == ["*", f"0090  {'21':47}  !"]


def test_a_long_dump_is_cut_and_says_so() -> None:
    lines = list(dump(bytes(range(256)), 3))
    assert lines[-1] == "…     208 octets more"
    assert len(lines) == 4


@given(st.binary(max_size=200), st.integers(1, 20))
def test_a_dump_shows_printable_lines_that_fit_a_terminal(octets: bytes, most: int) -> None:
    for line in dump(octets, most):
        assert line.isprintable()
        assert len(line) <= 75
