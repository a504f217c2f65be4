"""What the tables of stages say of a server that is played: how a probe of it ends, and when."""

import reference
from proof_faces import LIMITS_S, PROBE_S, check

from fuzz.play import Script
from probe.evidence import End
from probe.ssh.kexinit import OFFER

Answer = tuple[End, float, str | None, str | None]
"""How it ended, when, where, and whose limit ran out."""

ENDS = {"kexinit": End.COMPLETE, "disconnect": End.DISCONNECT, "violation": End.VIOLATION}


def expected_of(script: Script) -> Answer:
    """Go through what arrives, and note what each passage completes."""
    server = script.server
    due = {"probe": PROBE_S, "connect": LIMITS_S["connect"]}
    if server.connected_s >= due["connect"]:
        return expired(due)
    del due["connect"]
    for stage in ("identification", "first-octet"):
        due[stage] = server.connected_s + LIMITS_S[stage]
    for at_s, octets in server.arrivals:
        if not in_time(script, at_s, due):
            return expired(due)
        answer = answer_after(server.says[:octets], at_s, due)
        if answer:
            return answer
        if server.has_sent("FIN", at_s) or server.has_sent("RST", at_s):
            return End.EOF if server.ends == "FIN" else End.BROKEN, at_s, [*due][-1], None
    return expired(due)


def answer_after(said: bytes, at_s: float, due: dict[str, float]) -> Answer | None:
    """What there is to say once ``said`` has come, or which stages run from then on."""
    if said:
        due.pop("first-octet", None)
    events = reference.Reading(said, OFFER).events
    if any(event[0] == "identification" for event in events) and due.pop("identification", 0):
        due["kexinit"] = at_s + LIMITS_S["kexinit"]
    kind = events[-1][0]
    where = None if kind == "kexinit" else [*due][-1]
    return None if kind == "closed" else (ENDS[str(kind)], at_s, where, None)


def in_time(script: Script, at_s: float, due: dict[str, float]) -> bool:
    """At a tie octets that are in the socket win; in a caller's stream nobody can see them."""
    return at_s < min(due.values()) or (at_s == min(due.values()) and script.face is check)


def expired(due: dict[str, float]) -> Answer:
    """The earliest limit ran out; of equal ones the outermost's."""
    whose = min(due, key=lambda stage: due[stage])
    return End.DEADLINE, due[whose], [*due][-1], whose
