/* lstm_back.c - gradients of one LSTM layer over a ragged batch (lstm.c has the equations). */
#include "backend/cpu/lstm.h"

#include <string.h>

typedef struct back_job {
    const ur_kernels *kernels;
    const ur_cpu_lstm_back *op;
    float *c0;      /* (B, H) by place */
    float *h0;      /* (B, H) by place, or NULL when the initial h is zero */
    float *dh, *dc; /* (B, H) by place: carried from step to step */
    float *bias;    /* (4H) sum over the rows */
    float *x_packed, *h_packed, *h0_packed;
    float *by_id;     /* (table_rows, gates_row) sums of dgates over the rows of each id */
    size_t *previous; /* (rows of steps >= 1): the row one step earlier */
} back_job;

/* The steps in reverse: dgates of all rows, dh and dc of the initial state. */
static void steps_back(const back_job *job, const ur_member *me)
{
    const ur_cpu_lstm_back *op = job->op;
    const ur_cpu_lstm *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t hidden = f->hidden;
    const ur_range units = ur_my_range(me, hidden);

    for (size_t t = r->steps; t-- > 0;) {
        const size_t row = r->offset[t], alive = ur_cpu_alive(r, t);
        float *gates = f->gates + row * f->gates_row;
        const ur_lstm_cell_back cell = {
            .rows = alive,
            .hidden = hidden,
            .gates = gates,
            .gates_row = f->gates_row,
            .c_prev = t ? f->c + r->offset[t - 1] * hidden : job->c0,
            .c = f->c + row * hidden,
            .dy = op->dy ? op->dy + row * hidden : NULL,
            .dh = job->dh,
            .dc = job->dc,
        };
        job->kernels->lstm_cell_back(&cell, units.begin, units.end);
        ur_barrier(me);
        if (t == 0 && !op->dh0)
            break;
        const ur_product product = {
            .m = alive,
            .k = 4 * hidden,
            .a = gates,
            .a_row = f->gates_row,
            .a_k = 1,
            .b = op->w_hh,
            .columns = {1, hidden},
            .c = job->dh,
            .c_row = hidden,
            .start = UR_START_BIAS,
        };
        ur_product_part(job->kernels, me, &product);
        ur_barrier(me);
    }
}

/* Rows of x: of the table where there is one. */
static size_t input_rows(const ur_cpu_lstm *f)
{
    return f->ids ? f->table_rows : f->rows->rows;
}

/* Packs `rows` rows of a (.., width) matrix for ur_outer_part, this member's panels. */
static void pack_part(const back_job *job, const ur_member *me, size_t rows, size_t width,
                      const float *x, const size_t *index, float *packed)
{
    const ur_columns columns = {1, width};
    const ur_range mine = ur_my_range(me, job->kernels->panels(columns));
    job->kernels->pack_cols(columns, rows, x, width, index, packed, mine.begin, mine.end);
}

static void pack_inputs(const back_job *job, const ur_member *me)
{
    const ur_cpu_lstm_back *op = job->op;
    const ur_cpu_lstm *f = op->forward;
    const ur_layout *r = f->rows;
    if (op->dw_ih)
        pack_part(job, me, input_rows(f), f->input, f->x, NULL, job->x_packed);
    if (op->dw_hh) {
        const size_t later = r->rows - ur_cpu_alive(r, 0);
        pack_part(job, me, later, f->hidden, f->y, job->previous, job->h_packed);
        if (job->h0)
            pack_part(job, me, ur_cpu_alive(r, 0), f->hidden, job->h0, NULL, job->h0_packed);
    }
}

/* dW_hh += dgates^T h_prev: rows of the later steps, then those of the first if it had an h0. */
static void recurrent_weights_back(const back_job *job, const ur_member *me)
{
    const ur_cpu_lstm *f = job->op->forward;
    const ur_layout *r = f->rows;
    const size_t first = ur_cpu_alive(r, 0);
    ur_cpu_outer outer = {
        .rows = r->rows - first,
        .n_out = 4 * f->hidden,
        .n_in = f->hidden,
        .dy = f->gates + first * f->gates_row,
        .dy_row = f->gates_row,
        .x_packed = job->h_packed,
        .dw = job->op->dw_hh,
    };
    ur_outer_part(job->kernels, me, &outer);
    if (job->h0) {
        outer.rows = first;
        outer.dy = f->gates;
        outer.x_packed = job->h0_packed;
        ur_outer_part(job->kernels, me, &outer);
    }
}

/* dW_ih += d^T x, db += column sums of d, dx += d W_ih: d are the dgates of all rows, or their sums
 * by id, with the table as x. */
