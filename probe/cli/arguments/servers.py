"""The arguments of ``sshprobe servers``."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from probe.cli.arguments import shared
from probe.cli.arguments.parser import Parser, did_you_mean
from probe.target import LARGEST_PORT

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    _Actions = _SubParsersAction[Parser]

_SERVE_DESCRIPTION: Final = """\
Serve servers of the catalogue, and print a JSON object {"name": port, ...} once
all of them listen. Stop them with Ctrl-C or SIGTERM."""


def fill(parser: Parser) -> shared.Finish:
    """Add them, and return what finishes them."""
    parser.description = "The catalogue of misbehaving servers, for the tests of any SSH client."
    actions = parser.add_subparsers(
        title="actions",
        metavar="ACTION",
        required=True,
        parser_class=Parser,
    )
    listing = actions.add_parser("list", help="print the catalogue, a row a line")
    shared.add_json(listing, "a server")
    listing.set_defaults(parser=listing, finish_action=_finish_list)
    show = actions.add_parser("show", help="print what a server does, octet by octet")
    show.add_argument("name", metavar="NAME", help="a server of the list")
    show.set_defaults(parser=show, finish_action=_finish_show)
    _add_serve(actions)
    return _finish


def _finish(options: Namespace) -> Callable[[Namespace], int]:
    run: Callable[[Namespace], int] = options.finish_action(options)
    return run


def _add_serve(actions: "_Actions") -> None:
    serving = actions.add_parser(
        "serve",
        help="serve some of them until interrupted",
        description=_SERVE_DESCRIPTION,
    )
    serving.add_argument("names", metavar="NAME", nargs="*", help="a server of the list")
    serving.add_argument("--all", action="store_true", help="serve the whole catalogue")
    serving.add_argument(
        "--host",
        default="127.0.0.1",
        help="numeric address to listen on (default: %(default)s)",
    )
    serving.add_argument(
        "--port-base",
        metavar="N",
        type=int,
        default=0,
        help="port of the first server, the next ones follow (default: any free ports)",
    )
    serving.add_argument(
        "--max-clients",
        metavar="N",
        type=int,
        default=256,
        help="clients served at once; further ones wait (default: %(default)s)",
    )
    serving.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="log on stderr what each client did",
    )
    serving.set_defaults(parser=serving, finish_action=_finish_serve)


def _finish_list(_options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.servers import run_list  # noqa: PLC0415 - only this command needs the catalogue

    return run_list


def _finish_show(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.servers import run_show  # noqa: PLC0415 - only this command needs the catalogue

    _require_servers([options.name])
    return run_show


def _finish_serve(options: Namespace) -> Callable[[Namespace], int]:
    from probe.cli.servers import run_serve  # noqa: PLC0415 - only this command needs the catalogue

    if bool(options.names) is options.all:
        message = "name the servers to serve, or write --all"
        raise ValueError(message)
    if not 0 <= options.port_base <= LARGEST_PORT or options.max_clients < 1:
        message = f"--port-base goes from 0 to {LARGEST_PORT}, and --max-clients from 1"
        raise ValueError(message)
    _require_servers(options.names)
    return run_serve


def _require_servers(names: Sequence[str]) -> None:
    from probe.catalogue import BY_NAME  # noqa: PLC0415 - only this command needs the catalogue

    for name in names:
        if name not in BY_NAME:
            hint = did_you_mean(name, BY_NAME) or ": see sshprobe servers list"
            message = f"no server is called {name!r}{hint}"
            raise ValueError(message)
