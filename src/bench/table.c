/* SPDX-License-Identifier: MIT */
/*
 * The table, for people.
 */
#include <math.h>
#include <string.h>

#include "bench.h"

#define NAME_WIDTH 14
#define WIDTH      12

/* A column: its head, in two lines, and the case. */
static const struct column {
    const char *head, *below, *what;
} columns[EVC_PLACES][10] = {
    [EVC_PLACE_ONE] = {{"set up", "", "setup"},
                       {"notify", "", "notify"},
                       {"dispatch", "1 of N", "dispatch"},
                       {"dispatch", "100 of N", "dispatch100"},
                       {"dispatch", "N of N", "bulk"},
                       {0}},
    [EVC_PLACE_THREADS] = {{"notify", "", "notify"},
                           {"stream", "", "stream"},
                           {"dispatch", "1 of N", "dispatch"},
                           {"dispatch", "100 of N", "dispatch100"},
                           {"asleep:", "sending", "asleep"},
                           {"asleep:", "arriving", "wake"},
                           {"asleep:", "100, each", "burst"},
                           {"ping-pong", "", "pingpong"},
                           {0}},
};

static const struct column costs[] = {
    {"system calls", "to notify", "calls"},
    {"... and to", "handle it", "calls1"},
    {"heap", "bytes", "private"},
    {"shared", "bytes", "shared"},
    {"receiver's", "bytes", "receiver"},
    {"descriptors", "", "descriptors"},
    {"idle CPU", "%", "idle"},
    {0},
};

/* ---- numbers ------------------------------------------------------------- */

/* Three digits that mean something, as many as there are of them. */
static void print_number(char *text, size_t size, double value)
{
    int digits = value >= 100 || value == 0 ? 0 : value >= 10 ? 1 : 2;

    if (isnan(value))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.*f", digits, value);
}

/* Half the distance of the quartiles, in percent of the median. */
static int wobble(const struct evc_spread *spread)
{
    if (!(spread->median > 0))
        return 0;
    return (int)lround(50 * (spread->high - spread->low) / spread->median);
}

/* ---- a line -------------------------------------------------------------- */

/* Blanks are kept back until something follows, so that no line ends in them. */
struct line {
    FILE *out;
    int blanks;
};

static void put(struct line *line, const char *text)
{
    fprintf(line->out, "%*s%s", line->blanks, "", text);
    line->blanks = 0;
}

static void put_left(struct line *line, int width, const char *text)
{
    put(line, text);
    line->blanks = width - (int)strlen(text);
}

static void put_right(struct line *line, int width, const char *text)
{
    line->blanks += width - (int)strlen(text);
    if (*text)
        put(line, text);
}

static void put_spread(struct line *line, const struct evc_spread *spread)
{
    char text[32];
    int percent = wobble(spread);

    print_number(text, sizeof(text), spread->median);
    put_right(line, WIDTH - 4, text);
    line->blanks += 4;
    if (isnan(spread->median) || percent == 0)
        return;
    snprintf(text, sizeof(text), " \u00b1%d", percent > 99 ? 99 : percent);
    line->blanks -= 4;
    put(line, text);
    line->blanks = percent > 9 ? 0 : 1;
}

static void end_line(struct line *line)
{
    fputc('\n', line->out);
    line->blanks = 0;
}

/* ---- the head ------------------------------------------------------------ */

static void print_unit(const struct evc_bench *bench, FILE *out,
                       const char *what, enum evc_place place, const char *text)
{
    const struct evc_cell *cell =
        evc_bench_find(bench, "machine", what, place, 0);
    struct evc_spread spread = evc_bench_spread(bench, cell);

    if (cell)
        fprintf(out, "%s: %.1f ns (%.1f to %.1f)\n", text, spread.median,
                spread.low, spread.high);
}

