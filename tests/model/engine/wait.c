/* SPDX-License-Identifier: MIT */
/*
 * Model, on the whole engine: a vCPU goes to sleep while it is sent to.
 *
 * A copy is a vCPU with a port of its own; it blocks, or, with the argument
 * "poll", polls with its upcalls closed.
 *
 * Property: it wakes up: a wake-up that is lost hangs the model, which then
 *           says so.
 * Bounds:   2 threads, two-level.
 * Rows:     K1/K2, K3/P4; W1/W2, W3/P1.
 */
#define COPIES 32u
#include "model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h" /* that of tests/support */

static struct world *w;
static struct guest *g;
static uint32_t port[COPIES];
static bool polls;

static void setup(unsigned i)
{
    if (port[i] == 0)
        port[i] = (uint32_t)bind_ipi(g, i);
    clear_pending(g, port[i]);
    *upcall_pending(g, i) = 0;
    memset(at(g, i * 64 + g->abi.pending_sel), 0, 8);
    *upcall_mask(g, i) = polls;
    if (i == 0)
        alarm(60);
}

static void sender(unsigned i)
{
    assert(send_port(g, port[i]) == 0);
}

static void sleeper(unsigned i)
{
    int64_t r = polls ? poll_ports(g, i, &port[i], 1, 0) : block(g, i);

    assert(r == 0);
}

static void check(unsigned i)
{
    assert(is_pending(g, port[i]));
    assert(*upcall_pending(g, i) != 0);
}

int main(int argc, char **argv)
{
    static const struct model_start threads[] = {{sender}, {sleeper}};

    (void)argv;
    polls = argc > 1;
    w = world_create((struct world_config){0});
    g = guest_create(w, (struct guest_config){.id = 1, .vcpus = COPIES});
    model_run(setup, threads, 2, check);
    alarm(0);
    return world_destroy(w) ? 0 : 1;
}
