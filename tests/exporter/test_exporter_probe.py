"""Scrapes of targets: metrics, modules, limits, the allow list, sharing, politeness, bounds."""

import socket
from collections.abc import Sequence
from urllib.parse import quote

import pytest
import trio
from exporter_pieces import HOST, Running, allowing, exporter, serving
from trio.testing import MockClock

import probe
from probe import State, Verdict
from probe.catalogue import serve
from probe.catalogue.listen import Visit
from probe.evidence import End
from probe.exporter import probing
from probe.exporter.metrics import METRICS
from probe.net import dial
from probe.net.stages import Ended


async def test_a_good_server_is_a_success(autojump_clock: MockClock) -> None:
    async with serve("openssh") as target, exporter(allowing(target)) as running:
        response = await running.scrape(target)
    samples = response.samples()
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert response.verdict() == "ok"
    assert samples["probe_success"] == 1
    assert samples["probe_timeout_seconds"] == 10
    assert 0 <= samples["probe_duration_seconds"] < 1
    assert samples["probe_ip_protocol"] == 4
    assert samples['probe_ssh_stage_limit_seconds{stage="connect"}'] == 4
    assert samples["probe_ssh_received_bytes"] > 1000 < samples["probe_ssh_sent_bytes"]
    assert samples["probe_ssh_tcp_path_mtu_bytes"] > 1000
    [info] = [name for name in samples if name.startswith("probe_ssh_identification_info")]
    assert 'protoversion="2.0",softwareversion="OpenSSH_10.5"' in info
    assert any(name.startswith("probe_ssh_hassh_server_info{") for name in samples)


async def test_every_metric_is_there_whatever_came_of_the_probe(autojump_clock: MockClock) -> None:
    rows = ("openssh", "silent", "http", "identification-ends-in-lf")
    for name in rows:
        async with serve(name) as target, exporter(allowing(target)) as running:
            response = await running.scrape(target)
        for row in METRICS:
            assert f"# HELP {row.name} {row.text}\n# TYPE {row.name} gauge\n" in response.text
        verdicts = [name for name in response.samples() if name.startswith("probe_ssh_verdict")]
        assert len(verdicts) == len(Verdict)


async def test_a_silent_server_is_none_and_says_where(autojump_clock: MockClock) -> None:
    async with serve("silent") as target, exporter(allowing(target)) as running:
        response = await running.scrape(target, x_prometheus_scrape_timeout_seconds="5.5")
    samples = response.samples()
    assert (response.verdict(), samples["probe_success"]) == ("silent", 0)
    assert samples["probe_timeout_seconds"] == 5
    assert samples['probe_ssh_stage_limit_seconds{stage="first-octet"}'] == 2
    spent_s = samples['probe_ssh_stage_duration_seconds{stage="first-octet"}']
    assert spent_s == pytest.approx(2, abs=0.01)
    assert samples['probe_ssh_stage_duration_seconds{stage="kexinit"}'] == 0


@pytest.mark.parametrize(
    ("scrape_s", "limit_s"),
    [("20", 10), ("10.5", 10), ("3", 2.5), ("0.8", 0.4), ("1", 0.5), ("inf", 10)],
)
async def test_the_scrapes_time_less_an_offset_is_the_budget(
    scrape_s: str, limit_s: float, autojump_clock: MockClock
) -> None:
    async with serve("openssh") as target, exporter(allowing(target)) as running:
        response = await running.scrape(target, x_prometheus_scrape_timeout_seconds=scrape_s)
    assert response.samples()["probe_timeout_seconds"] == limit_s


