/* SPDX-License-Identifier: MIT */
/*
 * The plot: cost against number of ports, both by powers of ten, as SVG.
 */
#include "report.h"

#include <math.h>

#define WIDTH  760.0
#define HEIGHT 460.0
#define LEFT   70.0
#define RIGHT  250.0 /* the names of the lines */
#define TOP    40.0
#define BOTTOM 50.0

static const char *const colours[SERIES] = {"#0072b2", "#d55e00", "#009e73",
                                            "#cc79a7", "#56b4e9", "#e69f00",
                                            "#000000", "#999999"};

struct range {
    double low, high; /* powers of ten */
};

static void widen(struct range *range, double value)
{
    double power = log10(value > 1 ? value : 1);

    range->low = fmin(range->low, floor(power));
    range->high = fmax(range->high, ceil(power));
}

static double across(const struct range *x, double value)
{
    return LEFT + (log10(value) - x->low) / (x->high - x->low) *
                      (WIDTH - LEFT - RIGHT);
}

static double down(const struct range *y, double value)
{
    return HEIGHT - BOTTOM -
           (log10(value > 1 ? value : 1) - y->low) / (y->high - y->low) *
               (HEIGHT - TOP - BOTTOM);
}

static void draw_grid(FILE *file, const struct range *x, const struct range *y)
{
    for (double p = x->low; p <= x->high; p++)
        fprintf(file,
                "<path class='g' d='M%.1f %.1fV%.1f'/>"
                "<text x='%.1f' y='%.1f' text-anchor='middle'>%.0f</text>\n",
                across(x, pow(10, p)), TOP, HEIGHT - BOTTOM,
                across(x, pow(10, p)), HEIGHT - BOTTOM + 18, pow(10, p));
    for (double p = y->low; p <= y->high; p++)
        fprintf(file,
                "<path class='g' d='M%.1f %.1fH%.1f'/>"
                "<text x='%.1f' y='%.1f' text-anchor='end'>%.0f</text>\n",
                LEFT, down(y, pow(10, p)), WIDTH - RIGHT, LEFT - 6,
                down(y, pow(10, p)) + 4, pow(10, p));
}

static void draw_series(FILE *file, const struct series *series,
                        const char *colour, const struct range *x,
                        const struct range *y, double name_at)
{
    fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='2' points='",
            colour);
    for (unsigned i = 0; i < series->n; i++)
        fprintf(file, "%.1f,%.1f ", across(x, series->x[i]),
                down(y, median(&series->y[i])));
    fprintf(file, "'/>\n");
    for (unsigned i = 0; i < series->n; i++)
        fprintf(file, "<circle r='3' fill='%s' cx='%.1f' cy='%.1f'/>", colour,
                across(x, series->x[i]), down(y, median(&series->y[i])));
    fprintf(file,
            "\n<circle r='4' fill='%s' cx='%.1f' cy='%.1f'/>"
            "<text x='%.1f' y='%.1f'>%s</text>\n",
            colour, WIDTH - RIGHT + 20, name_at - 4, WIDTH - RIGHT + 30,
            name_at, series->name);
}

static void draw(FILE *file, const struct series *series, unsigned n)
{
    struct range x = {9, 0}, y = {9, 0};

    for (unsigned s = 0; s < n; s++) {
        for (unsigned i = 0; i < series[s].n; i++) {
            widen(&x, series[s].x[i]);
            widen(&y, median(&series[s].y[i]));
        }
    }
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' "
            "font-family='sans-serif' font-size='12'>\n"
            "<style>.g{stroke:#ccc}</style>\n"
            "<rect width='100%%' height='100%%' fill='white'/>\n"
            "<text x='%.0f' y='20'>ns each</text>"
            "<text x='%.1f' y='%.1f' text-anchor='middle'>ports</text>\n",
            WIDTH, HEIGHT, LEFT - 50, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12);
    draw_grid(file, &x, &y);
    for (unsigned s = 0; s < n; s++)
        draw_series(file, &series[s], colours[s % SERIES], &x, &y,
                    TOP + 16 + 22 * s);
    fprintf(file, "</svg>\n");
}

int plot(const struct series *series, unsigned n, const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return -1;
    draw(file, series, n);
    return fclose(file);
}
