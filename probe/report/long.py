"""The long form of a report: all that a person can act on, in 80 columns, with or without colour.

What a line says is said in its words: bars and order only repeat it, for the eye. So it can be read
aloud, and searched.
"""

from collections.abc import Callable, Iterator
from shlex import quote as quote_for_shell
from textwrap import wrap
from typing import Final

from probe import explanations, liveness
from probe.evidence import Evidence, Passage, Side, TcpInfo
from probe.explanations import HERE, Explanation
from probe.report.words import circumstances, say_attempt, say_disconnect, seconds
from probe.ssh.kexinit import OFFER, KexInit, Negotiated, hassh_server, negotiate
from probe.target import write_target
from probe.text import dump, escape, quote
from probe.verdict import Verdict

COLUMNS: Final = 80

_BAR_COLUMNS: Final = 20

_DUMPED_LINES: Final = 4
"""Lines of each passage that the transcript shows unless all of it is asked for."""

_NAMES_SHOWN: Final = 64
"""Names of a list that are shown: OpenSSH offers a dozen."""

_SIDES: Final = {Side.CLIENT: "we sent", Side.SERVER: "the server sent"}

_STATES: Final = {
    1: "established",
    2: "SYN sent",
    3: "SYN received",
    4: "FIN sent",
    5: "FIN sent and acknowledged",
    6: "waiting after both FINs",
    7: "closed",
    8: "the server sent FIN",
    9: "FIN sent after the server's",
    11: "FINs crossed",
}
"""Of ``include/net/tcp_states.h``, those that a connection can be in."""


def say(head: str, verdict: Verdict, seen: Evidence, *, whole: bool) -> Iterator[str]:
    """Say what was seen and what it means, in lines without their ends.

    Args:
        head: The first line.
        verdict: What it means.
        seen: The evidence.
        whole: Whether the transcript is shown as far as it was kept, and not only its beginnings.
    """
    yield head
    explanation = explanations.BY_CODE[verdict]
    yield from _section("", [explanation.sentence])
    yield from _section("What happened", circumstances(seen))
    yield from explain(explanation, escape(seen.host), seen.port)
    for title, say_it in _SECTIONS.items():
        yield from _section(title, say_it(seen))
    yield from _section(_TRANSCRIPT, _transcript(seen.transcript, whole=whole))


def explain(
    explanation: Explanation, host: str = "HOST", port: int | str = "PORT"
) -> Iterator[str]:
    """Say what a code means beyond its sentence, in lines without their ends.

    Args:
        explanation: Of the code.
        host: What stands for the server's host in commands, printable.
        port: What stands for its port.
    """
    yield from _section("How sure", [explanation.sure])
    yield from _section("What looks the same", (f"- {cause}" for cause in explanation.alike))
    yield from _section("For clients", filter(None, [explanation.clients]))
    yield from _section("What to do", filter(None, [explanation.remedy]))
    yield from _section("Where to look next", _steps(explanation, host, port))
    yield from _section("Where it is written", filter(None, [explanation.section]))
    shown_by = [f"  sshprobe servers show {explanation.shown_by}"] if explanation.shown_by else []
    yield from _section("A server that shows it", shown_by)


def _section(title: str, texts: Iterator[str] | list[str]) -> Iterator[str]:
    """Say a title and what is under it, wrapped; nothing if nothing is under it.

    A text that begins with white space is a line as it is.
    """
    indent = "  " if title else ""
    begun = False
    for text in texts:
        if not begun:
            yield ""
            yield from filter(None, [title])
            begun = True
        yield from [indent + text] if text[:1] == " " else wrap_text(text, indent)


def wrap_text(text: str, indent: str = "") -> list[str]:
    """Break a text into lines; those of an item, but not of a sentence, hang by two columns."""
    hang = "" if text.endswith(".") else "  "
    return wrap(
        text,
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_on_hyphens=False,
    )


def _steps(explanation: Explanation, host: str, port: int | str) -> Iterator[str]:
    for step in explanation.steps:
        yield f"{'here' if step.side == HERE else 'on the server'}, {step.why}:"
        command = step.command.format(
            host=quote_for_shell(host),
            port=port,
            target=quote_for_shell(write_target(host, port)),
        )
        yield f"  {command}"


# What was seen. ----------------------------------------------------------------------------------


def _stages(seen: Evidence) -> Iterator[str]:
    for time in seen.stages:
        spent_s = seconds(time.spent_s)
        ended = "done" if time.completed else "ran out" if time.stage is seen.whose else "cut short"
        bar = "#" * round(_BAR_COLUMNS * min(spent_s / time.limit_s, 1))
        yield f" {time.stage:15} {spent_s:7.3f} s of {time.limit_s:4g} s  {ended:9}  {bar}".rstrip()


def _addresses(seen: Evidence) -> Iterator[str]:
    yield from map(say_attempt, seen.attempts)
    tried = {attempt.address for attempt in seen.attempts}
    yield from (f"{address}: not tried" for address in seen.addresses if address not in tried)


