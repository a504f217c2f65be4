"""Completion, in the shells themselves."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_pieces import ENVIRONMENT, PATIENCE_S, SCRIPT, sshprobe

WORDS = {
    "sshprobe expl": "explain",
    "sshprobe explain half": "half-open",
    "sshprobe check --all": "--all-addresses",
    "sshprobe check --expect ref": "refused",
    "sshprobe nagios --warn-on name-tw": "name-twice",
    "sshprobe servers show tinys": "tinysshd",
    "sshprobe completion fi": "fish",
}
"""What is typed, and the one word that its last word can become."""

ENVIRONMENT_WITH_PATH = ENVIRONMENT | {"PATH": f"{Path(SCRIPT[0]).parent}:{os.environ['PATH']}"}

BASH = """\
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_sshprobe
printf '%s\\n' "${COMPREPLY[@]}"
"""


def needs(shell: str) -> pytest.MarkDecorator:
    """Where CI is to have installed it, its absence is a failure."""
    absent = shutil.which(shell) is None and not os.environ.get("CI")
    return pytest.mark.skipif(absent, reason=f"needs {shell}")


def script(shell: str, folder: Path) -> str:
    done = sshprobe("completion", shell)
    assert done.returncode == 0
    path = folder / f"completion.{shell}"
    path.write_text(done.stdout)
    return str(path)


def run(*command: str) -> str:
    return subprocess.run(
        command,
        env=ENVIRONMENT_WITH_PATH,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    ).stdout


@needs("bash")
@pytest.mark.parametrize("line", WORDS)
def test_bash(line: str, tmp_path: Path) -> None:
    output = run("bash", "-c", BASH, "bash", script("bash", tmp_path), *line.split())
    assert output.split() == [WORDS[line]]


@needs("fish")
@pytest.mark.parametrize("line", WORDS)
def test_fish(line: str, tmp_path: Path) -> None:
    code = f"source {script('fish', tmp_path)}; complete -C '{line}'"
    lines = run("fish", "-c", code).splitlines()
    assert [found.split("\t")[0] for found in lines] == [WORDS[line]]


@needs("zsh")
def test_zsh(tmp_path: Path) -> None:
    """Typed into a terminal: zsh completes nowhere else."""
    Path(script("zsh", tmp_path)).rename(tmp_path / "_sshprobe")
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], ENVIRONMENT_WITH_PATH)  # noqa: S606, S607 - as wanted
    try:
        os.write(terminal, f"PS1=; fpath=({tmp_path} $fpath)\n".encode())
        os.write(terminal, b"autoload -Uz compinit; compinit -u -D; echo rea''dy\n")
        wait_for(terminal, "ready")
        os.write(terminal, b"sshprobe explain half\t\n")
        shown = wait_for(terminal, "How sure")
    finally:
        os.close(terminal)
        os.waitpid(process, 0)
    assert "half-open  (verdict, CRITICAL)" in shown


def wait_for(terminal: int, text: str) -> str:
    shown = ""
    ends_at = time.monotonic() + PATIENCE_S
    while text not in shown and time.monotonic() < ends_at:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    assert text in shown
    return shown


def test_an_unknown_shell_is_refused() -> None:
    done = sshprobe("completion", "bsh")
    assert done.returncode == 3
    assert "did you mean bash?" in done.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['shtab'] = None; from probe.cli import main; sys.exit(main())"
    done = sshprobe("completion", "bash", command=(sys.executable, "-c", code))
    assert done.returncode == 3
    assert "pip install 'sshprobe[completion]'" in done.stderr
