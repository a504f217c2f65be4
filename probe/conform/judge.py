"""The judgement on a client in one case: total and pure, read from a table from the top."""

import re
from collections.abc import Callable
from enum import StrEnum
from signal import Signals
from typing import Final, NamedTuple

from probe.catalogue.moves import NeverAccept
from probe.catalogue.row import Level
from probe.conform.case import Case, Right
from probe.conform.observed import Observed, Talk
from probe.conform.talk import Heard, read_client, read_server, share_algorithms
from probe.ssh.messages import REASONS
from probe.text import quote


class Result(StrEnum):
    """What a client made of a case."""

    PASSED = "passed"
    HUNG = "hung"  # alive at the hard limit
    LATE = "late"  # it ended after its limit and the margin
    WRONG = "wrong"  # success against a fault, or failure against a lawful server
    CRASHED = "crashed"  # a signal, or a traceback
    LEAKED = "leaked"  # it ended, and its connection, threads or children live on


class Judgement(NamedTuple):
    """What came of a case.

    Attributes:
        result: The result.
        level: How much the client owes to the rule that it broke; ``None`` if it broke none.
        why: One sentence or several, for the author of the client.
    """

    result: Result
    level: Level | None
    why: str


def judge(case: Case, seen: Observed, margin_s: float) -> Judgement:
    """Judge what was seen of a client.

    Args:
        case: The server and what is right against it.
        seen: The client's run.
        margin_s: How much later than its limit it may end, in seconds.
    """
    for result, find in RULES.items():
        if why := find(case, seen, margin_s):
            level = case.row.level if result is Result.WRONG else Level.MUST
            return Judgement(result, level, why)
    return Judgement(Result.PASSED, None, _say_passed(case, seen))


# Each of these says what is the matter, or nothing. ----------------------------------------------


def _hung(case: Case, seen: Observed, _margin_s: float) -> str:
    if seen.ended_s is not None:
        return ""
    return (
        f"It was still running after {seen.spent_s:.1f} s; its limit was {case.limit_s:g} s."
        f" {_say_wait(case, seen)}{_say_spinning(seen)}"
    )


def _crashed(_case: Case, seen: Observed, _margin_s: float) -> str:
    if seen.status is not None and seen.status < 0:
        return f"It was killed by {_signal(-seen.status)}."
    if seen.is_cut_short:
        return (
            f"It ended with status {seen.status} and never said that its call returned; its output"
            f" ends with {quote(_last_line(seen.output))}."
        )
    if sign := _CRASH.search(seen.output):
        last = quote(_last_line(seen.output))
        return f"Its output has {quote(sign[0].strip())} in it, and ends with {last}."
    return ""


def _leaked(_case: Case, seen: Observed, _margin_s: float) -> str:
    if not seen.left:
        return ""
    return (
        f"It was back after {seen.spent_s:.1f} s and left behind: {'; '.join(seen.left)}."
        " Its caller was released, its work was not."
    )


def _late(case: Case, seen: Observed, margin_s: float) -> str:
    if seen.spent_s <= case.limit_s + margin_s:
        return ""
    return (
        f"It ended after {seen.spent_s:.1f} s; its limit was {case.limit_s:g} s, and the margin"
        f" {margin_s:g} s. {_say_wait(case, seen)}{_say_spinning(seen)}"
    )


def _wrong(case: Case, seen: Observed, _margin_s: float) -> str:
    if not seen.talks and not isinstance(case.row.moves[0], NeverAccept):
        return "It never connected to the server, so whatever it says has another cause."
    if seen.succeeded is None:
        return "It does not say whether it succeeded."
    return _WRONGS[case.right](case, seen)


RULES: Final[dict[Result, Callable[[Case, Observed, float], str]]] = {
    Result.HUNG: _hung,
    Result.CRASHED: _crashed,
    Result.LEAKED: _leaked,
    Result.LATE: _late,
    Result.WRONG: _wrong,
}
"""The first that has something to say decides."""


def _last_line(output: str) -> str:
    """Return the last line that is not one of a driver's own."""
    lines = [line for line in output.splitlines() if line and not line.startswith("sshprobe: ")]
    return lines[-1] if lines else ""


