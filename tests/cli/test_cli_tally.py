"""What is said of a sweep: in bounded memory, and never wrong by more than it says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.cli import progress
from probe.cli.progress import Progress, duration
from probe.cli.tally import KINDS_KEPT, KINDS_SHOWN, SLOWEST_KEPT, Tally
from probe.evidence import End, Evidence
from probe.report import Report
from probe.ssh.identification import Identification

times = st.lists(st.floats(1e-6, 600), min_size=1, max_size=60)


def report(
    host: str = "host",
    spent_s: float = 0.5,
    end: End = End.COMPLETE,
    software: bytes | None = None,
) -> Report:
    evidence = Evidence(host, 22)
    evidence.end, evidence.spent_s = end, spent_s
    if software is not None:
        evidence.identification = Identification(b"", b"2.0", software, None)
    return Report(evidence)


def tally(*reports: Report) -> Tally:
    made = Tally()
    for each in reports:
        made.add(each)
    return made


# Numbers. ----------------------------------------------------------------------------------------


@given(times, st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_percentiles_are_exact_to_a_twentieth(spent: list[float], part: float) -> None:
    exact = sorted(spent)[math.ceil(part * len(spent)) - 1]
    said = tally(*(report(spent_s=each) for each in spent)).percentile_s(part)
    assert exact <= said * (1 + 1e-9)
    assert said <= exact * 1.06


def test_only_good_answers_count_for_the_time_of_a_good_answer() -> None:
    made = tally(report(spent_s=0.1), report(spent_s=4, end=End.UNCONNECTED))
    assert "time to ok: half 0.100 s, 90 % 0.100 s, 99 % 0.100 s, all 0.100 s" in made.lines()


@given(times)
def test_the_slowest_are_kept(spent: list[float]) -> None:
    made = tally(*(report(f"host{i}", each) for i, each in enumerate(spent)))
    lines = list(made.lines())
    begin = lines.index("slowest:") + 1
    said = [float(line.split()[0]) for line in lines[begin : begin + SLOWEST_KEPT]]
    assert said == [round(each, 3) for each in sorted(spent, reverse=True)[:SLOWEST_KEPT]]


def test_softwareversions_that_servers_make_up_take_no_memory() -> None:
    made = tally(*(report(software=b"kind%d" % number) for number in range(3 * KINDS_KEPT)))
    made.add(report(software=b"kind1"))
    assert len(made._kinds) == KINDS_KEPT  # noqa: SLF001 - it is the claim
    lines = list(made.lines())
    begin = lines.index("softwareversions:") + 1
    assert lines[begin].split() == ["2", "kind1"]
    assert len(lines) == begin + KINDS_SHOWN + 1
    assert lines[-1].split() == [f"{3 * KINDS_KEPT - KINDS_SHOWN}", "others"]


def test_a_peers_text_is_escaped_and_cut() -> None:
    made = tally(report("h\x1b[3J", software=b"\x1b[3J" + b"x" * 500))
    assert all(line.isprintable() and len(line) < 100 for line in made.lines())


def test_verdicts_are_counted() -> None:
    made = tally(report(), report(), report(), report(end=End.INTERNAL))
    assert made.line() == "ok 3, internal-error 1"
    assert list(made.lines())[:2] == [
        "  ok                      3   75.0 %",
        "  internal-error          1   25.0 %",
    ]
    assert (made.count, made.our_troubles) == (4, 1)


def test_of_nothing_nothing_is_said() -> None:
    assert list(Tally().lines()) == []


# Progress. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "complain", said.append)
    made = Tally()
    shown = Progress(made)
    shown.show(0, 0)
    for _ in range(50):
        made.add(report())
    shown.show(10, 20)
    shown.total = 100
    shown.show(20, 20)
    shown.total = 10  # a file that grew since it was counted
    shown.show(30, 20)
    assert said == [
        "0  0/s",
        "70  5/s  ok 50",
        "70 of 100  2/s  12 s left  ok 50",
        "70 of 10  2/s  0 s left  ok 50",
    ]


def test_the_first_line_has_a_rate_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(progress, "complain", said.append)
    made = Tally()
    shown = Progress(made)
    shown.begin(0)
    for _ in range(60):
        made.add(report())
    shown.show(30, 0)
    assert said == ["60  2/s  ok 60"]
