#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GRUB with a pipe for a console: what is typed may end, and GRUB goes on.

    grub_pipe.py EVC
"""

import os
import signal
import subprocess
import sys

import guest_pty

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
LEFT = 6


def start(evc, typed):
    return subprocess.Popen([evc, "boot", GRUB], stdin=typed, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)


def expect(holds, what, said):
    if not holds:
        print("failed:", what)
        print(said.decode("latin-1"))
        sys.exit(1)


def all_at_once(evc):
    """echo ... | evc boot: commands, the last of which ends it."""
    program = start(evc, subprocess.PIPE)
    said, _ = program.communicate(b"echo here\nhalt\n", timeout=guest_pty.PATIENCE)
    if b"may not map" in said or b"is needed" in said:
        guest_pty.skip(said.decode().strip())
    expect(program.returncode == 0, f"exit status {program.returncode}", said)
    expect(b"\rhere" in said.replace(b"\n", b""), "it did not do what was typed", said)


def nothing_ever(evc):
    """With nothing to be typed it stays at its prompt, until it is left."""
    program = start(evc, subprocess.DEVNULL)
    said = b""
    while b"\rgrub> " not in said:
        more = os.read(program.stdout.fileno(), 65536)
        expect(more, "it ended at the end of its input", said)
        said += more
    program.send_signal(signal.SIGTERM)
    rest, _ = program.communicate(timeout=guest_pty.PATIENCE)
    expect(program.returncode == LEFT, f"exit status {program.returncode}", said + rest)


def main():
    (evc,) = sys.argv[1:]
    if not os.path.exists(GRUB):
        guest_pty.skip(f"no {GRUB} (package grub-xen-host)")
    all_at_once(evc)
    nothing_ever(evc)
    print("typed by a pipe, and not at all")


if __name__ == "__main__":
    main()
