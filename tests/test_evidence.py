"""Laws 1 and 5: what was seen is kept, and a flood costs no storage."""

import copy
import inspect
import pickle
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.budget import Stage, StageTime
from probe.evidence import Attempt, CallError, End, Evidence, Passage, Side
from probe.ssh.identification import Identification

LINES_KEPT = 16
OCTETS_KEPT = 512

OPENSSH = Identification(b"SSH-2.0-OpenSSH_10.5", b"2.0", b"OpenSSH_10.5", None)
MADE_WHEN_READ = {"stages", "transcript"}
ATTRIBUTES = sorted(
    MADE_WHEN_READ | {name for name in Evidence.__slots__ if not name.startswith("_")},
)


def attributes(evidence: Evidence) -> dict[str, object]:
    return {name: getattr(evidence, name) for name in ATTRIBUTES}


@pytest.mark.compares_tables
def test_the_docstring_names_every_attribute() -> None:
    assert Evidence.__doc__ is not None
    table = inspect.cleandoc(Evidence.__doc__).partition("Attributes:\n")[2]
    assert sorted(re.findall(r"^    (\w+): ", table, re.MULTILINE)) == ATTRIBUTES


def test_at_first_nothing_was_seen() -> None:
    evidence = Evidence("host.example", 22)
    assert (evidence.host, evidence.port, evidence.end) == ("host.example", 22, End.UNKNOWN)
    assert evidence.silent
    seen = attributes(evidence)
    assert not any(seen[name] for name in seen.keys() - {"host", "port", "end"})


def test_a_stream_of_the_caller_s_has_no_host_and_no_port() -> None:
    assert (Evidence().host, Evidence().port) == ("", 0)


# Octets. -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=8))
def test_all_octets_are_counted_and_the_first_512_are_kept(reads: list[bytes]) -> None:
    evidence = Evidence()
    for second, octets in enumerate(reads, 1):
        evidence.add_octets(octets, float(second))
    came = b"".join(reads)
    assert evidence.first_octets == came[:OCTETS_KEPT]
    assert evidence.octets_received == len(came)
    assert (evidence.first_octet_s, evidence.last_octet_s) == (1.0, len(reads))
    assert not evidence.silent


def test_an_octet_that_came_at_the_very_beginning_is_the_first() -> None:
    evidence = Evidence()
    evidence.add_octets(b"S", 0.0)
    evidence.add_octets(b"S", 1.0)
    assert (evidence.first_octet_s, evidence.last_octet_s) == (0.0, 1.0)


# V06, V07: octets and lines without end, and long ones.
def test_a_flood_costs_no_storage() -> None:
    evidence = Evidence()
    for _ in range(500):
        evidence.add_octets(8192 * b"A", 1.0)
        evidence.add_line_before(8191 * b"A")
    assert len(evidence.first_octets) == OCTETS_KEPT
    assert [len(line) for line in evidence.lines_before] == [OCTETS_KEPT] * LINES_KEPT
    assert evidence.lines_before_count == 500


# The last, too: it says why sshd closed (FIELD-NOTES 6.1).
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 1023])
def test_the_first_lines_are_kept_and_the_last(count: int) -> None:
    lines = [b"line %d" % number for number in range(count)]
    evidence = Evidence()
    for line in lines:
        evidence.add_line_before(line)
    kept = lines if count <= LINES_KEPT else [*lines[: LINES_KEPT - 1], lines[-1]]
    assert list(evidence.lines_before) == kept
    assert evidence.lines_before_count == count


# The server's last words: what is neither its identification string nor a packet. ---------------

SAID = {
    "nothing": (None, (), b"", b""),
    "a line": (None, (b"Welcome", b"Not allowed"), b"", b"Not allowed"),
    "a line, then empty ones": (None, (b"Not allowed", b"", b" \t"), b"", b"Not allowed"),
    "empty lines": (None, (b"", b" "), b"", b""),
    "a line without end": (None, (), b"Not allowed", b"Not allowed"),
    "a line and one without end": (None, (b"Welcome",), b"Not all", b"Not all"),
    "an identification string": (OPENSSH, (), b"", b""),
    "a line, then an identification string": (OPENSSH, (b"Welcome",), b"", b""),
    "text after it": (OPENSSH, (b"Welcome",), b"Protocol mismatch.\n", b"Protocol mismatch.\n"),
}


