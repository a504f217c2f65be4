"""What a caller expects of a server: verdicts, algorithms, findings."""

from typing import Any

import pytest
from evidence_pieces import KEXINIT, evidence, identified, ran_out, unconnected
from hypothesis import given
from hypothesis import strategies as st

from probe import Report, Stage, State, Verdict
from probe.evidence import End, Evidence
from probe.expectation import KINDS, Algorithm, Assessment, Expectation, assess, parse_algorithm
from probe.ssh import rules
from probe.ssh.kexinit import Algorithms
from probe.ssh.rules import Finding

OK = identified(end=End.COMPLETE, kexinit=KEXINIT)
SILENT = evidence(**ran_out(Stage.FIRST_OCTET))
REFUSED = evidence(**unconnected(111))
LOCAL = evidence(**unconnected(24))
FOUND = identified(
    end=End.COMPLETE,
    kexinit=KEXINIT,
    findings=(Finding(rules.STRICT_KEX_ABSENT), Finding(rules.NAME_TWICE)),
)


def assessed(seen: Evidence, **expected: Any) -> Assessment:  # noqa: ANN401 - of a field each
    return assess(Report(seen), Expectation(**expected))


# Verdicts. ---------------------------------------------------------------------------------------

VERDICTS = {
    "ok, nothing expected": (OK, set(), State.OK, ()),
    "silent, nothing expected": (SILENT, set(), State.CRITICAL, ()),
    "our own trouble, nothing expected": (LOCAL, set(), State.UNKNOWN, ()),
    "ok as expected": (OK, {"ok"}, State.OK, ()),
    "silent as expected": (SILENT, {"silent"}, State.OK, ("as expected",)),
    "one of several": (REFUSED, {"ok", "refused"}, State.OK, ("as expected",)),
    "ok, but refused expected": (OK, {"refused"}, State.CRITICAL, ("expected refused",)),
    "neither": (SILENT, {"refused", "ok"}, State.CRITICAL, ("expected ok or refused",)),
    "our own trouble tells nothing": (LOCAL, {"refused"}, State.UNKNOWN, ()),
    "our own trouble as expected": (LOCAL, {"local-error"}, State.OK, ("as expected",)),
}


@pytest.mark.parametrize(("seen", "verdicts", "state", "why"), VERDICTS.values(), ids=VERDICTS)
def test_verdicts(seen: Evidence, verdicts: set[str], state: State, why: tuple[str, ...]) -> None:
    expected = frozenset(map(Verdict, verdicts))
    assert assessed(seen, verdicts=expected) == Assessment(state, why)


@pytest.mark.parametrize(
    ("state", "is_success"),
    [(State.OK, True), (State.WARNING, True), (State.UNKNOWN, False), (State.CRITICAL, False)],
)
def test_a_warning_is_a_success(state: State, is_success: bool) -> None:  # noqa: FBT001 - a column
    assert Assessment(state).is_success is is_success


# Algorithms. -------------------------------------------------------------------------------------

REQUIRED = {
    "kex:curve25519-sha256": True,
    "kex:curve*": True,
    "kex:CURVE25519-sha256": False,  # RFC 4251 §6: case-sensitive
    "kex:curve": False,
    "host-key:ssh-ed25519": True,
    "host-key:curve25519-sha256": False,
    "encryption:aes128-ctr": True,
    "encryption:aes???-ctr": True,
    "mac:hmac-sha2-256": True,
    "mac:hmac-sha1": False,
    "compression:none": True,
}


@pytest.mark.parametrize("text", REQUIRED)
def test_what_must_be_offered_and_what_must_not(text: str) -> None:
    algorithm = parse_algorithm(text)
    is_offered = REQUIRED[text]
    unmet = () if is_offered else (f"{text} is required and not offered",)
    assert assessed(OK, required=(algorithm,)).reasons == unmet
    forbidden = assessed(OK, forbidden=(algorithm,))
    assert (forbidden.state is State.CRITICAL) is is_offered
    assert all(
        reason.startswith(f"{text} is forbidden and offered: ") for reason in forbidden.reasons
    )


