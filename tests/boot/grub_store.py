#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GRUB with its store in a xenstored, which others look into meanwhile.

    grub_store.py EVC

XENSTORED_RUNDIR says where that listens; it is asked by xenstore-utils.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import guest_pty

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
PROMPT = b"\rgrub> "
HOME = "/local/domain/1"


def tool(name, *arguments):
    done = subprocess.run([name, *arguments], capture_output=True, text=True,
                          timeout=guest_pty.PATIENCE, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def expect(terminal, have, want, what):
    if have != want:
        guest_pty.fail(terminal, f"{what}: {have!r}, not {want!r}")


def look_around(terminal):
    """At the prompt GRUB has a disk, and let go of it again."""
    read = {
        f"{HOME}/domid": "1",
        f"{HOME}/device/vbd/51712/backend": "/local/domain/0/backend/vbd/1/51712",
        "/local/domain/0/backend/vbd/1/51712/sectors": "2048",
        "/local/domain/0/backend/vbd/1/51712/mode": "w",
    }
    for path, want in read.items():
        expect(terminal, tool("xenstore-read", path), want, path)
    listing = tool("xenstore-ls", "-p", f"{HOME}/device/vbd/51712")
    for node in ("ring-ref", "event-channel", "protocol"):
        if node not in listing:
            guest_pty.fail(terminal, f"GRUB wrote no {node}:\n{listing}")


def talk(terminal):
    terminal.wait_for(PROMPT)
    terminal.type(b"ls\r")
    if b"(xen/xvda)" not in terminal.wait_for(PROMPT):
        guest_pty.fail(terminal, "ls shows no disk")
    look_around(terminal)
    terminal.type(b"xen_ls\r")
    if b"drivers" not in terminal.wait_for(PROMPT):
        guest_pty.fail(terminal, "xen_ls shows no store")
    terminal.type(b"halt\r")
    return terminal.finish()


def run(evc, disk):
    terminal = guest_pty.Terminal([evc, "boot", "--store=socket", f"--disk={disk}", GRUB])
    try:
        status = talk(terminal)
    except guest_pty.Gone as gone:
        if b"may not map" in terminal.screen or b"is needed" in terminal.screen:
            guest_pty.skip(terminal.screen.decode().strip())
        guest_pty.fail(terminal, gone)
    finally:
        terminal.kill()
    expect(terminal, status, 0, "exit status")
    for path in (HOME, "/local/domain/0/backend/vbd/1", "/local/domain/0/backend/console/1"):
        expect(terminal, tool("xenstore-read", path), None, f"{path} is left behind")
    expect(terminal, tool("xenstore-list", "/vm"), "", "/vm")


def main():
    (evc,) = sys.argv[1:]
    if not os.path.exists(GRUB):
        guest_pty.skip(f"no {GRUB} (package grub-xen-host)")
    if shutil.which("xenstore-ls") is None:
        guest_pty.skip("no xenstore-ls (package xenstore-utils)")
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(1 << 20)
        run(evc, disk.name)
    print("GRUB's store was seen from outside, and nothing of it is left")


if __name__ == "__main__":
    main()
