r"""For authors of drivers: a driver puts a library to the test, as a process that calls it once.

In Python, five lines::

    from probe.conform.driver import drive

    def call(host: str, port: int, limit_s: float) -> None:
        library.connect(host, port, timeout=limit_s).close()

    drive(call)

and ``sshprobe conform --driver -- python driver.py {host} {port} {limit}`` runs it against every
server of the catalogue. ``call`` goes as far as a client goes: it returns once it has what it
wants, and raises if it has not. It may be a coroutine function of asyncio; ``drive(call,
backend="trio")`` says that it is trio's. Words of the command before ``{host}`` are the driver's
own: ``sys.argv[1:-3]``. A traceback in the output is taken for a crash, so a library that logs
what it also raises is told not to, by ``logging``.

In another language, a driver does the same. What it says is on lines of their own, on its standard
output, in this order:

1. It says that it calls, and what it counts that can be left behind: names of its choice. Its time
   begins here, so what it has to load is loaded before.
2. It calls once, with the limit in seconds as the limit of the whole call if the library has one.
3. It says ``returned ok``, or ``returned failed`` and why. Its time ends here. What the call gave
   is dropped: a driver that keeps it keeps what hangs on it.
4. It waits for the end of its standard input, and meanwhile lets live on what the call left.
5. It counts again, says so, and exits, whatever is left. What grew was left; so was a connection to
   the server that still stands, which need not be counted.

::

    sshprobe: calling threads=1
    sshprobe: returned failed TimeoutError: timed out
    sshprobe: left threads=2

The whole of it in Go, where ``call`` gives an error::

    fmt.Printf("sshprobe: calling goroutines=%d\n", runtime.NumGoroutine())
    if err := call(host, port, limit); err != nil {
        fmt.Printf("sshprobe: returned failed %q\n", err.Error())
    } else {
        fmt.Println("sshprobe: returned ok")
    }
    io.Copy(io.Discard, os.Stdin)
    fmt.Printf("sshprobe: left goroutines=%d\n", runtime.NumGoroutine())

Each line counts the first time that it is said. A driver that ends before its call has returned is
taken for crashed, and one that never connects is wrong, whatever it says: a mistake in a driver is
not taken for a client that fails as it should.

It runs beside the library, perhaps in an environment of the library's own, so this module needs no
more than the standard library.
"""

import gc
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

Call = Callable[[str, int, float], object]
"""What is driven: it is given the host, the port, and the limit in seconds."""

_TICK_S: Final = 0.02
"""Between two looks at whether standard input has ended."""

_RESTING_S: Final = 0.2
"""How long threads of a pool that have nothing to do may take to end."""

_MOST_CHARACTERS: Final = 1000
"""Of what an exception says: a line that is too long is not read."""

_IDLE_OF_TRIO: Final = "Trio thread "
"""How the name of a thread begins that trio keeps for later."""

_DESCRIPTORS: Final = Path("/proc/self/fd")
"""Where Linux lists what a process has open."""


class _Backend(NamedTuple):
    """What runs a call.

    Attributes:
        run: Runs the coroutine of the whole conversation.
        sleep: Lets what was left live on for a time in seconds.
        count_tasks: Counts the tasks that live.
        rest: Ends idle threads, which nobody left behind.
    """

    run: Callable[[Coroutine[Any, Any, None]], object]
    sleep: Callable[[float], Awaitable[object]]
    count_tasks: Callable[[], int]
    rest: Callable[[], Awaitable[object]]


class _Keeper:
    """Who started the driver: at the other end of standard input and output.

    The call gets an empty standard input, so that it cannot wait for the keeper's, and may do with
    standard output what it likes.
    """

    def __init__(self) -> None:
        self._input, self._output = os.dup(0), os.dup(1)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)

    def is_gone(self) -> bool:
        """Whether its end of standard input is closed. Does not wait."""
        readable, _, _ = select.select((self._input,), (), (), 0)
        return bool(readable) and not os.read(self._input, select.PIPE_BUF)

    def tell(self, line: str) -> None:
        """Say a line, even in the middle of one of the call's own."""
        with suppress(Exception):  # the call may have closed it
            sys.stdout.flush()
        os.write(self._output, f"\nsshprobe: {line}\n".encode())