static void input_weights_back(const back_job *job, const ur_member *me)
{
    const ur_cpu_lstm_back *op = job->op;
    const ur_cpu_lstm *f = op->forward;
    const ur_kernels *k = job->kernels;
    const size_t n = 4 * f->hidden, rows = input_rows(f);
    const float *d = f->ids ? job->by_id : f->gates;

    if (op->dw_ih) {
        const ur_cpu_outer outer = {
            .rows = rows,
            .n_out = n,
            .n_in = f->input,
            .dy = d,
            .dy_row = f->gates_row,
            .x_packed = job->x_packed,
            .dw = op->dw_ih,
        };
        ur_outer_part(k, me, &outer);
    }
    if (op->db_ih) {
        const ur_range mine = ur_my_range(me, n);
        const size_t count = mine.end - mine.begin;
        k->column_sums(rows, d, f->gates_row, job->bias, mine.begin, mine.end);
        k->add(count, job->bias + mine.begin, op->db_ih + mine.begin);
        k->add(count, job->bias + mine.begin, op->db_hh + mine.begin);
    }
    if (op->dx) {
        const ur_product product = {
            .m = rows,
            .k = n,
            .a = d,
            .a_row = f->gates_row,
            .a_k = 1,
            .b = op->w_ih,
            .columns = {1, f->input},
            .c = op->dx,
            .c_row = f->input,
            .start = UR_START_C,
        };
        ur_product_part(k, me, &product);
    }
}

static void sum_by_id(const back_job *job, const ur_member *me)
{
    const ur_cpu_lstm *f = job->op->forward;
    const ur_range mine = ur_my_range(me, 4 * f->hidden);
    job->kernels->scatter_add(f->rows->rows, f->ids, f->gates, f->gates_row, job->by_id, mine.begin,
                              mine.end);
}

static void back_member(void *arg, const ur_member *me)
{
    const back_job *job = arg;
    steps_back(job, me);
    pack_inputs(job, me);
    if (job->by_id)
        sum_by_id(job, me);
    ur_barrier(me);
    if (job->op->dw_hh)
        recurrent_weights_back(job, me);
    input_weights_back(job, me);
}

static void by_place(const ur_layout *r, size_t width, const float *by_index, float *out)
{
    for (size_t place = 0; by_index && place < r->batch; place++)
        memcpy(out + place * width, by_index + r->sequence[place] * width, width * sizeof *out);
}

static void add_by_index(const ur_cpu *cpu, const ur_layout *r, size_t width, const float *x,
                         float *by_index)
{
    for (size_t place = 0; by_index && place < r->batch; place++)
        cpu->kernels->add(width, x + place * width, by_index + r->sequence[place] * width);
}

static bool take_scratch(const ur_cpu *cpu, back_job *job)
{
    const ur_cpu_lstm_back *op = job->op;
    const ur_cpu_lstm *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t states = r->batch * f->hidden, first = ur_cpu_alive(r, 0);
    const ur_columns by_x = {1, f->input}, by_h = {1, f->hidden};
    ur_arena *s = cpu->scratch;
    bool ok = (job->c0 = ur_arena_take_zero(s, states, sizeof(float))) != NULL;
    ok = ok && (job->dh = ur_arena_take_zero(s, states, sizeof(float)));
    ok = ok && (job->dc = ur_arena_take_zero(s, states, sizeof(float)));
    ok = ok && (job->bias = ur_arena_take_zero(s, 4 * f->hidden, sizeof(float)));
    if (f->h0)
        ok = ok && (job->h0 = ur_arena_take(s, states, sizeof(float)));
    if (op->dw_ih)
        ok = ok && (job->x_packed = ur_arena_take(
                        s, ur_packed_size(cpu->kernels, by_x, input_rows(f)), sizeof(float)));
    if (f->ids)
        ok =
            ok && (job->by_id = ur_arena_take_zero(s, f->table_rows * f->gates_row, sizeof(float)));
    if (op->dw_hh) {
        const size_t later = r->rows - first;
        ok = ok && (job->h_packed =
                        ur_arena_take(s, ur_packed_size(cpu->kernels, by_h, later), sizeof(float)));
        ok = ok && (job->previous = ur_arena_take(s, later, sizeof(size_t)));
        if (f->h0)
            ok = ok && (job->h0_packed = ur_arena_take(s, ur_packed_size(cpu->kernels, by_h, first),
                                                       sizeof(float)));
        size_t *previous = job->previous;
        for (size_t t = 1; ok && t < r->steps; t++)
            for (size_t b = 0; b < ur_cpu_alive(r, t); b++)
                *previous++ = r->offset[t - 1] + b;
    }
    return ok;
}

bool ur_cpu_lstm_backward(const ur_cpu *cpu, const ur_cpu_lstm_back *op)
{
    const ur_cpu_lstm *f = op->forward;
    const ur_layout *r = f->rows;
    const ur_mark mark = ur_arena_mark(cpu->scratch);
    back_job job = {.kernels = cpu->kernels, .op = op};
    const bool ok = r->steps == 0 || take_scratch(cpu, &job);
    if (ok && r->steps == 0) { /* nothing but zero lengths: states pass through */
        for (size_t i = 0; i < r->batch * f->hidden; i++) {
            if (op->dh0 && op->dh_n)
                op->dh0[i] += op->dh_n[i];
            if (op->dc0 && op->dc_n)
                op->dc0[i] += op->dc_n[i];
        }
    } else if (ok) {
        by_place(r, f->hidden, f->c0, job.c0);
        by_place(r, f->hidden, f->h0, job.h0);
        by_place(r, f->hidden, op->dh_n, job.dh);
        by_place(r, f->hidden, op->dc_n, job.dc);
        ur_team_run(cpu->team, back_member, &job);
        add_by_index(cpu, r, f->hidden, job.dh, op->dh0);
        add_by_index(cpu, r, f->hidden, job.dc, op->dc0);
    }
    ur_arena_rewind(cpu->scratch, mark);
    return ok;
}
