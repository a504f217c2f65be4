"""``sshprobe exporter``."""

import logging
from argparse import Namespace

import trio

from probe.cli.output import complain, reserve_standard_streams
from probe.cli.printing import print_lines
from probe.cli.status import USAGE
from probe.exporter.files import read_file
from probe.exporter.service import Service
from probe.prober import LOGGER
from probe.target import write_target


def run(options: Namespace) -> int:
    """Serve until a signal, or say what was asked for, and return the exit status."""
    if options.print is not None:
        return print_lines(read_file(options.print).splitlines())
    if options.check_config:
        return print_lines([f"{options.config}: good; modules {', '.join(options.read.modules)}"])
    reserve_standard_streams()
    LOGGER.addHandler(_Complaints(logging.ERROR))
    service = Service(options.read, options.config, say=complain, debug=options.debug)
    try:
        trio.run(service.run, options.address)
    except OSError as error:
        complain(f"cannot listen at {write_target(*options.address)}: {error.strerror}")
        return USAGE
    return 0


class _Complaints(logging.Handler):
    """Writes to standard error, and never waits for who reads it."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(self.format(record))