@pytest.mark.parametrize(
    ("query", "scrape_s", "said"),
    [
        ("", "1", "not a host: ''"),
        ("target=a b", "1", "not a host: 'a b'"),
        ("target=a:b", "1", "not a port: 'b'"),
        ("target=a%0Ab", "1", r"not a host: 'a\\nb'"),
        ("target=a&module=none", "1", "no module is called none"),
        ("target=a&module=%1b[31m", "1", r"no module is called \x1b[31m"),
        ("target=a", "soon", "could not convert string to float"),
        ("target=a", "nan", "must be a number of seconds, not nan"),
        ("target=a", "-1", "must be a number of seconds, not -1"),
        ("target=a", "0", "must be a number of seconds, not 0"),
        ("&".join(["a=b"] * 17), "1", "Max number of fields exceeded"),
    ],
)
async def test_a_scrape_that_makes_no_sense_is_refused(
    query: str, scrape_s: str, said: str, autojump_clock: MockClock
) -> None:
    async with exporter() as running:
        response = await running.get(
            f"/probe?{query.replace(' ', '%20')}", x_prometheus_scrape_timeout_seconds=scrape_s
        )
    assert response.status == 400
    assert said in response.text
    assert response.text.strip().isprintable()


async def test_a_module_says_what_is_a_success(autojump_clock: MockClock) -> None:
    async with serve("openssh") as good, serve("silent") as silent:
        config = f"""{allowing(good, silent)}
            [modules.tarpit]
            limit_s = 2
            expect = ["silent"]
            [modules.strict]
            port = {good[1]}
            forbid = ["mac:*sha1*"]
            """
        async with exporter(config) as running:
            as_expected = await running.scrape(silent, "&module=tarpit")
            forbidden = await running.get(f"/probe?target={HOST}&module=strict&debug=true")
            default = await running.get(f"/probe?target={HOST}:{good[1]}&module=ssh_banner")
    assert as_expected.samples()["probe_success"] == 1
    assert as_expected.samples()["probe_timeout_seconds"] == 2
    assert "probe_success 0.0" in forbidden.text
    assert "mac:*sha1* is forbidden and offered" in forbidden.text
    assert "Transcript" in forbidden.text
    assert "Module strict\n  Module(limit_s=10.0" in forbidden.text
    assert default.samples()["probe_success"] == 1


async def test_openmetrics_are_given_to_who_accepts_them(autojump_clock: MockClock) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    async with serve("openssh") as target, exporter(allowing(target)) as running:
        response = await running.scrape(target, accept=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - that is the point
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
    ],
)
async def test_this_machine_is_not_probed_unless_listed(
    host: str, autojump_clock: MockClock
) -> None:
    """However its address is written."""
    async with serve("openssh") as (_, port), exporter(f"[[allow]]\nports=[{port}]") as running:
        response = await running.get(f"/probe?target={quote(f'{host}:{port}')}")
    assert response.status == 403
    assert response.text == "the allow list of this exporter does not admit that target\n"


async def test_a_port_that_is_not_listed_is_not_probed(autojump_clock: MockClock) -> None:
    async with serve("openssh") as target, exporter(allowing((HOST, 22))) as running:
        response = await running.scrape(target)
    assert response.status == 403


