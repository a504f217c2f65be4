"""HTTP, the life of the service, its insides and its pages: every wait of it is bounded."""

import logging
import signal
import socket
import tomllib
from http import HTTPStatus
from pathlib import Path

import pytest
import trio
from exporter_pieces import (
    HOST,
    Response,
    Running,
    allowing,
    exporter,
    read,
    read_all,
    serving,
)
from trio.testing import MockClock

from probe.catalogue import serve
from probe.exporter import insides, page, permits, server, service
from probe.exporter.config import (
    ALLOW_KEYS,
    DEFAULT,
    EXPORTER_KEYS,
    MODULE_KEYS,
    parse_config,
)
from probe.exporter.files import FILES, read_file
from probe.exporter.routes import ROUTES
from probe.exporter.web import Answer, Request, is_ours

MEGABYTE = 1 << 20

HEALTH = f"GET /healthz HTTP/1.1\r\nhost: {HOST}\r\n".encode()


async def seconds_until_closed(stream: trio.SocketStream) -> float:
    began = trio.current_time()
    await read_all(stream)
    return trio.current_time() - began


def answer_with_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one page be as large as pages get."""

    async def answer(_own: object, _request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        return Answer(b"x" * MEGABYTE)

    routes = (ROUTES[0]._replace(path="/large", answer=answer), *ROUTES)
    monkeypatch.setattr("probe.exporter.routes.ROUTES", routes)


async def connect_and_stop_reading(running: Running, request: bytes) -> trio.SocketStream:
    """Ask for something, and let the kernel take as little of it as it does."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    await stream.socket.connect(running.address)
    await stream.send_all(request)
    return stream


async def drip(stream: trio.SocketStream, octets: bytes, pause_s: float) -> None:
    for octet in octets:
        await stream.send_all(bytes([octet]))
        await trio.sleep(pause_s)


# Waits. ------------------------------------------------------------------------------------------


