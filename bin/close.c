/* SPDX-License-Identifier: MIT */
/* evc close: a port, and the process that keeps it. */
#include "commands.h"
#include "ports.h"

int evc_command_close(int argc, char **argv)
{
    static const struct evc_each each = {
        .doc = "Close a port that `evc bind' has bound."
               "\v"
               "Exit status: 0; 2, some could not be closed.",
        .act = evc_keeper_end,
    };

    return evc_each_port(argc, argv, &each);
}
