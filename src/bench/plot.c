/* SPDX-License-Identifier: MIT */
/*
 * Cost against number of ports, as a picture (SVG): two panels, both axes
 * logarithmic, a line for each adapter.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define PANEL_WIDTH  400.0
#define PANEL_HEIGHT 330.0
#define PANEL_TOP    70.0
#define LEGEND       4 /* names in a row */

struct panel {
    const char *title, *what;
    double left;
};

static const struct panel panels[] = {
    {"set up a channel and take it down", "setup", 60},
    {"notify and handle, 1 of N active", "dispatch", 530},
    {"100 of N active, for each", "dispatch100", 1000},
};

#define PANELS (sizeof(panels) / sizeof(panels[0]))
#define WIDTH  (1000 + PANEL_WIDTH + 40)
#define HEIGHT (PANEL_TOP + PANEL_HEIGHT + 120)

/* Told apart by whoever cannot tell red from green, too. */
static const char *const colours[] = {
    "#0072b2", "#56b4e9", "#009e73", "#000000", "#e69f00",
    "#d55e00", "#cc79a7", "#999933", "#882255", "#777777",
};

#define COLOURS (sizeof(colours) / sizeof(colours[0]))

/* ---- scales -------------------------------------------------------------- */

/* Whole decades on both axes. */
struct scale {
    double ports, low, high; /* the first begins at 1 */
};

static void widen(struct scale *scale, const struct evc_bench *bench,
                  const struct evc_cell *cell)
{
    double value = evc_bench_spread(bench, cell).median;

    if (!(value > 0))
        return;
    scale->ports = fmax(scale->ports, ceil(log10(cell->ports)));
    scale->low = fmin(scale->low, floor(log10(value)));
    scale->high = fmax(scale->high, ceil(log10(value)));
}

static bool is_shown(const struct evc_cell *cell, const char *what)
{
    return cell->place == EVC_PLACE_ONE && cell->ports > 0 &&
           strcmp(cell->what->name, what) == 0;
}

static struct scale scale_of(const struct evc_bench *bench)
{
    struct scale scale = {.ports = 1, .low = 1, .high = 1};

    for (size_t i = 0; i < bench->count; i++)
        for (size_t p = 0; p < PANELS; p++)
            if (is_shown(bench->cells[i], panels[p].what))
                widen(&scale, bench, bench->cells[i]);
    if (scale.high <= scale.low)
        scale.high = scale.low + 1;
    return scale;
}

static double x_of(const struct scale *scale, const struct panel *panel,
                   double ports)
{
    return panel->left + PANEL_WIDTH * log10(ports) / scale->ports;
}

static double y_of(const struct scale *scale, double ns)
{
    double share = (log10(ns) - scale->low) / (scale->high - scale->low);

    return PANEL_TOP + PANEL_HEIGHT * (1 - share);
}

/* ---- the frame ----------------------------------------------------------- */

static void draw_line(FILE *out, double x1, double y1, double x2, double y2)
{
    fprintf(out,
            "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' "
            "stroke='#ddd'/>\n",
            x1, y1, x2, y2);
}

/* Text that may hold anything: a CPU says its own name. */
static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if ((unsigned char)*text >= ' ')
            fputc(*text, out);
    }
}

static void draw_text(FILE *out, double x, double y, const char *anchor,
                      const char *text)
{
    fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='%s'>", x, y, anchor);
    write_escaped(out, text);
    fputs("</text>\n", out);
}

