"""The fixtures of the plugin, as the tests of somebody's client use them."""

import threading

import pytest

from probe.catalogue import SERVERS
from probe.pytest_plugin import servers

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    """Run the tests of ``source`` in this process, with the plugin as it is installed."""
    pytester.makepyfile(source)
    always = ("-p", "no:cacheprovider", "-W", "error", "--strict-markers", "--strict-config")
    return pytester.runpytest_inprocess(*always, *options)


def names_of(result: pytest.RunResult) -> list[str]:
    """The rows with which a test would be run, in order."""
    return [line.partition("[")[2].rstrip("]") for line in result.outlines if "[" in line]


# Servers. ----------------------------------------------------------------------------------------


def test_a_server_has_its_address_its_row_and_its_clients(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import socket

        def test_it(ssh_server):
            server = ssh_server("silent")
            host, port = server
            assert (host, port) == (server.host, server.port) == server
            assert repr(server) == f"<SshServer silent on {host}:{port}>"
            assert server.row.expected.verdict == "silent"
            assert (server.arrived, server.connected, server.visits) == (0, 0, ())
            with socket.create_connection(server) as first:
                first.sendall(b"SSH-2.0-client\\r\\n")
                with socket.create_connection(server):
                    assert (server.arrived, server.connected, server.visits) == (2, 2, ())
                assert (server.arrived, server.connected) == (2, 1)
            assert (server.arrived, server.connected) == (2, 0)
            assert sorted(visit.octets for visit in server.visits) == [0, 16]
        """,
    )
    result.assert_outcomes(passed=1)


def test_clients_of_a_server_that_is_never_quiet_are_counted(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import socket, threading

        def test_it(ssh_server):
            server = ssh_server("endless-octets")
            with socket.create_connection(server) as client:
                reading = threading.Thread(target=lambda: [client.recv(1000) for _ in range(2000)])
                reading.start()
                assert server.connected == 1
                reading.join()
            assert server.connected == 0
        """,
    )
    result.assert_outcomes(passed=1)


def test_servers_end_with_their_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import socket
        import pytest

        started = []

        def test_several(ssh_server):
            started.extend([ssh_server("openssh"), ssh_server("openssh"), ssh_server("silent")])
            started.append(ssh_server)
            assert len({server.port for server in started[:3]}) == 3

        def test_they_are_gone(ssh_server):
            *servers, of_before = started
            for server in servers:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(server)
            assert server.connected == 0
            with pytest.raises(RuntimeError, match="'silent'. after the end of its test"):
                of_before("silent")
        """,
    )
    result.assert_outcomes(passed=2)


def test_the_thread_ends_with_the_run(pytester: pytest.Pytester) -> None:
    run(pytester, "def test_it(ssh_server): ssh_server('silent')").assert_outcomes(passed=1)
    assert [thread for thread in threading.enumerate() if thread.name == "SSH servers"] == []


def test_a_row_of_ones_own_is_served(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import dataclasses, socket
        from probe.catalogue import BY_NAME

        def test_it(ssh_server):
            row = dataclasses.replace(BY_NAME["silent"], name="mine")
            with socket.create_connection(ssh_server(row)):
                assert ssh_server(row).row is row
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("silnt", "did you mean silent?"),
        ("vanishes-inside", "did you mean vanishes-inside-kexinit?"),
        ("xyzzy", "`sshprobe servers list` prints them"),
    ],
)
def test_an_unknown_name_is_told_with_near_ones(
    pytester: pytest.Pytester, name: str, hint: str
) -> None:
    result = run(pytester, f"def test_it(ssh_server): ssh_server({name!r})")
    result.assert_outcomes(failed=1)
    said = f"LookupError: no row of the catalogue is called {name!r}: {hint}"
    assert any(line.startswith("E ") and line.endswith(said) for line in result.outlines)


def test_what_needs_linux_is_skipped_elsewhere(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HAS_THE_KERNEL", False)
    result = run(
        pytester,
        "def test_it(misbehaving_ssh_server): pass",
        "--ssh-cases=silent,vanishes-inside-kexinit",
        "-rs",
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED*vanishes-inside-kexinit needs Linux, whose kernel shows its fault"]
    )


def test_a_row_that_breaks_fails_its_own_test(pytester: pytest.Pytester) -> None:
    """Law 8: not the client is to blame, and not the tests that follow."""
    result = run(
        pytester,
        """
        import dataclasses, socket
        from probe.catalogue import BY_NAME

        def test_it(ssh_server):
            row = dataclasses.replace(BY_NAME["silent"], moves=("no move",))
            server = ssh_server(row)
            with socket.create_connection(server):
                assert server.arrived == 1

        def test_another(ssh_server):
            with socket.create_connection(ssh_server("silent")):
                pass
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*KeyError: <class 'str'>*"])


