/* SPDX-License-Identifier: MIT */
/*
 * Files and directories of scenarios: run each, compare, report, update.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare.h"
#include "file.h"
#include "replay.h"
#include "script.h"

/* ---- one scenario ------------------------------------------------------- */

/* dom0's vCPUs are started up to the highest that a "d0.N" names. */
static unsigned count_vcpus(const struct evc_file *file)
{
    unsigned highest = 0;
    struct evc_line line;
    size_t at = 0;

    while (evc_line_next(file->text, file->size, &at, &line)) {
        if (evc_line_is_answer(&line))
            continue;
        for (size_t i = 0; i + 4 <= line.length; i++) {
            unsigned vcpu = (unsigned char)line.text[i + 3] - (unsigned)'0';

            if (memcmp(line.text + i, "d0.", 3) == 0 &&
                vcpu < EVC_WORLD_VCPUS && vcpu > highest)
                highest = vcpu;
        }
    }
    return highest + 1;
}

/* Run the lines; returns the number of the one that failed, or 0. */
static size_t run_lines(const struct evc_file *file, struct evc_script *script)
{
    struct evc_line line;
    size_t at = 0;

    for (size_t n = 1; evc_line_next(file->text, file->size, &at, &line); n++) {
        if (evc_line_is_answer(&line))
            continue;
        evc_trace_raw(script->trace, line.text, line.length);
        evc_trace_raw(script->trace, "\n", 1);
        if (line.length && line.text[0] != '#')
            evc_script_statement(script, line.text, line.length);
        if (!script->fatal && script->trace->full)
            script->fatal = "the trace is too long";
        if (script->fatal)
            return n;
    }
    return 0;
}

/* Make the trace of a scenario.  -1: it cannot be run, and that is reported. */
static int run_scenario(const struct evc_replay_options *options,
                        const struct evc_file *file, struct evc_trace *trace)
{
    struct evc_script *script = calloc(1, sizeof(*script));
    struct evc_world world;
    size_t failed;
    int rc;

    if (!script) {
        evc_file_error(file->path, 0, "out of memory");
        return -1;
    }
    script->world = &world;
    script->trace = trace;
    script->guest = options->guest;
    rc = evc_world_create(&world, options->compat, options->layout,
                          count_vcpus(file));
    if (rc) {
        evc_file_error(file->path, 0, "cannot make a world: %s", strerror(-rc));
    } else {
        failed = run_lines(file, script);
        if (failed) {
            evc_file_error(file->path, failed, "%s", script->fatal);
            rc = -1;
        }
    }
    evc_world_destroy(&world);
    evc_script_finish(script);
    free(script);
    return rc ? -1 : 0;
}

/* ---- exceptions --------------------------------------------------------- */

/* "name" of "dir/name.evt", and how long it is */
static const char *name_of(const char *path, size_t *length)
{
    const char *slash = strrchr(path, '/'), *dot;
    const char *name = slash ? slash + 1 : path;

    dot = strrchr(name, '.');
    *length = dot ? (size_t)(dot - name) : strlen(name);
    return name;
}

static FILE *open_exceptions(const char *path, const char *list)
{
    static const char *const places[] = {"", "../"};
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) + 1 : 0;
    FILE *file = NULL;

    for (unsigned i = 0; i < 2 && !file; i++) {
        char *name;

        if (asprintf(&name, "%.*s%s%s.exceptions", length, path, places[i],
                     list) < 0)
            return NULL;
        file = fopen(name, "re");
        free(name);
    }
    return file;
}

/* Why a scenario cannot give the same trace: to be freed, or NULL */
static char *find_in_list(const char *path, const char *list)
{
    char *line = NULL, *reason = NULL;
    size_t size = 0, length;
    const char *name = name_of(path, &length);
    FILE *file;

    file = open_exceptions(path, list);
    while (file && !reason && getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            reason = strdup(line + length + 1);
    }
    if (file)
        fclose(file);
    free(line);
    return reason;
}

static char *find_exception(const struct evc_replay_options *options,
                            const char *path)
{
    char *reason = NULL;

    if (options->layout == EVC_LAYOUT_X86_32)
        reason = find_in_list(path, "width32");
    if (!reason && options->guest)
        reason = find_in_list(path, "guest");
    return reason;
}

