#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GRUB, as Debian has it, on `evc boot` and on real Xen: the same screen.

    grub_prompt.py EVC RECORDED [OPTION...]

RECORDED is what GRUB's console carried under Xen 4.17 while the commands below
were typed.  The two are compared byte for byte, cursor movements and all, except
for what cannot be the same: how fast a file was read, and the date.
"""

import os
import re
import sys

import guest_pty

GRUB = "/usr/lib/grub-xen/grub-x86_64-xen.bin"
COMMANDS = [b"ls", b"echo hi", b"date", b"xen_ls", b"lsmmap", b"help", b"halt"]
PROMPT = b"\rgrub> "


def comparable(screen):
    """The screen without speeds and dates."""
    screen = screen.replace(b"\r\n", b"\n").replace(b"\n\r", b"\n")
    screen = re.sub(rb"\x1b\[3;\d+H +\[ grub.cfg.*?\]", b"[speed]", screen)
    return re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z][a-z]+day", b"[date]", screen)


def talk(terminal):
    terminal.wait_for(PROMPT)
    for command in COMMANDS[:-1]:
        terminal.type(command + b"\r")
        terminal.wait_for(PROMPT)
    terminal.type(COMMANDS[-1] + b"\r")
    return terminal.finish()


def show_difference(ours, theirs):
    for number, (mine, other) in enumerate(zip(ours.split(b"\n"), theirs.split(b"\n"))):
        if mine != other:
            print(f"line {number + 1}:\n  here {mine!r}\n  Xen  {other!r}")
            return
    print(f"{len(ours)} bytes here, {len(theirs)} on Xen")


def main():
    evc, recorded, *options = sys.argv[1:]
    if not os.path.exists(GRUB):
        guest_pty.skip(f"no {GRUB} (package grub-xen-host)")
    terminal = guest_pty.Terminal([evc, "boot", *options, GRUB])
    try:
        status = talk(terminal)
    except guest_pty.Gone as gone:
        if b"may not map" in terminal.screen or b"is needed" in terminal.screen:
            guest_pty.skip(terminal.screen.decode().strip())
        guest_pty.fail(terminal, gone)
    finally:
        terminal.kill()
    if status != 0:
        guest_pty.fail(terminal, f"exit status {status} after halt")
    with open(recorded, "rb") as file:
        theirs = comparable(file.read())
    ours = comparable(terminal.screen)
    if ours != theirs:
        show_difference(ours, theirs)
        sys.exit(1)
    print(f"{len(ours)} bytes as on real Xen")


if __name__ == "__main__":
    main()
