#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start a program as systemd would, with one descriptor.

    activate.py KIND PATH PROGRAM...

KIND is what descriptor 3 is: `seqpacket` as it should be, `stream`, `silent` (it
does not listen), `file`, or `none`.
"""
import os, socket, sys

kind, path, program = sys.argv[1], sys.argv[2], sys.argv[3:]
if kind == 'file':
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
elif kind != 'none':
    given = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM
                          if kind == 'stream' else socket.SOCK_SEQPACKET)
    given.bind(path)
    if kind != 'silent':
        given.listen()
    fd = given.detach()
if kind == 'none':
    os.closerange(3, 64)
elif fd == 3:
    os.set_inheritable(3, True)
else:
    os.dup2(fd, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(program[0], program)