def _sent_by_server(seen: Evidence) -> Iterator[str]:
    if seen.lines_before_count:
        yield f"lines before the identification string: {seen.lines_before_count}"
        yield from (f"  {quote(line, COLUMNS - 6)}" for line in seen.lines_before)
    if seen.identification is not None:
        text, protoversion, softwareversion, comments = seen.identification
        yield f"identification string: {escape(text)}"
        yield f"protoversion: {escape(protoversion)}"
        yield f"softwareversion: {escape(softwareversion)}"
        yield from [] if comments is None else [f"comments: {escape(comments)}"]
    if seen.messages_before:
        yield f"messages before KEXINIT: {seen.messages_before}"
    if seen.kexinit is not None:
        yield "KEXINIT: whole"
    if seen.disconnect is not None:
        yield say_disconnect(seen.disconnect)
    if seen.last_words:
        yield f"last words: {quote(seen.last_words)}"
    yield from _octets(seen)


def _octets(seen: Evidence) -> Iterator[str]:
    times = ""
    if seen.first_octet_s is not None and seen.last_octet_s is not None:
        times = f", from {seconds(seen.first_octet_s):.3f} s to {seconds(seen.last_octet_s):.3f} s"
    if seen.octets_sent or seen.octets_received:
        yield f"{seen.octets_received} octets{times}; we sent {seen.octets_sent}"


def _findings(seen: Evidence) -> Iterator[str]:
    violations = [] if seen.violation is None else [seen.violation]
    for rule, detail in (*violations, *seen.findings):
        yield f"{rule.code} ({rule.section})"
        yield f"  {rule.sentence}" if len(rule.sentence) < COLUMNS - 4 else rule.sentence
        yield from [f"  seen: {quote(detail, COLUMNS - 12)}"] if detail else []


def _algorithms(seen: Evidence) -> Iterator[str]:
    if seen.kexinit is None:
        return
    chosen = negotiate(OFFER, seen.kexinit.algorithms)
    for field, name in zip(Negotiated._fields, chosen, strict=True):
        yield f"{_words(field)}: {_choice(name)}"
    yield f"strict key exchange: {'' if seen.kexinit.offers_strict_kex else 'not '}offered"
    yield f"hasshServer: {hassh_server(seen.kexinit.algorithms)}"


def _choice(name: bytes | None) -> str:
    if name is None:
        return "nothing in common"
    return escape(name) or "none is needed: the cipher authenticates"


def _offers(seen: Evidence) -> Iterator[str]:
    if seen.kexinit is not None:
        for field, names in _lists(seen.kexinit):
            shown = [escape(name) for name in names[:_NAMES_SHOWN]]
            more = f", and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            yield f"{field}: {', '.join(shown) or '(empty)'}{more}"


def _lists(offer: KexInit) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """Give each list and its name; one for both directions if they are equal."""
    algorithms = offer.algorithms._asdict()
    for field, names in algorithms.items():
        to_server = field.replace("server_to_client", "client_to_server")
        to_client = field.replace("client_to_server", "server_to_client")
        if to_server == to_client or algorithms[to_server] != algorithms[to_client]:
            yield _words(field), names
        elif field == to_server:
            yield f"{_words(field.removesuffix('_client_to_server'))}, both ways", names


def _words(field: str) -> str:
    return field.replace("_", " ")


def _kernel(seen: Evidence) -> Iterator[str]:
    if seen.tcp is None:
        return
    tcp = seen.tcp
    yield liveness.say(tcp)
    yield f"state: {_STATES.get(tcp.state, f'number {tcp.state}')}"
    yield f"round trip time: {tcp.rtt_us / 1000:.3f} ms"
    yield f"path MTU: {tcp.path_mtu_octets} octets"
    yield f"segments that we sent again: {tcp.total_retransmits}"
    yield f"segments that it has not acknowledged: {tcp.unacked_segments}"
    yield f"keepalive probes that it has not answered: {tcp.keepalive_probes}"
    yield from _newer(tcp)


def _newer(tcp: TcpInfo) -> Iterator[str]:
    """Say what older kernels do not know."""
    if tcp.unsent_octets is not None:
        yield f"octets that wait to be sent: {tcp.unsent_octets}"
    if tcp.out_of_order_segments is not None:
        yield f"segments that came before a missing one: {tcp.out_of_order_segments}"
    if tcp.peer_window_octets is not None:
        yield f"octets that it would take: {tcp.peer_window_octets}"


_SECTIONS: Final[dict[str, Callable[[Evidence], Iterator[str]]]] = {
    "Stages": _stages,
    "Addresses": _addresses,
    "What the server sent": _sent_by_server,
    "Rules it broke": _findings,
    "What a current client and this server would use": _algorithms,
    "What the server offers": _offers,
    "What our kernel knows of the connection": _kernel,
}
_TRANSCRIPT: Final = "Transcript"


def _transcript(passages: tuple[Passage, ...], *, whole: bool) -> Iterator[str]:
    most_lines = 1 << 16 if whole else _DUMPED_LINES
    ended = dict.fromkeys(Side, 0)
    for at_s, side, offset, length, octets in passages:
        if offset > ended[side]:
            yield f"then {_SIDES[side]} {offset - ended[side]} octets that are not kept"
        ended[side] = offset + length
        yield f"{seconds(at_s):.3f} s: {_SIDES[side]} {length} octets"
        yield from (f"   {line}" for line in dump(octets, most_lines, offset))
        if length > len(octets):
            yield f"   …     {length - len(octets)} octets are not kept"
