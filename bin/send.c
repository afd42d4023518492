/* SPDX-License-Identifier: MIT */
/* evc send: an event to the other end of a port. */
#include "commands.h"
#include "ports.h"

static int send_event(uint16_t domain, uint32_t port)
{
    struct evc_client *client;
    int r = evc_keeper_borrow(domain, port, &client);

    if (r < 0)
        return r;
    r = evc_client_notify(client, port);
    (void)evc_client_close(client);
    return r;
}

int evc_command_send(int argc, char **argv)
{
    static const struct evc_each each = {
        .doc = "Send an event through a port that `evc bind' has bound."
               "\v"
               "Exit status: 0; 2, some could not be sent.",
        .act = send_event,
    };

    return evc_each_port(argc, argv, &each);
}
