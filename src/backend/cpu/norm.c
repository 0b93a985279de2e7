/* norm.c - layer normalisation of rows, with the residual sum before it.
 *
 *   s = x + drop(f),   z = (s - mean) rstd,   y = z g + b,   rstd = 1 / sqrt(mean of (s - mean)^2 + eps)
 *   dz = dy g,   ds = rstd (dz - mean(dz) - z mean(dz z)) + dsum,   dx = ds,   df = drop(ds)
 *   dg += sum over rows of dy z,   db += of dy
 * A row at a time, so that it is read from memory once. Sums over a row are the kernels', over rows
 * they run in their order. */
#include "backend/cpu/cpu.h"

#include <string.h>

typedef struct job {
    const ur_kernels *kernels;
    const ur_norm_pass *pass;
    float *spare; /* (members, 2 width) */
} job;

static bool drops(const ur_norm_pass *p)
{
    return p->f && p->p > 0.0f;
}

static void forward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_kernels *k = j->kernels;
    const ur_norm_pass *p = j->pass;
    const size_t n = p->width;
    ur_row_walk at = {0};
    if (drops(p))
        at = ur_row_walk_from(p->layout, begin);
    for (size_t r = begin; r < end; r++) {
        const float *s = p->x + r * n;
        if (p->f) {
            float *sum = p->sum + r * n;
            const float *f = p->f + r * n;
            if (drops(p)) {
                ur_cpu_drop_row(k, at, n, p->p, p->key, f, sum);
                ur_row_walk_on(&at);
                f = sum;
            }
            if (sum == s) {
                k->add(n, f, sum);
            } else {
                if (sum != f)
                    memcpy(sum, f, n * sizeof *sum);
                k->add(n, s, sum);
            }
            s = sum;
        }
        if (p->y)
            k->norm(n, p->eps, s, p->gain, p->bias, p->y + r * n, p->kept + 2 * r);
    }
}

void ur_cpu_norm(const ur_executor *e, const ur_norm_pass *pass)
{
    job j = {e->kernels, pass, NULL};
    ur_cpu_for(e, pass->rows, forward_rows, &j);
}

static void give(const ur_kernels *k, size_t n, const float *d, float *to, bool blank)
{
    if (!blank)
        k->add(n, d, to);
    else if (d && d != to)
        memcpy(to, d, n * sizeof *to);
}

/* Row r of ds, to dx and df. spare: (2 width) */
static void back_row(const job *j, size_t r, const ur_row_walk *at, float *spare)
{
    const ur_kernels *k = j->kernels;
    const ur_norm_pass *p = j->pass;
    const size_t n = p->width, row = r * n;
    const float *s = (p->f ? p->sum : p->x) + row, *dsum = p->dsum ? p->dsum + row : NULL;
    const float *ds = dsum;
    float *dx = p->dx ? p->dx + row : NULL, *df = p->df ? p->df + row : NULL;
    if (p->dy) {
        float *d = dx && p->dx_blank ? dx : spare;
        k->norm_back(n, s, p->kept + 2 * r, p->gain, p->dy + row, dsum, d);
        ds = d;
    }
    if (dx)
        give(k, n, ds, dx, p->dx_blank);
    if (df && drops(p)) { /* after dx, which may be the same */
        float *d = p->df_blank ? df : spare + n;
        ur_cpu_drop_row(k, *at, n, p->p, p->key, ds, d);
        give(k, n, d, df, p->df_blank);
    } else if (df) {
        give(k, n, ds, df, p->df_blank);
    }
}

/* Columns [begin, end) of a row's part of dgain and dbias. */
static void sums_of_row(const job *j, size_t r, size_t begin, size_t end)
{
    const ur_norm_pass *p = j->pass;
    const float *s = p->f ? p->sum : p->x;
    const size_t at = r * p->width + begin;
    j->kernels->norm_sums(end - begin, s + at, p->kept + 2 * r, p->dy + at,
                          p->dgain ? p->dgain + begin : NULL, p->dbias ? p->dbias + begin : NULL);
}

/* Rows are shared for dx and df, columns for the sums over rows; alone, one pass does both. */
static void back_member(void *arg, const ur_member *me)
{
    const job *j = arg;
    const ur_norm_pass *p = j->pass;
    const bool sums = p->dy && (p->dgain || p->dbias), inputs = p->dx || p->df;
    const ur_range rows = ur_my_range(me, p->rows), columns = ur_my_range(me, p->width);
    float *spare = j->spare + (size_t)me->index * 2 * p->width;
    ur_row_walk at = {0};
    if (drops(p) && rows.begin < rows.end)
        at = ur_row_walk_from(p->layout, rows.begin);
    for (size_t r = rows.begin; inputs && r < rows.end; r++) {
        if (sums && me->count == 1)
            sums_of_row(j, r, 0, p->width);
        back_row(j, r, &at, spare);
        if (drops(p))
            ur_row_walk_on(&at);
    }
    for (size_t r = 0; sums && (me->count > 1 || !inputs) && r < p->rows; r++)
        sums_of_row(j, r, columns.begin, columns.end);
}

bool ur_cpu_norm_back(const ur_executor *e, const ur_norm_pass *pass)
{
    const ur_mark mark = ur_arena_mark(e->memory);
    job j = {e->kernels, pass, NULL};
    j.spare = ur_arena_take(e->memory, ur_team_size(e->team) * 2 * pass->width, sizeof *j.spare);
    if (j.spare)
        ur_team_run(e->team, back_member, &j);
    ur_arena_rewind(e->memory, mark);
    return j.spare != NULL;
}
