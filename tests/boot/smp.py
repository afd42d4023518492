#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest with several vCPUs says that all is well, on a pipe and without privilege.

    smp.py EVC GUEST [ROUNDS [VCPUS...]]
"""

import subprocess
import sys

from guest_pty import PATIENCE, skip

PARTS = ["started", "spinning", "hypercalls", "faults", "vcpu_info moved", "ring",
         "all to all", "timers", "own windows", "shared window", "flushes",
         "reservations", "odd segments", "own segment bases", "NMIs", "down by itself",
         "down by another"]

REFUSED = b"the guest wants page tables of its own for a vCPU"


def run(evc, guest, rounds, vcpus):
    command = [evc, "boot", f"--vcpus={vcpus}", f"--cmdline=rounds={rounds}", guest]
    end = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=4 * PATIENCE)
    said = end.stdout.decode()
    if end.returncode == 2 and b"is needed" in end.stderr:
        skip(end.stderr.decode().strip())
    if (said.split("\n") != ["ok " + part for part in PARTS] + [""] or
            end.returncode != 0 or REFUSED not in end.stderr):
        print(f"{vcpus} vCPUs, status {end.returncode}:\n{said}{end.stderr.decode()}")
        sys.exit(1)
    print(f"{vcpus} vCPUs: {len(PARTS)} parts, {rounds} rounds")


def crash(evc, guest, vcpus):
    """One vCPU crashes while others spin, block, and are down."""
    command = [evc, "boot", f"--vcpus={vcpus}", "--cmdline=crash=1", guest]
    end = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=PATIENCE)
    expected = [b"crashed on vCPU 1: trap 6 at", b"\nvCPU 0: up, rip "]
    expected += [b"\nvCPU %d: " % vcpu for vcpu in range(2, vcpus)]
    if end.returncode != 4 or not all(part in end.stderr for part in expected):
        print(f"crash of {vcpus} vCPUs, status {end.returncode}:\n{end.stderr.decode()}")
        sys.exit(1)


def main():
    evc, guest = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    for vcpus in map(int, sys.argv[4:] or ["2", "4"]):
        run(evc, guest, rounds, vcpus)
        crash(evc, guest, vcpus)


if __name__ == "__main__":
    main()
