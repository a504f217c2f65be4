"""The mutants: every row of every table that decides, changed or taken away.

A mutant is a function that changes the running program. It is applied in a process of its own, so
nothing is undone. ``TESTS`` says which tests must notice, table by table; tests that only compare a
table with another text of it are marked ``compares_tables`` and do not count.
"""

import math
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import trio

import probe.prober
from probe import (
    budget,
    evidence,
    expectation,
    fleet,
    lack,
    liveness,
    nagios,
    text,
    verdict,
    waiting,
)
from probe.conform import case, judge, talk, tap
from probe.net import dial, driver, machine, pace, stages, tcp, turns
from probe.report import words
from probe.ssh import handshake, kexinit, limits, rules

HUGE = 1 << 62


class Mutant(NamedTuple):
    """A change, the table that it changes, and why no test can notice, if none can."""

    table: str
    name: str
    apply: Callable[[], None]
    unkillable: str = ""


PROTOCOL = (
    "tests/ssh/test_ssh_handshake.py",
    "tests/ssh/test_ssh_limits.py",
    "tests/ssh/test_ssh_behaviours.py",
    "tests/ssh/test_ssh_kexinit.py",
    "tests/catalogue/test_catalogue.py",
)

TESTS = {
    "limits": PROTOCOL,
    "rules": PROTOCOL,
    "transitions": PROTOCOL,
    "stages": (
        "tests/net/test_net_stages.py",
        "tests/catalogue/test_catalogue.py",
        "tests/test_prober.py",
        "tests/net",
    ),
    "verdicts": (
        "tests/test_verdict.py",
        "tests/catalogue/test_catalogue.py",
        "tests/test_prober.py",
    ),
    "states": ("tests/test_verdict.py::test_each_verdict_has_its_state",),
    "liveness": ("tests/kernel/test_kernel_rules.py", "tests/test_verdict.py"),
    "evidence": ("tests/test_evidence.py", "tests/test_verdict.py", "tests/net"),
    "faces": ("tests/test_text.py", "tests/report"),
    "wishes": ("tests/test_expectation.py", "tests/test_nagios.py", "tests/test_waiting.py"),
    "fleet": (
        "tests/net/test_net_machine.py",
        "tests/fleet/test_fleet_local.py",
        "tests/fleet/test_fleet_pace.py",
        "tests/fleet/test_fleet.py",
    ),
    "conform": (
        "tests/conform/test_conform_judge.py",
        "tests/conform/test_conform_case.py",
        "tests/conform/test_conform_talk.py",
        "tests/conform/test_conform_tap.py",
    ),
    "conduct": (
        "tests/net",
        "tests/test_prober.py",
        "tests/catalogue/test_catalogue.py",
        "tests/cli/test_cli_check.py::test_seventeen_probes_of_one_server",
    ),
}
"""The fastest killers first."""


CONTROL = "(nothing is changed)"


def mutants() -> Iterator[Mutant]:
    """A control for each table, which must survive, and every mutant, table by table.

    Those whose tests take longest come first, so that no processor waits for another at the end.
    """
    for table in TESTS:
        yield Mutant(table, CONTROL, do_nothing)
    yield from of_conduct()
    yield from of_fleet()
    yield from of_stages()
    yield from of_limits()
    yield from of_rules()
    yield from of_transitions()
    yield from of_verdicts()
    yield from of_states()
    yield from of_liveness()
    yield from of_evidence()
    yield from of_wishes()
    yield from of_conform()


# Ways to change the program. --------------------------------------------------------------------


def replace(owner: object, name: str, value: object) -> None:
    """Give ``owner.name`` another value, and all who imported the old one by that name, too."""
    old = getattr(owner, name)
    setattr(owner, name, value)
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("probe") and vars(module).get(name) is old:
            setattr(module, name, value)


def take_away(owner: object, name: str, key: object) -> None:
    """Take a row out of a mapping or a tuple."""
    table: Any = getattr(owner, name)
    if isinstance(table, tuple):
        replace(owner, name, tuple(row for row in table if row is not key))
    else:
        rest = {other: value for other, value in table.items() if other != key}
        replace(owner, name, MappingProxyType(rest))


def do_nothing(*_: object) -> None:
    """Stand in for a method that is skipped."""


# Tables. ----------------------------------------------------------------------------------------

UNNOTICED_LIMITS: dict[str, str] = {}


def of_limits() -> Iterator[Mutant]:
    """Each cap and each law vanishes; what has a lower bound loses it."""
    for name in vars(limits):
        if name.isupper():
            least = name.endswith(("LEAST", "LEAST_OCTETS"))
            value = 0 if least else HUGE
            if name in ("PACKET_BLOCK_OCTETS", "COOKIE_OCTETS"):
                value = 1  # a format, not a limit: any other figure will do
            change = partial(replace, limits, name, value)
            yield Mutant("limits", f"{name} = {value}", change)