def drive(call: Call, backend: str | None = None) -> NoReturn:
    """Call once, say what came of it, and leave when the keeper has seen enough.

    Args:
        call: The client. It succeeds if it returns, and fails if it raises.
        backend: ``"asyncio"`` or ``"trio"``; if ``None``, a coroutine function is asyncio's, and
            another function is called as it is.

    Raises:
        SystemExit: The command line does not end with a host, a port and a limit.
    """
    host, port, limit_s = _target()
    name = backend or ("asyncio" if iscoroutinefunction(call) else "none")
    try:
        running = _BACKENDS[name]()
        running.run(_converse(lambda: call(host, port, limit_s), running, _Keeper()))
    except BaseException:  # noqa: ASYNC103, BLE001 - the driver's mistake; threads may hold it
        traceback.print_exc()
    _leave(1)


def _target() -> tuple[str, int, float]:
    try:
        host, port, limit_s = sys.argv[-3:]
        return host, int(port), float(limit_s)
    except ValueError:
        message = f"usage: {sys.argv[0]} … HOST PORT LIMIT"
        raise SystemExit(message) from None


async def _converse(call: Callable[[], object], backend: _Backend, keeper: _Keeper) -> None:
    keeper.tell(f"calling {_counts(backend)}")
    keeper.tell(f"returned {await _outcome(call)}")
    gc.collect()  # what nobody refers to was not left
    while not keeper.is_gone():
        await backend.sleep(_TICK_S)
    await backend.rest()
    keeper.tell(f"left {_counts(backend)}")
    _leave(0)  # from here: what runs the tasks would wait for those that are left


async def _outcome(call: Callable[[], object]) -> str:
    """Call, and keep nothing of what came of it but words."""
    try:
        result = call()
        if isinstance(result, Awaitable):
            await result
    except BaseException as error:  # noqa: ASYNC103, BLE001 - whatever it is, it is the outcome
        return f"failed {_in_a_line(error)}"  # noqa: ASYNC104 - likewise
    return "ok"


def _in_a_line(error: BaseException) -> str:
    try:
        text = ": ".join(filter(None, (type(error).__name__, str(error))))
    except Exception:  # noqa: BLE001 - a library's own
        text = f"{type(error).__name__}, which cannot be printed"
    return text[:_MOST_CHARACTERS].encode("unicode_escape").decode()


def _counts(backend: _Backend) -> str:
    threads = [each for each in threading.enumerate() if not each.name.startswith(_IDLE_OF_TRIO)]
    return f"threads={len(threads)} tasks={backend.count_tasks()} sockets={_count_sockets()}"


def _count_sockets() -> int:
    count = 0
    with suppress(OSError):  # not Linux
        for descriptor in list(_DESCRIPTORS.iterdir()):
            with suppress(OSError):  # it was that of the list itself
                count += str(descriptor.readlink()).startswith("socket:")
    return count


def _leave(status: int) -> NoReturn:
    """Exit at once, whatever threads there are."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the call may have closed it
            stream.flush()
    os._exit(status)


# Backends. ---------------------------------------------------------------------------------------


def _none() -> _Backend:
    def run(conversation: Coroutine[Any, Any, None]) -> None:
        conversation.send(None)  # nothing of ours in it waits for a loop, so it runs to its end
        message = "the call waits for a loop: say whose by backend="
        raise TypeError(message)

    async def sleep(seconds: float) -> None:  # noqa: ASYNC124 - as the others have it
        time.sleep(seconds)  # noqa: ASYNC251 - no task waits for it

    return _Backend(run, sleep, lambda: 0, lambda: sleep(0))


def _asyncio() -> _Backend:
    import asyncio  # noqa: PLC0415 - if it is asyncio's

    async def rest() -> None:
        pool = asyncio.create_task(asyncio.get_running_loop().shutdown_default_executor())
        await asyncio.wait([pool], timeout=_RESTING_S)

    return _Backend(asyncio.run, asyncio.sleep, lambda: len(asyncio.all_tasks()), rest)


def _trio() -> _Backend:
    import trio  # noqa: PLC0415 - if it is trio's

    def run(conversation: Coroutine[Any, Any, None]) -> None:
        trio.run(lambda: conversation)

    def count_tasks() -> int:
        return trio.lowlevel.current_statistics().tasks_living

    return _Backend(run, trio.sleep, count_tasks, trio.lowlevel.checkpoint)


_BACKENDS: Final = {"none": _none, "asyncio": _asyncio, "trio": _trio}
