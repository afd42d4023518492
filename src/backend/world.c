/* SPDX-License-Identifier: MIT */
/*
 * What a guest finds in the store: as a toolstack of Xen 4.17 leaves it for a
 * paravirtual domain (the order is what a directory lists).
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum owner { DOM0, GUEST_READS, GUEST, GUEST_SHOWS };

struct line {
    enum owner owner;
    const char *path;  /* %u: the domain; %s: its uuid */
    const char *value; /* as it is, or "=name", a value below */
};

static const struct line lines[] = {
    {DOM0, "/tool/xenstored", ""},
    {DOM0, "/local/domain/0/domid", "0"},
    {DOM0, "/local/domain/0/name", "Domain-0"},
    {GUEST_READS, "/local/domain/D", ""},
    {GUEST_READS, "/local/domain/D/vm", "=vm"},
    {GUEST_READS, "/local/domain/D/name", "=name"},
    {GUEST_READS, "/local/domain/D/memory/static-max", "=memory"},
    {GUEST_READS, "/local/domain/D/memory/target", "=memory"},
    {GUEST_READS, "/local/domain/D/memory/videoram", "0"},
    {GUEST_READS, "/local/domain/D/device", ""},
    {GUEST_READS, "/local/domain/D/device/suspend", ""},
    {GUEST, "/local/domain/D/device/suspend/event-channel", ""},
    {GUEST_READS, "/local/domain/D/control", ""},
    {GUEST, "/local/domain/D/control/shutdown", ""},
    {GUEST, "/local/domain/D/control/feature-poweroff", ""},
    {GUEST, "/local/domain/D/control/feature-reboot", ""},
    {GUEST, "/local/domain/D/control/feature-suspend", ""},
    {GUEST, "/local/domain/D/control/sysrq", ""},
    {GUEST_READS,
     "/local/domain/D/control/platform-feature-multiprocessor-suspend", "1"},
    {GUEST_READS, "/local/domain/D/control/platform-feature-xs_reset_watches",
     "1"},
    {GUEST, "/local/domain/D/data", ""},
    {GUEST, "/local/domain/D/drivers", ""},
    {GUEST, "/local/domain/D/feature", ""},
    {GUEST, "/local/domain/D/attr", ""},
    {GUEST, "/local/domain/D/error", ""},
    {GUEST_READS, "/local/domain/D/domid", "=domid"},
    {GUEST_READS, "/local/domain/D/store/port", "=store-port"},
    {GUEST_READS, "/local/domain/D/store/ring-ref", "=store-frame"},
    {DOM0, "/local/domain/0/backend/console/D", ""},
    {GUEST_READS, "/local/domain/0/backend/console/D/0/frontend",
     "/local/domain/D/console"},
    {GUEST_READS, "/local/domain/0/backend/console/D/0/frontend-id", "=domid"},
    {GUEST_READS, "/local/domain/0/backend/console/D/0/online", "1"},
    {GUEST_READS, "/local/domain/0/backend/console/D/0/state", "1"},
    {GUEST_READS, "/local/domain/0/backend/console/D/0/protocol", "vt100"},
    {GUEST_READS, "/local/domain/D/console/backend",
     "/local/domain/0/backend/console/D/0"},
    {GUEST_SHOWS, "/local/domain/D/console/backend-id", "0"},
    {GUEST_READS, "/local/domain/D/console/limit", "1048576"},
    {GUEST_READS, "/local/domain/D/console/type", "xenconsoled"},
    {GUEST_READS, "/local/domain/D/console/output", "=output"},
    {GUEST_READS, "/local/domain/D/console/tty", "=tty"},
    {GUEST_READS, "/local/domain/D/console/port", "=console-port"},
    {GUEST_READS, "/local/domain/D/console/ring-ref", "=console-frame"},
    {DOM0, "/vm", ""},
    {GUEST_READS, "/vm/U/name", "=name"},
    {GUEST_READS, "/vm/U/uuid", "=uuid"},
    {GUEST_READS, "/vm/U/image/ostype", "linux"},
    {GUEST_READS, "/vm/U/image/kernel", "=image"},
    {GUEST_READS, "/vm/U/start_time", "=start-time"},
};

struct filling {
    struct evc_backend *backend;
    const struct evc_backend_config *config;
    char id[8], uuid[40], vm[48], start_time[32];
    char perms[4][16]; /* by owner */
};

/* ---- values -------------------------------------------------------------------- */

static void make_uuid(char text[40])
{
    uint8_t b[16] = {0};

    (void)getrandom(b, sizeof(b), 0);
    b[6] = (b[6] & 0x0f) | 0x40; /* random, as RFC 4122 numbers it */
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(text, 40,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
}

static void prepare(struct filling *f)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(f->start_time, sizeof(f->start_time), "%lld.%02ld",
             (long long)now.tv_sec, now.tv_nsec / 10000000);
    snprintf(f->id, sizeof(f->id), "%u", f->backend->id);
    make_uuid(f->uuid);
    snprintf(f->vm, sizeof(f->vm), "/vm/%s", f->uuid);
    snprintf(f->perms[DOM0], sizeof(f->perms[DOM0]), "n0");
    snprintf(f->perms[GUEST_READS], sizeof(f->perms[GUEST_READS]), "n0,r%s",
             f->id);
    snprintf(f->perms[GUEST], sizeof(f->perms[GUEST]), "n%s", f->id);
    snprintf(f->perms[GUEST_SHOWS], sizeof(f->perms[GUEST_SHOWS]), "n%s,r0",
             f->id);
}

