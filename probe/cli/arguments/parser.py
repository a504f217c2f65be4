"""argparse as this command wants it: statuses of monitoring plugins, and hints after mistakes."""

import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import Any, NoReturn

from probe.cli.status import USAGE


class Parser(ArgumentParser):
    """A parser that says what to type instead, and ends with 3: 2 would mean a critical server."""

    def __init__(self, **keywords: Any) -> None:  # noqa: ANN401 - argparse's own
        # No abbreviations: a later version may have an option that makes them ambiguous.
        keywords = {"formatter_class": RawDescriptionHelpFormatter, **keywords}
        super().__init__(allow_abbrev=False, **keywords)
        self.speaks_on_stdout = False
        # "-4" makes argparse take "--limit -1" for two options; let us refuse the number instead.
        self._has_negative_number_optionals = _Never()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit. A monitor reads the first line of standard output."""
        said = _with_hint(message)
        if self.speaks_on_stdout:
            self._print_message(f"{_say_unknown(said)}\n", sys.stdout)
            self.print_usage(sys.stdout)
            self.exit()
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {said}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit. To a monitor help and the version are UNKNOWN, too: nothing was probed."""
        super().exit(USAGE if self.speaks_on_stdout else status, message)

    def refuse_unrecognized(self, words: list[str]) -> None:
        """Exit if there are such words, with a hint for the first option among them."""
        if words:
            option = next((word for word in words if word.startswith("-")), words[0])
            hint = did_you_mean(option.partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(words)}{hint}")


class _Never(list[bool]):
    """A list that stays empty."""

    def append(self, _: bool) -> None:  # noqa: FBT001 - list's signature
        pass


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean …?"`` with the word that is most like it, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only after a mistake

    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _say_unknown(why: str) -> str:
    from probe.nagios import say_unknown  # noqa: PLC0415 - only after a mistake

    return say_unknown(why)


def _with_hint(message: str) -> str:
    """Add a hint to argparse's own words about a choice that there is not."""
    choice = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
    return message + (did_you_mean(choice[1], re.findall(r"[\w.-]+", choice[2])) if choice else "")
