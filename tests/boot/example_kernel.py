#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The example kernel, talked to; again and again, and nothing is left behind.

    example_kernel.py EVC KERNEL [BOOTS]
"""

import os
import sys

from guest_pty import Gone, Terminal, fail, skip


def talk(evc, kernel):
    terminal = Terminal([evc, "boot", kernel])
    try:
        terminal.wait_for(b"a kernel on libevc-guest, FIFO\r\n")
        for _ in range(3):
            terminal.wait_for(b"tick\r\n")
        terminal.wait_for(b"say something, or bye\r\n")
        terminal.type(b"hello there\r")
        terminal.wait_for(b"HELLO THERE\r\n")
        terminal.type(b"bye\r")
        terminal.wait_for(b"bye\r\n")
        status = terminal.finish()
    except Gone as gone:
        if b"is needed" in terminal.screen:
            skip(terminal.screen.decode().strip())
        fail(terminal, gone)
    finally:
        terminal.kill()
        os.close(terminal.fd)
    if status != 0:
        fail(terminal, f"exit status {status}")


def left_behind():
    """What a boot could leave: files in memory, and processes of ours."""
    children = open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii").read()
    files = [name for folder in ("/dev/shm", os.environ.get("TMPDIR", "/tmp"))
             for name in os.listdir(folder) if name.startswith("evc-boot")]
    return children.split() + files


def main():
    evc, kernel = sys.argv[1:3]
    boots = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    for _ in range(boots):
        talk(evc, kernel)
    if left_behind():
        print("left behind:", left_behind())
        sys.exit(1)
    print(f"{boots} boots")


if __name__ == "__main__":
    main()
