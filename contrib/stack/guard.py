"""Runs one server, and sees to it that no process of it outlives the program that started it.

    starter ──stdin──► guard ──► server ──► its own processes, also those that detach themselves

Called as ``guard.py LOG COMMAND...``, it prints the server's process id. When the server ends, the starter does (in
whatever way) or standard input is closed, it kills all that is left below it, and ends.

The kernel's own means don't suffice: PR_SET_PDEATHSIG fires when the *thread* that started a process ends, and
reaches one process only; and what detaches itself, as Erlang's epmd does, leaves both its parent and its group.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER = 36


def main(log: str, command: list[str]) -> int:
    """Run the command until it, the starter or standard input ends; return 0."""
    # Standard input alone does not tell of the starter's end: what the starter forked may hold its other side open.
    starter = os.pidfd_open(os.getppid())
    adopt_orphans()
    with open(log, "ab") as out:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    print(server.pid, flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # adopted processes that end leave no zombies
    try:
        select.select([sys.stdin, starter, os.pidfd_open(server.pid)], [], [])
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        end_all_below()
    return 0


def adopt_orphans() -> None:
    """Become the parent of every process below that loses its own, so that none gets out of sight."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def end_all_below() -> None:
    """Kill and reap until this process has no child; those of a killed child come to us in turn."""
    with contextlib.suppress(ChildProcessError):
        while True:
            signal_all(signal.SIGKILL, list(descendants(os.getpid())))
            os.waitpid(-1, 0)


def signal_all(number: signal.Signals, pids: list[int]) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def descendants(pid: int) -> Iterator[int]:
    """All processes below this one."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := status(int(entry))):
            children[stat[1]].append(int(entry))
    waiting = [pid]
    while waiting:
        below = children[waiting.pop()]
        yield from below
        waiting += below


def status(pid: int) -> tuple[str, int] | None:
    """The state letter and the parent of a process (proc(5), stat), or None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return state, int(parent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
