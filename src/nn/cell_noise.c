/* cell_noise.c - the random masks of a recurrent layer in training.
 *
 *   recurrent drop-out: W_hh (m h_prev), one m per sequence for all its steps, each unit 0 with
 *     probability p and 1/(1-p) else (Gal and Ghahramani 2016)
 *   zoneout: h = w h' + (1-w) h_prev, w of every step and unit 0 with probability p and 1 else, and
 *     c likewise; h' is made of the cell's own c' (Krueger et al. 2017)
 * Keys come from (seed, step, which drop-out), counters from the sequence's id, for zoneout the step
 * of the sequence, and the unit: neither batch nor order of rows changes a mask. */
#include "nn/nn.h"

#include "backend/cpu/recurrent.h"
#include "base/philox.h"

enum { UNIT_BITS = 24 }; /* of the counter's low word; the step of the sequence stands above */

static uint64_t next_key(ur_tape *tape)
{
    const ur_philox_block block = ur_philox(tape->seed, tape->step, tape->drop_outs++);
    return (uint64_t)block.word[0] << 32 | block.word[1];
}

static float *ones(ur_tape *tape, size_t n)
{
    float *x = ur_take(tape, n, sizeof *x);
    for (size_t i = 0; x && i < n; i++)
        x[i] = 1.0f;
    return x;
}

typedef struct job {
    const ur_kernels *kernels;
    const ur_layout *layout; /* step-major */
    uint64_t key;
    float p;
    size_t width;
    const float *ones; /* (width) */
    float *out;
} job;

static void masks(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t place = begin; place < end; place++)
        j->kernels->dropout(j->width, j->p, j->key, 0, j->layout->id[j->layout->sequence[place]],
                            j->ones, j->out + place * j->width);
}

/* The same random numbers as drop-out's, with 1 for what is not dropped. */
static void fresh(void *arg, size_t begin, size_t end)
{
    const job *j = arg;
    for (size_t b = begin; b < end; b++)
        for (size_t t = 0; t < j->layout->length[b]; t++) {
            float *w = j->out + ur_row(j->layout, b, t) * j->width;
            j->kernels->dropout(j->width, j->p, j->key, (uint64_t)t << UNIT_BITS, j->layout->id[b],
                                j->ones, w);
            for (size_t u = 0; u < j->width; u++)
                w[u] = w[u] > 0.0f ? 1.0f : 0.0f;
        }
}

/* A mask of `rows` rows; NULL where p is 0 or memory ran out. */
static const float *make(ur_tape *tape, const ur_layout *layout, float p, size_t rows, size_t width,
                         void (*work)(void *arg, size_t begin, size_t end))
{
    if (!(p > 0.0f))
        return NULL;
    job j = {tape->cpu.kernels, layout, next_key(tape), p, width, ones(tape, width), NULL};
    j.out = ur_take(tape, rows * width, sizeof *j.out);
    if (j.ones && j.out)
        ur_cpu_for(&tape->cpu, layout->batch, work, &j);
    return j.out;
}

void ur_cell_noise(ur_tape *tape, const ur_cell_layer *l, ur_cpu_recurrent *op)
{
    const ur_layout *rows = op->rows;
    if (tape->mode != UR_TRAIN)
        return;
    op->mask = make(tape, rows, l->recurrent_dropout, rows->batch, ur_recurrent_width(op), masks);
    op->fresh_h = make(tape, rows, l->zoneout_h, rows->rows, l->hidden_size, fresh);
    op->fresh_c = make(tape, rows, l->zoneout_c, rows->rows, l->hidden_size, fresh);
}
