/* lstm.c - one layer of an LSTM over a ragged batch.
 *
 *   a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh      (4H: i f g o)
 *   i f o = sigma(a),  g = tanh(a),  c_t = f c_{t-1} + i g,  h_t = o tanh(c_t)
 *
 * Rows are step-major, longest sequence first, so step t works on the first rows of step t-1. A
 * member computes a range of units: all four gates of them, their cell and their output; h of the
 * others is needed once per step, hence one barrier per step. The chain of a pre-activation runs
 * from the bias over x, then over h. Inputs that are rows of a table (embedded symbols) have the
 * first part of that chain computed once per row of the table: the same chain, the same bits.
 *
 * Backward walks the steps in reverse with the gradients of h and c carried in (B, H) buffers, and
 * leaves the gradients of the pre-activations in the gates; the weights' gradients and dx are then
 * one product each over all rows. */
#include "backend/cpu/lstm.h"

#include <string.h>

/* Input products run in chunks of steps, so that scratch does not grow with the length. */
enum { CHUNK_FLOATS = 64 * 1024 };

size_t ur_cpu_lstm_gates_row(size_t hidden)
{
    return 4 * hidden + 16;
}

/* Rows of a (B, H) tensor by caller's index -> by place; NULL source: zeros. */
static void states_in(const ur_layout *r, size_t width, const float *by_index, float *by_place)
{
    if (!by_index) {
        memset(by_place, 0, r->batch * width * sizeof *by_place);
        return;
    }
    for (size_t place = 0; place < r->batch; place++)
        memcpy(by_place + place * width, by_index + r->sequence[place] * width,
               width * sizeof *by_place);
}

typedef struct forward_job {
    const ur_kernels *kernels;
    const ur_cpu_lstm *op;
    float *bias;    /* (4H) */
    float *h0;      /* (B, H) by place */
    float *c_state; /* (B, H) by place: c0, and where c is not saved the running c */
    float *gates;   /* where gates are not saved: a chunk */
    float *table;   /* (table_rows, gates_row) bias + W_ih x of every row of the table */
} forward_job;

static size_t chunk_end(const ur_cpu_lstm *op, size_t begin)
{
    const ur_layout *r = op->rows;
    const size_t limit = CHUNK_FLOATS / op->gates_row;
    size_t end = begin + 1;
    while (end < r->steps && r->offset[end + 1] - r->offset[begin] <= limit)
        end++;
    return end;
}

/* bias + W_ih x of `rows` inputs, this member's panels. */
static void input_product(const forward_job *job, ur_range mine, size_t rows, const float *x,
                          float *out)
{
    const ur_cpu_lstm *op = job->op;
    const ur_product product = {
        .m = rows,
        .k = op->input,
        .a = x,
        .a_row = op->input,
        .a_k = 1,
        .b = op->w_ih,
        .columns = {4, op->hidden},
        .c = out,
        .c_row = op->gates_row,
        .start = UR_START_BIAS,
        .bias = job->bias,
    };
    job->kernels->product(&product, mine.begin, mine.end);
}

/* One step of this member's panels, whose gates then stay in L1 for the cell. */
static void step(const forward_job *job, ur_range mine, size_t t, float *gates)
{
    const ur_cpu_lstm *op = job->op;
    const ur_layout *r = op->rows;
    const ur_kernels *k = job->kernels;
    const size_t hidden = op->hidden, row = r->offset[t], alive = ur_cpu_alive(r, t);
    const ur_product recurrent = {
        .m = alive,
        .k = hidden,
        .a = t ? op->y + r->offset[t - 1] * hidden : job->h0,
        .a_row = hidden,
        .a_k = 1,
        .b = op->w_hh,
        .columns = {4, hidden},
        .c = gates,
        .c_row = op->gates_row,
        .start = op->ids ? UR_START_ROWS : UR_START_C,
        .table = job->table,
        .table_row = op->gates_row,
        .index = op->ids ? op->ids + row : NULL,
    };
    const ur_lstm_cell cell = {
        .rows = alive,
        .hidden = hidden,
        .gates = gates,
        .gates_row = op->gates_row,
        .c_prev = op->c && t ? op->c + r->offset[t - 1] * hidden : job->c_state,
        .c = op->c ? op->c + row * hidden : job->c_state,
        .h = op->y + row * hidden,
    };
    for (size_t p = mine.begin; p < mine.end; p++) {
        const size_t u = p * k->lanes, left = hidden - u;
        k->product(&recurrent, p, p + 1);
        k->lstm_cell(&cell, u, u + (left < k->lanes ? left : k->lanes));
    }
}