def resolve_to(addresses: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every name have these addresses, and return the list of names that are looked up."""
    asked: list[str] = []

    async def resolve(
        _stages: object, evidence: probe.Evidence, _family: socket.AddressFamily
    ) -> list[dial.AddressInfo]:
        await trio.lowlevel.checkpoint()
        asked.append(evidence.host)
        evidence.addresses = tuple(addresses)
        return [(socket.AF_INET, (address, evidence.port)) for address in addresses]

    monkeypatch.setattr("probe.prober.resolve", resolve)
    return asked


async def test_a_name_is_judged_by_the_addresses_that_are_dialled(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """One that resolves to this machine is refused; of several addresses the good one is asked."""
    async with serve("openssh", "127.0.0.2") as (_, port):
        config = f'[[allow]]\nnetworks=["127.0.0.2/32"]\nhosts=["*.example"]\nports=[{port}]'
        async with exporter(config) as running:
            resolve_to(["127.0.0.1"], monkeypatch)
            refused = await running.scrape(("rebound.example", port))
            resolve_to(["127.0.0.1", "127.0.0.2"], monkeypatch)
            admitted = await running.scrape(("both.example", port))
            [result] = running.service.insides.results
    assert refused.status == 403
    assert admitted.verdict() == "ok"
    assert result.report.evidence.addresses == ("127.0.0.2",)
    assert [attempt.address for attempt in result.report.evidence.attempts] == ["127.0.0.2"]


async def test_what_no_row_admits_is_not_even_looked_up(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    asked = resolve_to([], monkeypatch)
    async with exporter('[[allow]]\nhosts=["*.example"]') as running:
        assert (await running.scrape(("secret.internal", 22))).status == 403
        assert (await running.scrape(("a.example", 23))).status == 403
        assert asked == []


async def test_a_name_that_is_none_is_a_verdict(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def resolve(_stages: object, evidence: probe.Evidence, _family: object) -> None:
        await trio.lowlevel.checkpoint()
        evidence.add_error("getaddrinfo", socket.EAI_NONAME, "Name or service not known")
        raise Ended(End.UNRESOLVED)

    monkeypatch.setattr("probe.prober.resolve", resolve)
    async with exporter() as running:
        response = await running.scrape(("nowhere.example", 22))
    assert response.verdict() == "name-error"


async def test_a_throttled_server_is_a_success_only_where_that_is_expected(
    autojump_clock: MockClock,
) -> None:
    async with serve("max-startups-then-closes") as target:
        config = f"{allowing(target)}[modules.full]\nexpect = ['ok', 'throttled']"
        async with exporter(config) as running:
            plain = await running.scrape(target)
            expected = await running.scrape(target, "&module=full")
            [result, _] = running.service.insides.results
    assert plain.verdict() == expected.verdict() == "throttled"
    assert plain.samples()["probe_success"] == 0
    assert expected.samples()["probe_success"] == 1
    assert result.assessment == (State.WARNING, ())


# Sharing. ----------------------------------------------------------------------------------------


async def scrape_many(running: Running, target: tuple[str, int], count: int) -> list[int]:
    statuses: list[int] = []

    async def scrape() -> None:
        statuses.append((await running.scrape(target)).status)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(scrape)
    return statuses


async def test_equal_scrapes_that_arrive_together_cost_one_probe(
    autojump_clock: MockClock,
) -> None:
    visits: list[Visit] = []
    async with (
        serve("silent", on_leave=visits.append) as target,
        exporter(allowing(target)) as running,
    ):
        assert await scrape_many(running, target, 30) == [200] * 30
        metrics = (await running.get("/metrics")).samples()
    assert len(visits) == 1
    assert metrics['sshprobe_exporter_shared_total{reason="coalesced"}'] == 29


async def test_a_report_is_fresh_for_a_short_time(autojump_clock: MockClock) -> None:
    visits: list[Visit] = []
    async with (
        serve("openssh", on_leave=visits.append) as target,
        exporter(allowing(target)) as running,
    ):
        for seconds in (0, 1.9, 0.2, 0):
            await trio.sleep(seconds)
            assert (await running.scrape(target)).verdict() == "ok"
        await running.scrape(target, "&module=ssh_banner")
        metrics = (await running.get("/metrics")).samples()
    assert len(visits) == 3
    assert metrics['sshprobe_exporter_shared_total{reason="fresh"}'] == 2
    assert metrics['sshprobe_exporter_probes_total{verdict="ok"}'] == 3


async def test_no_report_is_kept_where_none_shall_be_fresh(autojump_clock: MockClock) -> None:
    visits: list[Visit] = []
    async with (
        serve("openssh", on_leave=visits.append) as target,
        exporter(f"exporter.fresh_s = 0\n{allowing(target)}") as running,
    ):
        for _ in range(3):
            await running.scrape(target)
    assert len(visits) == 3


async def test_few_reports_are_kept_fresh(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(probing, "MOST_FRESH", 1)
    visits: list[Visit] = []
    async with (
        serve("openssh", on_leave=visits.append) as target,
        exporter(allowing(target)) as running,
    ):
        for module in ("ssh", "ssh_banner", "ssh_banner", "ssh"):
            await running.scrape(target, f"&module={module}")
    assert len(visits) == 3


async def test_a_scraper_that_leaves_takes_nothing_from_the_others(
    autojump_clock: MockClock,
) -> None:
    async with serve("silent") as target, exporter(allowing(target)) as running:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.scrape, target)
            await trio.sleep(0.1)
            leaver = await running.connect()
            await leaver.send_all(
                f"GET /probe?target={HOST}:{target[1]} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()
            )
            nursery.start_soon(scrape_many, running, target, 1)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
            await leaver.aclose()
        assert (await running.scrape(target)).verdict() == "silent"
        assert (await running.get("/metrics")).samples()[
            'sshprobe_exporter_probes_total{verdict="silent"}'
        ] == 1


# Politeness and bounds. --------------------------------------------------------------------------


async def test_a_server_is_asked_as_often_as_openssh_bears(autojump_clock: MockClock) -> None:
    """Whatever its name: what is counted is the address that is dialled."""
    visits: list[Visit] = []
    async with serve("openssh", on_leave=visits.append) as (_, port):
        config = f"exporter.fresh_s = 0\n{allowing((HOST, port))}"
        async with exporter(config) as running:
            hosts = [HOST, "0x7f.1", "2130706433"] * 5
            answers = [await running.scrape((host, port)) for host in hosts]
            refused = await running.scrape((HOST, port))
            await trio.sleep(1)
            later = await running.scrape((HOST, port))
    assert {answer.status for answer in answers} == {200}
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert later.verdict() == "ok"
    assert len(visits) == 16


async def test_only_so_many_probes_are_in_flight(autojump_clock: MockClock) -> None:
    async with serve("silent") as one, serve("silent") as two:
        config = f"exporter.max_in_flight = 1\n{allowing(one, two)}"
        async with exporter(config) as running, trio.open_nursery() as nursery:
            nursery.start_soon(running.scrape, one)
            await trio.sleep(1)
            refused = await running.scrape(two)
            metrics = (await running.get("/metrics")).samples()
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert metrics['sshprobe_exporter_refused_total{reason="full"}'] == 1
    assert metrics["sshprobe_exporter_probes_in_flight"] == 1
    assert metrics["sshprobe_exporter_oldest_probe_age_seconds"] == pytest.approx(1, abs=0.1)


async def test_a_probe_that_outlives_its_budget_turns_health_red_for_good(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def hang(*_: object) -> None:
        await trio.sleep(20)
        raise RuntimeError

    async with serve("openssh") as target, exporter(allowing(target)) as running:
        assert (await running.get("/healthz")).status == 200
        with monkeypatch.context() as patch:
            patch.setattr(probing, "check_found", hang)
            began = trio.current_time()
            stuck = await running.scrape(target)
            assert trio.current_time() - began == pytest.approx(11, abs=0.3)
            await trio.sleep(0.5)
            red = await running.get("/healthz")
            metrics = (await running.get("/metrics")).samples()
            await trio.sleep(20)
        later = await running.get("/healthz")
        assert (await running.scrape(target)).verdict() == "ok"
    assert stuck.status == 503
    assert "outlived its budget" in stuck.text
    assert red.status == later.status == 503
    assert metrics["sshprobe_exporter_overdue_probes"] == 1
    assert metrics["sshprobe_exporter_outlived_probes_total"] == 1


async def test_a_bug_of_ours_is_said_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def fail(*_: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError

    async with serve("openssh") as target, exporter(allowing(target)) as running:
        with monkeypatch.context() as patch:
            patch.setattr(probing, "check_found", fail)
            bug = await running.scrape(target)
        assert (await running.scrape(target)).verdict() == "ok"
    assert bug.status == 500


async def test_labels_carry_no_text_that_is_raw_or_long(autojump_clock: MockClock) -> None:
    async def hostile(stream: trio.SocketStream) -> None:
        await stream.send_all(b'SSH-2.0-a"\x1b[31m}\\ 1' + b"\xff" * 300 + b"\r\n")
        await stream.receive_some()

    async with serving(hostile) as [target], exporter(allowing(target)) as running:
        response = await running.scrape(target)
    [line] = [
        line
        for line in response.text.splitlines()
        if line.startswith("probe_ssh_identification_info{")
    ]
    assert line.isprintable()
    assert line.isascii() is False  # the cut
    assert len(line) < 500
    assert r'softwareversion="a\"\\x1b[31m}\\\\"' in line
