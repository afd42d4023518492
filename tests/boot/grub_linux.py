#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GRUB boots another kernel from a disk, which then finds its machine sound.

    grub_linux.py EVC STRESS SPEAK

STRESS and SPEAK are kernel/stress.c and kernel/speak.c.  GRUB reads them from
ext4, builds page tables and a start of day for them as it thinks best, and
changes over: the first tests everything that it then runs on, the second asks
its store what GRUB's initrd says.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import guest_pty
from stress import PARTS

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
SCRIPT = "a READ 0 domid|\na WRITE 0 data/x|y\na READ 0 data/x|\n"
HEARD = ["a READ 0 domid|", "= READ 1", "a WRITE 0 data/x|y", "= WRITE OK|",
         "a READ 0 data/x|", "= READ y", "the end"]


def mke2fs():
    path = shutil.which("mke2fs", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        guest_pty.skip("no mke2fs (package e2fsprogs)")
    return path


def make_disk(folder, kernel, config):
    root = os.path.join(folder, "root")
    os.makedirs(root + "/boot/grub")
    shutil.copy(kernel, root + "/kernel")
    with open(root + "/script", "w", encoding="ascii") as file:
        file.write(SCRIPT)
    with open(root + "/boot/grub/grub.cfg", "w", encoding="ascii") as file:
        file.write(config)
    disk = os.path.join(folder, "disk")
    subprocess.run([mke2fs(), "-q", "-t", "ext4", "-d", root, disk, "16M"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return disk


def boot(evc, kernel, config):
    """What the kernel said, after what GRUB said."""
    with tempfile.TemporaryDirectory() as folder:
        disk = make_disk(folder, kernel, config)
        done = subprocess.run([evc, "boot", f"--disk={disk}", GRUB], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=4 * guest_pty.PATIENCE,
                              check=False)
    if b"may not map" in done.stderr or b"is needed" in done.stderr:
        guest_pty.skip(done.stderr.decode().strip())
    said = done.stdout.decode("latin-1")
    if done.returncode != 0:
        print(f"failed: exit status {done.returncode}\n{said}\n{done.stderr.decode()}")
        sys.exit(1)
    return said.split("\x1b")[-1].split("H", 1)[1].splitlines()


def expect(good, lines):
    if not good:
        print("failed: it said\n" + "\n".join(lines))
        sys.exit(1)


def main():
    evc, stress, speak = sys.argv[1:]
    if not os.path.exists(GRUB):
        guest_pty.skip(f"no {GRUB} (package grub-xen-host)")
    lines = boot(evc, stress, "linux /kernel upcalls=300\nboot\n")
    expect(len(lines) == len(PARTS) and
           all(line.startswith("ok " + part) for line, part in zip(lines, PARTS)), lines)
    lines = boot(evc, speak, "linux /kernel\ninitrd /script\nboot\n")
    expect(lines == HEARD, lines)
    print("two kernels, booted by GRUB")


if __name__ == "__main__":
    main()
