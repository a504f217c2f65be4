"""What may be typed, what is said of anything else, and whether the help tells the truth."""

import re
from argparse import ArgumentTypeError
from signal import SIGTERM

import pytest
from cli_pieces import MODULE, SCRIPT, sshprobe

from probe.budget import STAGES, Budget
from probe.cli import main
from probe.cli.arguments import COMMANDS, parse
from probe.cli.arguments.shared import seconds
from probe.cli.status import INTERRUPTED, OUTPUT_LOST, SIGNALLED, STATUSES, USAGE
from probe.net.pace import BURST, INTERVAL_S
from probe.verdict import VERDICTS, State
from probe.version import VERSION

STAGE_NAMES = "resolve, connect, identification, first-octet, kexinit"
ABOVE_ZERO = "must be a finite number of seconds above 0, not"

MISTAKES = {
    "": "required: COMMAND",
    "chekc host": "no command is called 'chekc'; did you mean check?",
    "build-7": "to probe a server, write: sshprobe check 'build-7'",
    "-x check host": "'-x' stands before the command; options of a command follow it",
    "--json check host": "'--json' stands before the command; options of a command follow it",
    "check": "required: TARGET",
    "check --limit 5": "required: TARGET",
    "check host --frobnicate": "unrecognized arguments: --frobnicate",
    "check host --lim 3": "unrecognized arguments: --lim 3; did you mean --limit?",
    "servers lst": "'show', 'serve'); did you mean list?",
    "check -4 -6 host": "argument -6: not allowed with argument -4",
    "check --limit host": "not a time: 'host'; write seconds, or for example 90s, 5m or 1h30m",
    "check host --limit": "argument --limit: expected one argument",
    "check --limit 0 host": f"the limit of probe {ABOVE_ZERO} 0.0",
    "check --limit -0 host": f"the limit of probe {ABOVE_ZERO} -0.0",
    "check --limit -1 host": f"the limit of probe {ABOVE_ZERO} -1.0",
    "check --limit=-1 host": f"the limit of probe {ABOVE_ZERO} -1.0",
    "check --limit nan host": f"the limit of probe {ABOVE_ZERO} nan",
    "check --limit inf host": f"the limit of probe {ABOVE_ZERO} inf",
    "check --limit=-inf host": f"the limit of probe {ABOVE_ZERO} -inf",
    "check --limit 1e999 host": f"the limit of probe {ABOVE_ZERO} inf",
    "check --stage-limit connect=0 host": f"the limit of connect {ABOVE_ZERO} 0.0",
    "check --stage-limit connect=-1 host": f"the limit of connect {ABOVE_ZERO} -1.0",
    "check --stage-limit connect=nan host": f"the limit of connect {ABOVE_ZERO} nan",
    "check --stage-limit connect=inf host": f"the limit of connect {ABOVE_ZERO} inf",
    "check --stage-limit connect host": "STAGE=SECONDS, for example connect=2, not 'connect'",
    "check --stage-limit connect= host": "STAGE=SECONDS, for example connect=2, not 'connect='",
    "check --stage-limit connect=x host": "STAGE=SECONDS, for example connect=2, not 'connect=x'",
    "check --stage-limit 2=connect host": "STAGE=SECONDS, for example connect=2, not '2=connect'",
    "check --stage-limit dial=2 host": f"unknown stage 'dial': the stages are {STAGE_NAMES}",
    "check --stage-limit =2 host": f"unknown stage '': the stages are {STAGE_NAMES}",
    "check --stage-limit probe=2 host": f"unknown stage 'probe': the stages are {STAGE_NAMES}",
    "check -p 0 host": "not a port: '0'; ports go from 1 to 65535",
    "check -p 65536 host": "not a port: '65536'; ports go from 1 to 65535",
    "check -p -22 host": "not a port: '-22'; ports go from 1 to 65535",
    "check -p 2_2 host": "not a port: '2_2'; ports go from 1 to 65535",
    "check -p ssh host": "not a port: 'ssh'; ports go from 1 to 65535",
    "check -p 65536 host:22": "not a port: '65536'; ports go from 1 to 65535",
    "check host:65536": "ports go from 1 to 65535",
    "check user@host": "write host without user@",
    "check ssh://host/path": "'ssh://host/path' has a path: write ssh://host",
    "check [::1": "not an address: '[::1'; write [::1]:22",
    "check good.example user@host": "write host without user@",
}


LIMITS = {
    "": Budget(),
    "--limit 30": Budget(30),
    "--limit .5": Budget(0.5),
    "--limit=2 --stage-limit connect=1": Budget(2, connect_s=1),
    "--stage-limit first-octet=3 --limit 2": Budget(2, first_octet_s=3),
    "--stage-limit resolve=1 --stage-limit kexinit=.25": Budget(resolve_s=1, kexinit_s=0.25),
    "--stage-limit kexinit=1 --stage-limit kexinit=2": Budget(kexinit_s=2),
}


def budget(*arguments: str) -> Budget:
    made: Budget = parse(["check", *arguments, "host"]).budget
    return made


