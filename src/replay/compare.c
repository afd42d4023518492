/* SPDX-License-Identifier: MIT */
/*
 * Walking through a recording and a trace, a statement at a time.
 */
#include "compare.h"

#include <stdio.h>
#include <string.h>

#define LOOK_AHEAD 64u /* lines, for a common one after a difference */

struct side {
    const char *text;
    size_t size;
    size_t at;
};

/* One statement (or comment) of both, and the answers that follow it. */
struct block {
    size_t line_number; /* of the statement, in the file */
    struct evc_line statement;
    struct side expected, got;
};

struct walk {
    struct side file, trace;
    size_t line_number; /* of the next line of the file */
    struct block block;
};

static struct walk start(const struct evc_file *file,
                         const struct evc_trace *trace)
{
    return (struct walk){
        .file = {file->text, file->size, 0},
        .trace = {trace->text, trace->used, 0},
        .line_number = 1,
    };
}

static bool next_line(struct side *side, struct evc_line *line)
{
    return evc_line_next(side->text, side->size, &side->at, line);
}

/* The answers from here to the next statement; *lines grows by their number. */
static struct side take_answers(struct side *side, size_t *lines)
{
    struct side answers = {side->text + side->at, 0, 0};
    size_t start_at = side->at, at = side->at;
    struct evc_line line;

    while (evc_line_next(side->text, side->size, &at, &line) &&
           evc_line_is_answer(&line)) {
        side->at = at < side->size ? at : side->size;
        if (lines)
            ++*lines;
    }
    answers.size = side->at - start_at;
    return answers;
}

/* Before the first statement there may be answers, to nothing. */
static bool next_block(struct walk *walk)
{
    bool first = walk->file.at == 0 && walk->line_number == 1;
    struct evc_line echo;

    walk->block.line_number = walk->line_number;
    walk->block.statement = (struct evc_line){"", 0};
    if (first) {
        walk->block.expected = take_answers(&walk->file, &walk->line_number);
        walk->block.got = (struct side){walk->trace.text, 0, 0};
        if (walk->block.expected.size)
            return true;
    }
    if (!next_line(&walk->file, &walk->block.statement))
        return false;
    (void)next_line(&walk->trace, &echo);
    walk->line_number++;
    walk->block.expected = take_answers(&walk->file, &walk->line_number);
    walk->block.got = take_answers(&walk->trace, NULL);
    return true;
}

/* A newline missing at the end of the file is another matter. */
static size_t text_size(const struct side *side)
{
    bool ends = side->size && side->text[side->size - 1] == '\n';

    return side->size - (ends ? 1 : 0);
}

static bool is_same(const struct block *block)
{
    size_t size = text_size(&block->got);

    return !block->expected.size == !block->got.size &&
           text_size(&block->expected) == size &&
           (!size || memcmp(block->expected.text, block->got.text, size) == 0);
}

static bool lines_equal(const struct evc_line *a, const struct evc_line *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

bool evc_compare_has_answers(const struct evc_file *file)
{
    struct evc_line line;
    size_t at = 0;

    while (evc_line_next(file->text, file->size, &at, &line))
        if (evc_line_is_answer(&line))
            return true;
    return false;
}

/* ---- complaints --------------------------------------------------------- */

static bool contains(struct side side, const struct evc_line *wanted)
{
    struct evc_line line;

    side.at = 0;
    while (next_line(&side, &line))
        if (lines_equal(&line, wanted))
            return true;
    return false;
}

/* A complaint that only the trace has: false, there is none. */
static bool find_complaint(const struct block *block, struct evc_line *line)
{
    struct side got = block->got;

    while (next_line(&got, line))
        if (line->text[0] == '!' && !contains(block->expected, line))
            return true;
    return false;
}

bool evc_compare_complaint(const struct evc_file *file,
                           const struct evc_trace *trace, bool anywhere)
{
    struct walk walk = start(file, trace);
    struct evc_line line;

    while (next_block(&walk)) {
        if (find_complaint(&walk.block, &line)) {
            evc_file_error(file->path, walk.block.line_number, "%.*s",
                           (int)line.length - 2, line.text + 2);
            return true;
        }
        if (!anywhere && !is_same(&walk.block))
            return false;
    }
    return false;
}

/* ---- differences -------------------------------------------------------- */

static void print_line(char sign, const struct evc_line *line)
{
    printf("%c%.*s\n", sign, (int)line->length, line->text);
}

/* How far ahead a line is found in a side; LOOK_AHEAD: too far, or never. */
static unsigned distance(struct side side, const struct evc_line *wanted)
{
    struct evc_line line;

    for (unsigned i = 0; i < LOOK_AHEAD && next_line(&side, &line); i++)
        if (lines_equal(&line, wanted))
            return i;
    return LOOK_AHEAD;
}

static void print_next(char sign, struct side *side, unsigned count)
{
    struct evc_line line;

    while (count-- > 0 && next_line(side, &line))
        print_line(sign, &line);
}

/* Print the two lists of answers as one, with what only one of them has. */
static void print_merged(struct side expected, struct side got)
{
    while (expected.at < expected.size && got.at < got.size) {
        struct side a = expected, b = got;
        struct evc_line was, is;
        unsigned ahead;

        (void)next_line(&a, &was);
        (void)next_line(&b, &is);
        if (lines_equal(&was, &is)) {
            print_line(' ', &was);
            expected = a;
            got = b;
            continue;
        }
        ahead = distance(got, &was);
        if (ahead < LOOK_AHEAD)
            print_next('+', &got, ahead);
        else
            print_next('-', &expected, 1);
    }
    print_next('-', &expected, UINT32_MAX);
    print_next('+', &got, UINT32_MAX);
}

/* Only the first difference of a statement: one line of each. */
static void print_first(const struct block *block)
{
    struct side expected = block->expected, got = block->got;
    struct evc_line was, is;
    bool has_was, has_is;

    do {
        has_was = next_line(&expected, &was);
        has_is = next_line(&got, &is);
    } while (has_was && has_is && lines_equal(&was, &is));
    if (has_was)
        printf("  expected: %.*s\n", (int)was.length, was.text);
    else
        printf("  expected: nothing more\n");
    if (has_is)
        printf("  got:      %.*s\n", (int)is.length, is.text);
    else
        printf("  got:      nothing more\n");
}

static void print_block(const struct evc_file *file, const struct block *block,
                        bool all)
{
    printf("%s:%zu: %.*s\n", file->path, block->line_number,
           (int)block->statement.length, block->statement.text);
    if (all)
        print_merged(block->expected, block->got);
    else
        print_first(block);
}

void evc_compare_print(const struct evc_file *file,
                       const struct evc_trace *trace, bool all)
{
    struct walk walk = start(file, trace);

    while (next_block(&walk)) {
        if (is_same(&walk.block))
            continue;
        print_block(file, &walk.block, all);
        if (!all)
            return;
    }
    if (file->size && file->text[file->size - 1] != '\n')
        printf("%s:%zu: no newline at the end\n", file->path,
               walk.line_number - 1);
}
