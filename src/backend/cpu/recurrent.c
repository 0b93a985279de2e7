/* recurrent.c - one recurrent layer over a ragged batch, forward.
 *
 *   a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh,   (m_t, c_t) = cell(a_t, h_{t-1}, c_{t-1})
 *   h_t = m_t, or W_hr m_t with a projection
 *
 * Rows are step-major, longest sequence first, so step t works on the first rows of step t-1. A
 * member computes a range of units: all gates of them, their cell and their output; h of the
 * others is needed once per step, hence one barrier per step (a second one before a projection).
 * The chain of a pre-activation runs from the bias over x, then over h; a split cell has two
 * chains; a cell with late gates has a second product, and barrier, per step. Inputs that are rows of a table (embedded symbols) have the first part of that chain
 * computed once per row of the table: the same chain, the same bits. */
#include "backend/cpu/recurrent.h"

#include <string.h>

#include "backend/cpu/recurrent_one_hot.h"
#include "base/tiny.h"

/* Input products run in chunks of steps, so that scratch does not grow with the length. */
enum { CHUNK_FLOATS = UR_SIZE(64 * 1024, 64) };

size_t ur_recurrent_gates_row(const ur_cell *cell, size_t hidden)
{
    return cell->gates * hidden + 16;
}

bool ur_recurrent_expected(ur_arena *arena, size_t hidden, float zoneout, float **out)
{
    *out = NULL;
    if (!(zoneout > 0.0f))
        return true;
    *out = ur_arena_take(arena, hidden, sizeof **out);
    for (size_t u = 0; *out && u < hidden; u++)
        (*out)[u] = 1.0f - zoneout;
    return *out != NULL;
}

/* Rows of a (B, width) tensor by caller's index -> by place; NULL source: zeros. */
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
    const ur_cpu_recurrent *op;
    float *bias;    /* (GH) where the input's chain starts */
    float *h0;      /* (B, R) by place */
    float *c_state; /* (B, H) by place: c0, and where c is not saved the running c */
    float *gates;   /* where gates are not saved: a chunk */
    float *h_gates; /* where they are not saved: (B, gates_row) of one step */
    float *m;       /* where it is not saved: (B, H) of one step */
    float *late;    /* where it is not saved: (B, H) of one step */
    float *h_in;    /* where it is not saved: (B, R) of one step */
    float *c_new;   /* where it is not saved: (B, H) of one step */
    float *expected_h, *expected_c; /* (H) 1 - zoneout */
    float *table; /* (table_rows, gates_row) bias + W_ih x of every row of the table */
} forward_job;

static ur_columns gate_columns(const ur_cpu_recurrent *op)
{
    return (ur_columns){op->cell->gates, op->hidden};
}

static size_t chunk_end(const ur_cpu_recurrent *op, size_t begin)
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
    const ur_cpu_recurrent *op = job->op;
    const ur_product product = {
        .m = rows,
        .k = op->input,
        .a = x,
        .a_row = op->input,
        .a_k = 1,
        .b = op->w_ih,
        .columns = gate_columns(op),
        .c = out,
        .c_row = op->gates_row,
        .start = UR_START_BIAS,
        .bias = job->bias,
    };
    job->kernels->product(&product, mine.begin, mine.end);
}

