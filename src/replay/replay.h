/* SPDX-License-Identifier: MIT */
/*
 * Replay: run scenarios of the .evt language on this engine and compare what
 * they print with what real Xen printed (conformance/FORMAT.md).
 *
 * One file is one scenario is one world: a fresh engine, its domains, a clock
 * that only the scenario moves, and a thread for each vCPU that acts.  Nothing
 * depends on the machine's own time or load: the same file always gives the
 * same trace.
 */
#ifndef EVC_REPLAY_H
#define EVC_REPLAY_H

#include <stdbool.h>

#include <evc/evc.h>

struct evc_replay_options {
    enum evc_compat compat;
    enum evc_layout layout; /* of every domain: EVC_LAYOUT_X86_64 or _32 */
    bool diff;              /* show every difference, not only the first */
    bool update;            /* write the answers into the files */
    bool quiet;             /* no progress, no differences */
    bool verbose;           /* a line for every scenario */
    bool guest;             /* upcalls are dispatched by libevc-guest */
};

/* What became of the scenarios; a caller starts from zeroes. */
struct evc_replay_totals {
    unsigned scenarios;
    unsigned equal;
    unsigned different;
    unsigned excepted; /* cannot be the same with this layout */
    unsigned written;  /* with update: files that changed */
    unsigned printed;  /* had no answers: the trace went to stdout */
    unsigned unusable; /* an error was reported on stderr */
};

/**
 * evc_replay_paths() - replay files, and all *.evt of directories
 * @options: how
 * @paths:   file names, ended by NULL; directories are read in sorted order
 * @totals:  counted up
 *
 * Differences and traces go to stdout; errors, as "file:line: message", and the
 * progress line of a terminal to stderr.  One unusable file does not stop the
 * others.
 */
void evc_replay_paths(const struct evc_replay_options *options,
                      const char *const *paths,
                      struct evc_replay_totals *totals);

#endif /* EVC_REPLAY_H */