static void print_head(const struct evc_bench *bench, FILE *out)
{
    const struct evc_machine *machine = &bench->machine;

    fprintf(out, "%s, %u CPU%s; %s; load %.2f\n", machine->model,
            machine->online, machine->online == 1 ? "" : "s", machine->kernel,
            machine->load);
    fprintf(out, "%u rounds, %.1f s; ", bench->options.rounds, bench->seconds);
    if (machine->cpus == 2)
        fprintf(out, "sender on CPU %d, receiver on CPU %d", machine->sender,
                machine->receiver);
    else
        fprintf(out, "on CPU %d alone", machine->sender);
    fprintf(out, ", %s\n", machine->realtime ? "SCHED_FIFO" : "not realtime");
    print_unit(bench, out, "rmw", EVC_PLACE_ONE,
               "one locked read-modify-write that nobody else wants");
    fputs("\nNanoseconds: the median of the rounds, \u00b1 half the distance "
          "of their quartiles\nin percent.  N is ",
          out);
    fprintf(out, "%u, or as many channels as there can be.\n",
            bench->options.base);
}

/* ---- the tables ---------------------------------------------------------- */

static const struct evc_cell *find(const struct evc_bench *bench,
                                   const char *who, const char *what,
                                   enum evc_place place)
{
    const struct evc_cell *cell = evc_bench_find(bench, who, what, place, 0);

    if (cell || place == EVC_PLACE_ONE)
        return cell;
    cell = evc_bench_find(bench, who, what, EVC_PLACE_ONE, 0);
    /* What does not depend on the place is measured in one. */
    return cell && !(cell->what->places & 1u << place) ? cell : NULL;
}

/* Was this measured of anybody here? */
static bool is_shown(const struct evc_bench *bench, const struct column *column,
                     enum evc_place place)
{
    const struct evc_adapter *adapter;

    for (unsigned i = 0; (adapter = evc_adapter_at(i)); i++)
        if (find(bench, adapter->name, column->what, place))
            return true;
    return false;
}

static bool any(const struct evc_bench *bench, const char *who,
                const struct column *column, enum evc_place place)
{
    for (; column->what; column++)
        if (find(bench, who, column->what, place))
            return true;
    return false;
}

static void print_heads(const struct evc_bench *bench, FILE *out,
                        const struct column *list, enum evc_place place)
{
    struct line line = {.out = out};

    for (int below = 0; below < 2; below++) {
        line.blanks = NAME_WIDTH;
        for (const struct column *column = list; column->what; column++)
            if (is_shown(bench, column, place))
                put_right(&line, WIDTH, below ? column->below : column->head);
        end_line(&line);
    }
}

static void print_row(const struct evc_bench *bench, FILE *out, const char *who,
                      const struct column *column, enum evc_place place)
{
    struct line line = {.out = out};

    put_left(&line, NAME_WIDTH, who);
    for (; column->what; column++) {
        struct evc_spread spread =
            evc_bench_spread(bench, find(bench, who, column->what, place));

        if (is_shown(bench, column, place))
            put_spread(&line, &spread);
    }
    end_line(&line);
}

static void print_table(const struct evc_bench *bench, FILE *out,
                        enum evc_place place, const struct column *list,
                        const char *title)
{
    const struct evc_adapter *adapter;
    bool begun = false;

    for (unsigned i = 0; (adapter = evc_adapter_at(i)); i++) {
        if (!any(bench, adapter->name, list, place))
            continue;
        if (!begun) {
            fprintf(out, "\n%s\n", title);
            if (place != EVC_PLACE_ONE && list != costs)
                print_unit(bench, out, "roundtrip", place,
                           "a cache line to the other CPU and back, both "
                           "spinning");
            print_heads(bench, out, list, place);
        }
        begun = true;
        print_row(bench, out, adapter->name, list, place);
    }
}

/* ---- by number of ports -------------------------------------------------- */

static const struct evc_cell *find_ports(const struct evc_bench *bench,
                                         const char *who, unsigned index)
{
    return evc_bench_find(bench, who, "dispatch", EVC_PLACE_ONE,
                          bench->options.ports[index]);
}

static unsigned count_ports(const struct evc_bench *bench)
{
    unsigned n = 0;

    while (n < EVC_BENCH_PORTS && bench->options.ports[n])
        n++;
    return n;
}

static void print_ports_row(const struct evc_bench *bench, FILE *out,
                            const char *who)
{
    struct line line = {.out = out};

    put_left(&line, NAME_WIDTH, who);
    for (unsigned i = 0; i < count_ports(bench); i++) {
        struct evc_spread spread =
            evc_bench_spread(bench, find_ports(bench, who, i));

        put_spread(&line, &spread);
    }
    end_line(&line);
}