# What is wrong. ----------------------------------------------------------------------------------


def _should_succeed(case: Case, seen: Observed) -> str:
    return "" if seen.succeeded else f"It says failure of a lawful server. {case.row.requirement}"


def _should_fail(case: Case, seen: Observed) -> str:
    return (
        f"It says success of a server that fails. {case.row.requirement}" if seen.succeeded else ""
    )


def _should_go_on(case: Case, seen: Observed) -> str:
    if seen.succeeded:
        return (
            f"It says success, and no server of the suite lets anybody in. {case.row.requirement}"
        )
    clients = [read_client(talk.by_client) for talk in seen.talks]
    if any(client.went_on or client.guessed for client in clients):
        return ""
    talk, client = seen.talks[-1], clients[-1]
    if client.kexinit and not share_algorithms(client.kexinit, talk.by_server):
        return ""  # neither is to blame
    parting = "."
    if client.disconnect:
        code, description = client.disconnect
        reason = REASONS.get(code or 0, "no reason known")
        parting = f", with DISCONNECT: {reason}, {quote(description)}."
    return f"It left a lawful server before key exchange{parting} {case.row.requirement}"


_WRONGS: Final[dict[Right, Callable[[Case, Observed], str]]] = {
    Right.SUCCEEDS: _should_succeed,
    Right.FAILS: _should_fail,
    Right.GOES_ON: _should_go_on,
    Right.EITHER: lambda _case, _seen: "",
}


# Words. ------------------------------------------------------------------------------------------

_LAST_THIRD: Final = 1 / 3
"""A server that sent something in the last third of the time was still sending."""

_GREETING_S: Final = 1.0
"""What comes within so many seconds of connecting is how a server begins."""

_SPINNING: Final = 0.5
"""Seconds of CPU a second: who only waits takes next to none."""

_CRASH: Final = re.compile(
    r"^Traceback \(most recent call last\):"
    r"|^panic: "
    r"|^fatal error: "
    r"|^Exception in thread "
    r"|^thread '.*' panicked at "
    r"|^terminate called "
    r"|.*(?:Segmentation fault|AddressSanitizer|core dumped)",
    re.MULTILINE,
)
"""How the run-time systems of Python, Go, Java, Rust, C++ and C say that a program crashed."""

_WAITS: Final = {
    Heard.NOTHING: (
        "TCP was up and the server had said nothing: its limit, if it has one, ended with the TCP"
        " connect, and nothing bounds the wait for the identification string."
    ),
    Heard.OCTETS: (
        "The server's identification string was not complete: nothing bounds the wait for its end."
    ),
    Heard.IDENTIFICATION: (
        "The server had identified itself, and its KEXINIT was not complete: nothing bounds the"
        " wait for it."
    ),
    Heard.KEXINIT: "The server's KEXINIT was in: nothing bounds the wait for key exchange.",
}
"""What a client waits for that does not end, by what it has heard."""


def _say_wait(case: Case, seen: Observed) -> str:
    if not seen.talks:
        unseen = "The kernel completed the TCP handshake, and no server took the connection."
        return unseen if isinstance(case.row.moves[0], NeverAccept) else "It never connected."
    talk = seen.talks[-1]
    return _WAITS[read_server(talk.by_server)] + _say_trickle(talk, seen)


def _say_trickle(talk: Talk, seen: Observed) -> str:
    last_s = talk.last_octet_s or 0.0
    is_late = seen.began_s + seen.spent_s - last_s < _LAST_THIRD * seen.spent_s
    if not is_late or last_s - talk.opened_s < _GREETING_S:
        return ""
    return " Octets still came: a limit that begins anew with each of them never runs out."


def _say_spinning(seen: Observed) -> str:
    if seen.cpu_s < _SPINNING * seen.spent_s:
        return ""
    return f" It took {seen.cpu_s:.1f} s of CPU: it does not wait, it spins."


def _say_passed(case: Case, seen: Observed) -> str:
    said = "success" if seen.succeeded else "failure"
    return f"It said {said} after {seen.spent_s:.1f} s, by its limit of {case.limit_s:g} s."


def _signal(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
