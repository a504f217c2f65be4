"""Law: for whatever was seen there is one judgement, and it names the fault."""

from dataclasses import replace

import pytest
from conform_pieces import case
from hypothesis import given
from hypothesis import strategies as st

from probe.catalogue import SERVERS, Level, Server
from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT
from probe.catalogue.octets import disconnect, kexinit, packet
from probe.conform.case import Kind, Right, case_of
from probe.conform.judge import Judgement, Result, judge
from probe.conform.observed import Observed, Talk

MARGIN_S = 1.0
HEARD_ALL = OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT
SAID = b"SSH-2.0-client\r\n"

TALK = Talk(opened_s=0.1, last_octet_s=0.1)
FAILED = Observed(began_s=0.1, ended_s=0.6, status=1, succeeded=False, talks=(TALK,))
SUCCEEDED = replace(FAILED, status=0, succeeded=True)
HUNG = replace(FAILED, ended_s=None, killed_s=3.1, status=None)


def judge_of(server: str, seen: Observed, kind: Kind = Kind.LOGIN) -> Judgement:
    return judge(case(server, kind), seen, MARGIN_S)


def talked(by_client: bytes, by_server: bytes = HEARD_ALL) -> Observed:
    return replace(FAILED, talks=(TALK._replace(by_server=by_server, by_client=by_client),))


# Passed. -----------------------------------------------------------------------------------------


def test_who_fails_in_time_against_a_fault_has_passed() -> None:
    judgement = judge_of("silent", FAILED)
    assert judgement == (
        Result.PASSED,
        None,
        "It said failure after 0.5 s, by its limit of 1 s.",
    )


def test_who_succeeds_at_a_lawful_server_has_passed() -> None:
    assert judge_of("openssh", SUCCEEDED, Kind.KEXINIT).result is Result.PASSED


@pytest.mark.parametrize("seen", [FAILED, SUCCEEDED])
def test_where_nobody_is_wrong_either_has_passed(seen: Observed) -> None:
    assert judge_of("no-common-kex", seen, Kind.KEXINIT).result is Result.PASSED


# Hung. -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_server", "words"),
    [
        (b"", "its limit, if it has one, ended with the TCP connect"),
        (b"SSH-", "identification string was not complete"),
        (OPENSSH_IDENTIFICATION, "its KEXINIT was not complete"),
        (HEARD_ALL, "nothing bounds the wait for key exchange"),
    ],
)
def test_who_hangs_is_told_what_it_waits_for(by_server: bytes, words: str) -> None:
    seen = replace(HUNG, talks=(TALK._replace(by_server=by_server),))
    result, level, why = judge_of("silent", seen)
    assert (result, level) == (Result.HUNG, Level.MUST)
    assert why.startswith("It was still running after 3.0 s; its limit was 1 s.")
    assert words in why
    assert "Octets still came" not in why
    assert "spins" not in why


@pytest.mark.parametrize(("last_s", "trickles"), [(3.0, True), (2.2, True), (1.9, False)])
def test_a_server_that_still_sent_in_the_last_third_trickles(
    last_s: float, *, trickles: bool
) -> None:
    seen = replace(HUNG, talks=(TALK._replace(by_server=b"S", last_octet_s=last_s),))
    assert ("Octets still came" in judge_of("silent", seen).why) is trickles


def test_a_server_that_has_only_greeted_does_not_trickle() -> None:
    late = Talk(opened_s=2.9, last_octet_s=3.0, by_server=OPENSSH_IDENTIFICATION)
    assert "Octets still came" not in judge_of("silent", replace(HUNG, talks=(late,))).why


def test_who_burns_time_is_told_that_it_spins() -> None:
    why = judge_of("silent", replace(HUNG, cpu_s=2.9)).why
    assert why.endswith("It took 2.9 s of CPU: it does not wait, it spins.")


def test_a_connection_that_no_server_took_is_told_as_that() -> None:
    assert "no server took the connection" in judge_of("never-accepts", replace(HUNG, talks=())).why


def test_who_hangs_without_having_connected_is_told_so() -> None:
    assert judge_of("silent", replace(HUNG, talks=())).why.endswith("It never connected.")


def test_to_hang_is_a_must_whatever_the_level_of_the_row() -> None:
    assert judge_of("no-common-kex", HUNG).level is Level.MUST


# Crashed, leaked, late. --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("Traceback (most recent call last):\n  File\nOSError: no\n", '"OSError: no"'),
        ("Traceback (most recent call last):\nOSError\nsshprobe: left threads=1", '"OSError"'),
        ("panic: runtime error\ngoroutine 1", "panic:"),
        ("thread 'main' panicked at src/main.rs", "panicked at"),
        ("sh: line 1: 12 Segmentation fault (core dumped)", "Segmentation fault"),
    ],
)
def test_a_program_that_says_it_crashed_has_crashed(output: str, said: str) -> None:
    result, level, why = judge_of("silent", replace(FAILED, output=f"hello\n{output}"))
    assert (result, level) == (Result.CRASHED, Level.MUST)
    assert said in why


@pytest.mark.parametrize(
    ("status", "name"), [(-11, "SIGSEGV"), (-6, "SIGABRT"), (-64, "SIGRTMAX"), (-99, "signal 99")]
)
def test_a_signal_is_a_crash(status: int, name: str) -> None:
    judgement = judge_of("silent", replace(FAILED, status=status))
    assert judgement == (Result.CRASHED, Level.MUST, f"It was killed by {name}.")


