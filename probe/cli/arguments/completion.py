"""The arguments of ``sshprobe completion``."""

from argparse import Namespace
from collections.abc import Callable

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser

SHELLS = ("bash", "zsh", "fish")

_EPILOG = """\
for example:
  sshprobe completion bash > /etc/bash_completion.d/sshprobe
  sshprobe completion zsh > /usr/local/share/zsh/site-functions/_sshprobe
  sshprobe completion fish > ~/.config/fish/completions/sshprobe.fish"""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = "Print a script that completes the command in a shell."
    parser.epilog = _EPILOG
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=" or ".join(SHELLS))
    return _finish


def _finish(_options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.completion import run  # noqa: PLC0415 - only this command needs shtab

    return run
