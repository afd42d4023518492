#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Guests that have their stores in one xenstored see what they show each other.

    share_store.py EVC SPEAK PAIR

SPEAK and PAIR are kernel/speak.c and kernel/pair.c.  XENSTORED_RUNDIR says where
the xenstored listens.
"""

import shutil
import signal
import subprocess
import sys
import tempfile

import guest_pty

LEFT = 6
SHOWS = """\
a READ 0 domid|
a WRITE 0 data/shown|hello
a WRITE 0 data/hidden|secret
a SET_PERMS 0 data|n1|r2|
a SET_PERMS 0 data/shown|n1|r2|
a SET_PERMS 0 data/hidden|n1|
"""
LOOKS = """\
a READ 0 domid|
a READ 0 /local/domain/1/data/shown|
a DIRECTORY 0 /local/domain/1/data|
a READ 0 /local/domain/1/data/hidden|
a READ 0 /local/domain/1/name|
a WRITE 0 /local/domain/1/data/shown|mine
"""
SEES = ["= READ 2", "= READ hello", "= DIRECTORY shown|hidden|", "= ERROR EACCES|",
        "= ERROR EACCES|", "= ERROR EACCES|"]


def start(evc, guest, script, *options):
    module = tempfile.NamedTemporaryFile("w", suffix=".xs")
    module.write(script)
    module.flush()
    program = subprocess.Popen([evc, "boot", "--store=socket", f"--module={module.name}",
                                *options, guest], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return program, module


def fail(what, said):
    print("failed:", what)
    print(said)
    sys.exit(1)


def look_at_another(evc, guest):
    """The first goes on; the second reads what is for it, and no more."""
    first, module = start(evc, guest, SHOWS, "--cmdline=stay=1")
    said = ""
    while "the end" not in said:
        line = first.stdout.readline()
        said += line
        if not line:
            if "is needed" in said:
                guest_pty.skip(said.strip())
            fail("the first guest ended", said)
    second, other = start(evc, guest, LOOKS)
    seen, _ = second.communicate(timeout=guest_pty.PATIENCE)
    if [line for line in seen.splitlines() if line[0] == "="] != SEES:
        fail(f"the second guest saw other than {SEES}", seen)
    first.send_signal(signal.SIGTERM)
    rest, _ = first.communicate(timeout=guest_pty.PATIENCE)
    if first.returncode != LEFT or second.returncode != 0:
        fail(f"they ended with {first.returncode}, {second.returncode}", said + rest + seen)
    module.close()
    other.close()


def peers(evc, guest):
    """Two guests of one evc boot are domains 1 and 2 there, and find each other."""
    done = subprocess.run([evc, "boot", "--store=socket", "--cmdline=side=1 rounds=50",
                           f"--peer={guest}", "--peer-cmdline=side=2", guest],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=guest_pty.PATIENCE, check=False)
    if done.returncode != 0 or "50 answers" not in done.stdout:
        fail(f"two peers: status {done.returncode}", done.stdout + done.stderr)


def nothing_is_left():
    listed = subprocess.run(["xenstore-list", "/local/domain"], capture_output=True,
                            text=True, check=True).stdout.split()
    if listed != ["0"]:
        fail("domains are left in the store", listed)


def main():
    evc, speak, pair = sys.argv[1:]
    if shutil.which("xenstore-list") is None:
        guest_pty.skip("no xenstore-list (package xenstore-utils)")
    look_at_another(evc, speak)
    nothing_is_left()
    peers(evc, pair)
    nothing_is_left()
    print("one guest saw what another showed it, and nothing else of it")


if __name__ == "__main__":
    main()
