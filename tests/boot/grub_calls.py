#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GRUB makes the hypercalls on `evc boot` that it makes on real Xen.

    grub_calls.py EVC RECORDED

RECORDED is what xentrace counted of GRUB under Xen 4.17, up to the third of the
commands below.  How often it looks at its rings and tells of what it put there
depends on how fast it is answered; of all others there are as many, and of none
that Xen did not see.
"""

import os
import re
import subprocess
import sys

import guest_pty

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
TYPED = b"ls\necho hi\ndate\nhalt\n"
POLLING = {"sched_op", "event_channel_op"}
CONTINUED = 0x80000000  # in the length of a list: the rest of one that Xen broke off


def recorded_calls(path):
    calls = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            call = re.match(r" *(\d+)  (\w+) \(\d+\)(?:.* arg1=(\w+))?", line)
            if call and not int(call[3] or "0", 16) & CONTINUED:
                calls[call[2]] = calls.get(call[2], 0) + int(call[1])
    return calls


def our_calls(evc):
    done = subprocess.run([evc, "boot", "--trace", GRUB], capture_output=True, check=False,
                          input=TYPED, timeout=guest_pty.PATIENCE)
    said = done.stderr.decode()
    if "may not map" in said or "is needed" in said:
        guest_pty.skip(said.strip())
    if done.returncode != 0:
        print(f"failed: exit status {done.returncode}\n{said}")
        sys.exit(1)
    calls = said.split("hypercalls:\n")[1]
    return {name: int(count) for name, count in re.findall(r"^  (\w+) +(\d+)$", calls, re.M)}


def main():
    evc, recorded = sys.argv[1:]
    if not os.path.exists(GRUB):
        guest_pty.skip(f"no {GRUB} (package grub-xen-host)")
    theirs, ours = recorded_calls(recorded), our_calls(evc)
    for name in sorted(theirs.keys() | ours.keys()):
        here, there = ours.get(name, 0), theirs.get(name, 0)
        if here != there and not (name in POLLING and here and there):
            print(f"failed: {name}: {here} here, {there} on Xen")
            sys.exit(1)
    print("as on Xen:", ", ".join(f"{ours[name]} {name}" for name in sorted(ours)))


if __name__ == "__main__":
    main()