# A test a row. -----------------------------------------------------------------------------------

COLLECT = ("--collect-only", "-q")

UNLAWFUL = [row.name for row in SERVERS if not row.is_lawful]


@pytest.mark.parametrize(
    ("options", "marker", "setting", "rows"),
    [
        pytest.param([], "", "", UNLAWFUL, id="all with which a client must not get along"),
        pytest.param(["C01"], "", "", ["silent"], id="an id"),
        pytest.param(["openssh"], "", "", ["openssh"], id="a lawful one"),
        pytest.param(["C0[12]", "openssh*"], "", "", None, id="several"),
        pytest.param(["C0[12], openssh*"], "", "", None, id="with commas"),
        pytest.param([], "'C0[12]', 'openssh*'", "", None, id="marker"),
        pytest.param([], "", "C0[12] openssh*", None, id="setting"),
        pytest.param([], "'http'", "C*", ["http"], id="marker over setting"),
        pytest.param(["http"], "", "C*", ["http"], id="option over setting"),
        pytest.param(["C*", "tls"], "'I2[0-9]', 'C01'", "", ["silent", "tls"], id="of a marker's"),
        pytest.param(["http"], "'C01'", "", ["NOTSET"], id="none of a marker's"),
    ],
)
def test_patterns_choose_among_the_rows(
    pytester: pytest.Pytester,
    options: list[str],
    marker: str,
    setting: str,
    rows: list[str] | None,
) -> None:
    pytester.makeini(f"[pytest]\nssh_cases = {setting}\n")
    mark = f"@pytest.mark.ssh_cases({marker})" if marker else ""
    source = f"import pytest\n{mark}\ndef test_it(misbehaving_ssh_server): pass"
    result = run(pytester, source, *COLLECT, *(f"--ssh-cases={option}" for option in options))
    assert result.ret == 0
    assert names_of(result) == (rows or ["silent", "never-accepts", "openssh", "openssh-9.2"])


def test_a_test_may_choose_its_rows_by_name(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        NAMES = ["http", "openssh"]

        @pytest.mark.parametrize("misbehaving_ssh_server", NAMES, indirect=True)
        def test_it(misbehaving_ssh_server):
            assert misbehaving_ssh_server.row.name in NAMES
        """,
        "--ssh-cases=silent",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("options", "marker", "setting", "where"),
    [
        (["--ssh-cases=C01,Q*"], "'C*'", "C*", "--ssh-cases: no row of the catalogue matches 'Q*'"),
        ([], "'silent'", "Q*", "the setting ssh_cases: no row of the catalogue matches 'Q*'"),
        ([], "'silent', 'Q*'", "", "the marker of *::test_it*: no row * matches 'Q*'"),
    ],
)
def test_a_pattern_that_matches_nothing_is_a_usage_error(
    pytester: pytest.Pytester, options: list[str], marker: str, setting: str, where: str
) -> None:
    pytester.makeini(f"[pytest]\nssh_cases = {setting}\n")
    source = f"""
        import pytest

        @pytest.mark.ssh_cases({marker})
        def test_it(misbehaving_ssh_server): pass
        """
    result = run(pytester, source, *options)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {where}"])


def test_who_does_not_ask_for_the_rows_is_not_asked_about_patterns(
    pytester: pytest.Pytester,
) -> None:
    run(pytester, "def test_it(): pass", "--ssh-cases=Q*").assert_outcomes(passed=1)


def test_a_worker_of_xdist_has_servers_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import socket

        def test_it(misbehaving_ssh_server):
            with socket.create_connection(misbehaving_ssh_server):
                assert misbehaving_ssh_server.connected == 1
        """,
        *("-n1", "--ssh-cases=I2*"),
    )
    result.assert_outcomes(passed=10)


