"""The targets: one file each, its invariant on line 1, and ``one_input``, which asserts it."""

from collections.abc import Callable
from importlib import import_module
from typing import Final, NamedTuple, cast


class Target(NamedTuple):
    """A target.

    Attributes:
        name: Of its file here.
        most_octets: The longest input that is worth its time.
        corpora: Folders of ``fuzz/corpora`` with inputs for it.
    """

    name: str
    most_octets: int
    corpora: tuple[str, ...]

    def load(self) -> Callable[[bytes], None]:
        """Return its ``one_input``, which raises if the invariant is broken."""
        module = import_module(f"fuzz.targets.{self.name}")
        return cast("Callable[[bytes], None]", module.one_input)


TARGETS: Final = (
    Target("identification", 9000, ("identification",)),
    Target("packet", 4096, ("packet",)),
    Target("kexinit", 5000, ("kexinit",)),
    Target("messages", 2048, ("messages",)),
    Target("handshake", 9000, ("handshake",)),
    Target("peers", 9000, ("handshake",)),
    Target("prober", 4096, ("script",)),
    Target("faces", 4096, ("script", "faces")),
    Target("reports", 9000, ("reports",)),
    Target("target_list", 4096, ("target_list",)),
    Target("configuration", 2048, ("configuration",)),
    Target("command_line", 512, ("command_line",)),
)

BY_NAME: Final = {target.name: target for target in TARGETS}
