#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GRUB boots from a disk: ext4, its grub.cfg, files read and written.

    grub_disk.py EVC

The disk's grub.cfg prints a file, sums another up, adds a mark to GRUB's
environment block, which is a write, and halts.  After 25 boots there are 25
marks and the file system is sound.  Then the same disk is given read-only, and
one loses half of its file while GRUB runs: GRUB is told, and goes on.
"""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import guest_pty

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
BOOTS = 25
PROMPT = b"\rgrub> "
ENVIRONMENT = "/boot/grub/grubenv"
CONFIG = f"""\
cat /hello.txt
sha256sum /big.bin
load_env -f {ENVIRONMENT}
marks="$marks+"
echo "marks: $marks"
save_env -f {ENVIRONMENT} marks
halt
"""


def tool(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        guest_pty.skip(f"no {name} (package e2fsprogs)")
    return path


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def make_disk(folder, name, config):
    """An ext4 disk of 16 MiB; its path, and the sum of its big file."""
    root = os.path.join(folder, name + ".root")
    big = random.Random(1).randbytes(1_000_000)
    block = b"# GRUB Environment Block\nmarks=\n"
    write(root + "/hello.txt", b"hello from ext4\n")
    write(root + "/big.bin", big)
    write(root + ENVIRONMENT, block.ljust(1024, b"#"))
    write(root + "/boot/grub/grub.cfg", config.encode())
    disk = os.path.join(folder, name)
    subprocess.run(
        [tool("mke2fs"), "-q", "-t", "ext4", "-d", root, disk, "16M"],
        check=True, capture_output=True,
    )
    return disk, hashlib.sha256(big).hexdigest()


def boot(evc, disk):
    """What GRUB said until it halted."""
    done = subprocess.run(
        [evc, "boot", f"--disk={disk}", GRUB], timeout=guest_pty.PATIENCE,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode("latin-1")
    if "may not map" in said or "is needed" in said:
        guest_pty.skip(said.strip())
    expect(done.returncode == 0, f"exit status {done.returncode}", said)
    return said


def expect(holds, what, said):
    if not holds:
        print("failed:", what)
        print(said)
        sys.exit(1)


def marks_on(disk):
    command = [tool("debugfs"), "-R", f"cat {ENVIRONMENT}", disk]
    block = subprocess.run(command, check=True, capture_output=True).stdout
    return re.search(rb"^marks=(.*)$", block, re.M).group(1).decode()


def boots_again_and_again(evc, folder):
    disk, big = make_disk(folder, "disk", CONFIG)
    for turn in range(1, BOOTS + 1):
        said = boot(evc, disk)
        expect("hello from ext4" in said, "the file was not printed", said)
        expect(big in said, "the sum of the big file is another", said)
        expect(f"marks: {'+' * turn}\n" in said.replace("\r", ""),
               f"boot {turn} did not find the marks of those before", said)
        expect(marks_on(disk) == "+" * turn, f"boot {turn} wrote no mark", said)
    subprocess.run([tool("e2fsck"), "-f", "-n", disk], check=True,
                   capture_output=True)
    print(f"{BOOTS} of {BOOTS} boots")
    return disk


def is_not_written_when_read_only(evc, disk):
    with open(disk, "rb") as file:
        before = file.read()
    said = boot(evc, disk + ",ro")
    expect("error: write failed." in said, "GRUB was told of no error", said)
    with open(disk, "rb") as file:
        expect(file.read() == before, "the disk was written to", said)
    print("read-only: the write failed, the disk is as it was")


def survives_a_disk_that_fails(evc, folder):
    disk, _ = make_disk(folder, "failing", "")
    terminal = guest_pty.Terminal([evc, "boot", f"--disk={disk}", GRUB])
    try:
        terminal.wait_for(PROMPT)
        os.truncate(disk, 1 << 20)
        for _ in range(2):
            terminal.type(b"sha256sum /big.bin\r")
            terminal.wait_for(b"error: read failed.")
            terminal.wait_for(PROMPT)
        terminal.type(b"halt\r")
        status = terminal.finish()
    except guest_pty.Gone as gone:
        guest_pty.fail(terminal, gone)
    finally:
        terminal.kill()
    if status != 0:
        guest_pty.fail(terminal, f"exit status {status} after halt")
    print("failing disk: GRUB was told, and went on")


def refuses_what_is_no_disk(evc):
    done = subprocess.run([evc, "boot", "--disk=/nowhere", GRUB], check=False,
                          capture_output=True, text=True)
    said = done.stdout + done.stderr
    expect(done.returncode == 2, f"exit status {done.returncode}", said)
    expect("disk '/nowhere': No such file or directory" in said,
           "the message is another", said)


def main():
    evc = sys.argv[1]
    if not os.path.exists(GRUB):
        guest_pty.skip(f"no {GRUB} (package grub-xen-host)")
    with tempfile.TemporaryDirectory() as folder:
        disk = boots_again_and_again(evc, folder)
        is_not_written_when_read_only(evc, disk)
        survives_a_disk_that_fails(evc, folder)
    refuses_what_is_no_disk(evc)


if __name__ == "__main__":
    main()