# Mistakes. ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", MISTAKES)
def test_every_mistake_is_named(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 3: nothing is known of any server, and 2 would say that one is down."""
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    output, complaint = capsys.readouterr()
    assert ended.value.code == 3
    assert output == ""
    assert complaint.startswith("usage: sshprobe ")
    assert MISTAKES[line] in complaint.splitlines()[-1]


@pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["python -m probe", "sshprobe"])
def test_a_mistake_as_a_process(command: tuple[str, ...]) -> None:
    done = sshprobe("check", "--limit", "-1", "host", command=command)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.endswith(f"sshprobe check: the limit of probe {ABOVE_ZERO} -1.0\n")


# Limits and targets. -----------------------------------------------------------------------------


@pytest.mark.parametrize("line", LIMITS)
def test_limits(line: str) -> None:
    assert budget(*line.split()) == LIMITS[line]


@pytest.mark.parametrize("stage", STAGE_NAMES.split(", "))
def test_every_stage_has_a_limit_of_its_own(stage: str) -> None:
    assert budget("--stage-limit", f"{stage}=0.125")[stage] == 0.125


def test_targets_keep_their_order_and_their_repetitions() -> None:
    options = parse(["check", "-p", "2222", "b", "a:1", "b", "[::1]"])
    assert options.targets == [("b", 2222), ("a", 1), ("b", 2222), ("::1", 2222)]


@pytest.mark.parametrize(("arguments", "version"), [([], None), (["-4"], 4), (["-6"], 6)])
def test_families(arguments: list[str], version: int | None) -> None:
    assert parse(["check", *arguments, "host"]).ip_version == version


def test_a_target_after_two_dashes_may_begin_with_one() -> None:
    assert parse(["check", "--", "-host"]).targets == [("-host", 22)]


# Help. -------------------------------------------------------------------------------------------


def help_of(*arguments: str) -> str:
    done = sshprobe(*arguments)
    assert done.returncode == 0
    assert done.stderr == ""
    return done.stdout


HELPS = [
    ("--help",),
    ("-h",),
    ("check", "--help"),
    ("wait", "--help"),
    ("explain", "--help"),
    ("schema", "--help"),
    ("completion", "--help"),
    ("sweep", "--help"),
    ("demo", "--help"),
    ("servers", "--help"),
    ("servers", "list", "--help"),
    ("servers", "show", "--help"),
    ("servers", "serve", "--help"),
]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_fits_a_terminal(arguments: tuple[str, ...]) -> None:
    lines = help_of(*arguments).splitlines()
    assert lines[0].startswith("usage: sshprobe")
    assert max(map(len, lines)) <= 80
    assert not any(line != line.rstrip() for line in lines)


def test_help_of_the_plugin_fits_a_terminal() -> None:
    """Its status is a monitor's: nothing was probed."""
    lines = sshprobe("nagios", "--help").stdout.splitlines()
    assert max(map(len, lines)) <= 80


def test_the_help_explains_every_verdict_as_the_table_does() -> None:
    text = " ".join(help_of("explain", "--help").split())
    assert all(f" {row.verdict} {row.sentence}" in text for row in VERDICTS)


TIMES = {
    "10": 10,
    "0.5": 0.5,
    ".5s": 0.5,
    "90s": 90,
    "5m": 300,
    "1h30m": 5400,
    "250ms": 0.25,
    "1d": 86400,
    "1.5h": 5400,
    "1m1s1ms": 61.001,
}


@pytest.mark.parametrize("text", TIMES)
def test_times_are_read_as_people_write_them(text: str) -> None:
    assert seconds(text) == pytest.approx(TIMES[text])


@pytest.mark.parametrize("text", ["", "s", "5x", "5m5", "m5", "5 m", "1h 30m", "5M", "-5m", "٣m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write seconds, or for example 90s"):
        seconds(text)


def test_version() -> None:
    assert help_of("--version") == f"sshprobe {VERSION}\n"


def test_the_help_has_every_command() -> None:
    text = help_of("--help")
    assert re.findall(r"^    (\w+)", text, flags=re.MULTILINE) == list(COMMANDS)


def test_the_help_tells_the_exit_statuses_of_the_code() -> None:
    """Bad to worse, since of several targets the worst decides; then the ways to be ended."""
    text = help_of("check", "--help")
    statuses = text.partition("exit status, of the worst target:\n")[2].partition("\n\n")[0]
    assert re.findall(r"(\d+) (\w+)", statuses) == [
        ("0", "ok"),
        ("1", "throttled"),
        ("3", "unknown"),
        ("2", "critical"),
        ("130", "interrupted"),
        ("143", "terminated"),
        ("141", "output"),
    ]
    assert list(STATUSES.items()) == [
        (State.OK, 0),
        (State.WARNING, 1),
        (State.UNKNOWN, 3),
        (State.CRITICAL, 2),
    ]
    assert (USAGE, INTERRUPTED, SIGNALLED + SIGTERM, OUTPUT_LOST) == (3, 130, 143, 141)


def test_the_help_names_what_is_behind_a_state() -> None:
    verdicts = {state: {row.verdict for row in VERDICTS if row.state is state} for state in State}
    assert verdicts[State.OK] == {"ok"}
    assert verdicts[State.WARNING] == {"throttled"}
    assert verdicts[State.UNKNOWN] == {"local-error", "internal-error"}


def test_the_help_tells_the_limits_of_the_code() -> None:
    text = help_of("check", "--help")
    for row in STAGES:
        assert re.search(rf"^  {row.stage} +{row.limit_s:g} s ", text, flags=re.MULTILINE)
    assert "(default: 22)" in text
    assert "(default: 10)" in text
    assert f"once a second, and in bursts of {BURST}" in text
    assert INTERVAL_S == 1
