"""Files that come with the exporter, for the programs around it: ``FILES``."""

from importlib.resources import files
from typing import Final

FILES: Final = {
    "config": ("exporter.toml", "a configuration with every key, each with its default"),
    "scrape": ("prometheus.yml", "a configuration of Prometheus that scrapes through it"),
    "alerts": ("alerts.yml", "rules for Prometheus that say who is silent, and what is stuck"),
    "unit": ("sshprobe-exporter.service", "a unit for systemd, without privileges"),
    "nginx": ("nginx.conf", "a proxy before it that speaks TLS and asks for a password"),
}
"""What they are called on the command line, their names, and what they are."""


def read_file(what: str) -> str:
    """Return the text of a file, by its key in ``FILES``."""
    name, _ = FILES[what]
    return files("probe.exporter").joinpath("shipped", name).read_text(encoding="utf-8")
