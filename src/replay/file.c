/* SPDX-License-Identifier: MIT */
/*
 * Reading and replacing scenario files.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "script.h"

/* ---- what is said on stderr --------------------------------------------- */

static bool progress_shown; /* there is one terminal */

void evc_progress_show(const char *format, ...)
{
    va_list arguments;

    if (!isatty(STDERR_FILENO))
        return;
    fputc('\r', stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\033[K", stderr);
    progress_shown = true;
}

void evc_progress_hide(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

void evc_file_error(const char *path, size_t line, const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    evc_progress_hide();
    fprintf(stderr, "%s:", path);
    if (line)
        fprintf(stderr, "%zu:", line);
    fputc(' ', stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- lines -------------------------------------------------------------- */

bool evc_line_next(const char *text, size_t size, size_t *at,
                   struct evc_line *line)
{
    const char *end;

    if (*at >= size)
        return false;
    line->text = text + *at;
    end = memchr(line->text, '\n', size - *at);
    line->length = end ? (size_t)(end - line->text) : size - *at;
    *at += line->length + 1;
    return true;
}

bool evc_line_is_answer(const struct evc_line *line)
{
    return line->length && memchr("=~!", line->text[0], 3);
}

/* Why a line cannot be one of a scenario, or NULL. */
static const char *fault_of(const struct evc_line *line)
{
    if (line->length > EVC_SCRIPT_LINE && !evc_line_is_answer(line))
        return "the line is too long";
    for (size_t i = 0; i < line->length; i++) {
        unsigned char c = (unsigned char)line->text[i];

        if (c == 0)
            return "not a text file: a NUL byte";
        if (c == '\r')
            return "a carriage return: lines end in a newline alone";
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "not a text file: a control character";
    }
    return NULL;
}

static int check_lines(const struct evc_file *file)
{
    struct evc_line line;
    size_t at = 0;

    for (size_t n = 1; evc_line_next(file->text, file->size, &at, &line); n++)
        if (fault_of(&line)) {
            evc_file_error(file->path, n, "%s", fault_of(&line));
            return -1;
        }
    return 0;
}

/* ---- reading ------------------------------------------------------------ */

static int read_all(struct evc_file *file, int fd, size_t size)
{
    file->text = malloc(size + 1);
    if (!file->text)
        return -1;
    while (file->size < size) {
        ssize_t got = read(fd, file->text + file->size, size - file->size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        file->size += (size_t)got;
    }
    return 0;
}

static int read_file(struct evc_file *file, int fd)
{
    struct stat stat;

    if (fstat(fd, &stat)) {
        evc_file_error(file->path, 0, "%s", strerror(errno));
        return -1;
    }
    if (!S_ISREG(stat.st_mode)) {
        evc_file_error(file->path, 0, "not a regular file");
        return -1;
    }
    if (stat.st_size > (off_t)EVC_FILE_MAX) {
        evc_file_error(file->path, 0, "larger than %zu MiB",
                       EVC_FILE_MAX >> 20);
        return -1;
    }
    if (read_all(file, fd, (size_t)stat.st_size)) {
        evc_file_error(file->path, 0, "%s", strerror(errno));
        return -1;
    }
    return check_lines(file);
}

int evc_file_load(struct evc_file *file, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc;

    *file = (struct evc_file){.path = path};
    if (fd < 0) {
        evc_file_error(path, 0, "%s", strerror(errno));
        return -1;
    }
    rc = read_file(file, fd);
    close(fd);
    if (rc)
        evc_file_finish(file);
    return rc;
}

void evc_file_finish(struct evc_file *file)
{
    free(file->text);
    *file = (struct evc_file){.path = file->path};
}

/* ---- replacing ---------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t put = write(fd, text, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        text += put;
        size -= (size_t)put;
    }
    return fsync(fd);
}

/* `path` ends in XXXXXX and becomes a new file with the mode of the old one. */
static int write_beside(char *path, const struct stat *old, const char *text,
                        size_t size)
{
    int fd = mkostemp(path, O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -1;
    rc = fchmod(fd, old->st_mode & 07777);
    if (!rc)
        rc = write_all(fd, text, size);
    if (close(fd))
        rc = -1;
    if (rc)
        unlink(path);
    return rc;
}

static int replace(const char *path, const char *text, size_t size)
{
    char *real = realpath(path, NULL); /* a link stays one */
    char *beside = NULL;
    struct stat old;
    int rc = -1;

    if (real && !stat(real, &old) && asprintf(&beside, "%s.XXXXXX", real) < 0)
        beside = NULL;
    if (beside && !write_beside(beside, &old, text, size)) {
        rc = rename(beside, real);
        if (rc)
            unlink(beside);
    }
    free(beside);
    free(real);
    return rc;
}

int evc_file_replace(const struct evc_file *file, const char *text, size_t size)
{
    if (!replace(file->path, text, size))
        return 0;
    evc_file_error(file->path, 0, "cannot write: %s", strerror(errno));
    return -1;
}