def one_way(**lists: tuple[bytes, ...]) -> Evidence:
    offer = KEXINIT._replace(algorithms=KEXINIT.algorithms._replace(**lists))
    return identified(end=End.COMPLETE, kexinit=offer)


BOTH_WAYS = {
    "encryption_algorithms_client_to_server": "encryption",
    "encryption_algorithms_server_to_client": "encryption",
    "mac_algorithms_client_to_server": "mac",
    "mac_algorithms_server_to_client": "mac",
    "compression_algorithms_client_to_server": "compression",
    "compression_algorithms_server_to_client": "compression",
}


# RFC 4253 §7.1: the directions are negotiated apart.
@pytest.mark.parametrize(("field", "kind"), BOTH_WAYS.items(), ids=BOTH_WAYS)
def test_it_must_be_offered_both_ways_and_may_be_offered_neither_way(field: str, kind: str) -> None:
    seen = one_way(**{field: (b"special",)})
    algorithm = (Algorithm(kind, "special"),)
    assert assessed(seen, required=algorithm).state is State.CRITICAL
    assert assessed(seen, forbidden=algorithm).state is State.CRITICAL
    assert assessed(seen, forbidden=(Algorithm(kind, "other"),)).state is State.OK


def test_without_kexinit_the_verdict_alone_decides() -> None:
    wishes = {"required": (Algorithm("kex", "x"),), "forbidden": (Algorithm("kex", "*"),)}
    assert assessed(SILENT, **wishes) == Assessment(State.CRITICAL)
    assert assessed(LOCAL, **wishes) == Assessment(State.UNKNOWN)


# Law 9: names are the server's.
def test_hostile_names_are_escaped_and_few() -> None:
    names = tuple(b"\x1b[%dm" % number for number in range(20))
    [reason] = assessed(one_way(kex_algorithms=names), forbidden=(Algorithm("kex", "*"),)).reasons
    assert reason.isprintable()
    assert reason.endswith("\\x1b[3m and 16 more")


@given(st.text(max_size=20) | st.builds("{}:{}".format, st.sampled_from(list(KINDS)), st.text()))
def test_an_algorithm_is_read_or_refused(text: str) -> None:
    kind, _, name = text.partition(":")
    if kind in KINDS and name:
        algorithm = parse_algorithm(text)
        assert algorithm == (kind, name)
        assert str(algorithm).isprintable()
    else:
        with pytest.raises(ValueError, match="write KIND:NAME"):
            parse_algorithm(text)


@pytest.mark.parametrize("text", ["", "kex", "kex:", ":x", "cipher:x", "KEX:x"])
def test_what_is_no_algorithm(text: str) -> None:
    with pytest.raises(ValueError, match="kex, host-key, encryption, mac, compression"):
        parse_algorithm(text)


@pytest.mark.compares_tables
def test_the_kinds_are_the_lists_of_kexinit_but_languages() -> None:
    assert [name for names in KINDS.values() for name in names] == list(Algorithms._fields[:8])


# Findings. ---------------------------------------------------------------------------------------


def test_findings_can_be_a_warning() -> None:
    codes = frozenset(["strict-kex-absent", "reserved-not-zero"])
    warned = Assessment(State.WARNING, ("finding strict-kex-absent",))
    assert assessed(FOUND, warn_on=codes) == warned
    assert assessed(FOUND, warn_on=frozenset(["name-empty"])) == Assessment(State.OK)


def test_the_worst_decides_and_all_is_said() -> None:
    result = assessed(
        FOUND,
        verdicts=frozenset([Verdict.OK]),
        required=(Algorithm("kex", "x"),),
        warn_on=frozenset(["name-twice"]),
    )
    assert result.state is State.CRITICAL
    assert result.reasons == ("kex:x is required and not offered", "finding name-twice")
