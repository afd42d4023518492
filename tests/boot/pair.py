#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two guests in two processes, and what they share.

    pair.py EVC GUEST

GUEST is kernel/pair.c.  As domain 1 it finds its other instance, domain 2, by
an interdomain channel, maps a page that is granted to it, and has numbers
squared; both count, and must agree.
"""

import subprocess
import sys

import guest_pty

TURNS = 10
ROUNDS = 500


def boot(evc, *arguments):
    done = subprocess.run([evc, "boot", *arguments], timeout=guest_pty.PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if "may not map" in done.stderr or "is needed" in done.stderr:
        guest_pty.skip(done.stderr.strip())
    return done


def expect(holds, what, done):
    if not holds:
        print("failed:", what)
        print(f"status {done.returncode}\n{done.stdout}\n{done.stderr}")
        sys.exit(1)


def agree(evc, guest):
    squares = sum(i * i for i in range(1, ROUNDS + 1))
    for _ in range(TURNS):
        done = boot(evc, f"--cmdline=side=1 rounds={ROUNDS}", f"--peer={guest}",
                    "--peer-cmdline=side=2", guest)
        expect(done.returncode == 0, "one of them did not end well", done)
        expect(done.stdout == f"client: {ROUNDS} answers, sum {squares}\n"
               .replace("\n", "\r\n") or
               done.stdout == f"client: {ROUNDS} answers, sum {squares}\n",
               "the client said something else", done)
        expect(f"server: {ROUNDS} answers, sum {squares}" in done.stderr,
               "the server counted something else", done)
    print(f"{TURNS} times {ROUNDS} rounds, both counted the same")


def miss_each_other(evc, guest):
    """Both are clients: neither finds a server, the first one's end ends both."""
    done = boot(evc, "--cmdline=side=1 tries=3", f"--peer={guest}",
                "--peer-cmdline=side=1", guest)
    expect(done.returncode == 4, "it ended in another way", done)
    expect("there is no server" in done.stdout, "it said something else", done)


def peer_is_unusable(evc, guest):
    done = boot(evc, "--cmdline=side=1 tries=3", "--peer=/nowhere", guest)
    expect("/nowhere: No such file or directory" in done.stderr,
           "the message is another", done)
    expect(done.returncode == 4, "it ended in another way", done)


def alone(evc, guest):
    """Without a peer domain 2 is nobody."""
    done = boot(evc, "--cmdline=side=1 tries=1", guest)
    expect("there is no server" in done.stdout, "it said something else", done)


def main():
    evc, guest = sys.argv[1:]
    agree(evc, guest)
    miss_each_other(evc, guest)
    peer_is_unusable(evc, guest)
    alone(evc, guest)


if __name__ == "__main__":
    main()