static void forward_member(void *arg, const ur_member *me)
{
    const forward_job *job = arg;
    const ur_cpu_lstm *op = job->op;
    const ur_layout *r = op->rows;
    const ur_columns columns = {4, op->hidden};
    const ur_range mine = ur_my_range(me, job->kernels->panels(columns));

    if (op->ids)
        input_product(job, mine, op->table_rows, op->x, job->table);
    for (size_t t0 = 0, t1; t0 < r->steps; t0 = t1) {
        t1 = chunk_end(op, t0);
        const size_t first = r->offset[t0];
        float *chunk = op->gates ? op->gates + first * op->gates_row : job->gates;
        if (!op->ids)
            input_product(job, mine, r->offset[t1] - first, op->x + first * op->input, chunk);
        for (size_t t = t0; t < t1; t++) {
            step(job, mine, t, chunk + (r->offset[t] - first) * op->gates_row);
            ur_barrier(me);
        }
    }
}

static void last_states(const ur_cpu_lstm *op, const forward_job *job)
{
    const ur_layout *r = op->rows;
    const size_t hidden = op->hidden, bytes = hidden * sizeof(float);
    for (size_t place = 0; place < r->batch; place++) {
        const size_t b = r->sequence[place], length = r->length[b];
        const float *h = job->h0 + place * hidden, *c = job->c_state + place * hidden;
        if (length) {
            const size_t row = r->offset[length - 1] + place;
            h = op->y + row * hidden;
            if (op->c)
                c = op->c + row * hidden;
        }
        memcpy(op->h_n + b * hidden, h, bytes);
        memcpy(op->c_n + b * hidden, c, bytes);
    }
}

bool ur_cpu_lstm_forward(const ur_cpu *cpu, const ur_cpu_lstm *op)
{
    const ur_layout *r = op->rows;
    const size_t hidden = op->hidden;
    const ur_mark mark = ur_arena_mark(cpu->scratch);
    forward_job job = {.kernels = cpu->kernels, .op = op};
    job.bias = ur_arena_take_zero(cpu->scratch, 4 * hidden, sizeof(float));
    job.h0 = ur_arena_take(cpu->scratch, r->batch * hidden, sizeof(float));
    job.c_state = ur_arena_take(cpu->scratch, r->batch * hidden, sizeof(float));
    bool ok = job.bias && job.h0 && job.c_state;
    if (ok && !op->gates) {
        const size_t first = r->steps ? ur_cpu_alive(r, 0) : 0;
        const size_t limit = CHUNK_FLOATS / op->gates_row;
        job.gates = ur_arena_take(cpu->scratch, (first > limit ? first : limit) * op->gates_row,
                                  sizeof(float));
        ok = job.gates != NULL;
    }
    if (ok && op->ids) {
        job.table = ur_arena_take(cpu->scratch, op->table_rows * op->gates_row, sizeof(float));
        ok = job.table != NULL;
    }
    if (ok) {
        if (op->b_ih) {
            cpu->kernels->add(4 * hidden, op->b_ih, job.bias);
            cpu->kernels->add(4 * hidden, op->b_hh, job.bias);
        }
        states_in(r, hidden, op->h0, job.h0);
        states_in(r, hidden, op->c0, job.c_state);
        ur_team_run(cpu->team, forward_member, &job);
        last_states(op, &job);
    }
    ur_arena_rewind(cpu->scratch, mark);
    return ok;
}
