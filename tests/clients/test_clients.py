"""Law: the suite judges real clients as they were found to behave when they were watched by hand.

What stands here is true of every version of a client that was tried, so that it stays true when one
is upgraded; ``run_clients.py`` runs all of the suite.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from real_clients import BY_NAME, Found, NotInstalledError, Tools
from run_clients import main

from probe.catalogue import BY_NAME as SERVERS
from probe.conform.case import case_of
from probe.conform.judge import Judgement, Result, judge
from probe.conform.results import read
from probe.conform.suite import Patience, run_case
from probe.version import VERSION

pytestmark = pytest.mark.real_server

LIMIT_S = 3.0
PATIENCE = Patience(margin_s=1.5, hard=2.0)  # three seconds more tell what hangs from what is late

EXPECTED = [
    ("ssh", "openssh", Result.PASSED, ""),
    ("ssh", "silent", Result.PASSED, "It said failure"),
    ("ssh", "silent-after-identification", Result.HUNG, "KEXINIT was not complete: nothing bounds"),
    ("ssh-keyscan", "openssh", Result.PASSED, ""),
    ("ssh-keyscan", "ignore-for-ever", Result.HUNG, "begins anew with each of them never runs out"),
    ("dbclient", "openssh", Result.PASSED, ""),
    ("dbclient", "penalty-then-resets", Result.PASSED, "It said failure"),
    ("asyncssh", "openssh", Result.PASSED, ""),
    ("asyncssh", "silent-after-identification", Result.PASSED, "It said failure"),
    ("sshprobe", "openssh", Result.PASSED, "It said success"),
    ("sshprobe", "drips-kexinit", Result.PASSED, "It said failure"),
    # The origin of all this, and its fix.
    ("go", "openssh", Result.PASSED, ""),
    ("go", "silent", Result.HUNG, "its limit, if it has one, ended with the TCP connect"),
    ("go-deadline", "openssh", Result.PASSED, ""),
    ("go-deadline", "silent", Result.PASSED, "It said failure"),
]

Judgements = dict[tuple[str, str], Judgement]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def judgements(tools: Tools) -> Judgements:
    """Run what is installed, all at once: a client that hangs holds up no other."""
    judged: Judgements = {}

    async def run(name: str, server: str, found: Found) -> None:
        case = case_of(SERVERS[server], found.client.kind, LIMIT_S)
        seen = await run_case(case, found.client, PATIENCE)
        judged[name, server] = judge(case, seen, PATIENCE.margin_s)

    async def run_all() -> None:
        async with trio.open_nursery() as nursery:
            for name, server, found in installed(tools):
                nursery.start_soon(run, name, server, found)

    trio.run(run_all)
    return judged


def installed(tools: Tools) -> Iterator[tuple[str, str, Found]]:
    for name, server, _, _ in EXPECTED:
        try:
            yield name, server, tools.find(BY_NAME[name])
        except NotInstalledError:
            continue


@pytest.mark.parametrize(("name", "server", "result", "words"), EXPECTED)
def test_a_real_client(
    judgements: Judgements, name: str, server: str, result: Result, words: str
) -> None:
    if (name, server) not in judgements:
        pytest.skip(f"it needs {BY_NAME[name].needs}")
    judgement = judgements[name, server]
    assert judgement.result is result, judgement.why
    assert words in judgement.why


# What finds them. --------------------------------------------------------------------------------


def test_a_client_is_called_by_its_version(tools: Tools) -> None:
    found = tools.find(BY_NAME["sshprobe"])
    assert found.title == f"sshprobe {VERSION}, --limit"


def test_what_is_not_installed_says_what_it_needs(tmp_path: Path) -> None:
    nowhere = Tools(tmp_path, python=str(tmp_path / "python"))
    with pytest.raises(NotInstalledError, match="asyncssh"):
        nowhere.find(BY_NAME["asyncssh"])


# The program that runs all. ----------------------------------------------------------------------


def test_the_program_prints_a_line_a_client_and_keeps_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PYTHONPATH", "")  # it sets it for its drivers
    words = ["sshprobe", "ssh", "--case", "openssh", "--case", "closes-at-once", "--why"]
    assert main([*words, "--results", str(tmp_path)]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["client", "passed", "hung"]
    assert [line.split()[:4] for line in lines] == [
        ["sshprobe", f"{VERSION},", "--limit", "2"],
        ["ssh", "left", "out:", "it"],
    ]
    results = read((tmp_path / "sshprobe.json").read_text())
    assert [case["result"] for case in results["cases"]] == ["passed", "passed"]


def test_a_client_that_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["telnet"])
    assert "no client is called 'telnet'" in capsys.readouterr().err