static void print_ports(const struct evc_bench *bench, FILE *out)
{
    const struct column list[] = {{"", "", "dispatch"}, {0}};
    struct line line = {.out = out, .blanks = NAME_WIDTH};
    const struct evc_adapter *adapter;
    char text[16];

    if (!count_ports(bench) || !is_shown(bench, list, EVC_PLACE_ONE))
        return;
    fputs("\nNotify and dispatch, 1 of N channels, by N\n", out);
    for (unsigned i = 0; i < count_ports(bench); i++) {
        snprintf(text, sizeof(text), "%u", bench->options.ports[i]);
        put_right(&line, WIDTH - 4, text);
        line.blanks = 4;
    }
    end_line(&line);
    for (unsigned i = 0; (adapter = evc_adapter_at(i)); i++)
        if (any(bench, adapter->name, list, EVC_PLACE_ONE))
            print_ports_row(bench, out, adapter->name);
}

/* ---- goals --------------------------------------------------------------- */

/* Small ratios are easier to read upside down. */
static void print_ratio(char *text, size_t size, double value)
{
    if (isnan(value))
        snprintf(text, size, "-");
    else if (value > 0 && value < 0.2)
        snprintf(text, size, "1/%.0f", 1 / value);
    else
        snprintf(text, size, "%.2f", value);
}

static const char *reached(const struct evc_goal_result *result)
{
    if (isnan(result->goal->limit))
        return "-";
    return result->reached ? "yes" : "no";
}

static void print_goal(const struct evc_goal_result *result, FILE *out)
{
    char here[32], low[32], high[32], limit[32];

    print_ratio(here, sizeof(here), result->spread.median);
    print_ratio(low, sizeof(low), result->spread.low);
    print_ratio(high, sizeof(high), result->spread.high);
    print_ratio(limit, sizeof(limit), result->goal->limit);
    fprintf(out, "%s  %-50s %6s %-5s %6s..%-6s %6s  %s\n", result->goal->table,
            result->goal->text, here, result->goal->unit, low, high, limit,
            reached(result));
}

static void print_goals(const struct evc_bench *bench, FILE *out)
{
    struct evc_goal_result result;

    for (unsigned i = 0; evc_bench_goal(bench, i, &result); i++) {
        if (i == 0)
            fprintf(out, "\n%-53s %6s %-5s %14s %6s  %s\n", "Goals", "here", "",
                    "quartiles   ", "goal", "reached");
        print_goal(&result, out);
    }
}

/* ---- what is not there --------------------------------------------------- */

static void print_gaps(const struct evc_bench *bench, FILE *out)
{
    if (bench->gap_count)
        fputs("\nNot measured\n", out);
    for (size_t i = 0; i < bench->gap_count; i++)
        fprintf(out, "%s, %s: %s\n", bench->gaps[i].who, bench->gaps[i].where,
                bench->gaps[i].why);
}

static void print_disturbances(const struct evc_bench *bench, FILE *out)
{
    unsigned retaken = 0, disturbed = 0, samples = 0;

    for (size_t i = 0; i < bench->count; i++) {
        retaken += bench->cells[i]->retaken;
        disturbed += bench->cells[i]->disturbed;
        for (unsigned j = 0; j < bench->options.rounds; j++)
            samples += isnan(bench->cells[i]->samples[j]) ? 0 : 1;
    }
    fprintf(out,
            "\n%u samples; %u taken again, since somebody had wanted the CPU; "
            "%u of them\nkept after several attempts\n",
            samples, retaken, disturbed);
}

void evc_bench_table(const struct evc_bench *bench, FILE *out)
{
    print_head(bench, out);
    print_table(bench, out, EVC_PLACE_ONE, columns[EVC_PLACE_ONE],
                "One CPU: sender and receiver in turn, in one thread");
    print_table(bench, out, EVC_PLACE_THREADS, columns[EVC_PLACE_THREADS],
                "Two threads on two CPUs");
    print_table(bench, out, EVC_PLACE_PROCESSES, columns[EVC_PLACE_THREADS],
                "Two processes on two CPUs");
    print_table(bench, out,
                bench->machine.cpus > 1 ? EVC_PLACE_PROCESSES : EVC_PLACE_ONE,
                costs, "What it takes, for a channel or an event");
    print_ports(bench, out);
    print_goals(bench, out);
    print_gaps(bench, out);
    print_disturbances(bench, out);
}