/* 10, 1,000, 100,000 */
static const char *with_commas(char *text, size_t size, double value)
{
    char digits[32];
    size_t n = (size_t)snprintf(digits, sizeof(digits), "%.0f", value), at = 0;

    for (size_t i = 0; i < n && at + 2 < size; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static const char *duration(char *text, size_t size, double decade)
{
    static const char *const units[] = {"ns", "\u00b5s", "ms", "s"};
    int unit = (int)fmin(fmax(floor(decade / 3), 0), 3);

    snprintf(text, size, "%g %s", pow(10, decade - 3 * unit), units[unit]);
    return text;
}

static void draw_frame(FILE *out, const struct scale *scale,
                       const struct panel *panel)
{
    double bottom = PANEL_TOP + PANEL_HEIGHT;
    char text[32];

    for (double d = 0; d <= scale->ports; d++) {
        double x = x_of(scale, panel, pow(10, d));

        draw_line(out, x, PANEL_TOP, x, bottom);
        draw_text(out, x, bottom + 18, "middle",
                  with_commas(text, sizeof(text), pow(10, d)));
    }
    for (double d = scale->low; d <= scale->high; d++) {
        double y = y_of(scale, pow(10, d));

        draw_line(out, panel->left, y, panel->left + PANEL_WIDTH, y);
        draw_text(out, panel->left - 6, y + 4, "end",
                  duration(text, sizeof(text), d));
    }
    draw_text(out, panel->left + PANEL_WIDTH / 2, PANEL_TOP - 12, "middle",
              panel->title);
    draw_text(out, panel->left + PANEL_WIDTH / 2, bottom + 36, "middle",
              "ports");
}

/* ---- the lines ----------------------------------------------------------- */

static int compare_ports(const void *a, const void *b)
{
    const struct evc_cell *const *x = a, *const *y = b;

    return ((*x)->ports > (*y)->ports) - ((*x)->ports < (*y)->ports);
}

/* The cells of one line, by number of ports.  Return: how many. */
static size_t collect(const struct evc_bench *bench, const char *who,
                      const char *what, const struct evc_cell **cells,
                      size_t most)
{
    size_t n = 0;

    for (size_t i = 0; i < bench->count && n < most; i++) {
        const struct evc_cell *cell = bench->cells[i];

        if (is_shown(cell, what) && strcmp(cell->who, who) == 0 &&
            evc_bench_spread(bench, cell).median > 0)
            cells[n++] = cell;
    }
    qsort(cells, n, sizeof(cells[0]), compare_ports);
    return n;
}

static void draw_curve(const struct evc_bench *bench, FILE *out,
                       const struct scale *scale, const struct panel *panel,
                       const char *who, const char *colour)
{
    const struct evc_cell *cells[EVC_BENCH_PORTS + 2];
    size_t n = collect(bench, who, panel->what, cells, EVC_BENCH_PORTS + 2);

    if (n == 0)
        return;
    fprintf(out,
            "<g stroke='%s' fill='%s'><polyline fill='none' "
            "stroke-width='2' points='",
            colour, colour);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%.1f,%.1f ", x_of(scale, panel, cells[i]->ports),
                y_of(scale, evc_bench_spread(bench, cells[i]).median));
    fputs("'/>\n", out);
    for (size_t i = 0; i < n; i++) {
        struct evc_spread spread = evc_bench_spread(bench, cells[i]);

        fprintf(out,
                "<circle cx='%.1f' cy='%.1f' r='3'><title>%s, %u ports: "
                "%.1f ns</title></circle>\n",
                x_of(scale, panel, cells[i]->ports), y_of(scale, spread.median),
                who, cells[i]->ports, spread.median);
    }
    fputs("</g>\n", out);
}

static bool is_drawn(const struct evc_bench *bench, const char *who)
{
    for (size_t i = 0; i < bench->count; i++)
        for (size_t p = 0; p < PANELS; p++)
            if (is_shown(bench->cells[i], panels[p].what) &&
                strcmp(bench->cells[i]->who, who) == 0)
                return true;
    return false;
}

static void draw_adapters(const struct evc_bench *bench, FILE *out,
                          const struct scale *scale)
{
    const struct evc_adapter *adapter;
    unsigned shown = 0;

    for (unsigned i = 0; (adapter = evc_adapter_at(i)); i++) {
        const char *colour = colours[i % COLOURS];
        double x = 60 + shown % 6 * 200;
        double y = HEIGHT - 50 + shown / 6 * 22;

        if (!is_drawn(bench, adapter->name))
            continue;
        for (size_t p = 0; p < PANELS; p++)
            draw_curve(bench, out, scale, &panels[p], adapter->name, colour);
        fprintf(out,
                "<rect x='%.0f' y='%.0f' width='22' height='4' fill='%s'/>\n",
                x, y - 6, colour);
        draw_text(out, x + 30, y, "start", adapter->name);
        shown++;
    }
}

int evc_bench_plot(const struct evc_bench *bench, FILE *out)
{
    struct scale scale = scale_of(bench);
    char head[256];

    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' "
            "height='%.0f' viewBox='0 0 %.0f %.0f' "
            "font-family='sans-serif' font-size='13'>\n"
            "<rect width='100%%' height='100%%' fill='white'/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    snprintf(head, sizeof(head),
             "Cost against number of ports, one CPU: evc bench on %s, %s; "
             "median of %u rounds",
             bench->machine.model, bench->machine.kernel,
             bench->options.rounds);
    draw_text(out, 60, 28, "start", head);
    for (size_t p = 0; p < PANELS; p++)
        draw_frame(out, &scale, &panels[p]);
    draw_adapters(bench, out, &scale);
    fputs("</svg>\n", out);
    return ferror(out) ? -EIO : 0;
}