def test_a_driver_that_breaks_off_has_crashed() -> None:
    output = "sshprobe: calling\nImportError: no library\n"
    judgement = judge_of("silent", replace(FAILED, is_cut_short=True, output=output))
    assert judgement.result is Result.CRASHED
    assert judgement.why == (
        "It ended with status 1 and never said that its call returned; its output ends with"
        ' "ImportError: no library".'
    )


def test_what_lives_on_was_leaked() -> None:
    result, level, why = judge_of("silent", replace(FAILED, left=("a connection", "a process")))
    assert (result, level) == (Result.LEAKED, Level.MUST)
    assert "left behind: a connection; a process." in why


@pytest.mark.parametrize(
    ("spent_s", "result"), [(1.9, Result.PASSED), (2.0, Result.PASSED), (2.1, Result.LATE)]
)
def test_late_begins_after_limit_and_margin(spent_s: float, result: Result) -> None:
    seen = replace(FAILED, began_s=0.0, ended_s=spent_s)
    assert judge_of("silent", seen).result is result


def test_who_is_late_is_told_by_how_much_and_what_for() -> None:
    why = judge_of("silent", replace(FAILED, ended_s=2.6, cpu_s=2.4)).why
    assert why.startswith("It ended after 2.5 s; its limit was 1 s, and the margin 1 s. TCP was up")
    assert why.endswith("it spins.")


# Wrong. ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "seen", "kind", "level"),
    [
        ("silent", SUCCEEDED, Kind.KEXINIT, Level.MUST),
        ("silent", SUCCEEDED, Kind.LOGIN, Level.MUST),
        ("openssh", SUCCEEDED, Kind.LOGIN, Level.MUST),
        ("openssh", FAILED, Kind.KEXINIT, Level.MUST),
        ("name-of-65", FAILED, Kind.KEXINIT, Level.SHOULD),
        ("penalty-then-resets", SUCCEEDED, Kind.KEXINIT, Level.SHOULD),
    ],
)
def test_what_is_not_true_is_wrong_at_the_level_of_its_row(
    server: str, seen: Observed, kind: Kind, level: Level
) -> None:
    result, found, why = judge_of(server, seen, kind)
    assert (result, found) == (Result.WRONG, level)
    assert case(server).row.requirement in why


def test_who_never_connected_has_proved_nothing() -> None:
    judgement = judge_of("silent", replace(FAILED, talks=()))
    assert judgement.result is Result.WRONG
    assert "never connected" in judgement.why
    assert judge_of("never-accepts", replace(FAILED, talks=())).result is Result.PASSED


def test_who_does_not_say_what_came_of_it_is_wrong() -> None:
    assert judge_of("silent", replace(FAILED, succeeded=None)).result is Result.WRONG


KEXINIT = packet(kexinit())
GOES_ON = packet(b"\x1e" + bytes(36))


@pytest.mark.parametrize(
    ("by_client", "result"),
    [
        (SAID + KEXINIT + GOES_ON, Result.PASSED),
        (SAID + packet(kexinit(tail=b"\x01" + bytes(4))), Result.PASSED),
        (SAID + packet(kexinit(kex="nobody-knows@catalogue.example")), Result.PASSED),
        (SAID + KEXINIT, Result.WRONG),
        (SAID, Result.WRONG),
        (b"", Result.WRONG),
    ],
    ids=["goes on", "guessed", "shares no algorithm", "stops at KEXINIT", "stops", "is silent"],
)
def test_who_logs_in_must_get_past_the_kexinit_of_a_lawful_server(
    by_client: bytes, result: Result
) -> None:
    assert case("openssh").right is Right.GOES_ON
    assert judge_of("openssh", talked(by_client)).result is result


def test_the_words_with_which_it_left_are_told_and_escaped() -> None:
    bye = disconnect(3, b"no\x1b[31mmatch")
    why = judge_of("openssh", talked(SAID + KEXINIT + bye)).why
    assert r'with DISCONNECT: key exchange failed, "no\x1b[31mmatch".' in why
    odd = talked(SAID + KEXINIT + disconnect(77, b""))
    assert "no reason known" in judge_of("openssh", odd).why


# Whatever it was. --------------------------------------------------------------------------------

seconds = st.floats(0, 100)
talks = st.builds(
    Talk, seconds, st.none() | seconds, st.binary(max_size=40), st.binary(max_size=40)
)
observations = st.builds(
    Observed,
    began_s=seconds,
    ended_s=st.none() | seconds,
    killed_s=seconds,
    status=st.none() | st.integers(-70, 255),
    succeeded=st.none() | st.booleans(),
    is_cut_short=st.booleans(),
    left=st.lists(st.just("a connection to the server"), max_size=2).map(tuple),
    output=st.text(max_size=20),
    cpu_s=seconds,
    talks=st.lists(talks, max_size=2).map(tuple),
)


@given(st.sampled_from(SERVERS), st.sampled_from(Kind), observations)
def test_every_observation_is_judged(row: Server, kind: Kind, seen: Observed) -> None:
    result, level, why = judge(case_of(row, kind, 1.0), seen, MARGIN_S)
    assert why.isprintable()
    assert (result is Result.PASSED) is (level is None)
    assert (result is Result.HUNG) is (seen.ended_s is None)
