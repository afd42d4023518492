/* SPDX-License-Identifier: MIT */
/* evc status: the ports of domains, as lsevtchn shows them, and more. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <evc/abi/event_channel.h>

#include "commands.h"
#include "ports.h"

static const char text[] =
    "Show the ports of a domain; without --domid, of every domain there is."
    "\v"
    "Each line has what lsevtchn shows, and after it whose port it is, how "
    "many events were sent to it through this channel, and whether it is "
    "pending or masked.\n"
    "Exit status: 0; 1, there is no such domain; 2, the daemon cannot be "
    "asked.";

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct evc_common *common = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = common;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': a domain is given with --domid", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- one port ----------------------------------------------------------- */

static void print_kind(const struct evc_wire_port *port)
{
    switch (port->status) {
    case EVTCHNSTAT_unbound:
        printf("Interdomain (Waiting connection) - Remote Domain %u",
               port->remote_domain);
        break;
    case EVTCHNSTAT_interdomain:
        printf("Interdomain (Connected) - Remote Domain %u, Port %u",
               port->remote_domain, port->remote_port);
        break;
    case EVTCHNSTAT_virq:
        printf("Virtual IRQ %u", port->virq);
        break;
    default:
        printf("Status %u", port->status);
    }
}

/* What it runs, if we may know. */
static void print_process(uint32_t pid)
{
    char path[32], name[32];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%u/comm", pid);
    file = fopen(path, "re");
    printf("  process %u", pid);
    if (file != NULL && fgets(name, sizeof(name), file) != NULL) {
        name[strcspn(name, "\n")] = 0;
        printf(" (%s)", name);
    }
    if (file != NULL)
        fclose(file);
}

static void print_port(uint32_t number, const struct evc_wire_port *port)
{
    printf("%4u: VCPU 0: ", number);
    print_kind(port);
    if (port->pid == 0) {
        puts("  the domain's kernel");
        return;
    }
    print_process(port->pid);
    if (port->status == EVTCHNSTAT_interdomain)
        printf(", %llu sent to it", (unsigned long long)port->events);
    if (port->pending)
        fputs(", pending", stdout);
    if (port->masked)
        fputs(", masked", stdout);
    putchar('\n');
}

/* ---- all of them -------------------------------------------------------- */

static int print_ports(uint16_t domain)
{
    struct evc_wire_request request = {.op = EVC_WIRE_PORT, .a = domain};
    struct evc_wire_reply reply;
    int r;

    while ((r = evc_client_call(NULL, &request, &reply)) == 0 && reply.b != 0) {
        print_port(reply.b, &reply.port);
        request.b = reply.b;
    }
    return r;
}

/* Those that may be looked at; one may go while we look. */
static int print_all(void)
{
    struct evc_wire_request request = {.op = EVC_WIRE_DOMAIN};
    struct evc_wire_reply reply;
    int r;

    while ((r = evc_client_call(NULL, &request, &reply)) == 0 && reply.c != 0) {
        printf("Domain %u\n", reply.c - 1);
        r = print_ports((uint16_t)(reply.c - 1));
        if (r == -EACCES)
            puts("  not for this user");
        else if (r < 0 && r != -ESRCH)
            return r;
        request.c = reply.c;
    }
    return r;
}

int evc_command_status(int argc, char **argv)
{
    static const struct argp_child children[] = {{&evc_common_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        .parser = parse, .doc = text, .children = children};
    struct evc_common common = {0};
    int r;

    if (argp_parse(&argp, argc, argv, 0, NULL, &common))
        return EVC_EXIT_UNUSABLE;
    r = evc_client_connect(false);
    if (r < 0) {
        evc_explain_daemon("evc status", r);
        return EVC_EXIT_UNUSABLE;
    }
    r = common.chosen ? print_ports(common.domain) : print_all();
    if (r == -ESRCH || r == -EACCES) {
        fprintf(stderr,
                r == -ESRCH ? "evc status: there is no domain %u\n"
                            : "evc status: domain %u is not for this user\n",
                common.domain);
        return EVC_EXIT_DIFFERENT;
    }
    if (r < 0)
        evc_explain_daemon("evc status", r);
    return r < 0 ? EVC_EXIT_UNUSABLE : EVC_EXIT_OK;
}