def of_rules() -> Iterator[Mutant]:
    """Each finding is never noted; each violation is about something else."""
    note = rules.Findings.note
    for rule in rules.FINDINGS:
        yield Mutant("rules", f"never note {rule.code}", partial(never_note, note, rule.code))
    for name, rule in vars(rules).items():
        if rule in rules.VIOLATIONS:
            other = rule._replace(code="mutant", subject=other_subject(rule.subject))
            change = partial(replace, rules, name, other)
            yield Mutant("rules", f"{rule.code} is about {other.subject}", change)


def never_note(note: Callable[..., None], code: str) -> None:
    def all_but_one(self: object, rule: rules.Rule, detail: str | bytes = "") -> None:
        if rule.code != code:
            note(self, rule, detail)

    replace(rules.Findings, "note", all_but_one)


def other_subject(subject: rules.Subject) -> rules.Subject:
    subjects = list(rules.Subject)
    return subjects[(subjects.index(subject) + 1) % len(subjects)]


def of_transitions() -> Iterator[Mutant]:
    """Each transition and each decoder is gone; the machine forgets to count or to end."""
    for key in handshake.TRANSITIONS:
        state, event = key
        change = partial(take_away, handshake, "TRANSITIONS", key)
        yield Mutant("transitions", f"no {event.__name__} in {state.value}", change)
    for number in handshake.DECODERS:
        change = partial(take_away, handshake, "DECODERS", number)
        yield Mutant("transitions", f"no decoder of message {int(number)}", change)
    for method in ("_count_line", "_count_packet", "_judge_order", "receive_eof"):
        change = partial(replace, handshake.Handshake, method, do_nothing)
        yield Mutant("transitions", f"Handshake.{method} does nothing", change)
    yield Mutant(
        "transitions",
        "an offer may lack anything",
        partial(replace, kexinit, "_judge_offer", lambda _: ()),
    )
    roomy = partial(replace, handshake.Handshake, "_room_octets", lambda _: HUGE)
    yield Mutant("transitions", "a handshake may take any number of octets", roomy)
    yield Mutant("transitions", "no cipher is AEAD", partial(replace, kexinit, "AEAD_CIPHERS", ()))


def of_stages() -> Iterator[Mutant]:
    """Each limit of a stage becomes infinite; the ledger errs; an expiry goes unsaid."""
    for row in budget.STAGES:
        yield Mutant("stages", f"{row.stage} has no limit", partial(unlimit, row))
    yield Mutant(
        "stages", "ties go to the innermost", partial(replace, budget.Ledger, "whose", tie)
    )
    never_left = partial(replace, budget.Ledger, "leave", do_nothing)
    yield Mutant("stages", "no stage is ever left", never_left)
    unsaid = partial(setattr, stages, "Expired", type("Unsaid", (Exception,), {}))
    yield Mutant("stages", "an expiry is another exception", unsaid)


def unlimit(row: budget.StageRow) -> None:
    init = budget.Budget.__init__

    def forget(limits: budget.Budget) -> None:
        limits._limits_s[row.stage] = math.inf  # noqa: SLF001 - mutants know no privacy

    def forgetful(self: budget.Budget, *whole_s: float, **inner_s: float) -> None:
        init(self, *whole_s, **inner_s)
        forget(self)

    replace(budget.Budget, "__init__", forgetful)
    forget(probe.prober.DEFAULT_BUDGET)


def tie(self: budget.Ledger) -> budget.Stage | None:
    deadlines_s = self._deadlines_s
    return min(reversed(deadlines_s), key=deadlines_s.__getitem__, default=None)


def of_verdicts() -> Iterator[Mutant]:
    """Each verdict's row, each errno, signature and text is gone."""
    for row in verdict.VERDICTS:
        yield Mutant("verdicts", f"no {row.verdict}", partial(take_away, verdict, "VERDICTS", row))
    for errno in verdict.ERRNOS:
        yield Mutant("verdicts", f"no errno {errno}", partial(take_away, verdict, "ERRNOS", errno))
    for signature in verdict.SIGNATURES:
        change = partial(take_away, verdict, "SIGNATURES", signature)
        yield Mutant("verdicts", f"{signature[0]} is not recognised", change)
    for said in verdict.THROTTLED_TEXTS:
        change = partial(take_away, verdict, "THROTTLED_TEXTS", said)
        yield Mutant("verdicts", f"«{said.decode()}» is not recognised", change)


def of_states() -> Iterator[Mutant]:
    for row in verdict.VERDICTS:
        yield Mutant("states", f"{row.verdict} has another state", partial(restate, row))


