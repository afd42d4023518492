/* SPDX-License-Identifier: MIT */
/*
 * Running a program with our libxenevtchn.so.1 in front of it and a daemon behind:
 * the one of this user, or one of the program's own, which nobody else uses.
 *
 * A daemon of its own ends with the program, however that comes: a third process
 * (private.c) waits for the end of us, and cleans up.
 *
 * Zero or a negative errno value, unless a line says otherwise.
 */
#ifndef EVC_LAUNCH_LAUNCH_H
#define EVC_LAUNCH_LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* ---- where things are (places.c) ---------------------------------------- */

/* The folder of the library, as installed or as built. -ENOENT. */
int evc_launch_libraries(char to[PATH_MAX]);
/* evcd, beside this program; just "evcd", to be sought on PATH, if it is not. */
int evc_launch_daemon(char to[PATH_MAX]);
/* In front of what LD_LIBRARY_PATH says. */
int evc_launch_put_first(const char *folder);

/* ---- a daemon of one's own (private.c) ---------------------------------- */

struct evc_private {
    char folder[96], socket[107], log[107];
    pid_t janitor;
    int line; /* whose end is ours */
};

/*
 * `config`: a file for it, or NULL.  `verbose`: its log is to go to stderr.  When
 * this returns, its socket can be connected to, if not yet answered at.
 */
int evc_private_start(struct evc_private *daemon, const char *evcd,
                      const char *config, bool verbose);
/* Until nothing is left of it. */
void evc_private_stop(struct evc_private *daemon);

/* ---- the program (program.c) -------------------------------------------- */

/* Becomes it. Returns why not. */
int evc_program_become(char **argv);
/*
 * As a child, until it has ended; signals that somebody sends us are passed on.
 * Its status as of waitpid(); or an error, then there was no child.
 */
int evc_program_run(char **argv, int *status);
/* As that program ended: returns the exit status, or dies of the same signal. */
int evc_program_end_like(int status);

#endif /* EVC_LAUNCH_LAUNCH_H */
