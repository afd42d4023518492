/* SPDX-License-Identifier: MIT */
/*
 * The configuration: an INI file, read by inih (libinih); evcd-conf(5).
 */
#include "daemon.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What Linux as dom0 keeps: TIMER, CONSOLE, PCPU_STATE, ARCH_0 (recorded). */
#define LINUX_VIRQS (1u << 0 | 1u << 2 | 1u << 9 | 1u << 16)

static const struct evc_domain_settings usual = {
    .max_port = EVC_SHARE_PORTS - 1,
    .max_handles = 4096,
    .kernel_virqs = LINUX_VIRQS,
};

void evc_settings_init(struct evc_settings *settings)
{
    *settings = (struct evc_settings){.on_demand = true, .linger = 10};
    settings->other = usual;
}

void evc_settings_finish(struct evc_settings *settings)
{
    struct evc_domain_settings *s;

    while ((s = LIST_FIRST(&settings->domains)) != NULL) {
        LIST_REMOVE(s, next);
        free(s);
    }
}

const struct evc_domain_settings *
evc_settings_of(const struct evc_settings *settings, uint16_t id)
{
    const struct evc_domain_settings *s;

    LIST_FOREACH(s, &settings->domains, next)
    if (s->id == id)
        return s;
    return &settings->other;
}

bool evc_rules_allow(const struct evc_rules *rules, uid_t uid, gid_t gid)
{
    if (uid == 0 || uid == geteuid())
        return true;
    for (unsigned i = 0; i < rules->n; i++) {
        const struct evc_rule *rule = &rules->rule[i];

        if (rule->kind == EVC_RULE_ANY ||
            (rule->kind == EVC_RULE_UID && rule->id == uid) ||
            (rule->kind == EVC_RULE_GID && rule->id == gid))
            return true;
    }
    return false;
}

/* ---- values ------------------------------------------------------------- */

static bool number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    unsigned long n;

    errno = 0;
    n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || errno || n > max)
        return false;
    *out = n;
    return true;
}

static bool yes_or_no(const char *text, bool *out)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return false;
    *out = text[0] == 'y';
    return true;
}

/* "0 2 9": a bit for each. */
static bool virqs(const char *text, uint32_t *out)
{
    char copy[128], *rest = copy, *word;
    unsigned long n;
    uint32_t bits = 0;

    if (strlen(text) >= sizeof(copy))
        return false;
    memcpy(copy, text, strlen(text) + 1);
    while ((word = strsep(&rest, " \t")) != NULL) {
        if (*word == 0)
            continue;
        if (!number(word, EVC_NR_VIRQS - 1, &n))
            return false;
        bits |= 1u << n;
    }
    *out = bits;
    return true;
}

static bool one_rule(const char *word, struct evc_rules *rules)
{
    struct evc_rule rule = {.kind = EVC_RULE_ANY};
    unsigned long id = 0;

    if (strncmp(word, "uid:", 4) == 0)
        rule.kind = EVC_RULE_UID;
    else if (strncmp(word, "gid:", 4) == 0)
        rule.kind = EVC_RULE_GID;
    else if (strcmp(word, "any") != 0)
        return false;
    if (rule.kind != EVC_RULE_ANY && !number(word + 4, UINT32_MAX, &id))
        return false;
    rule.id = (uint32_t)id;
    if (rules->n == EVC_RULES)
        return false;
    rules->rule[rules->n++] = rule;
    return true;
}

/* "uid:1000 gid:20", or "any". */
static bool join(const char *text, struct evc_rules *rules)
{
    char copy[256], *rest = copy, *word;

    if (strlen(text) >= sizeof(copy))
        return false;
    memcpy(copy, text, strlen(text) + 1);
    while ((word = strsep(&rest, " \t")) != NULL)
        if (*word != 0 && !one_rule(word, rules))
            return false;
    return true;
}

/* ---- sections ----------------------------------------------------------- */

static bool set_daemon(struct evc_settings *s, const char *name,
                       const char *value)
{
    unsigned long n;

    if (strcmp(name, "join") == 0)
        return join(value, &s->join) && join(value, &s->other.join);
    if (strcmp(name, "on-demand") == 0)
        return yes_or_no(value, &s->on_demand);
    if (strcmp(name, "linger") == 0 && number(value, 86400, &n)) {
        s->linger = (unsigned)n;
        return true;
    }
    return false;
}

static bool set_domain(struct evc_domain_settings *s, const char *name,
                       const char *value)
{
    unsigned long n;

    if (strcmp(name, "join") == 0) {
        s->own_rules = true;
        return join(value, &s->join);
    }
    if (strcmp(name, "privileged") == 0)
        return yes_or_no(value, &s->privileged);
    if (strcmp(name, "kernel-virqs") == 0)
        return virqs(value, &s->kernel_virqs);
    if (strcmp(name, "virqs") == 0)
        return virqs(value, &s->virqs);
    if (strcmp(name, "max-ports") == 0 &&
        number(value, EVC_SHARE_PORTS - 1, &n)) {
        s->max_port = (uint32_t)n;
        return true;
    }
    if (strcmp(name, "max-handles") == 0 && number(value, 1000000, &n)) {
        s->max_handles = (uint32_t)n;
        return true;
    }
    return false;
}

/* The settings of the section "domain N", made when first named. */
static struct evc_domain_settings *section_of(struct evc_settings *settings,
                                              const char *section)
{
    struct evc_domain_settings *s;
    unsigned long id;

    if (strncmp(section, "domain ", 7) != 0 ||
        !number(section + 7, 0x7fef, &id))
        return NULL;
    LIST_FOREACH(s, &settings->domains, next)
    if (s->id == id)
        return s;
    s = malloc(sizeof(*s));
    if (s == NULL)
        return NULL;
    *s = usual;
    s->id = (uint16_t)id;
    s->keep = true;
    LIST_INSERT_HEAD(&settings->domains, s, next);
    return s;
}

struct reading {
    struct evc_settings *settings;
    const char *path;
    bool failed; /* and has said why */
};

static int on_value(void *data, const char *section, const char *name,
                    const char *value)
{
    struct reading *reading = data;
    struct evc_domain_settings *domain;
    bool good;

    if (strcmp(section, "daemon") == 0) {
        good = set_daemon(reading->settings, name, value);
    } else {
        domain = section_of(reading->settings, section);
        good = domain != NULL && set_domain(domain, name, value);
    }
    if (!good && !reading->failed) {
        fprintf(stderr, "evcd: %s: [%s] %s = %s: not understood\n",
                reading->path, section, name, value);
        reading->failed = true;
    }
    return good;
}

/* The general rules, wherever in the file they were. */
static void pass_on_rules(struct evc_settings *settings)
{
    struct evc_domain_settings *s;

    LIST_FOREACH(s, &settings->domains, next)
    if (!s->own_rules)
        s->join = settings->other.join;
}

int evc_settings_read(struct evc_settings *settings, const char *path)
{
    struct reading reading = {.settings = settings, .path = path};
    int line = ini_parse(path, on_value, &reading);

    if (line < 0)
        fprintf(stderr, "evcd: %s: %s\n", path, strerror(errno));
    else if (line > 0 && !reading.failed)
        fprintf(stderr, "evcd: %s, line %d: not understood\n", path, line);
    pass_on_rules(settings);
    return line == 0 ? 0 : -1;
}
