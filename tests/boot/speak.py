#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest's store answers as it did on Xen.

    speak.py EVC GUEST RECORDED [OPTION...]

GUEST is kernel/speak.c, which says the requests of RECORDED; what it hears is
compared with what it heard there, line by line.  OPTIONs are evc boot's.
"""

import difflib
import subprocess
import sys

import guest_pty


def main():
    evc, guest, recorded, *options = sys.argv[1:]
    done = subprocess.run([evc, "boot", f"--module={recorded}", *options, guest],
                          timeout=guest_pty.PATIENCE, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if "is needed" in done.stderr:
        guest_pty.skip(done.stderr.strip())
    if done.returncode != 0:
        print(f"status {done.returncode}\n{done.stdout}{done.stderr}")
        sys.exit(1)
    with open(recorded, encoding="ascii") as file:
        theirs = [line for line in file.read().splitlines() if line and line[0] != "#"]
    ours = done.stdout.splitlines()
    if ours != theirs + ["the end"]:
        print("\n".join(difflib.unified_diff(theirs + ["the end"], ours, "on Xen", "here",
                                             lineterm="", n=1)))
        sys.exit(1)
    asked = sum(line.startswith("a ") for line in theirs)
    print(f"{asked} requests answered as on Xen")


if __name__ == "__main__":
    main()