/* What the cell works on in step t. */
static ur_cell_step step_of(const forward_job *job, size_t t, float *gates)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_layout *r = op->rows;
    const size_t row = r->offset[t], hidden = op->hidden, width = ur_recurrent_width(op);
    float *h = op->y + row * width;
    const float *h_prev = t ? op->y + r->offset[t - 1] * width : job->h0;
    return (ur_cell_step){
        .rows = ur_cpu_alive(r, t),
        .hidden = hidden,
        .batch = r->batch,
        .own = op->own,
        .x_norm = op->x_norm ? op->x_norm + row * op->gates_row : NULL,
        .b_ih = op->b_ih,
        .b_hh = op->b_hh,
        .gates = gates,
        .gates_row = op->gates_row,
        .h_gates = op->h_gates ? op->h_gates + row * op->gates_row : job->h_gates,
        .h_prev = h_prev,
        .h_in = !op->mask  ? h_prev
                : op->h_in ? op->h_in + row * width
                           : job->h_in,
        .late = op->late ? op->late + row * hidden : job->late,
        .c_prev = op->c && t ? op->c + r->offset[t - 1] * hidden : job->c_state,
        .c = op->zoneout_c > 0.0f ? (op->c_new ? op->c_new + row * hidden : job->c_new)
             : op->c              ? op->c + row * hidden
                                  : job->c_state,
        .h = !ur_recurrent_has_m(op) ? h
             : op->m                 ? op->m + row * hidden
                                     : job->m,
    };
}

/* h_in = mask h_prev. */
static void mask_step(const forward_job *job, const ur_member *me, size_t t)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_layout *r = op->rows;
    const size_t width = ur_recurrent_width(op);
    const ur_range mine = ur_my_range(me, ur_cpu_alive(r, t) * width);
    const float *h_prev = t ? op->y + r->offset[t - 1] * width : job->h0;
    float *h_in = op->h_in ? op->h_in + r->offset[t] * width : job->h_in;
    job->kernels->mul(mine.end - mine.begin, h_prev + mine.begin, op->mask + mine.begin,
                      h_in + mine.begin);
    ur_barrier(me);
}

/* Zoneout: the blend of units [begin, end) with the previous state. */
static void zone(const forward_job *job, size_t t, const ur_cell_step *s, ur_range rows,
                 size_t begin, size_t end)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_kernels *k = job->kernels;
    const size_t hidden = op->hidden, row = op->rows->offset[t], count = end - begin;
    for (size_t r = rows.begin; op->zoneout_h > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + begin;
        const float *w = ur_recurrent_fresh(op->fresh_h, job->expected_h, row + r, hidden);
        k->blend(count, w + begin, s->h + at, s->h_prev + at, op->y + row * hidden + at);
    }
    for (size_t r = rows.begin; op->zoneout_c > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + begin;
        const float *w = ur_recurrent_fresh(op->fresh_c, job->expected_c, row + r, hidden);
        float *c = op->c ? op->c + row * hidden : job->c_state;
        k->blend(count, w + begin, s->c + at, s->c_prev + at, c + at);
    }
}

/* The cell's units [begin, end) of all rows. */
static void finish_units(const forward_job *job, size_t t, const ur_cell_step *s, size_t begin,
                         size_t end)
{
    job->op->cell->forward(job->kernels, s, begin, end);
    zone(job, t, s, (ur_range){0, s->rows}, begin, end);
}

/* This member's rows of a cell of whole rows. */
static void finish_rows(const forward_job *job, const ur_member *me, size_t t,
                        const ur_cell_step *s)
{
    const ur_range rows = ur_my_range(me, s->rows);
    ur_barrier(me);
    job->op->cell->forward(job->kernels, s, rows.begin, rows.end);
    zone(job, t, s, rows, 0, s->hidden);
}

/* One step of this member's panels, whose gates then stay in L1 for the cell. */
static void step(const forward_job *job, ur_range mine, size_t t, const ur_cell_step *s)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_kernels *k = job->kernels;
    const size_t hidden = op->hidden, width = ur_recurrent_width(op);
    const ur_columns columns = {op->cell->gates - op->cell->late, hidden};
    ur_product recurrent = {
        .m = s->rows,
        .k = t || op->h0 ? width : 0, /* nothing is to be added for an h of zeros */
        .a = s->h_in,
        .a_row = width,
        .a_k = 1,
        .b = op->w_hh,
        .columns = columns,
        .c = s->gates,
        .c_row = op->gates_row,
        .start = UR_START_C,
    };
    if (op->ids) {
        recurrent.start = UR_START_ROWS;
        recurrent.table = job->table;
        recurrent.table_row = op->gates_row;
        recurrent.index = op->ids + op->rows->offset[t];
    }
    if (op->cell->split) {
        recurrent.start = UR_START_BIAS;
        recurrent.bias = op->cell->whole_rows ? NULL : op->b_hh;
        recurrent.c = s->h_gates;
    }
    for (size_t p = mine.begin; p < mine.end; p++) {
        const size_t u = k->panel_begin(columns, p), end = k->panel_begin(columns, p + 1);
        k->product(&recurrent, p, p + 1);
        if (op->cell->late)
            op->cell->between(k, s, u, end);
        else if (!op->cell->whole_rows)
            finish_units(job, t, s, u, end);
    }
}

