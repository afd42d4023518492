/* SPDX-License-Identifier: MIT */
/*
 * A scenario file: bytes that have been looked at, a line at a time, and the
 * writing of a new recording in its place.
 */
#ifndef EVC_REPLAY_FILE_H
#define EVC_REPLAY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define EVC_FILE_MAX ((size_t)64 << 20)

struct evc_file {
    const char *path;
    char *text;
    size_t size;
};

struct evc_line {
    const char *text;
    size_t length; /* without the newline */
};

/**
 * evc_file_load() - read a file and make sure that it is text
 *
 * Return: 0, or -1: the reason has been written to stderr.
 */
int evc_file_load(struct evc_file *file, const char *path);
void evc_file_finish(struct evc_file *file);

/* Replace the file at once or not at all; its permissions stay. As load. */
int evc_file_replace(const struct evc_file *file, const char *text,
                     size_t size);

/* The line at *at, and *at behind it: false, there is none. */
bool evc_line_next(const char *text, size_t size, size_t *at,
                   struct evc_line *line);

/* '=', '~' or '!': not part of the scenario. */
bool evc_line_is_answer(const struct evc_line *line);

/* A line that a terminal shows until the next thing is said; else nothing. */
void evc_progress_show(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void evc_progress_hide(void);

/* "file:line: message" on stderr; line 0: none. */
void evc_file_error(const char *path, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* EVC_REPLAY_FILE_H */
