"""Where the RFC leaves no choice, asyncssh and paramiko read what we read; the rest is listed."""

from fuzz.disagreements import DISAGREEMENTS
from fuzz.peers import asyncssh_hears, paramiko_reads_offer, we_hear


def one_input(data: bytes) -> None:
    """Let all three hear a conversation."""
    ours, codes = we_hear(data)
    theirs = asyncssh_hears(data)
    if ours != theirs:
        assert excused("asyncssh", codes), (ours, theirs, codes)
    if ours.offer and (read := paramiko_reads_offer(ours.payloads[-1])) != ours.offer:
        assert excused("paramiko", codes), (ours, read, codes)


def excused(program: str, codes: set[str]) -> bool:
    """Whether a rule that we found broken is one that the program is known to see otherwise."""
    return any(row.code in codes for row in DISAGREEMENTS if row.program == program)
