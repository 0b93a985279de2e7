/* cpu.c - how a team shares products and loops. */
#include "backend/cpu/cpu.h"

#include <string.h>

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
    part.side += product->side ? mine.begin * product->c_row : 0;
    part.slope += product->slope ? mine.begin * product->c_row : 0;
    kernels->product(&part, 0, panels);
}

typedef struct product_job {
    const ur_kernels *kernels;
    const ur_product *product;
} product_job;

static void product_member(void *arg, const ur_member *me)
{
    const product_job *job = arg;
    ur_product_part(job->kernels, me, job->product);
}

void ur_cpu_product(const ur_executor *e, const ur_product *product)
{
    product_job job = {e->kernels, product};
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
