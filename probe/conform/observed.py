"""What was seen of a client in one case. No opinion: that is ``judge``."""

from dataclasses import dataclass
from typing import NamedTuple

from probe.evidence import Passage


class Talk(NamedTuple):
    """One connection of the client's, as the server saw it.

    Attributes:
        opened_s: When it was accepted, in seconds since the client started.
        last_octet_s: When the server last sent something; ``None`` if it never did.
        by_server: The first octets that the server sent.
        by_client: The first octets that the client sent.
        transcript: What passed, long conversations cut.
    """

    opened_s: float
    last_octet_s: float | None = None
    by_server: bytes = b""
    by_client: bytes = b""
    transcript: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """A client's run against one server. Times are in seconds since it started.

    Attributes:
        began_s: When its time began: that of a driver with its call, that of others when they
            connected, or with their start if nobody saw them connect.
        ended_s: When it ended, or its call returned; ``None`` if it was killed at the hard limit.
        killed_s: When it was killed, if it was.
        status: Its exit status, negative for a signal; ``None`` if it did not end by itself.
        succeeded: What it says itself; ``None`` if it does not say.
        is_cut_short: Whether a driver ended without saying that its call had returned.
        left: What lived on of it, in words.
        output: The last that it wrote.
        cpu_s: Seconds of CPU that it took.
        peak_octets: The most memory that it had.
        talks: Its connections, in order.
    """

    began_s: float = 0.0
    ended_s: float | None = None
    killed_s: float = 0.0
    status: int | None = None
    succeeded: bool | None = None
    is_cut_short: bool = False
    left: tuple[str, ...] = ()
    output: str = ""
    cpu_s: float = 0.0
    peak_octets: int = 0
    talks: tuple[Talk, ...] = ()

    @property
    def spent_s(self) -> float:
        """How long it took, or was alive until it was killed."""
        return (self.killed_s if self.ended_s is None else self.ended_s) - self.began_s
