"""Every target has been seen to bite: with a part of the product broken, its corpus notices."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from fuzz.targets import BY_NAME
from fuzz.work import corpus
from probe import text
from probe.budget import Ledger, Stage
from probe.cli import targets
from probe.cli.arguments import parser
from probe.exporter import config
from probe.report import record
from probe.ssh import kexinit, limits
from probe.ssh.wire import PayloadReader


class Broken(NamedTuple):
    """A part of the product, and what stands in its place."""

    owner: Any
    part: str
    by: Any


begin = Ledger.begin
name_list = PayloadReader.name_list


def begin_late(ledger: Ledger, stage: Stage) -> None:
    begin(ledger, stage)
    ledger._deadlines_s[stage] += 0.001  # noqa: SLF001 - its defect


BROKEN = {
    "identification": Broken(limits, "LINE_CAP_OCTETS", 8191),
    "packet": Broken(limits, "PADDING_LEAST_OCTETS", 3),
    "kexinit": Broken(kexinit, "_are_plain", lambda _: True),
    "messages": Broken(PayloadReader, "string", lambda _: b""),
    "handshake": Broken(limits, "LINES_CAP", 1023),
    "peers": Broken(PayloadReader, "name_list", lambda reader: name_list(reader)[:1]),
    "prober": Broken(Ledger, "begin", begin_late),
    "faces": Broken(text, "_escape_character", str),
    "reports": Broken(record, "_to_seconds", float),
    "target_list": Broken(targets, "_KEPT_OCTETS", targets.LONGEST_LINE_OCTETS),
    "configuration": Broken(config, "_refuse", lambda *_: None),
    "command_line": Broken(parser, "_say_unknown", str),
}


@pytest.fixture
def nothing_known() -> Iterator[None]:
    forget: Callable[[], None] = kexinit._read_known_lists.cache_clear  # noqa: SLF001 - its test
    forget()
    yield
    forget()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_broken_part_is_noticed(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    nothing_known: None,
) -> None:
    target, broken = BY_NAME[name], BROKEN[name]
    one_input = target.load()
    monkeypatch.setattr(broken.owner, broken.part, broken.by)
    assert any(fails(one_input, data) for data in corpus(target).values())


def fails(one_input: Callable[[bytes], None], data: bytes) -> bool:
    try:
        one_input(data)
    except Exception:  # noqa: BLE001 - an assertion, or what the broken part raises
        return True
    return False
