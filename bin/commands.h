/* SPDX-License-Identifier: MIT */
/*
 * The commands of `evc`.  Each has a file with one function of the shape of
 * main(), which owns its options and returns its exit status; evc.c has the
 * table.
 */
#ifndef EVC_BIN_COMMANDS_H
#define EVC_BIN_COMMANDS_H

enum evc_exit {
    EVC_EXIT_OK = 0,
    EVC_EXIT_DIFFERENT = 1, /* it ran, and the answer is no */
    EVC_EXIT_UNUSABLE = 2,  /* wrong usage, unusable input */
};

/* argv[0] is "evc NAME", for messages. */
int evc_command_boot(int argc, char **argv);
int evc_command_replay(int argc, char **argv);
int evc_command_bench(int argc, char **argv);
int evc_command_run(int argc, char **argv);
int evc_command_status(int argc, char **argv);
int evc_command_bind(int argc, char **argv);
int evc_command_send(int argc, char **argv);
int evc_command_wait(int argc, char **argv);
int evc_command_close(int argc, char **argv);
int evc_command_virq(int argc, char **argv);

#endif /* EVC_BIN_COMMANDS_H */