# Clients of all kinds. ---------------------------------------------------------------------------


def test_a_naive_client_that_waits_for_ever_is_told_where(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        naive="""
        import socket

        def identification_of(address):
            with socket.create_connection(address, timeout=10) as client:
                client.settimeout(None)
                return client.makefile("rb").readline()
        """
    )
    result = run(
        pytester,
        """
        from naive import identification_of

        def test_it(misbehaving_ssh_server, assert_ends):
            with assert_ends(within=0.5):
                identification_of(misbehaving_ssh_server)
        """,
        "--ssh-cases=silent,ftp",
    )
    result.assert_outcomes(passed=1, failed=1)
    said = "did not end within 0.5 s: interrupted after * s, at naive.py:6 in identification_of"
    result.stdout.fnmatch_lines([f"E * AssertionError: the block {said}"])


def test_tests_in_asyncio_and_in_trio_have_the_same_servers(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import anyio, asyncio, pytest, trio

        pytestmark = pytest.mark.ssh_cases("silent", "http")

        async def ask(address):
            with anyio.move_on_after(0.5):
                async with await anyio.connect_tcp(*address) as client:
                    await client.send(b"SSH-2.0-client\\r\\n")
                    await client.receive()

        def test_asyncio(misbehaving_ssh_server, assert_ends):
            with assert_ends(within=10):
                asyncio.run(ask(misbehaving_ssh_server))
            assert misbehaving_ssh_server.arrived == 1

        @pytest.mark.anyio
        async def test_anyio(misbehaving_ssh_server, assert_ends):
            async with assert_ends(within=10):
                await ask(misbehaving_ssh_server)
            assert misbehaving_ssh_server.visits

        @pytest.mark.trio
        async def test_trio(misbehaving_ssh_server, assert_ends):
            async with assert_ends(within=10):
                await ask(misbehaving_ssh_server)
            assert misbehaving_ssh_server.visits

        @pytest.mark.trio
        async def test_virtual_time(misbehaving_ssh_server, assert_ends, autojump_clock):
            before = trio.current_time()
            assert misbehaving_ssh_server.arrived == 0
            async with assert_ends(within=61), await trio.open_tcp_stream(*misbehaving_ssh_server):
                await trio.sleep(60)
            assert misbehaving_ssh_server.arrived == 1
            assert trio.current_time() - before == 60
        """,
    )
    result.assert_outcomes(passed=2 * (1 + 2 + 2))


@pytest.mark.real_time
def test_asyncssh_ends_whatever_the_server_does(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio, asyncssh, pytest

        @pytest.mark.ssh_cases("silent", "http", "padding-three", "endless-*", "drips-*")
        def test_it(misbehaving_ssh_server, assert_ends):
            host, port = misbehaving_ssh_server

            async def connect():
                async with asyncssh.connect(host, port, connect_timeout=0.2, known_hosts=None):
                    pass

            with pytest.raises((OSError, asyncssh.Error)), assert_ends(within=10):
                asyncio.run(connect())
        """,
    )
    result.assert_outcomes(passed=13)


# Everybody who installed it pays. ----------------------------------------------------------------


def loaded_by(pytester: pytest.Pytester, *options: str) -> set[str]:
    """The modules that a run of pytest without our fixtures has loaded in the end."""
    pytester.makepyfile("import sys\n\ndef test_it(): print('loaded', *sys.modules)")
    others = ("anyio", "cov", "hypothesispytest", "trio", "xdist")
    without = [option for name in others for option in ("-p", f"no:{name}")]
    result = pytester.runpytest_subprocess("-s", *without, *options)
    [line] = [line for line in result.outlines if "loaded " in line]
    return set(line.split()[1:])


def test_loading_it_costs_next_to_nothing(pytester: pytest.Pytester) -> None:
    loaded = loaded_by(pytester) - loaded_by(pytester, "-p", "no:sshprobe")
    assert loaded == {"probe", "probe.version", "probe.pytest_plugin", "probe.pytest_plugin.ends"}