@pytest.mark.parametrize(("identification", "lines", "unread", "said"), SAID.values(), ids=SAID)
def test_last_words(
    identification: Identification | None,
    lines: tuple[bytes, ...],
    unread: bytes,
    said: bytes,
) -> None:
    evidence = Evidence()
    evidence.identification = identification
    for line in lines:
        evidence.add_line_before(line)
    evidence.unread_octets = unread
    assert evidence.last_words == said


# The transcript: what passed, and when; of much the first and the last (law 1). -------------------


def test_what_passed_is_kept_in_order_with_its_place_in_each_direction() -> None:
    evidence = Evidence()
    evidence.add_sent(b"SSH-2.0-x\r\n", 0.1)
    evidence.add_octets(b"SSH-", 0.2)
    evidence.add_octets(b"2.0-y\r\n", 0.3)
    evidence.add_sent(b"kexinit", 0.4)
    assert evidence.transcript == (
        Passage(0.1, Side.CLIENT, 0, 11, b"SSH-2.0-x\r\n"),
        Passage(0.2, Side.SERVER, 0, 4, b"SSH-"),
        Passage(0.3, Side.SERVER, 4, 7, b"2.0-y\r\n"),
        Passage(0.4, Side.CLIENT, 11, 7, b"kexinit"),
    )
    assert (evidence.octets_sent, evidence.octets_received) == (18, 11)


# N14, V03: an octet a segment, or a second.
@pytest.mark.parametrize("count", [31, 32, 33, 1000])
def test_the_first_passages_are_kept_and_the_last(count: int) -> None:
    evidence = Evidence()
    for number in range(count):
        evidence.add_octets(b"%d" % (number % 10), float(number))
    offsets = [passage.offset for passage in evidence.transcript]
    assert offsets == (list(range(count)) if count <= 32 else [*range(31), count - 1])


def test_of_long_passages_8_kib_are_kept_and_a_line_of_each() -> None:
    evidence = Evidence()
    for _ in range(40):
        evidence.add_octets(3000 * b"A", 1.0)
    kept = [len(passage.octets) for passage in evidence.transcript]
    assert kept[:4] == [3000, 3000, 2192, 16]
    assert set(kept[3:]) == {16}
    assert {passage.length for passage in evidence.transcript} == {3000}
    assert evidence.transcript[-1].offset == 39 * 3000


# The rest. ---------------------------------------------------------------------------------------


def test_failed_calls_and_attempts_are_kept_in_order() -> None:
    evidence = Evidence()
    evidence.add_error("send", 32, "Broken pipe")
    evidence.add_error("recv", None, "the stream broke")
    abandoned = Attempt("192.0.2.1", 0.0, 0.3, "abandoned")
    failed = Attempt("192.0.2.2", 0.25, 0.05, "failed", 111)
    evidence.add_attempt(abandoned)
    evidence.add_attempt(failed)
    assert evidence.errors == (
        CallError("send", 32, "Broken pipe"),
        CallError("recv", None, "the stream broke"),
    )
    assert evidence.attempts == (abandoned, failed)


def test_a_stage_is_found_by_its_name() -> None:
    probe = StageTime(Stage.PROBE, 0.0, 5.0, 10.0, completed=False)
    connect = StageTime(Stage.CONNECT, 0.0, 0.1, 4.0, completed=True)
    evidence = Evidence()
    evidence.stages = (probe, connect)
    assert evidence.stage(Stage.CONNECT) is connect
    assert evidence.stage(Stage.KEXINIT) is None
    assert evidence.stage(None) is None


@pytest.mark.parametrize(
    "copied",
    [lambda seen: pickle.loads(pickle.dumps(seen)), copy.copy, copy.deepcopy],  # noqa: S301 - our own
    ids=["pickle", "copy", "deepcopy"],
)
def test_evidence_can_be_copied_and_sent_to_another_process(
    copied: Callable[[Evidence], Evidence],
) -> None:
    evidence = Evidence("host.example", 22)
    evidence.add_octets(b"SSH-", 0.1)
    evidence.identification = OPENSSH
    evidence.whose = Stage.KEXINIT
    evidence.end = End.DEADLINE
    assert attributes(copied(evidence)) == attributes(evidence)