/* The second product of a step, of what the first one's gates made. */
static void late_step(const forward_job *job, const ur_member *me, size_t t, const ur_cell_step *s)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_kernels *k = job->kernels;
    const size_t hidden = op->hidden, before = (op->cell->gates - op->cell->late) * hidden;
    const ur_columns columns = {op->cell->late, hidden};
    ur_product product = {
        .m = s->rows,
        .k = hidden,
        .a = s->late,
        .a_row = hidden,
        .a_k = 1,
        .b = op->w_late,
        .columns = columns,
        .c = s->gates + before,
        .c_row = op->gates_row,
        .start = UR_START_C,
    };
    if (op->ids) {
        product.start = UR_START_ROWS;
        product.table = job->table + before;
        product.table_row = op->gates_row;
        product.index = op->ids + op->rows->offset[t];
    }
    ur_barrier(me);
    const ur_range mine = ur_my_range(me, k->panels(columns));
    for (size_t p = mine.begin; p < mine.end; p++) {
        k->product(&product, p, p + 1);
        finish_units(job, t, s, k->panel_begin(columns, p), k->panel_begin(columns, p + 1));
    }
}

/* h = m W_hr^T, shared by columns. */
static void project(const forward_job *job, const ur_member *me, size_t t, const ur_cell_step *s)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_product product = {
        .m = s->rows,
        .k = op->hidden,
        .a = s->h,
        .a_row = op->hidden,
        .a_k = 1,
        .b = op->w_hr,
        .columns = {1, op->proj},
        .c = op->y + op->rows->offset[t] * op->proj,
        .c_row = op->proj,
        .start = UR_START_BIAS,
    };
    ur_barrier(me);
    ur_product_part(job->kernels, me, &product);
}

static void forward_member(void *arg, const ur_member *me)
{
    const forward_job *job = arg;
    const ur_cpu_recurrent *op = job->op;
    const ur_layout *r = op->rows;
    const ur_range mine = ur_my_range(me, job->kernels->panels(gate_columns(op)));
    const bool looked_up = op->ids && !op->cell->split;

    if (op->column)
        ur_one_hot_table(job->kernels, mine, op, job->bias, job->table);
    else if (op->ids)
        input_product(job, mine, op->table_rows, op->x, job->table);
    for (size_t t0 = 0, t1; t0 < r->steps; t0 = t1) {
        t1 = chunk_end(op, t0);
        const size_t first = r->offset[t0], rows = r->offset[t1] - first;
        float *chunk = op->gates ? op->gates + first * op->gates_row : job->gates;
        if (!op->ids)
            input_product(job, mine, rows, op->x + first * op->input, chunk);
        else if (!looked_up)
            ur_gather_panels(job->kernels, gate_columns(op), mine, rows, op->ids + first,
                             job->table, chunk, op->gates_row);
        for (size_t t = t0; t < t1; t++) {
            const ur_cell_step s = step_of(job, t, chunk + (r->offset[t] - first) * op->gates_row);
            if (op->mask)
                mask_step(job, me, t);
            step(job, mine, t, &s);
            if (op->cell->late)
                late_step(job, me, t, &s);
            if (op->cell->whole_rows)
                finish_rows(job, me, t, &s);
            if (op->proj)
                project(job, me, t, &s);
            ur_barrier(me);
        }
    }
}

