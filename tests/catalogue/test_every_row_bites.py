"""Every row of the catalogue has been seen to bite: a row that everyone gets right proves nothing.

Each row names a naive client and what comes of it. Two careful clients, of which one goes on to
exchange keys, are the control: each naive one differs from one of them in one thing, and they get
every row right.
"""

import dataclasses
import inspect
import json

import pytest
import trio
from careful_client import Client, Exchanger, HopelessError, Refused, Throttled
from naive_clients import CLIENTS
from trio.testing import MockClock

from probe.catalogue import BY_NAME, SERVERS, Server, serve
from probe.catalogue.moves import Hold, ReadLine, ReadPacket, Send
from probe.catalogue.naive import NAIVE_CLIENTS, Outcome
from probe.catalogue.octets import NEWKEYS, kexdh_reply
from probe.cli import main

GIVEN_S = 10.0
"""What the clients are given, and what a probe has by default."""

ROUNDING_S = 1e-6

HOPELESS_S = 60.0
"""Who has waited this long waits for ever."""

SCREENFUL_CHARACTERS = 1024

OPENSSH = BY_NAME["openssh"]

EXCHANGES_KEYS = dataclasses.replace(
    OPENSSH,
    name="exchanges-keys",
    moves=(
        *OPENSSH.moves[:-1],
        *(ReadLine(), ReadPacket(), ReadPacket()),
        *(Send(kexdh_reply()), ReadPacket(), Send(NEWKEYS), Hold()),
    ),
)
"""As far as our clients look: none verifies the signature, which no row could make."""

every_server = pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)


def right_answer(client_type: type[Client], server: Server) -> Outcome:
    """No row exchanges keys, so for who wants that much none is healthy."""
    if server.is_lawful and not issubclass(client_type, Exchanger):
        return Outcome.HEALTHY
    throttled = server.expected.verdict == "throttled"
    return Outcome.THROTTLED if throttled else Outcome.UNHEALTHY


async def outcome_of(client_type: type[Client], server: Server) -> Outcome:
    async with serve(server) as (host, port):
        client = client_type(host, port)
        began_at = trio.current_time()
        with trio.move_on_after(HOPELESS_S) as hopeless:
            outcome = await answer_of(client)
        spent_s = trio.current_time() - began_at
    if hopeless.cancelled_caught:
        return Outcome.HUNG
    if not all(map(is_fit_to_be_shown, client.shown)):
        return Outcome.FOOLED
    if outcome is not Outcome.HUNG and spent_s > GIVEN_S + ROUNDING_S:
        return Outcome.LATE
    return outcome


async def answer_of(client: Client) -> Outcome:
    try:
        await client.check()
    except (Refused, OSError, trio.TooSlowError, trio.BrokenResourceError):
        return Outcome.UNHEALTHY
    except Throttled:
        return Outcome.THROTTLED
    except HopelessError:
        return Outcome.HUNG
    except Exception:  # noqa: BLE001 - whatever a client did not foresee
        return Outcome.CRASHED
    return Outcome.HEALTHY


def is_fit_to_be_shown(text: str) -> bool:
    return text.isprintable() and len(text) <= SCREENFUL_CHARACTERS


@every_server
async def test_a_row_bites(server: Server, autojump_clock: MockClock) -> None:
    bite = server.bites
    client_type = CLIENTS[bite.client]
    assert bite.outcome is not right_answer(client_type, server)
    assert await outcome_of(client_type, server) is bite.outcome


@every_server
@pytest.mark.parametrize("client_type", [Client, Exchanger])
async def test_a_careful_client_is_not_bitten(
    client_type: type[Client],
    server: Server,
    autojump_clock: MockClock,
) -> None:
    """So what bites a naive client is the one thing in which it differs."""
    assert await outcome_of(client_type, server) is right_answer(client_type, server)


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_naive_client_gets_a_good_server_right(
    name: str,
    autojump_clock: MockClock,
) -> None:
    """Otherwise it would be a man of straw: a client that always fails is bitten by every row."""
    good = [server for server in SERVERS if server.is_lawful and not server.expected.findings]
    for server in (EXCHANGES_KEYS, *good):
        if await outcome_of(CLIENTS[name], server) is Outcome.HEALTHY:
            return
    pytest.fail("it gets no good server right")


def test_every_naive_client_is_described_is_here_and_is_bitten() -> None:
    assert list(NAIVE_CLIENTS) == list(CLIENTS)
    assert {server.bites.client for server in SERVERS} == set(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_descriptions_agree(name: str) -> None:
    first_line = (inspect.getdoc(CLIENTS[name]) or "").partition("\n")[0]
    assert first_line == NAIVE_CLIENTS[name]


def test_the_list_says_what_every_row_bites(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["servers", "list"]) == 0
    _, *lines = capfd.readouterr().out.splitlines()
    for server, line in zip(SERVERS, lines, strict=True):
        assert f"  {server.bites.client}: {server.bites.outcome}  " in line


def test_the_list_in_json_says_so_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["servers", "list", "--json"]) == 0
    lines = capfd.readouterr().out.splitlines()
    listed = [json.loads(line)["bites"] for line in lines]
    bites = [server.bites for server in SERVERS]
    assert listed == [{"client": bite.client, "outcome": bite.outcome} for bite in bites]