static const char *number(char text[24], uint64_t value)
{
    snprintf(text, 24, "%llu", (unsigned long long)value);
    return text;
}

static const char *value_of(const struct filling *f, const char *name,
                            char text[24])
{
    const struct evc_backend_config *config = f->config;
    const char *tty = f->backend->console.path;
    const struct {
        const char *name, *value;
    } texts[] = {
        {"vm", f->vm},     {"name", config->name},
        {"domid", f->id},  {"image", config->image ? config->image : ""},
        {"uuid", f->uuid}, {"start-time", f->start_time},
        {"tty", tty},      {"output", *tty != '\0' ? "pty" : "stdio"},
    };
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"memory", config->memory_kib},
        {"store-port", EVC_BACKEND_STORE_PORT},
        {"store-frame", config->store_frame},
        {"console-port", EVC_BACKEND_CONSOLE_PORT},
        {"console-frame", config->console_frame},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (strcmp(texts[i].name, name) == 0)
            return texts[i].value;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (strcmp(numbers[i].name, name) == 0)
            return number(text, numbers[i].value);
    return "";
}

/* ---- in a store that others use as well ---------------------------------------- */

int evc_world_claim(const char *path)
{
    struct evc_store *store;
    int r = evc_store_create_remote(path, &store);

    if (r < 0)
        return r;
    r = evc_store_claim(store);
    evc_store_destroy(store);
    return r;
}

void evc_world_release(const char *path, evc_domid id)
{
    static const char *const homes[] = {
        "/local/domain/0/backend/console/%u",
        "/local/domain/0/backend/vbd/%u",
        "/local/domain/%u",
    };
    struct evc_store *store;
    char name[64], *vm;

    if (evc_store_create_remote(path, &store) < 0)
        return;
    snprintf(name, sizeof(name), "/local/domain/%u/vm", id);
    vm = evc_store_get(store, name);
    if (vm != NULL && strncmp(vm, "/vm/", 4) == 0)
        evc_store_remove(store, vm);
    free(vm);
    for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++) {
        snprintf(name, sizeof(name), homes[i], id);
        evc_store_remove(store, name);
    }
    evc_store_destroy(store);
}

/* ---- writing -------------------------------------------------------------------- */

/* `pattern` with D and U, as names of their own, replaced. */
static void spell(const struct filling *f, const char *pattern, char path[128])
{
    size_t at = 0;

    for (const char *c = pattern; *c != '\0'; c++) {
        const char *with = NULL;

        if (c > pattern && c[-1] == '/' && (c[1] == '/' || c[1] == '\0'))
            with = *c == 'D' ? f->id : *c == 'U' ? f->uuid : NULL;
        if (with != NULL)
            at += (size_t)snprintf(path + at, 128 - at, "%s", with);
        else
            path[at++] = *c;
    }
    path[at] = '\0';
}

/* Domain 0's, of a store that was here before us. */
static bool is_there(struct evc_store *store, const char *path)
{
    char *value = evc_store_get(store, path);

    free(value);
    return value != NULL;
}

static int write_line(const struct filling *f, const struct line *line)
{
    char path[128], value[128], text[24];

    spell(f, line->path, path);
    if (line->owner == DOM0 && is_there(f->backend->store, path))
        return 0;
    if (line->value[0] == '=')
        return evc_store_set(f->backend->store, path,
                             value_of(f, line->value + 1, text),
                             f->perms[line->owner]);
    spell(f, line->value, value);
    return evc_store_set(f->backend->store, path, value, f->perms[line->owner]);
}

static int write_vcpus(const struct filling *f)
{
    int r = 0;

    for (unsigned i = 0; i < f->config->vcpus && r == 0; i++) {
        char path[80];

        snprintf(path, sizeof(path), "/local/domain/%s/cpu/%u/availability",
                 f->id, i);
        r = evc_store_set(f->backend->store, path, "online",
                          f->perms[GUEST_READS]);
    }
    return r;
}

int evc_world_fill(struct evc_backend *backend,
                   const struct evc_backend_config *config)
{
    struct filling f = {.backend = backend, .config = config};
    int r = 0;

    prepare(&f);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines) && r == 0; i++) {
        /* where a toolstack writes them, so that a listing is the same */
        if (strstr(lines[i].path, "/memory/static-max") != NULL)
            r = write_vcpus(&f);
        if (r == 0)
            r = write_line(&f, &lines[i]);
    }
    return r;
}