def restate(row: verdict.VerdictRow) -> None:
    states = list(verdict.State)
    other = states[(states.index(row.state) + 1) % len(states)]
    replace(verdict, "ROWS", verdict.ROWS | {row.verdict: row._replace(state=other)})


def of_liveness() -> Iterator[Mutant]:
    """Each row of the rules on the kernel's evidence is gone, each threshold another."""
    for number, row in enumerate(liveness.LIVENESS[:-1], 1):
        change = partial(take_away, liveness, "LIVENESS", row)
        yield Mutant("liveness", f"no row {number} of LIVENESS", change)
    for name in ("GONE_RETRANSMITS", "GONE_PROBES"):
        figure = getattr(liveness, name)
        for other in (figure - 1, figure + 1):
            change = partial(replace, liveness, name, other)
            yield Mutant("liveness", f"{name} = {other}", change)
    change = partial(replace, liveness, "ACK_DELAY_MS", 0)
    yield Mutant("liveness", "ACK_DELAY_MS = 0", change)
    for name in ("is_gone", "is_shut"):
        change = partial(replace, liveness, name, lambda _: False)
        yield Mutant("liveness", f"{name} says no", change)


def of_evidence() -> Iterator[Mutant]:
    """What is kept grows without bound; what is shown is not escaped or not cut."""
    for name in ("KEPT_LINES", "KEPT_OCTETS", "KEPT_PASSAGES", "KEPT_TRANSCRIPT_OCTETS"):
        yield Mutant("evidence", f"{name} is huge", partial(replace, evidence, name, HUGE))
    for method in ("add_octets", "add_sent", "add_line_before", "add_error", "add_attempt"):
        change = partial(replace, evidence.Evidence, method, do_nothing)
        yield Mutant("evidence", f"Evidence.{method} does nothing", change)
    raw = partial(replace, text, "escape", lambda octets, most=HUGE: str(octets)[:most])
    yield Mutant("faces", "text of peers is not escaped", raw)
    yield Mutant("faces", "text of peers is not cut", uncut)
    unsaid = partial(replace, words, "circumstances", lambda _: ())
    yield Mutant("faces", "the error is not said", unsaid)


def uncut() -> None:
    escape = text.escape
    replace(text, "escape", lambda octets, most=0: escape(octets, max(most, 1 << 20)))


def of_wishes() -> Iterator[Mutant]:
    """What a caller expects, a monitor's thresholds and the pauses of a wait are others."""
    for kind, fields in expectation.KINDS.items():
        for field in fields:
            rest = tuple(other for other in fields if other != field)
            kinds = {**expectation.KINDS, kind: rest}
            change = partial(replace, expectation, "KINDS", kinds)
            yield Mutant("wishes", f"{kind} is not {field}", change)
    for owner, method in (
        (expectation, "_assess_offer"),
        (expectation, "_assess_findings"),
        (nagios, "_assess_times"),
    ):
        change = partial(replace, owner, method, lambda *_: ())
        yield Mutant("wishes", f"{method} finds nothing", change)
    fine = expectation.Assessment(verdict.State.OK)
    change = partial(replace, expectation, "_assess_verdict", lambda *_: fine)
    yield Mutant("wishes", "any verdict is as expected", change)
    for answer in (True, False):
        change = partial(replace, nagios.Range, "alerts", lambda *_, answer=answer: answer)
        yield Mutant("wishes", f"a range alerts: {answer}", change)
    yield Mutant("wishes", "bars stay", partial(replace, nagios, "_barless", lambda line: line))
    for stage in nagios.LABELS:
        yield Mutant("wishes", f"no label of {stage}", partial(take_away, nagios, "LABELS", stage))
    for name in ("PAGE", "ALL", "MORE"):
        yield Mutant("wishes", f"{name} is never", partial(replace, nagios, name, HUGE))
    yield from of_waiting()


def of_waiting() -> Iterator[Mutant]:
    for name, value in {
        "SHORTEST_PAUSE_S": 0.1,
        "LONGEST_PAUSE_S": 60.0,
        "THROTTLED_PAUSE_S": 1.0,
        "BACK_OFF": 1.0,
        "JITTER": 0.0,
        "LEAST_PROBE_S": 0.0,
    }.items():
        yield Mutant("wishes", f"{name} = {value}", partial(replace, waiting, name, value))
    blind = partial(replace, waiting, "_was_cut", lambda *_: False)
    yield Mutant("wishes", "a probe that was cut is like any other", blind)


