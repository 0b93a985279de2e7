/* cell_noise.c - the random masks of a recurrent layer in training.
 *
 *   recurrent drop-out: W_hh (m h_prev), one m per sequence for all its steps, each unit 0 with
 *     probability p and 1/(1-p) else (Gal and Ghahramani 2016)
 *   zoneout: h = w h' + (1-w) h_prev, w of every step and unit 0 with probability p and 1 else, and
 *     c likewise; h' is made of the cell's own c' (Krueger et al. 2017)
 * Keys come from (seed, step, which drop-out), counters from the sequence's id, for zoneout the step
 * of the sequence, and the unit: neither batch nor order of rows changes a mask. */
#include "nn/nn.h"

#include "base/philox.h"

uint64_t ur_next_dropout_key(ur_tape *tape)
{
    const ur_philox_block block = ur_philox(tape->seed, tape->step, tape->drop_outs++);
    return (uint64_t)block.word[0] << 32 | block.word[1];
}

/* A mask of `rows` rows; NULL where p is 0 or memory ran out. */
static const float *make(ur_tape *tape, const ur_layout *layout, float p, size_t rows, size_t width,
                         bool (*draw)(const ur_executor *e, const ur_dropout_pass *pass))
{
    static const ur_op op = {.name = "the masks of a recurrent layer"};
    if (!(p > 0.0f))
        return NULL;
    const ur_dropout_pass pass = {.layout = layout,
                                  .width = width,
                                  .p = p,
                                  .key = ur_next_dropout_key(tape),
                                  .y = ur_take_floats(tape, rows * width)};
    return pass.y && ur_had_memory(tape, &op, draw(&tape->on, &pass)) ? pass.y : NULL;
}

void ur_cell_noise(ur_tape *tape, const ur_cell_layer *l, ur_recurrent_run *run)
{
    const ur_layout *rows = run->rows;
    const ur_backend *on = tape->backend;
    const size_t hidden = l->hidden_size, width = l->proj_size ? l->proj_size : hidden;
    if (tape->mode != UR_TRAIN)
        return;
    run->mask = make(tape, rows, l->recurrent_dropout, rows->batch, width, on->dropout_mask);
    run->fresh_h = make(tape, rows, l->zoneout_h, rows->rows, hidden, on->zoneout_mask);
    run->fresh_c = make(tape, rows, l->zoneout_c, rows->rows, hidden, on->zoneout_mask);
}
