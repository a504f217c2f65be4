"""The exporter as a process: its command, and the programs around it, each a real one."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from probe.exporter.files import read_file

SSHPROBE = (sys.executable, "-m", "probe")
PATIENCE_S = 20.0

pytestmark = pytest.mark.real_time


def needs(program: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None and not os.environ.get("CI")
    return pytest.mark.skipif(missing, reason=f"needs {program}")


@contextmanager
def running(*command: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a program; it is gone when the context is left."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=cwd) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()


@contextmanager
def exporter(
    folder: Path, config: str, *options: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run an exporter, and give its URL."""
    file = folder / "exporter.toml"
    file.write_text(config)
    listen = ("exporter", "--listen", "127.0.0.1:0", "--config", str(file), *options)
    with running(*SSHPROBE, *listen) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        [url] = re.findall(r"http://\S+", said)
        yield url, process


@contextmanager
def ssh_server(says: bytes) -> Iterator[int]:
    """Say something to each client, and then nothing; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as clients:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                clients.enter_context(client)
                client.sendall(says)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


def get(url: str | urllib.request.Request, **options: Any) -> str:  # noqa: ANN401 - of urlopen
    with urllib.request.urlopen(url, timeout=PATIENCE_S, **options) as response:  # noqa: S310 - of loopback
        text: str = response.read().decode()
        return text


def eventually(ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - what it gives
    """Return the first answer that is something."""
    ends_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_at:
        try:
            answer = ask()
        except OSError:
            answer = None
        if answer:
            return answer
        time.sleep(0.1)
    message = f"nothing came of {ask}"
    raise AssertionError(message)


def accepts(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def allowing(port: int, more: str = "") -> str:
    return f"[[allow]]\nnetworks = ['127.0.0.0/8']\nports = [{port}]\n{more}"


# The command. ------------------------------------------------------------------------------------


def test_the_configuration_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "exporter.toml"
    check = (*SSHPROBE, "exporter", "--check-config", "--config", str(file))
    file.write_text(read_file("config"))
    good = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout == f"{file}: good; modules ssh, ssh_banner\n"
    file.write_text("modules.a.port = 0")
    bad = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (3, "")
    assert f"{file}: modules.a.port: must be a whole number from 1 to 65535, not 0" in bad.stderr
    none = subprocess.run(check[:-2], capture_output=True, text=True, check=False)
    assert none.returncode == 3


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = subprocess.run(
            (*SSHPROBE, "exporter", "--listen", address),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 3
    assert f"cannot listen at {address}" in done.stderr


def test_who_stops_reading_a_megabyte_delays_sigterm_by_5_s_at_the_most(tmp_path: Path) -> None:
    """On the real clock, with a page that is that large: the tasks of a busy exporter."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with exporter(tmp_path, "", "--debug") as (url, process), ExitStack() as stack:
        host, _, port = url.removeprefix("http://").rpartition(":")
        tasks = [
            stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(1600)
        ]
        assert len(get(f"{url}/debug/tasks?full=1")) > 1 << 20
        stopped = stack.enter_context(socket.socket())
        stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stopped.connect((host, int(port)))
        stopped.sendall(b"GET /debug/tasks?full=1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        eventually(lambda: stopped.recv(1, socket.MSG_PEEK))
        for client in tasks:
            client.close()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert 3 < time.monotonic() - began < 7


# The programs around it. -------------------------------------------------------------------------


@needs("promtool")
def test_the_rules_fire_on_a_silent_server_and_on_a_stuck_prober(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(read_file("alerts"))
    (tmp_path / "test.yml").write_text(Path(__file__).with_name("alerts_test.yml").read_text())
    for command in (("check", "rules", "alerts.yml"), ("test", "rules", "test.yml")):
        done = subprocess.run(
            ["promtool", *command],  # noqa: S607 - Debian's
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs("prometheus")
def test_prometheus_scrapes_it_and_its_alert_fires(tmp_path: Path) -> None:
    """The shipped configuration and rules, faster: a second between scrapes, and no patience."""
    web = f"127.0.0.1:{free_port()}"
    with ssh_server(b"") as port, exporter(tmp_path, allowing(port)) as (url, _):
        rules = re.sub(r"for: \w+", "for: 0s", read_file("alerts"))
        (tmp_path / "alerts.yml").write_text(rules)
        config = read_file("scrape").replace("127.0.0.1:9822", url.removeprefix("http://"))
        config = config.replace("build-7.example", f"127.0.0.1:{port}")
        pace = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        (tmp_path / "prometheus.yml").write_text(pace + config)
        command = (
            "prometheus",
            "--config.file=prometheus.yml",
            f"--web.listen-address={web}",
            "--storage.tsdb.path=data",
            "--log.level=error",
        )
        with running(*command, cwd=tmp_path):
            alert = eventually(lambda: firing(f"http://{web}", "SshDown"))
            [up] = query(f"http://{web}", 'up{job="sshprobe"}')
            [verdict] = query(f"http://{web}", "probe_ssh_verdict == 1")
    assert alert["metric"]["instance"] == f"127.0.0.1:{port}"
    assert alert["metric"]["verdict"] == verdict["metric"]["verdict"] == "silent"
    assert up["value"][1] == "1"


def query(url: str, expression: str) -> list[dict[str, Any]]:
    found = json.loads(get(f"{url}/api/v1/query?query={quote(expression)}"))
    rows: list[dict[str, Any]] = found["data"]["result"]
    return rows


def firing(url: str, name: str) -> dict[str, Any] | None:
    rows = query(url, f'ALERTS{{alertname="{name}",alertstate="firing"}}')
    return rows[0] if rows else None


@needs("nginx")
@needs("openssl")
def test_a_proxy_speaks_tls_and_asks_for_a_password(tmp_path: Path) -> None:
    port = free_port()
    make_certificate = (
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-keyout", "sshprobe.key", "-out", "sshprobe.crt"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
    )
    subprocess.run(make_certificate, cwd=tmp_path, capture_output=True, check=True)
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "secret"],  # noqa: S607 - Debian's
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (tmp_path / "sshprobe.htpasswd").write_text(f"prometheus:{hashed}")
    tmp_path.chmod(0o755)
    with exporter(tmp_path, "") as (url, _):
        site = read_file("nginx").replace("/etc/nginx", str(tmp_path)).replace("9823", str(port))
        (tmp_path / "nginx.conf").write_text(
            f"user root; daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n"
            f"events {{}}\nhttp {{ access_log off;\n"
            f"{site.replace('http://127.0.0.1:9822', url)}\n}}\n"
        )
        with running("nginx", "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "log")):
            page = f"https://localhost:{port}/healthz"
            context = ssl.create_default_context(cafile=str(tmp_path / "sshprobe.crt"))
            eventually(lambda: accepts(port))
            with pytest.raises(urllib.error.HTTPError, match="401"):
                get(page, context=context)
            request = urllib.request.Request(page)
            request.add_header("Authorization", "Basic cHJvbWV0aGV1czpzZWNyZXQ=")
            assert "healthy" in get(request, context=context)


@needs("systemd-analyze")
def test_systemd_finds_no_fault_and_little_exposure_with_its_unit(tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("sshprobe"))
    unit = tmp_path / "sshprobe-exporter.service"
    unit.write_text(read_file("unit").replace("ExecStart=sshprobe", f"ExecStart={program}"))
    for command in (("verify", "--man=no"), ("security", "--offline=true", "--threshold=20")):
        done = subprocess.run(
            ["systemd-analyze", *command, str(unit)],  # noqa: S607 - Debian's
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