def of_fleet() -> Iterator[Mutant]:
    """What this machine lacks is the server's fault; starts are not spread, nothing is bounded."""
    for name in ("LOCAL_ERRNOS", "_RESOLVER_TROUBLES"):
        rows = getattr(lack, name)
        for code in rows:
            change = partial(replace, lack, name, rows - {code})
            yield Mutant("fleet", f"{name} without {code}", change)
    for said in lack._LACKING_TEXTS:  # noqa: SLF001 - mutants know no privacy
        change = partial(take_away, lack, "_LACKING_TEXTS", said)
        yield Mutant("fleet", f"«{said}» is no lack", change)
    for name, value in {"BACK_OFF_S": (), "RESTING": 100_000}.items():
        yield Mutant("fleet", f"{name} = {value}", partial(replace, fleet, name, value))
    yield Mutant("fleet", "CATCH_UP_S = 60", partial(replace, turns, "CATCH_UP_S", 60.0))
    yield Mutant("fleet", "AHEAD_S = 60", partial(replace, fleet, "AHEAD_S", 60.0))
    for name in ("DESCRIPTORS_EACH", "SPARE_DESCRIPTORS"):
        yield Mutant("fleet", f"{name} = 0", partial(replace, machine, name, 0))


def of_conform() -> Iterator[Mutant]:
    """What is wrong with a client is not seen; what is right against a server is another."""
    for result in judge.RULES:
        change = partial(take_away, judge, "RULES", result)
        yield Mutant("conform", f"nothing is {result}", change)
    for right in case.Right:
        wrongs = judge._WRONGS | {right: judge._WRONGS[case.Right.EITHER]}  # noqa: SLF001 - as above
        if right is not case.Right.EITHER:
            change = partial(replace, judge, "_WRONGS", wrongs)
            yield Mutant("conform", f"whatever it says where it {right} is right", change)
    for heard in judge._WAITS:  # noqa: SLF001 - as above
        waits = judge._WAITS | {heard: "It waits."}  # noqa: SLF001 - as above
        change = partial(replace, judge, "_WAITS", waits)
        yield Mutant("conform", f"nothing is said of {heard.name}", change)
    for name in case._MAY_BE_REFUSED:  # noqa: SLF001 - as above
        rest = case._MAY_BE_REFUSED - {name}  # noqa: SLF001 - as above
        change = partial(replace, case, "_MAY_BE_REFUSED", rest)
        yield Mutant("conform", f"{name} must be borne", change)
    for owner, name, value in (
        (case, "_BEYOND_KEXINIT", frozenset()),
        (case, "_CATALOGUE_LIMIT_S", 0.0),
        (judge, "_LAST_THIRD", 1.0),
        (judge, "_GREETING_S", 0.0),
        (judge, "_SPINNING", math.inf),
        (talk, "KEY_EXCHANGE", range(256)),
        (talk, "_MOST_MESSAGES", 1),
    ):
        yield Mutant("conform", f"{name} = {value}", partial(replace, owner, name, value))
    quiet = partial(replace, case, "is_loud", lambda _: False)
    yield Mutant("conform", "no server is loud", quiet)
    silent = partial(replace, tap.Tap, "_client_went_on", lambda _: False)
    yield Mutant("conform", "a lawful server says no farewell", silent)
    hasty = partial(replace, tap, "read_server", lambda _: talk.Heard.KEXINIT)
    yield Mutant("conform", "a lawful server says farewell first", hasty)


def of_conduct() -> Iterator[Mutant]:
    """A close, a drain, a wait or a courtesy is skipped."""
    skipped = (
        (tcp.TcpStream, "close"),
        (tcp.TcpStream, "_drain"),
        (driver.Conversation, "conclude"),
    )
    for owner, method in skipped:
        change = partial(replace, owner, method, do_nothing)
        yield Mutant("conduct", f"{owner.__name__}.{method} does nothing", change)
    late = partial(replace, driver.Conversation, "_arrived_after_all", lambda *_: False)
    yield Mutant("conduct", "octets in the socket at a tie lose", late)
    yield Mutant("conduct", "losing sockets stay open", leave_open)
    friendly = partial(replace, dial, "_self_connected", lambda *_: 0)
    yield Mutant("conduct", "a socket connected to itself is fine", friendly)
    slow = partial(replace, dial, "CONNECTION_ATTEMPT_DELAY_S", 60.0)
    yield Mutant("conduct", "the next address waits for a minute", slow)
    shared = partial(
        replace, dial, "_resolver_limiter", trio.to_thread.current_default_thread_limiter
    )
    yield Mutant("conduct", "names resolve in everybody's limiter", shared)
    for defaults in ((0.0, pace.BURST), (pace.INTERVAL_S, HUGE)):
        change = partial(setattr, pace.Pace.__init__, "__defaults__", defaults)
        yield Mutant("conduct", f"interval_s, burst = {defaults}", change)


def leave_open() -> None:
    class Open(socket.socket):
        def close(self) -> None:
            kept.append(self.detach())

    kept: list[int] = []
    socket.socket = Open  # type: ignore[misc] # that is the mutation
