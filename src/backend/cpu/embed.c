/* embed.c - scaled rows of a table with rows of positions added.
 *
 *   y_r = scale T[id_r] + P[pos_r],   dT[id_r] += scale dy_r,   dP[pos_r] += dy_r */
#include "backend/cpu/cpu.h"

typedef struct job {
    const ur_kernels *kernels;
    const ur_embed_pass *pass;
} job;

static void forward_rows(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_embed_pass *p = j->pass;
    const size_t n = p->width;
    for (size_t r = begin; r < end; r++) {
        float *y = p->y + r * n;
        j->kernels->scale(n, p->scale, p->table + (size_t)p->ids[r] * n, y);
        if (p->positions)
            j->kernels->add(n, p->positions + p->position[r] * n, y);
    }
}

void ur_cpu_embed(const ur_executor *e, const ur_embed_pass *pass)
{
    job j = {e->kernels, pass};
    ur_cpu_for(e, pass->rows, forward_rows, &j);
}

/* Columns [begin, end): rows go to the same places. */
static void back_columns(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    const ur_embed_pass *p = j->pass;
    const size_t n = p->width, count = end - begin;
    for (size_t r = 0; r < p->rows; r++) {
        const float *dy = p->dy + r * n + begin;
        if (p->dtable)
            j->kernels->axpy(count, p->scale, dy, p->dtable + (size_t)p->ids[r] * n + begin);
        if (p->dpositions)
            j->kernels->add(count, dy, p->dpositions + p->position[r] * n + begin);
    }
}

void ur_cpu_embed_back(const ur_executor *e, const ur_embed_pass *pass)
{
    job j = {e->kernels, pass};
    ur_cpu_for(e, pass->width, back_columns, &j);
}
