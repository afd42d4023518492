/* SPDX-License-Identifier: MIT */
/*
 * Tokens, values and variables.  The rules are those of the oracle's kernel,
 * down to what it makes of nonsense.
 */
#include <stdlib.h>
#include <string.h>

#include <evc/abi/numbers.h>

#include "script.h"

bool evc_script_is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

void evc_script_complain(struct evc_script *script, const char *what,
                         const char *argument)
{
    if (!script->failed)
        evc_trace_add(script->trace, "! %s %s\n", what,
                      argument ? argument : "");
    script->failed = true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

void evc_script_split(struct evc_script *script, const char *line,
                      size_t length)
{
    char *text = script->line;
    unsigned count = 0;
    size_t i = 0;

    memcpy(text, line, length);
    text[length] = 0;
    while (i < length) {
        while (i < length && is_blank(text[i]))
            text[i++] = 0;
        if (i < length && count < EVC_SCRIPT_TOKENS)
            script->token[count++] = text + i;
        while (i < length && !is_blank(text[i]))
            i++;
    }
    script->tokens = count;
    for (unsigned k = 0; k < 3; k++)
        script->token[count + k] = "";
}

/* ---- values ------------------------------------------------------------- */

void evc_script_set(struct evc_script *script, const char *name, uint64_t value)
{
    unsigned i = 0;

    while (i < script->vars && !evc_script_is(script->var[i].name, name))
        i++;
    if (i == EVC_SCRIPT_VARS) {
        evc_script_complain(script, "too many variables:", name);
        return;
    }
    if (i == script->vars) {
        script->var[i].name = strdup(name);
        if (!script->var[i].name) {
            script->fatal = "out of memory";
            return;
        }
        script->vars++;
    }
    script->var[i].value = value;
}

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

static uint64_t number(const char **text)
{
    const char *s = *text;
    unsigned base = 10;
    uint64_t value = 0;

    if (s[0] == '0' && s[1] == 'x') {
        base = 16;
        s += 2;
    }
    for (; digit(*s) < base; s++)
        value = value * base + digit(*s);
    *text = s;
    return value;
}

/* "$name", "$name+N" or "$name-N", from after the dollar sign */
static uint64_t variable(struct evc_script *script, const char **text)
{
    const char *s = *text;
    size_t length = strcspn(s, "+-");
    uint64_t value = 0;
    unsigned i = 0;

    while (i < script->vars && (strlen(script->var[i].name) != length ||
                                memcmp(script->var[i].name, s, length) != 0))
        i++;
    if (i == script->vars) {
        evc_script_complain(script, "no such variable:", s - 1);
        *text = "";
        return 0;
    }
    value = script->var[i].value;
    s += length;
    if (*s == '+' || *s == '-') {
        bool minus = *s++ == '-';
        uint64_t more = number(&s);

        value = minus ? value - more : value + more;
    }
    *text = s;
    return value;
}

uint64_t evc_script_value(struct evc_script *script, const char *text)
{
    const char *s = text;
    uint64_t value;

    if (evc_script_is(s, "self"))
        return DOMID_SELF;
    if (*s == '$') {
        s++;
        value = variable(script, &s);
    } else if (*s == '-') {
        s++;
        value = -number(&s);
    } else {
        if (*s == 'd' && s[1] >= '0' && s[1] <= '9')
            s++;
        value = number(&s);
    }
    if (*s)
        evc_script_complain(script, "bad value:", text);
    return value;
}

/* ---- arguments ---------------------------------------------------------- */

const char *evc_script_text_in(const struct evc_script *script, const char *key,
                               unsigned from, unsigned to)
{
    size_t length = strlen(key);

    for (unsigned i = from; i < to; i++)
        if (strncmp(script->token[i], key, length) == 0 &&
            script->token[i][length] == '=')
            return script->token[i] + length + 1;
    return NULL;
}

const char *evc_script_text(const struct evc_script *script, const char *key)
{
    return evc_script_text_in(script, key, 0, script->tokens);
}

uint64_t evc_script_number(struct evc_script *script, const char *key,
                           uint64_t otherwise)
{
    const char *text = evc_script_text(script, key);

    return text ? evc_script_value(script, text) : otherwise;
}

bool evc_script_flag(const struct evc_script *script, const char *name)
{
    for (unsigned i = 0; i < script->tokens; i++)
        if (evc_script_is(script->token[i], name))
            return true;
    return false;
}
