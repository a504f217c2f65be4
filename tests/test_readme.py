"""README.md tells the truth: its tables are the code's, and every block of it runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import pytest
import trio
import yaml
from readme import README, with_generated_parts

from probe.catalogue import serve

PORTS = {
    "2201": "openssh",
    "2202": "silent-after-identification",
    "2203": "silent",
    "2204": "vanishes-before-identification",
}
"""The servers that the README's examples find on these ports of this machine."""


class Block(NamedTuple):
    language: str
    text: str


def blocks() -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [Block(language, text) for language, text in found]


def programs() -> list[tuple[str, str]]:
    """Each Python block with the output that the block after it shows."""
    pairs = zip(blocks(), blocks()[1:], strict=False)
    return [(ours.text, shown.text) for ours, shown in pairs if shown.language == "text"]


def files() -> dict[str, str]:
    """Python blocks that commands find as files, by the name in their first line."""
    texts = [block.text for block in blocks() if block.language == "python"]
    named = {re.match(r"# (\w+\.py)\n", text): text for text in texts}
    return {match[1]: text for match, text in named.items() if match}


def sessions() -> list[tuple[str, str]]:
    """Each command of the console blocks with the output below it, ``echo $?`` joined to it."""
    text = "".join(block.text for block in blocks() if block.language == "console")
    text = text.replace("\n$ echo $?\n", "\nexit status ")
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, flags=re.MULTILINE)


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Serve the catalogue in a thread, and say which port of the README is which real one."""
    ports: dict[str, str] = {}
    ready, done = Event(), Event()

    async def serve_all() -> None:
        async with AsyncExitStack() as served:
            for shown, name in PORTS.items():
                _, real = await served.enter_async_context(serve(name))
                ports[shown] = str(real)
            ready.set()
            await trio.to_thread.run_sync(done.wait)

    thread = Thread(target=trio.run, args=(serve_all,))
    thread.start()
    ready.wait()
    try:
        yield ports
    finally:
        done.set()
        thread.join()


def run(command: list[str], ports: dict[str, str], directory: Path | None = None) -> str:
    """Run a command with the real ports, and give its output with the README's."""
    for shown, real in ports.items():
        command = [word.replace(shown, real) for word in command]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    for shown, real in ports.items():
        output = output.replace(real, shown)
    return output


def without_durations(text: str) -> str:
    return re.sub(r"\d+\.\d+( ?s)", r"0.0\1", text)


def docker_command(block: str) -> list[str]:
    command: list[str] = json.loads(block.partition(" CMD ")[2])
    return command


def kubernetes_command(block: str) -> list[str]:
    command: list[str] = yaml.safe_load(block)["livenessProbe"]["exec"]["command"]
    return command


def consul_command(block: str) -> list[str]:
    command: list[str] = json.loads(block)["check"]["args"]
    return command


def systemd_command(block: str) -> list[str]:
    [command] = re.findall(r"^ExecStart=(.+)$", block, flags=re.MULTILINE)
    return shlex.split(command)


CHECKS = {
    "dockerfile": docker_command,
    "yaml": kubernetes_command,
    "json": consul_command,
    "ini": systemd_command,
}
"""How a health check of somebody else's is written, and the command that it runs."""


def check_block(language: str) -> str:
    [block] = (block.text for block in blocks() if block.language == language)
    return block


def test_tables_are_those_of_the_code() -> None:
    assert README.read_text() == with_generated_parts(README.read_text())


def test_every_block_is_run() -> None:
    """The two set-up commands are run by .ci/run; every other block by the tests below."""
    languages = [block.language for block in blocks()]
    assert languages.count("sh") == 2
    assert languages.count("text") == len(programs())
    assert languages.count("python") == len(programs()) + len(files())
    assert all(any(name in command for command, _ in sessions()) for name in files())
    assert set(languages) == {"sh", "console", "python", "text", "toml", *CHECKS}


@pytest.mark.parametrize(("program", "shown"), programs())
def test_programs_print_what_is_shown(program: str, shown: str) -> None:
    with servers() as ports:
        assert run([sys.executable, "-c", program], ports) == shown


@pytest.mark.parametrize(("command", "shown"), sessions())
def test_commands_print_what_is_shown(command: str, shown: str, tmp_path: Path) -> None:
    if "-- ssh " in command and shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client")
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    if "exit status" in shown:
        command += "; echo exit status $?"
    with servers() as ports:
        output = run(["sh", "-c", command], ports, tmp_path)
    assert without_durations(output) == without_durations(shown)


@pytest.mark.parametrize("language", CHECKS)
@pytest.mark.parametrize(("server", "is_healthy"), [("2201", True), ("2202", False)])
def test_health_checks_tell_a_good_server_from_a_stuck_one(
    language: str,
    server: str,
    is_healthy: bool,  # noqa: FBT001 - a column
) -> None:
    command = [
        word.replace("localhost:22", f"localhost:{server}")
        for word in CHECKS[language](check_block(language))
    ]
    with servers() as ports:
        shown = run(["sh", "-c", f"{shlex.join(command)} >/dev/null; echo $?"], ports)
    bad = 1 if "--exit-binary" in command else 2
    assert shown == f"{0 if is_healthy else bad}\n"


@pytest.mark.parametrize("language", CHECKS)
def test_health_checks_have_less_time_than_their_callers(language: str) -> None:
    block = check_block(language)
    command = CHECKS[language](block)
    limit_s = float(command[command.index("--limit") + 1])
    timeout = re.search(
        r"(?:--timeout=|timeoutSeconds: |\"timeout\": \"|TimeoutStartSec=)(\d+)", block
    )
    assert timeout is not None
    assert limit_s < float(timeout[1])


def test_the_exporter_takes_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text(check_block("toml"))
    shown = run(["sshprobe", "exporter", "--check-config", "--config", str(file)], {})
    assert shown == f"{file}: good; modules ssh, ssh_banner, bastion, tarpit\n"


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"),
    reason="needs systemd-analyze",
)
def test_systemd_finds_no_fault_with_its_units(tmp_path: Path) -> None:
    parts = re.split(r"^# /etc/systemd/system/(\S+)\n", check_block("ini"), flags=re.MULTILINE)[1:]
    for name, unit in zip(parts[::2], parts[1::2], strict=True):
        program = str(Path(sys.executable).with_name("sshprobe"))
        (tmp_path / name).write_text(unit.replace("ExecStart=sshprobe", f"ExecStart={program}"))
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 2
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],  # noqa: S607 - Debian's
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
