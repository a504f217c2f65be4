"""What each row bites: naive clients, each with a defect that real programs have.

A row that every client gets right proves nothing. The clients themselves are in
``tests/catalogue/naive_clients.py``, with the programs that the defects were seen in.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What came of a client that asked a server whether it is healthy, and was given 10 s."""

    HEALTHY = "healthy"  # it says so
    UNHEALTHY = "unhealthy"  # it says so
    THROTTLED = "throttled"  # it says so
    LATE = "late"  # it says something, but after the 10 s
    HUNG = "hung"  # it waits for ever, or reads for ever
    CRASHED = "crashed"  # it fails in a way that it did not mean to
    FOOLED = "fooled"  # it shows control characters of the server, or a screenful of its text


@dataclass(frozen=True, slots=True)
class Bite:
    """A naive client that gets a row wrong, and how.

    Attributes:
        client: A name in ``NAIVE_CLIENTS``.
        outcome: What comes of it.
    """

    client: str
    outcome: Outcome

    def __str__(self) -> str:
        return f"{self.client}: {self.outcome}"


NAIVE_CLIENTS: Final = {
    # No limit, or one that does not hold.
    "patient": "Limits the TCP connect, and nothing after it.",
    "select-once": "Limits the wait for the first octet, and nothing after it.",
    "half-way": "Limits everything up to the identification string, and nothing after it.",
    "per-read": "Limits each read, and begins anew with each.",
    "per-step": "Limits each step, but not their sum.",
    "lingerer": "Waits without limit for the server to close as well.",
    "uncapped": "Puts no cap on lines, packets and octets.",
    "skipper": "Skips any packet, and without limit, until KEXINIT comes.",
    # It looks at too little.
    "connect-only": "Calls healthy what completes the TCP handshake.",
    "one-octet": "Calls healthy what sends an octet.",
    "substring": "Calls healthy what sends SSH-2.0- at any place.",
    "first-line": "Calls healthy what begins its first line with SSH-2.0-.",
    "any-version": "Calls healthy what begins its first line with SSH-.",
    # It believes too much.
    "trusting": "Believes every length, and takes for KEXINIT whatever has its number.",
    "signed": "Reads packet_length and padding_length as signed numbers.",
    "raw": "Shows a server's text as it came.",
    # It takes order and timing for granted.
    "impatient": "Gives up after a second.",
    "pager": "Calls down what refuses it once, whatever the reason given.",
    "listener": "Speaks only once the server has spoken.",
    "follower": "Sends KEXINIT only once it has the server's.",
    "one-read": "Takes what one read returns for a line.",
    "slurper": "Takes what has come after half a second, 4096 octets at most, for KEXINIT.",
    "discarder": "Drops what came in one segment with the identification string.",
    "kexinit-first": "Refuses every packet before KEXINIT.",
    "guess-waiter": "Waits for the guessed packet that KEXINIT announces.",
    # It bears less than it must, or than others do.
    "one-line": "Takes the first line for the identification string.",
    "few-lines": "Bears twenty lines.",
    "line-255": "Bears no line, of whichever kind, of more than 255 octets.",
    "small-buffer": "Has buffers as long as the law's longest texts, less one octet for a NUL.",
    "packet-35000": "Bears no packet of more than 35000 octets.",
    "crlf-only": "Knows no line end but CR LF.",
    "ascii": "Decodes as US-ASCII, and fails on anything else.",
    "no-minus": "Allows no minus in the softwareversion.",
    "stickler": "Refuses every deviation from the letter of the RFCs.",
    "zero-tail": "Takes for granted that KEXINIT ends in five zeros.",
    # It asks for more than life.
    "negotiator": "Calls unhealthy a server that shares no algorithm with it.",
    "antique": "Does the same, and knows the algorithms of 2018.",
    "auditor": "Calls unhealthy a server without strict key exchange.",
    # It goes on to exchange keys.
    "until-kexinit": "Limits everything up to KEXINIT, and nothing after it.",
    "seeker": "Skips any packet, and without limit, until the one comes that it waits for.",
    "answerer": "Answers any packet, and waits without limit until the answer is sent.",
    "gullible": "Believes every length, and goes on to exchange keys.",
    "bystander": "Waits for the end of the key exchange, and misses that of the connection.",
}
"""The naive clients that the rows name, and what is wrong with each."""
