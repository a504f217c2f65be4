"""Whatever a server says and when, the probe ends when and why the tables say, to the instant."""

from proof_faces import check

from fuzz.expected import expected_of
from fuzz.play import play, read_script


def one_input(data: bytes) -> None:
    """Play a script, and compare with what DESIGN's tables say of it."""
    script = read_script(data)
    report = play(script)
    seen = report.evidence
    expected = _, at_s, where, _ = expected_of(script)
    assert (seen.end, seen.spent_s, seen.where, seen.whose) == expected, (report.line(), expected)
    if script.face is check and where != "connect":
        assert seen.octets_received == script.server.octets_at(at_s)
