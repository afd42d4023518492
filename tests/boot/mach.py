#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GNU Mach, as Debian has it for Xen, comes up, with a disk, for any user.

    mach.py EVC

It has its traps, timer, page tables, console, store and grants then, and looks for
the programs that a boot loader would have given it.  There are none: it says so,
and shuts itself down, with an address for a reason.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile

import guest_pty

MACH = "/boot/gnumach-1.8-xen-486.gz"
SHUT_DOWN_FOR_ANOTHER_REASON = 5
SAYS = [
    rb"^GNU Mach 1\.8",
    rb"^Running on xen-3\.0-x86_64\.",
    rb"^biosmem: 0+:0+4000000, available",
    rb"^xvd0: dom0's VBD 51712 \(.*,w\) 16MB",
    rb"^panic .* No bootstrap code loaded with the kernel!",
]


def fail(done, what):
    print("failed:", what)
    print(f"status {done.returncode}")
    print((done.stdout + done.stderr).decode("latin-1"))
    sys.exit(1)


def unlimited_stacks():
    """Linux then puts libraries much lower, where guests might want to be."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))


def boot(evc, before):
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(16 << 20)
        done = subprocess.run([evc, "boot", f"--disk={disk.name}", MACH],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=guest_pty.PATIENCE, preexec_fn=before, check=False)
    if b"is needed" in done.stderr:
        guest_pty.skip(done.stderr.decode().strip())
    for line in SAYS:
        if not re.search(line, done.stdout.replace(b"\r", b""), re.M):
            fail(done, f"it did not say {line.decode()}")
    if done.returncode != SHUT_DOWN_FOR_ANOTHER_REASON:
        fail(done, "it ended in another way")


def main():
    (evc,) = sys.argv[1:]
    if not os.path.exists(MACH):
        guest_pty.skip(f"no {MACH} (package gnumach-image-1.8-xen-486)")
    boot(evc, None)
    boot(evc, unlimited_stacks)
    print(f"{len(SAYS)} of its lines, to where it misses its programs")


if __name__ == "__main__":
    main()
