"""How long ``sshprobe check`` takes as a whole process, against ``python -c "import trio"``.

The server is a thread of this process that answers at once with a captured conversation. Both
commands run in turn, so that a machine that slows down slows down both; the figure is the ratio
of the medians. Exits 1 over the bar.

What was found: of the time over ``import trio`` about half is argparse and this package's own
modules, the rest trio's run loop and the probe itself. Dataclasses cost 0.6 ms each to define, so
the modules that the command imports use NamedTuples; json is imported by ``--json`` alone.
"""

import compileall
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import probe
from probe.catalogue.captured import OPENSSH_IDENTIFICATION, OPENSSH_KEXINIT

BAR = 1.4
RUNS = 21


def main() -> int:
    compileall.compile_dir(str(Path(probe.__file__).parent), quiet=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        ours = [str(Path(sys.executable).with_name("sshprobe")), "check", target]
        theirs = [sys.executable, "-c", "import trio"]
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS)]
    check_s, import_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = check_s / import_s
    print(f"sshprobe check  {check_s * 1000:6.1f} ms   median of {RUNS}")
    print(f"import trio     {import_s * 1000:6.1f} ms")
    print(f"ratio           {ratio:6.2f}      bar {BAR}")
    return int(ratio > BAR)


def answer(listener: socket.socket) -> None:
    while True:
        client, _ = listener.accept()
        with client:
            client.sendall(OPENSSH_IDENTIFICATION + OPENSSH_KEXINIT)
            while client.recv(65536):
                pass


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
