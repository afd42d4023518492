# SPDX-License-Identifier: MIT
"""A program on a terminal of its own: what tests need of one."""

import errno
import os
import pty
import select
import signal
import sys
import time

SKIP = 77
PATIENCE = 120  # seconds; only a guest that hangs meets it


class Gone(Exception):
    """The program ended, or said nothing for too long."""


class Terminal:
    """argv with a pseudo-terminal as its standard files."""

    def __init__(self, argv):
        self.screen = b""
        self.seen = 0
        try:
            self.pid, self.fd = pty.fork()
        except OSError as error:
            print(f"skipped: no pseudo-terminals here: {error}")
            sys.exit(SKIP)
        if self.pid == 0:
            os.execv(argv[0], argv)

    def read(self, until):
        """More output into the screen; False at its end."""
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise Gone("nothing more came")
        try:
            data = os.read(self.fd, 65536)
        except OSError as error:  # a terminal that nobody has any more
            if error.errno != errno.EIO:
                raise
            data = b""
        self.screen += data
        return bool(data)

    def wait_for(self, text):
        """What came since the last wait, up to and with `text`."""
        until = time.monotonic() + PATIENCE
        while (at := self.screen.find(text, self.seen)) < 0:
            if not self.read(until):
                raise Gone(f"it ended before it said {text!r}")
        start, self.seen = self.seen, at + len(text)
        return self.screen[start : self.seen]

    def type(self, text):
        os.write(self.fd, text)

    def finish(self):
        """Everything until the program ends; its exit status."""
        until = time.monotonic() + PATIENCE
        while self.read(until):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIP)


def fail(terminal, reason):
    print("failed:", reason)
    print(terminal.screen.decode("latin-1"))
    sys.exit(1)
