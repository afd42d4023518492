/* SPDX-License-Identifier: MIT */
/*
 * A store that listens at a socket, for tests of those that are connected to
 * one: ours in the place of a xenstored, in a process of its own; or one that
 * answers as a test says, in a thread.
 */
#ifndef EVC_TESTS_STORE_SERVER_H
#define EVC_TESTS_STORE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct server {
    char folder[32], path[48];
    int listening;
    pid_t pid;
    pthread_t thread;

    const void *answer; /* to what it is asked after the first thing */
    size_t size;
};

void server_start(struct server *server);
void server_stop(struct server *server);

/* To one connection: "n0" to the first question, `answer` to the next; an end. */
void server_start_scripted(struct server *server, const void *answer,
                           size_t size);
void server_stop_scripted(struct server *server);

#endif /* EVC_TESTS_STORE_SERVER_H */
