#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""However a guest ends, `evc boot` says how, and leaves the terminal as it was.

    endings.py EVC GUEST
"""

import os
import signal
import subprocess
import sys
import termios

from guest_pty import PATIENCE, Gone, Terminal, fail, skip

# end=N: exit status, and what must be said on stderr.
ENDINGS = {
    0: (0, b""),
    1: (3, b""),
    2: (5, b"shut down for reason 2"),
    3: (4, b"it said so"),
    12: (4, b"page fault at 0x123000"),
    13: (4, b"trap 13"),
    14: (4, b"cannot go on at 0x4000000000000000"),
    15: (4, b"page fault"),
    16: (4, b"page fault"),
    17: (4, b"cannot go on at 0x4000"),
    19: (4, b"no stack at 0xfc8"),
    20: (0, b""),
    22: (4, b"trap 1 at"),
    23: (5, b"shut down for reason 77"),
    24: (4, b"left 64-bit mode"),
    21: (70, b"the guest's process broke down"),
}


def command(evc, guest, end):
    return [evc, "boot", f"--cmdline=end={end}", guest]


def check_endings(evc, guest):
    for end, (status, said) in ENDINGS.items():
        run = subprocess.run(command(evc, guest, end), stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=PATIENCE)
        if run.returncode == 2 and b"is needed" in run.stderr:
            skip(run.stderr.decode().strip())
        if run.returncode != status or said not in run.stderr:
            print(f"end={end}: status {run.returncode}, not {status}, or not {said!r}:")
            print(run.stderr.decode())
            sys.exit(1)
        if status == 4:
            check_report(end, run.stderr)


def check_report(end, said):
    for part in (b"rip ", b"stack:", b"last hypercalls", b"| going to end"):
        if part not in said:
            print(f"end={end}: no {part!r} in the report:\n" + said.decode())
            sys.exit(1)


def attributes(terminal):
    return termios.tcgetattr(terminal.fd)


def leave(evc, guest, end, how):
    """Spinning, or blocked for ever: somebody leaves."""
    terminal = Terminal(command(evc, guest, end))
    try:
        terminal.wait_for(b"going to end")
        if attributes(terminal)[3] & termios.ICANON:
            fail(terminal, "the terminal is not raw")
        how(terminal)
        status = terminal.finish()
    except Gone as gone:
        fail(terminal, gone)
    finally:
        terminal.kill()
    if status != 6:
        fail(terminal, f"end={end}: status {status}, not 6")


def check_own_tables(evc, guest):
    """It runs its page tables as code, until it crashes or is told to leave."""
    with subprocess.Popen(command(evc, guest, 18), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        run.stdout.readline()
        run.terminate()
        if run.wait(PATIENCE) not in (4, 6):
            print(f"end=18: status {run.returncode}, neither 4 nor 6")
            sys.exit(1)


def check_terminal(evc, guest, end):
    """As it was, seen by a shell that outlives the guest."""
    script = 'before=$(stty -g); "$@"; status=$?; ' \
             'test "$before" = "$(stty -g)" && echo same $status'
    terminal = Terminal(["/bin/sh", "-c", script, "sh"] + command(evc, guest, end))
    status, _ = ENDINGS.get(end, (6, b""))
    try:
        if end == 10:
            terminal.wait_for(b"going to end")
            terminal.type(b"\x1d")
        terminal.wait_for(b"same %d" % status)
        terminal.finish()
    except Gone as gone:
        fail(terminal, gone)
    finally:
        terminal.kill()


def main():
    evc, guest = sys.argv[1:]
    check_endings(evc, guest)
    check_own_tables(evc, guest)
    for end in (10, 11):
        leave(evc, guest, end, lambda terminal: terminal.type(b"\x1d"))
        leave(evc, guest, end, lambda terminal: os.kill(terminal.pid, signal.SIGTERM))
        leave(evc, guest, end, lambda terminal: os.kill(terminal.pid, signal.SIGHUP))
    for end in (0, 3, 10):
        check_terminal(evc, guest, end)
    print(f"{len(ENDINGS)} endings, 6 ways of leaving, the terminal as it was")


if __name__ == "__main__":
    main()
