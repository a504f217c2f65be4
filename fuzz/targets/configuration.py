"""A configuration is read whole, to values in their ranges, or refused in words with a key."""

from dataclasses import astuple

from probe.exporter.config import Config, parse_config
from probe.text import escape

MOST_LIMIT_S = 3600.0


def one_input(data: bytes) -> None:
    """Read ``data`` as the file of the exporter."""
    try:
        config = parse_config(data.decode())
    except ValueError as error:  # of text that is not UTF-8, too
        said = escape(str(error))
    else:
        hold(config)
        assert parse_config(data.decode()) == config
        return
    assert said
    assert said.isprintable()


def hold(config: Config) -> None:
    """Use all that was read, as the exporter does."""
    assert all(
        number >= 0 for number in astuple(config.exporter) if isinstance(number, float | int)
    )
    for module in config.modules.values():
        assert 0 < module.limit_s <= MOST_LIMIT_S
        assert 1 <= module.port <= 65535
        module.budget(module.limit_s)
        hash(module)
    for permit in config.allow:
        permit.names("a.example", 22)
        assert all(1 <= port <= 65535 for port in permit.ports)
