/* dropout.c - random masks. Unit u of step t of a sequence is drawn under the pass's key at the counter
 * (t, id of the sequence, u), so that neither batch nor order of rows changes a mask. */
#include "backend/cpu/cpu.h"

enum { UNIT_BITS = 24 }; /* of the counter's low word; the step of the sequence stands above */

typedef struct job {
    const ur_kernels *kernels;
    const ur_dropout_pass *pass;
    const float *ones; /* (width) */
    float *out;
} job;

static void drop(const job *j, size_t b, size_t t, const float *x, float *y)
{
    const ur_dropout_pass *p = j->pass;
    j->kernels->dropout(p->width, p->p, p->key, (uint64_t)t << UNIT_BITS, p->layout->id[b], x, y);
}

void ur_cpu_drop_row(const ur_kernels *kernels, ur_row_walk at, size_t width, float p, uint64_t key,
                     const float *x, float *y)
{
    kernels->dropout(width, p, key, (uint64_t)at.t << UNIT_BITS, at.layout->id[at.b], x, y);
}

static void sequences(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t b = begin; b < end; b++)
        for (size_t t = 0; t < j->pass->layout->length[b]; t++) {
            const size_t at = ur_row(j->pass->layout, b, t) * j->pass->width;
            drop(j, b, t, j->pass->x + at, j->out + at);
        }
}

static void places(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t place = begin; place < end; place++)
        drop(j, j->pass->layout->sequence[place], 0, j->ones, j->out + place * j->pass->width);
}

/* The same random numbers as drop-out's, with 1 for what is not dropped. */
static void fresh(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t b = begin; b < end; b++)
        for (size_t t = 0; t < j->pass->layout->length[b]; t++) {
            float *w = j->out + ur_row(j->pass->layout, b, t) * j->pass->width;
            drop(j, b, t, j->ones, w);
            for (size_t u = 0; u < j->pass->width; u++)
                w[u] = w[u] > 0.0f ? 1.0f : 0.0f;
        }
}

void ur_cpu_dropout(const ur_executor *e, const ur_dropout_pass *pass)
{
    job j = {.kernels = e->kernels, .pass = pass, .out = pass->y};
    ur_cpu_for(e, pass->layout->batch, sequences, &j);
}

/* The mask is made again instead of being kept. */
bool ur_cpu_dropout_back(const ur_executor *e, const ur_dropout_pass *pass)
{
    const size_t count = pass->layout->rows * pass->width;
    const ur_mark mark = ur_arena_mark(e->memory);
    job j = {.kernels = e->kernels, .pass = pass};
    j.out = ur_arena_take(e->memory, count, sizeof(float));
    if (j.out) {
        ur_cpu_for(e, pass->layout->batch, sequences, &j);
        e->kernels->add(count, j.out, pass->y);
    }
    ur_arena_rewind(e->memory, mark);
    return j.out != NULL;
}

static bool of_ones(const ur_executor *e, const ur_dropout_pass *pass,
                    void (*work)(void *arg, size_t begin, size_t end))
{
    const ur_mark mark = ur_arena_mark(e->memory);
    float *ones = ur_arena_take(e->memory, pass->width, sizeof *ones);
    for (size_t i = 0; ones && i < pass->width; i++)
        ones[i] = 1.0f;
    job j = {e->kernels, pass, ones, pass->y};
    if (ones)
        ur_cpu_for(e, pass->layout->batch, work, &j);
    ur_arena_rewind(e->memory, mark);
    return ones != NULL;
}

bool ur_cpu_dropout_mask(const ur_executor *e, const ur_dropout_pass *pass)
{
    return of_ones(e, pass, places);
}

bool ur_cpu_zoneout_mask(const ur_executor *e, const ur_dropout_pass *pass)
{
    return of_ones(e, pass, fresh);
}
