"""Every face shows what a server said on printable lines, capped and quoted; JSON reads back."""

from zlib import crc32

from fuzz.faces import LINES, OWN, show, validate
from fuzz.play import play, read_script
from probe.text import escape, quote, unescape

MOST = 40
ENOUGH = 1 << 20
VALIDATED = 16
"""One report in so many is held against the schema, because that takes longer than all the rest."""


def one_input(data: bytes) -> None:
    """Show the report on a server that plays a script, and the octets by themselves."""
    report = play(read_script(data))
    show(report, LINES | OWN)
    if crc32(data) % VALIDATED == 0:
        validate(report)
    shown, cut = escape(data, ENOUGH), escape(data, MOST)
    assert unescape(shown).encode(errors="surrogateescape") == data
    assert escape(unescape(cut), ENOUGH) == cut
    assert len(cut) <= MOST
    for text in (shown, cut, quote(data)):
        assert text.isprintable()
    assert '"' not in quote(data)[1:-1].replace(r"\"", "")