async def test_who_stops_reading_a_large_answer_is_dropped_within_5_s(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    answer_with_a_megabyte(monkeypatch)
    request = HEALTH.replace(b"/healthz", b"/large") + b"\r\n"
    async with exporter() as running:
        stopped = await connect_and_stop_reading(running, request)
        await trio.sleep(4.9)
        assert running.service.insides.connections.connections == 1
        await trio.sleep(0.2)
        assert running.service.insides.connections.connections == 0
        assert running.service.insides.connections.dropped["send"] == 1
        assert len((await running.send(request)).text) == MEGABYTE
        await stopped.aclose()


async def test_who_reads_a_large_answer_too_slowly_is_dropped_within_5_s(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The limit is that of the whole answer: an octet now and then does not buy time."""
    answer_with_a_megabyte(monkeypatch)
    request = HEALTH.replace(b"/healthz", b"/large") + b"\r\n"
    async with exporter() as running:
        slow = await connect_and_stop_reading(running, request)
        for _ in range(10):
            await trio.sleep(0.51)
            await slow.receive_some(100)
        assert running.service.insides.connections.connections == 0
        await slow.aclose()


async def test_who_stops_reading_delays_the_end_by_5_s_at_the_most(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    answer_with_a_megabyte(monkeypatch)
    async with exporter() as running:
        request = HEALTH.replace(b"/healthz", b"/large") + b"\r\n"
        stopped = await connect_and_stop_reading(running, request)
        await trio.sleep(1)
        began = trio.current_time()
        signal.raise_signal(signal.SIGTERM)
        await running.ended.wait()
        assert trio.current_time() - began == pytest.approx(4, abs=0.3)
        await stopped.aclose()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", HEALTH])
async def test_who_asks_too_slowly_is_dropped_within_5_s(
    sent: bytes, autojump_clock: MockClock
) -> None:
    async with exporter() as running, await running.connect() as stream:
        await stream.send_all(sent)
        assert await seconds_until_closed(stream) == pytest.approx(5, abs=0.3)
        assert running.service.insides.connections.dropped["head"] == 1


async def test_a_head_in_drips_has_no_more_time(autojump_clock: MockClock) -> None:
    async with exporter() as running, await running.connect() as stream:
        with pytest.raises(trio.BrokenResourceError):
            await drip(stream, HEALTH, 0.4)
        assert trio.current_time() < 7


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"SSH-2.0-OpenSSH_10.5\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (HEALTH + b"x: " + b"y" * 20_000, 431),
        (HEALTH.replace(b"GET", b"POST") + b"\r\n", 501),
        (HEALTH.replace(b"/healthz", b"/nowhere") + b"\r\n", 404),
        (HEALTH.replace(HOST.encode(), b"evil.example") + b"\r\n", 421),
        (HEALTH.replace(b"/healthz", b"/debug/tasks") + b"\r\n", 404),
        (HEALTH + b"upgrade: h2c\r\nconnection: upgrade\r\n\r\n", 200),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421),
    ],
)
async def test_what_is_no_request_for_us_is_refused(
    request_octets: bytes, status: int, autojump_clock: MockClock
) -> None:
    async with exporter() as running:
        assert (await running.send(request_octets)).status == status
        assert (await running.get("/healthz")).status == 200


async def test_a_body_without_end_costs_nothing(autojump_clock: MockClock) -> None:
    """The answer comes at once, and is not lost to a reset; then the connection is closed."""
    async with exporter() as running, await running.connect() as stream:
        await stream.send_all(HEALTH + b"content-length: 1000000000\r\n\r\n" + b"x" * 1000)
        octets = b""
        while b"budget\n" not in octets:
            octets += await stream.receive_some()
        assert read(octets).status == 200
        with pytest.raises(trio.BrokenResourceError):
            await drip(stream, b"x" * 100_000, 0.01)
        assert trio.current_time() < 1.5


async def test_an_answer_waits_a_second_for_its_readers_end(autojump_clock: MockClock) -> None:
    async with exporter() as running, await running.connect() as stream:
        await stream.send_all(HEALTH + b"\r\n")
        assert (read(await read_all(stream))).status == 200
        await trio.sleep(0.9)
        assert running.service.insides.connections.connections == 1
        await trio.sleep(0.2)
        assert running.service.insides.connections.connections == 0


async def test_who_resets_is_counted_and_ends_nothing(autojump_clock: MockClock) -> None:
    async with exporter() as running:
        for _ in range(2):
            stream = await running.connect()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await trio.sleep(0.1)
            stream.socket.close()
            await trio.sleep(0.1)
        assert running.service.insides.connections.dropped["lost"] == 2
        assert (await running.get("/healthz")).status == 200


async def test_only_so_many_connections_are_open(autojump_clock: MockClock) -> None:
    async with exporter("exporter.max_connections = 2") as running:
        held = [await running.connect() for _ in range(2)]
        await trio.sleep(0.1)
        async with await running.connect() as stream:
            assert await seconds_until_closed(stream) < 0.1
        await held.pop().aclose()
        await trio.sleep(0.1)
        metrics = (await running.get("/metrics")).samples()
        await held.pop().aclose()
    assert metrics['sshprobe_exporter_dropped_connections_total{reason="full"}'] == 1
    assert metrics["sshprobe_exporter_connections"] == 2


async def test_head_has_the_headers_alone(autojump_clock: MockClock) -> None:
    async with exporter() as running, await running.connect() as stream:
        await stream.send_all(HEALTH.replace(b"GET", b"HEAD") + b"\r\n")
        octets = await read_all(stream)
    assert octets.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 43\r\n" in octets.lower()
    assert octets.endswith(b"\r\n\r\n")


async def test_a_bug_in_a_handler_is_500(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    def fail() -> bytes:
        message = "a bug"
        raise RuntimeError(message)

    monkeypatch.setattr(page, "style", fail)
    with caplog.at_level(logging.ERROR, "probe"):
        async with exporter() as running:
            assert (await running.get("/style.css")).status == 500
            assert (await running.get("/")).status == 200
    assert "RuntimeError: a bug" in caplog.text


# The Host header. --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_served"),
    [
        ("localhost", True),
        ("LOCALHOST:9822", True),
        ("127.0.0.1:9822", True),
        ("[::1]", True),
        ("[::1]:9822", True),
        ("192.0.2.1", True),
        ("exporter.example:9822", True),
        ("evil.example", False),
        ("exporter.example.evil", False),
        ("127.0.0.1.evil", False),
        ("localhost:evil", False),
        ("", False),
    ],
)
def test_only_numeric_hosts_and_listed_names_are_served(host: str, is_served: bool) -> None:  # noqa: FBT001
    """Else a page could make its own name resolve to this machine, and read what we answer."""
    assert is_ours(host, ("exporter.example",)) is is_served


# Signals. ----------------------------------------------------------------------------------------


async def test_scrapes_in_flight_are_answered_before_the_end(autojump_clock: MockClock) -> None:
    answers: list[Response] = []

    async def scrape(running: Running, target: tuple[str, int]) -> None:
        answers.append(await running.scrape(target))

    async with serve("silent") as target, exporter(allowing(target)) as running:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scrape, running, target)
            await trio.sleep(1)
            signal.raise_signal(signal.SIGTERM)
            await trio.sleep(0.1)
            with pytest.raises(OSError, match="all attempts to connect"):
                await running.connect()
        await running.ended.wait()
    assert [answer.verdict() for answer in answers] == ["silent"]
    assert running.number == signal.SIGTERM
    assert running.said[-2:] == ["ending: requests that were begun are answered", "ended"]
    assert trio.current_time() < 5.5


async def test_the_end_comes_though_a_handler_never_ends(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def hang(_own: object, _request: Request) -> Answer:
        await trio.sleep_forever()
        raise AssertionError

    routes = (ROUTES[0]._replace(path="/hang", answer=hang), *ROUTES)
    monkeypatch.setattr("probe.exporter.routes.ROUTES", routes)
    async with exporter() as running, await running.connect() as stream:
        await stream.send_all(HEALTH.replace(b"/healthz", b"/hang") + b"\r\n")
        await trio.sleep(0.1)
        signal.raise_signal(signal.SIGINT)
        await running.ended.wait()
    assert trio.current_time() == pytest.approx(5 + 10 + 1 + 5 + 1, abs=0.5)


async def test_a_new_configuration_is_read_without_losing_a_request(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    file = tmp_path / "exporter.toml"
    answers: list[Response] = []

    async def scrape(running: Running, target: tuple[str, int], query: str = "") -> None:
        answers.append(await running.scrape(target, query))

    async with serve("silent") as target, exporter(allowing(target)) as running:
        running.service._path = file  # noqa: SLF001 - as if it had been started with it
        async with trio.open_nursery() as nursery:
            nursery.start_soon(scrape, running, target)
            await trio.sleep(1)
            file.write_text(f"{allowing(target)}[modules.new]\nlimit_s = 1")
            signal.raise_signal(signal.SIGHUP)
            await trio.sleep(0.1)
            nursery.start_soon(scrape, running, target, "&module=new")
        file.write_text("modules.new.limit_s = 0")
        signal.raise_signal(signal.SIGHUP)
        await trio.sleep(0.1)
        bad = (await running.get("/metrics")).samples()
        await scrape(running, target, "&module=new")
        running.service._path = None  # noqa: SLF001 - as above
        signal.raise_signal(signal.SIGHUP)
        await trio.sleep(0.1)
        good = (await running.get("/metrics")).samples()
    assert [answer.verdict() for answer in answers] == ["silent"] * 3
    assert [answer.samples()["probe_timeout_seconds"] for answer in answers] == [1, 10, 1]
    assert bad["sshprobe_exporter_config_last_reload_successful"] == 0
    assert good["sshprobe_exporter_config_last_reload_successful"] == 1
    told = f"the old configuration stays: {file}: modules.new.limit_s: must be a number"
    assert any(line.startswith(told) for line in running.said)


async def test_few_descriptors_are_said(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(service, "allow_descriptors", lambda _: False)
    async with exporter() as running:
        pass
    assert "this system allows fewer than the 4416 descriptors" in running.said[0]


# Insides. ----------------------------------------------------------------------------------------


async def test_own_metrics_are_there_before_they_are_known(autojump_clock: MockClock) -> None:
    async with exporter() as running:
        await trio.sleep(1)
        response = await running.get("/metrics")
    samples = response.samples()
    for row in insides.GAUGES:
        assert insides.PREFIX + row.name in samples
    assert samples['sshprobe_exporter_probes_total{verdict="silent"}'] == 0
    assert samples['sshprobe_exporter_refused_total{reason="forbidden"}'] == 0
    assert samples["sshprobe_exporter_probe_lateness_seconds_count"] == 0
    assert samples["sshprobe_exporter_event_loop_lag_seconds_count"] == 4
    assert samples["sshprobe_exporter_tasks"] > 3
    assert samples["sshprobe_exporter_sockets"] > 1
    assert samples["sshprobe_exporter_threads"] >= 1
    assert samples["sshprobe_exporter_abandoned_look_ups"] == 0


async def test_lateness_of_expired_limits_is_a_histogram(autojump_clock: MockClock) -> None:
    async with serve("silent") as target, exporter(allowing(target)) as running:
        await running.scrape(target)
        samples = (await running.get("/metrics")).samples()
    assert samples["sshprobe_exporter_probe_lateness_seconds_count"] == 1


async def test_sockets_are_0_where_nobody_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(insides, "DESCRIPTORS", tmp_path / "none")
    monkeypatch.setattr("sys.platform", "elsewhere")
    async with exporter() as running:
        samples = (await running.get("/metrics")).samples()
    assert samples["sshprobe_exporter_sockets"] == 0
    assert "process_open_fds" not in samples


async def test_tasks_are_shown_with_debug_alone(autojump_clock: MockClock) -> None:
    async with (
        serve("silent") as target,
        exporter(allowing(target), debug=True) as running,
        trio.open_nursery() as nursery,
    ):
        for module in ("ssh", "ssh_banner"):
            nursery.start_soon(running.scrape, target, f"&module={module}")
        await trio.sleep(1)
        counted = (await running.get("/debug/tasks")).text
        listed = (await running.get("/debug/tasks?full=1")).text
    places = counted.split("\n\n")
    assert any(
        place.startswith("2 at\n") and "probe/exporter/probing.py" in place for place in places
    )
    [first, _] = [text for text in listed.split("\n\n") if "probe/net/driver.py" in text]
    head = first.strip().splitlines()[0]
    assert head.startswith("probe.exporter.probing.Prober._fly: has waited ")
    assert float(head.split("has waited ")[1].split()[0]) == pytest.approx(1, abs=0.2)
    assert float(head.split("deadline in ")[1].split()[0]) == pytest.approx(3, abs=0.2)
    assert "no deadline" in listed


# Pages. ------------------------------------------------------------------------------------------

HOSTILE = "<script>document.title='owned'</script>\"'><img/src=x/onerror=alert(1)>"


async def hostile(stream: trio.SocketStream) -> None:
    await stream.send_all(f"SSH-2.0-{HOSTILE}\r\n".encode())
    await stream.receive_some()


async def test_pages_show_recent_probes_and_escape_what_servers_say(
    autojump_clock: MockClock,
) -> None:
    async with serve("openssh") as good, serve("silent") as silent, serving(hostile) as [bad]:
        config = f"exporter.kept_reports = 3\n{allowing(good, silent, bad)}"
        async with exporter(config) as running:
            empty = await running.get("/")
            for target in (good, good, silent, bad):
                await running.scrape(target, f"&module={'ssh' if target is good else 'ssh_banner'}")
                await trio.sleep(3)
            overview = await running.get("/")
            filtered = await running.get("/?verdict=silent")
            unknown = await running.get("/?verdict=%3Cb%3E")
            detail = await running.get("/probes/3")
            raw = await running.get("/probes/4")
            gone = await running.get("/probes/1")
            style = await running.get("/style.css")
    assert "Nothing has been probed yet" in empty.text
    assert overview.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in overview.headers["content-security-policy"]
    assert overview.text.count("<li class=") == 3
    assert overview.text.index("/probes/4") < overview.text.index("/probes/2")
    assert filtered.text.count("<li class=") == 1
    assert unknown.text.count("<li class=") == 0
    assert "<b>%" not in unknown.text
    assert "TCP is up and not one octet came" in detail.text
    assert "Transcript" in detail.text
    for text in (overview.text, raw.text):
        assert "<script" not in text
        assert "<img" not in text
        assert "&lt;script&gt;document" in text
    assert gone.status == HTTPStatus.NOT_FOUND
    assert style.headers["content-type"] == "text/css; charset=utf-8"


# What comes with it. -----------------------------------------------------------------------------


def test_every_file_that_is_named_is_shipped() -> None:
    folder = Path(permits.__file__).parent / "shipped"
    assert {name for name, _ in FILES.values()} == {file.name for file in folder.iterdir()}
    assert all(read_file(what).endswith("\n") for what in FILES)


def test_the_shipped_configuration_says_every_key_with_its_default() -> None:
    text = read_file("config")
    assert parse_config(text) == DEFAULT
    commented = ("ip_version", "source")
    for name in commented:
        text = text.replace(f"\n# {name}", f"\n{name}")
    whole = tomllib.loads(text)
    assert list(whole["exporter"]) == [key.name for key in EXPORTER_KEYS]
    assert list(whole["allow"][0]) == [key.name for key in ALLOW_KEYS]
    assert list(whole["modules"]["ssh"]) == [key.name for key in MODULE_KEYS]


def test_the_sum_of_the_waits_is_what_systemd_is_told() -> None:
    longest_s = 120
    waits_s = server.HEAD_S + longest_s + insides.GRACE_S + server.SEND_S + server.LINGER_S
    assert "TimeoutStopSec=150\n" in read_file("unit")
    assert waits_s < 150