static void last_states(const ur_cpu_recurrent *op, const forward_job *job)
{
    const ur_layout *r = op->rows;
    const size_t hidden = op->hidden, width = ur_recurrent_width(op);
    for (size_t place = 0; place < r->batch; place++) {
        const size_t b = r->sequence[place], length = r->length[b];
        const size_t row = length ? r->offset[length - 1] + place : 0;
        memcpy(op->h_n + b * width, length ? op->y + row * width : job->h0 + place * width,
               width * sizeof(float));
        if (op->c_n)
            memcpy(op->c_n + b * hidden,
                   length && op->c ? op->c + row * hidden : job->c_state + place * hidden,
                   hidden * sizeof(float));
    }
}

static bool take_scratch(const ur_cpu *cpu, forward_job *job)
{
    const ur_cpu_recurrent *op = job->op;
    const ur_layout *r = op->rows;
    const size_t first = r->steps ? ur_cpu_alive(r, 0) : 0;
    ur_arena *s = cpu->scratch;
    bool ok = (job->bias = ur_arena_take_zero(s, op->cell->gates * op->hidden, sizeof(float)));
    ok = ok && (job->h0 = ur_arena_take(s, r->batch * ur_recurrent_width(op), sizeof(float)));
    if (op->cell->has_c)
        ok = ok && (job->c_state = ur_arena_take(s, r->batch * op->hidden, sizeof(float)));
    if (!op->gates) {
        const size_t limit = CHUNK_FLOATS / op->gates_row;
        ok = ok && (job->gates = ur_arena_take(s, (first > limit ? first : limit) * op->gates_row,
                                               sizeof(float)));
    }
    if (op->cell->split && !op->h_gates)
        ok = ok && (job->h_gates = ur_arena_take(s, first * op->gates_row, sizeof(float)));
    if (op->cell->late && !op->late)
        ok = ok && (job->late = ur_arena_take(s, first * op->hidden, sizeof(float)));
    if (op->mask && !op->h_in)
        ok = ok && (job->h_in = ur_arena_take(s, first * ur_recurrent_width(op), sizeof(float)));
    if (op->zoneout_c > 0.0f && !op->c_new)
        ok = ok && (job->c_new = ur_arena_take(s, first * op->hidden, sizeof(float)));
    ok = ok && ur_recurrent_expected(s, op->hidden, op->zoneout_h, &job->expected_h);
    ok = ok && ur_recurrent_expected(s, op->hidden, op->zoneout_c, &job->expected_c);
    if (ur_recurrent_has_m(op) && !op->m)
        ok = ok && (job->m = ur_arena_take(s, first * op->hidden, sizeof(float)));
    if (op->ids)
        ok = ok && (job->table = ur_arena_take(s, op->table_rows * op->gates_row, sizeof(float)));
    return ok;
}

bool ur_cpu_recurrent_forward(const ur_cpu *cpu, const ur_cpu_recurrent *op)
{
    const ur_mark mark = ur_arena_mark(cpu->scratch);
    forward_job job = {.kernels = cpu->kernels, .op = op};
    const bool ok = take_scratch(cpu, &job);
    if (ok) {
        const size_t gates = op->cell->gates * op->hidden;
        if (op->b_ih && !op->cell->whole_rows)
            cpu->kernels->add(gates, op->b_ih, job.bias);
        if (op->b_hh && !op->cell->split)
            cpu->kernels->add(gates, op->b_hh, job.bias);
        states_in(op->rows, ur_recurrent_width(op), op->h0, job.h0);
        if (op->cell->has_c)
            states_in(op->rows, op->hidden, op->c0, job.c_state);
        ur_team_run(cpu->team, forward_member, &job);
        last_states(op, &job);
    }
    ur_arena_rewind(cpu->scratch, mark);
    return ok;
}
