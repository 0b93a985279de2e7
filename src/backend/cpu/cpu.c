/* cpu.c - how a team shares products and loops. */
#include "backend/cpu/cpu.h"

#include <stdatomic.h>
#include <string.h>

#include "base/tiny.h"

void ur_product_part(const ur_kernels *kernels, const ur_member *me, const ur_product *product)
{
    const size_t panels = kernels->panels(product->columns);
    const size_t count = (size_t)me->count;
    if (panels % count == 0 || product->m < 8 * count) {
        const ur_range mine = ur_my_range(me, panels);
        kernels->product(product, mine.begin, mine.end);
        return;
    }
    const ur_range mine = ur_my_range(me, product->m);
    ur_product part = *product;
    part.m = mine.end - mine.begin;
    part.a += mine.begin * product->a_row;
    part.c += mine.begin * product->c_row;
    if (part.side) /* nothing is added to NULL, not even 0 */
        part.side += mine.begin * product->c_row;
    if (part.slope)
        part.slope += mine.begin * product->c_row;
    kernels->product(&part, 0, panels);
}

typedef struct product_job {
    const ur_kernels *kernels;
    const ur_product *product;
    size_t
        each; /* panels that a member takes at a time; 0: all have their share from the beginning */
    atomic_size_t taken;
} product_job;

static void product_member(void *arg, const ur_member *me)
{
    product_job *job = arg;
    const size_t panels = job->kernels->panels(job->product->columns);
    if (!job->each) {
        ur_product_part(job->kernels, me, job->product);
        return;
    }
    for (size_t begin; (begin = atomic_fetch_add(&job->taken, job->each)) < panels;) {
        const size_t left = panels - begin;
        job->kernels->product(job->product, begin, begin + (left < job->each ? left : job->each));
    }
}

/* Panels at a time. Weights that are in no member's cache are taken as they come, so that nobody waits for one whose
 * core was wanted elsewhere; others each member keeps near. */
static size_t panels_at_a_time(const ur_executor *e, const ur_product *p)
{
    enum {
        LEAST = UR_SIZE(1 << 20, 100),
        PIECES = 6
    }; /* multiply-adds worth an item; items of each */
    const size_t count = ur_team_size(e->team), panels = e->kernels->panels(p->columns);
    if (!p->far || count == 1 || p->m * p->k * p->columns.units < 2 * PIECES * count * LEAST)
        return 0;
    const size_t each = panels / (PIECES * count);
    return each ? each : 1;
}

void ur_cpu_product(const ur_executor *e, const ur_product *product)
{
    product_job job = {e->kernels, product, panels_at_a_time(e, product), 0};
    ur_team_run(e->team, product_member, &job);
}

typedef struct for_job {
    size_t n;
    void (*work)(void *arg, size_t begin, size_t end);
    void *arg;
} for_job;

static void for_member(void *arg, const ur_member *me)
{
    const for_job *job = arg;
    const ur_range mine = ur_my_range(me, job->n);
    if (mine.begin < mine.end)
        job->work(job->arg, mine.begin, mine.end);
}

void ur_cpu_for(const ur_executor *e, size_t n, void (*work)(void *arg, size_t begin, size_t end),
                void *arg)
{
    for_job job = {n, work, arg};
    ur_team_run(e->team, for_member, &job);
}

void ur_outer_part(const ur_kernels *kernels, const ur_member *me, const ur_cpu_outer *outer)
{
    const ur_range mine = ur_my_range(me, outer->n_out);
    const ur_columns columns = {1, outer->n_in};
    const ur_product product = {
        .m = mine.end - mine.begin,
        .k = outer->rows,
        .a = outer->dy + mine.begin,
        .a_row = 1,
        .a_k = outer->dy_row,
        .b = outer->x_packed,
        .columns = columns,
        .c = outer->dw + mine.begin * outer->n_in,
        .c_row = outer->n_in,
        .start = ur_add_or_set(outer->blank),
    };
    kernels->product(&product, 0, kernels->panels(columns));
}

void ur_gather_panels(const ur_kernels *kernels, ur_columns columns, ur_range mine, size_t rows,
                      const int32_t *ids, const float *table, float *out, size_t row)
{
    const size_t begin = kernels->panel_begin(columns, mine.begin);
    const size_t end = kernels->panel_begin(columns, mine.end);
    for (size_t r = 0; r < rows; r++)
        for (size_t g = 0; g < columns.gates && begin < end; g++)
            memcpy(out + r * row + g * columns.units + begin,
                   table + (size_t)ids[r] * row + g * columns.units + begin,
                   (end - begin) * sizeof *out);
}
