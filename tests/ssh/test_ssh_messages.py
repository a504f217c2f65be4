"""RFC 4253 §11, RFC 8308: the messages that may come before KEXINIT."""

from collections.abc import Callable

import pytest

from probe.ssh import messages
from probe.ssh.messages import Debug, Disconnect, ExtInfo, Ignore, Message
from probe.ssh.rules import Findings

Decode = Callable[[bytes, Findings], Ignore | Debug | ExtInfo | Disconnect]


def decoded(decode: Decode, payload: bytes) -> tuple[object, set[str]]:
    findings = Findings()
    return decode(payload, findings), {finding.rule.code for finding in findings.seen()}


# R40, K22: each field that came whole is kept; what is missing is odd.
@pytest.mark.parametrize(
    ("payload", "event", "codes"),
    [
        (b"\x01\0\0\0\x0b\0\0\0\3bye\0\0\0\2en", Disconnect(11, b"bye"), set()),
        (b"\x01\0\0\0\x0c\0\0\0\0\0\0\0\0", Disconnect(12, b""), set()),
        (b"\x01\xff\xff\xff\xff\0\0\0\0\0\0\0\0", Disconnect(4294967295, b""), set()),
        (b"\x01\0\0\0\2\0\0\0\3bye\0\0\0\0 and more", Disconnect(2, b"bye"), set()),
        (b"\x01\0\0\0\7\0\0\0\4\x1b[2J\0\0\0\0", Disconnect(7, b"\x1b[2J"), set()),
        (b"\x01", Disconnect(None, b""), {"disconnect-truncated"}),
        (b"\x01\0\0\0", Disconnect(None, b""), {"disconnect-truncated"}),
        (b"\x01\0\0\0\2", Disconnect(2, b""), {"disconnect-truncated"}),
        (b"\x01\0\0\0\2\0\0\0\4bye", Disconnect(2, b""), {"disconnect-truncated"}),
        (b"\x01\0\0\0\2\0\0\0\3bye", Disconnect(2, b"bye"), {"disconnect-truncated"}),
        (b"\x01\0\0\0\2\0\0\0\3bye\0\0\0\1", Disconnect(2, b"bye"), {"disconnect-truncated"}),
    ],
)
def test_disconnect(payload: bytes, event: Disconnect, codes: set[str]) -> None:
    assert decoded(messages.decode_disconnect, payload) == (event, codes)


# R42, R43, K26: what they hold does not matter.
@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0" * 30000])
@pytest.mark.parametrize(
    ("decode", "number", "event", "codes"),
    [
        (messages.decode_ignore, b"\x02", Ignore(), set()),
        (messages.decode_debug, b"\x04", Debug(), set()),
        (messages.decode_ext_info, b"\x07", ExtInfo(), {"ext-info-before-newkeys"}),
    ],
    ids=["ignore", "debug", "ext-info"],
)
def test_messages_without_meaning_here(
    decode: Decode,
    number: bytes,
    event: object,
    codes: set[str],
    body: bytes,
) -> None:
    assert decoded(decode, number + body) == (event, codes)


# R28: RFC 4250 §4.1.2, RFC 8308 §2.3.
def test_message_numbers() -> None:
    assert {message.name: message.value for message in Message} == {
        "DISCONNECT": 1,
        "IGNORE": 2,
        "UNIMPLEMENTED": 3,
        "DEBUG": 4,
        "EXT_INFO": 7,
        "KEXINIT": 20,
    }


# R41: RFC 4250 §4.2.2 knows reason codes 1 to 15.
@pytest.mark.parametrize(
    ("reason_code", "text"),
    [
        (1, "host not allowed to connect"),
        (2, "protocol error"),
        (3, "key exchange failed"),
        (7, "service not available"),
        (8, "protocol version not supported"),
        (10, "connection lost"),
        (11, "by application"),
        (12, "too many connections"),
    ],
)
def test_reasons(reason_code: int, text: str) -> None:
    assert messages.REASONS[reason_code] == text
    assert set(messages.REASONS) == set(range(1, 16))
