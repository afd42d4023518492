#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The stress guest says that all is well, on a pipe and without privilege.

    stress.py EVC GUEST [UPCALLS]
"""

import subprocess
import sys

from guest_pty import PATIENCE, skip

PARTS = ["traps", "instructions", "segments", "page tables", "hypercalls", "clock",
         "time and waiting", "spinning", "hypercalls", "faults"]


def main():
    evc, guest = sys.argv[1:3]
    upcalls = sys.argv[3] if len(sys.argv) > 3 else "1000"
    run = subprocess.run([evc, "boot", f"--cmdline=upcalls={upcalls}", guest],
                         stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=4 * PATIENCE)
    said = run.stdout.decode()
    if run.returncode == 2 and b"is needed" in run.stderr:
        skip(run.stderr.decode().strip())
    print(said + run.stderr.decode())
    lines = said.split("\n")
    good = len(lines) == len(PARTS) + 1 and all(
        line.startswith("ok " + part) for line, part in zip(lines, PARTS))
    sys.exit(0 if good and run.returncode == 0 else 1)


if __name__ == "__main__":
    main()
