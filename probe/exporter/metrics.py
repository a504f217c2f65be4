"""A result as metrics: ``METRICS`` is all of them.

Each is there in every answer, whatever came of the probe: what is not known is 0, and what has no
0 has no sample but its HELP and TYPE. Text of a peer is escaped and capped.
"""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from probe.budget import STAGES, Stage
from probe.evidence import TcpInfo
from probe.explanations import Kind, codes_of
from probe.exporter.result import Result
from probe.ssh.kexinit import hassh_server
from probe.text import escape
from probe.verdict import Verdict

LABEL_CAP: Final = 128
"""Characters of a peer in a label."""

_FINDINGS: Final = codes_of(Kind.FINDING)

Samples = Iterable[tuple[tuple[str, ...], float]]


class Row(NamedTuple):
    """A metric: a gauge.

    Attributes:
        name: Its name.
        labels: Names of its labels.
        text: Its HELP.
        read: Gives values of the labels, and the value, of each sample.
    """

    name: str
    labels: tuple[str, ...]
    text: str
    read: Callable[[Result], Samples]


def _one(read: Callable[[Result], float]) -> Callable[[Result], Samples]:
    """Make samples of a number."""
    return lambda result: [((), read(result))]


def _tcp(read: Callable[[TcpInfo], float | None]) -> Callable[[Result], Samples]:
    """Make samples of what the kernel knew; 0 if it knew nothing."""

    def samples(result: Result) -> Samples:
        tcp = result.report.evidence.tcp
        return [((), 0 if tcp is None else read(tcp) or 0)]

    return samples


def _spent_s(result: Result, stage: Stage) -> float:
    time = result.report.evidence.stage(stage)
    return 0 if time is None else time.spent_s


def _durations(result: Result) -> Samples:
    return [((row.stage,), _spent_s(result, row.stage)) for row in STAGES]


def _limits(result: Result) -> Samples:
    budget = result.scrape.module.budget(result.scrape.limit_s)
    return [((row.stage,), budget[row.stage]) for row in STAGES]


def _verdicts(result: Result) -> Samples:
    return [((verdict,), verdict is result.report.verdict) for verdict in Verdict]


def _findings(result: Result) -> Samples:
    found = {finding.rule.code for finding in result.report.findings}
    return [((code,), code in found) for code in _FINDINGS]


def _identification(result: Result) -> Samples:
    seen = result.report.evidence.identification
    if seen is not None:
        parts = (seen.protoversion, seen.softwareversion, seen.comments or b"")
        yield tuple(escape(part, LABEL_CAP) for part in parts), 1


def _hassh(result: Result) -> Samples:
    offer = result.report.evidence.kexinit
    if offer is not None:
        yield (hassh_server(offer.algorithms),), 1


def _ip_protocol(result: Result) -> float:
    address = result.report.evidence.address
    return 0 if address is None else ip_address(address.partition("%")[0]).version


METRICS: Final = (
    Row(
        "probe_success", (), "Whether all is as the module wants it.", _one(lambda r: r.is_success)
    ),
    Row(
        "probe_duration_seconds",
        (),
        "How long the probe took.",
        _one(lambda result: result.report.spent_s),
    ),
    Row(
        "probe_timeout_seconds",
        (),
        "How long it might have taken: the limit of the module, or of the scrape.",
        _one(lambda result: result.scrape.limit_s),
    ),
    Row(
        "probe_dns_lookup_time_seconds",
        (),
        "How long looking the name up took; 0 for a numeric address.",
        _one(lambda result: _spent_s(result, Stage.RESOLVE)),
    ),
    Row("probe_ip_protocol", (), "4 or 6, or 0 if nothing answered.", _one(_ip_protocol)),
    Row(
        "probe_ssh_verdict",
        ("verdict",),
        "1 for the verdict on the server, 0 for all others; sshprobe explain says more of each.",
        _verdicts,
    ),
    Row(
        "probe_ssh_stage_duration_seconds",
        ("stage",),
        "How long each stage took; 0 if it did not begin.",
        _durations,
    ),
    Row(
        "probe_ssh_stage_limit_seconds",
        ("stage",),
        "How long each stage might have taken.",
        _limits,
    ),
    Row(
        "probe_ssh_identification_info",
        ("protoversion", "softwareversion", "comments"),
        "What the server says it is (RFC 4253 section 4.2): its own words, escaped and cut.",
        _identification,
    ),
    Row(
        "probe_ssh_hassh_server_info",
        ("hassh_server",),
        "Fingerprint of the algorithms that the server offers.",
        _hassh,
    ),
    Row(
        "probe_ssh_finding",
        ("finding",),
        "Whether the server deviates from the RFCs in this way, and survives it.",
        _findings,
    ),
    Row(
        "probe_ssh_received_bytes",
        (),
        "Octets that came.",
        _one(lambda result: result.report.evidence.octets_received),
    ),
    Row(
        "probe_ssh_sent_bytes",
        (),
        "Octets that the kernel took from us.",
        _one(lambda result: result.report.evidence.octets_sent),
    ),
    Row(
        "probe_ssh_tcp_rtt_seconds",
        (),
        "Round trip time, smoothed by the kernel.",
        _tcp(lambda tcp: tcp.rtt_us / 1e6),
    ),
    Row(
        "probe_ssh_tcp_retransmits",
        (),
        "Segments that were sent again.",
        _tcp(lambda tcp: tcp.total_retransmits),
    ),
    Row(
        "probe_ssh_tcp_unacked_segments",
        (),
        "Segments that were not acknowledged when the probe ended.",
        _tcp(lambda tcp: tcp.unacked_segments),
    ),
    Row(
        "probe_ssh_tcp_keepalive_probes",
        (),
        "Keepalive probes that were not answered when the probe ended.",
        _tcp(lambda tcp: tcp.keepalive_probes),
    ),
    Row(
        "probe_ssh_tcp_last_ack_age_seconds",
        (),
        "How long before the end the peer's kernel last acknowledged anything.",
        _tcp(lambda tcp: tcp.since_ack_ms / 1e3),
    ),
    Row(
        "probe_ssh_tcp_peer_window_bytes",
        (),
        "How much more the peer would have taken.",
        _tcp(lambda tcp: tcp.peer_window_octets),
    ),
    Row(
        "probe_ssh_tcp_path_mtu_bytes",
        (),
        "The largest packet that the path is believed to carry.",
        _tcp(lambda tcp: tcp.path_mtu_octets),
    ),
)


class _Collector(Collector):
    def __init__(self, result: Result) -> None:
        self._result = result

    def collect(self) -> Iterator[Metric]:
        for row in METRICS:
            family = GaugeMetricFamily(row.name, row.text, labels=row.labels)
            for labels, value in row.read(self._result):
                family.add_metric(labels, value)
            yield family


def expose(collector: Collector, accept: str = "") -> tuple[bytes, str]:
    """Write metrics in the format that a scraper accepts, and say which that is.

    Args:
        collector: Of the metrics.
        accept: The header of that name.
    """
    encode, content_type = choose_encoder(accept)
    return encode(collector), content_type


def registry_of(result: Result) -> CollectorRegistry:
    """Return a fresh registry with the metrics of one probe, and nothing else."""
    registry = CollectorRegistry()
    registry.register(_Collector(result))
    return registry
