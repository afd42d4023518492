/* SPDX-License-Identifier: MIT */
/*
 * Files as they are given on the command line: read whole, unpacked if gzip
 * packed them, never more than EVC_PV_FILE_MAX of either.
 */
#include "pv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

int evc_pv_fail(struct evc_pv_error *error, int code, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(error->text, sizeof(error->text), format, list);
    va_end(list);
    return code;
}

/* ---- reading ---------------------------------------------------------------- */

static int grow(struct evc_pv_file *file, size_t *room)
{
    size_t wanted = *room ? *room * 2 : (size_t)1 << 16;
    uint8_t *bytes = realloc(file->bytes, wanted);

    if (!bytes)
        return -ENOMEM;
    file->bytes = bytes;
    *room = wanted;
    return 0;
}

/* A size that fstat() gives is a hint: a file may grow, a pipe has none. */
static int read_all(int fd, struct evc_pv_file *file)
{
    size_t room = 0;
    ssize_t n = 1;

    while (n > 0) {
        if (file->size == room && grow(file, &room) < 0)
            return -ENOMEM;
        n = read(fd, file->bytes + file->size, room - file->size);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            return -errno;
        else
            file->size += (size_t)n;
        if (file->size > EVC_PV_FILE_MAX)
            return -EFBIG;
    }
    return 0;
}

static int open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        return fd;
    close(fd);
    return -EISDIR;
}

int evc_pv_file_read(const char *path, struct evc_pv_file *out,
                     struct evc_pv_error *error)
{
    struct evc_pv_file file = {0};
    int fd = open_regular(path), r = fd;

    if (fd >= 0) {
        r = read_all(fd, &file);
        close(fd);
    }
    if (r == -EFBIG)
        evc_pv_fail(error, r, "%s: larger than 1 GiB", path);
    else if (r < 0)
        evc_pv_fail(error, r, "%s: %s", path, strerror(-r));
    else
        r = evc_pv_file_unpack(&file, path, error);
    if (r < 0) {
        free(file.bytes);
        return r;
    }
    *out = file;
    return 0;
}

void evc_pv_file_free(struct evc_pv_file *file)
{
    free(file->bytes);
    *file = (struct evc_pv_file){0};
}

/* ---- unpacking ---------------------------------------------------------------- */

static bool is_gzip(const struct evc_pv_file *file)
{
    return file->size >= 18 && file->bytes[0] == 0x1f && file->bytes[1] == 0x8b;
}

/* Return: 0 at the end of the stream; -ENOMEM; -EFBIG; -EBADMSG. */
static int inflate_all(z_stream *stream, struct evc_pv_file *out)
{
    size_t room = 0;
    int z = Z_OK;

    while (z == Z_OK) {
        if (out->size == room && grow(out, &room) < 0)
            return -ENOMEM;
        stream->next_out = out->bytes + out->size;
        stream->avail_out = (unsigned)(room - out->size);
        z = inflate(stream, Z_NO_FLUSH);
        out->size = room - stream->avail_out;
        if (out->size > EVC_PV_FILE_MAX)
            return -EFBIG;
    }
    if (z == Z_STREAM_END)
        return 0;
    return z == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack(const struct evc_pv_file *file, struct evc_pv_file *out)
{
    z_stream stream = {
        .next_in = file->bytes,
        .avail_in = (unsigned)file->size, /* EVC_PV_FILE_MAX fits */
    };
    int r;

    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return -ENOMEM;
    r = inflate_all(&stream, out);
    inflateEnd(&stream);
    return r;
}

int evc_pv_file_unpack(struct evc_pv_file *file, const char *name,
                       struct evc_pv_error *error)
{
    struct evc_pv_file out = {0};
    int r;

    if (!is_gzip(file))
        return 0;
    r = unpack(file, &out);
    if (r < 0) {
        free(out.bytes);
        return evc_pv_fail(error, r, "%s: %s", name,
                           r == -EFBIG    ? "unpacks to more than 1 GiB"
                           : r == -ENOMEM ? strerror(ENOMEM)
                                          : "the gzip data are damaged");
    }
    free(file->bytes);
    *file = out;
    return 0;
}