/* ---- what to make of a trace -------------------------------------------- */

static void tell(const struct evc_replay_options *options, const char *path,
                 const char *what)
{
    if (options->verbose)
        printf("%s: %s\n", path, what);
}

static void write_answers(const struct evc_replay_options *options,
                          const struct evc_file *file,
                          const struct evc_trace *trace, bool equal,
                          struct evc_replay_totals *totals)
{
    if (!equal && evc_file_replace(file, trace->text, trace->used)) {
        totals->unusable++;
        return;
    }
    totals->equal += equal;
    totals->written += !equal;
    tell(options, file->path, equal ? "equal" : "written");
}

static void compare_answers(const struct evc_replay_options *options,
                            const struct evc_file *file,
                            const struct evc_trace *trace, bool equal,
                            struct evc_replay_totals *totals)
{
    char *reason = equal ? NULL : find_exception(options, file->path);

    totals->equal += equal;
    if (equal) {
        tell(options, file->path, "equal");
    } else if (reason) {
        totals->excepted++;
        if (!options->quiet)
            printf("%s: excepted (%s)\n", file->path, reason);
    } else {
        totals->different++;
        if (!options->quiet)
            evc_compare_print(file, trace, options->diff);
    }
    free(reason);
}

static void judge(const struct evc_replay_options *options,
                  const struct evc_file *file, const struct evc_trace *trace,
                  struct evc_replay_totals *totals)
{
    bool equal = trace->used == file->size &&
                 (!file->size || !memcmp(trace->text, file->text, file->size));
    bool has_answers = evc_compare_has_answers(file);

    evc_progress_hide();
    if (evc_compare_complaint(file, trace, options->update || !has_answers)) {
        totals->unusable++;
    } else if (options->update) {
        write_answers(options, file, trace, equal, totals);
    } else if (!has_answers) {
        fwrite(trace->text, 1, trace->used, stdout);
        totals->printed++;
    } else {
        compare_answers(options, file, trace, equal, totals);
    }
}

static void replay_file(const struct evc_replay_options *options,
                        const char *path, struct evc_replay_totals *totals)
{
    struct evc_trace trace = {0};
    struct evc_file file;

    totals->scenarios++;
    if (!options->quiet)
        evc_progress_show("%u equal, now %s", totals->equal, path);
    if (evc_file_load(&file, path)) {
        totals->unusable++;
        return;
    }
    if (run_scenario(options, &file, &trace))
        totals->unusable++;
    else
        judge(options, &file, &trace, totals);
    evc_trace_finish(&trace);
    evc_file_finish(&file);
}

/* ---- directories -------------------------------------------------------- */

static int is_scenario(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 4 && !strcmp(entry->d_name + length - 4, ".evt");
}

static void replay_one(const struct evc_replay_options *options,
                       const char *directory, const char *name,
                       struct evc_replay_totals *totals)
{
    bool slash = directory[strlen(directory) - 1] != '/';
    char *path;

    if (asprintf(&path, "%s%s%s", directory, slash ? "/" : "", name) < 0) {
        totals->unusable++;
        return;
    }
    replay_file(options, path, totals);
    free(path);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay_directory(const struct evc_replay_options *options,
                             const char *path, struct evc_replay_totals *totals)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_scenario, by_bytes);

    if (count <= 0) {
        evc_file_error(path, 0, "%s",
                       count < 0 ? strerror(errno) : "no scenarios (*.evt)");
        totals->unusable++;
    }
    for (int i = 0; i < count; i++) {
        replay_one(options, path, entries[i]->d_name, totals);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void evc_replay_paths(const struct evc_replay_options *options,
                      const char *const *paths,
                      struct evc_replay_totals *totals)
{
    for (; *paths; paths++) {
        struct stat stat_of; /* of something else: replay_file() reports */

        if (!stat(*paths, &stat_of) && S_ISDIR(stat_of.st_mode))
            replay_directory(options, *paths, totals);
        else
            replay_file(options, *paths, totals);
    }
    evc_progress_hide();
}
