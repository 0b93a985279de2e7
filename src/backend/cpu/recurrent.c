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

#include "base/tiny.h"

/* Input products run in chunks of steps, so that scratch does not grow with the length: of so many gates that they
 * stay near, or, where every chunk fetches weights anew that are larger than a core's share of the last cache, of so
 * many rows that this takes little time. */
enum {
    CHUNK_FLOATS = UR_SIZE(64 * 1024, 64),
    FAR_WEIGHTS = UR_SIZE(2048 * 1024, 256),
    FAR_ROWS = UR_SIZE(128, 3)
};
/* Multiply-adds of a part (see ur_recurrent_part_rows): under a millisecond. */
enum { PART = UR_SIZE(1 << 23, 500) };

size_t ur_recurrent_part_rows(const ur_recurrent_plan *plan, size_t k)
{
    const size_t row = plan->cell->gates * plan->hidden * k;
    return PART / (row ? row : 1) + 1;
}

ur_team *ur_recurrent_team(const ur_executor *e, const ur_recurrent_plan *plan,
                           const ur_layout *rows, size_t barriers)
{
    enum { AT_ONCE = 8 }; /* so many times as fast goes the product of many steps' inputs */
    const size_t terms = ur_recurrent_width(plan) + plan->input / AT_ONCE;
    const size_t row = plan->cell->gates * plan->hidden * terms;
    return ur_team_for(e->team, rows->steps ? row * (rows->rows / rows->steps) / barriers : 0);
}

size_t ur_recurrent_gates_row(const ur_recurrent_plan *plan)
{
    return plan->cell->gates * plan->hidden + 16;
}

/* The next `count` floats of the block at *at, which is only measured where base is NULL. */
static float *next_piece(float *base, size_t *at, size_t count, bool wanted)
{
    float *piece = wanted && base ? base + *at : NULL;
    *at += wanted ? (count + 15) / 16 * 16 : 0;
    return piece;
}

size_t ur_recurrent_lay_out(const ur_recurrent_pass *pass, ur_recurrent_saved *saved)
{
    const ur_recurrent_plan *p = &pass->plan;
    const ur_cpu_cell *cell = ur_cpu_cell_of(p->cell);
    const size_t rows = pass->run.rows->rows, gates = rows * ur_recurrent_gates_row(p);
    const size_t hidden = rows * p->hidden;
    float *base = pass->saved;
    size_t at = 0;
    *saved = (ur_recurrent_saved){0};
    saved->gates = next_piece(base, &at, gates, true);
    saved->h_gates = next_piece(base, &at, gates, cell->split);
    saved->c = next_piece(base, &at, hidden, p->cell->has_c && !pass->run.c);
    saved->late = next_piece(base, &at, hidden, p->cell->late > 0);
    saved->x_norm = next_piece(base, &at, gates, cell->whole_rows);
    saved->h_in = next_piece(base, &at, rows * ur_recurrent_width(p), pass->run.mask != NULL);
    saved->c_new = next_piece(base, &at, hidden, p->zoneout_c > 0.0f);
    saved->m = next_piece(base, &at, hidden, ur_recurrent_has_m(p));
    if (pass->run.c)
        saved->c = pass->run.c;
    return at;
}

size_t ur_cpu_recurrent_saved(const ur_recurrent_pass *pass)
{
    ur_recurrent_saved saved;
    return ur_recurrent_lay_out(pass, &saved);
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

/* Rows of a (B, width) tensor by caller's index -> by place; NULL source: zeros. NULL: no memory. */
static float *by_place(ur_arena *arena, const ur_layout *r, size_t width, const float *by_index)
{
    float *rows = ur_arena_take(arena, r->batch * width, sizeof *rows);
    if (rows && !by_index)
        memset(rows, 0, r->batch * width * sizeof *rows);
    for (size_t place = 0; rows && by_index && place < r->batch; place++)
        memcpy(rows + place * width, by_index + r->sequence[place] * width, width * sizeof *rows);
    return rows;
}

typedef struct forward_job {
    const ur_kernels *kernels;
    const ur_cpu_cell *cell;
    const ur_recurrent_plan *plan;
    const ur_recurrent_run *run;
    ur_recurrent_saved saved;
    size_t begin, end; /* the steps of this part */
    size_t chunk;      /* the first step of the chunk that `begin` is in */
    size_t gates_row;
    float *bias;     /* (GH) where the input's chain starts */
    const float *h0; /* (B, R) by place; of one sequence the caller's own */
    float *c_state;  /* (B, H) by place: c0, and where c is not saved the running c */
    float *gates;    /* where gates are not saved: a chunk */
    float *h_gates;  /* where they are not saved: (B, gates_row) of one step */
    float *m;        /* where it is not saved: (B, H) of one step */
    float *late;     /* where it is not saved: (B, H) of one step */
    float *h_in;     /* where it is not saved: (B, R) of one step */
    float *c_new;    /* where it is not saved: (B, H) of one step */
    float *expected_h, *expected_c; /* (H) 1 - zoneout */
    float *table; /* (table_rows, gates_row) bias + W_ih x of every row of the table */
} forward_job;

static ur_columns gate_columns(const ur_recurrent_plan *plan)
{
    return (ur_columns){plan->cell->gates, plan->hidden};
}

static size_t near_rows(const forward_job *job)
{
    return CHUNK_FLOATS / job->gates_row;
}

/* Rows of a chunk, unless a step has more. */
static size_t chunk_rows(const forward_job *job)
{
    const ur_recurrent_plan *plan = job->plan;
    const size_t near = near_rows(job);
    const bool far = plan->cell->gates * plan->hidden * plan->input > FAR_WEIGHTS;
    return far && near < FAR_ROWS ? FAR_ROWS : near;
}

/* The end of as many steps from `begin` on as have at most `limit` rows, of one at least. */
static size_t end_within(const forward_job *job, size_t begin, size_t limit)
{
    const ur_layout *r = job->run->rows;
    size_t end = begin + 1;
    while (end < r->steps && r->offset[end + 1] - r->offset[begin] <= limit)
        end++;
    return end;
}

static size_t chunk_end(const forward_job *job, size_t begin)
{
    return end_within(job, begin, chunk_rows(job));
}

/* bias + W_ih x of `rows` inputs, this member's panels. */
static void input_product(const forward_job *job, ur_range mine, size_t rows, const float *x,
                          float *out)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_product product = {
        .m = rows,
        .k = plan->input,
        .a = x,
        .a_row = plan->input,
        .a_k = 1,
        .b = plan->w_ih,
        .columns = gate_columns(plan),
        .c = out,
        .c_row = job->gates_row,
        .start = UR_START_BIAS,
        .bias = job->bias,
    };
    job->kernels->product(&product, mine.begin, mine.end);
}

/* What the cell works on in step t. */
static ur_cell_step step_of(const forward_job *job, size_t t, float *gates)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t row = r->offset[t], hidden = plan->hidden, width = ur_recurrent_width(plan);
    float *h = run->y + row * width;
    const float *h_prev = t ? run->y + r->offset[t - 1] * width : job->h0;
    return (ur_cell_step){
        .rows = ur_alive(r, t),
        .hidden = hidden,
        .batch = r->batch,
        .own = plan->own,
        .x_norm = job->saved.x_norm ? job->saved.x_norm + row * job->gates_row : NULL,
        .b_ih = plan->b_ih,
        .b_hh = plan->b_hh,
        .gates = gates,
        .gates_row = job->gates_row,
        .h_gates = job->saved.h_gates ? job->saved.h_gates + row * job->gates_row : job->h_gates,
        .h_prev = h_prev,
        .h_in = !run->mask        ? h_prev
                : job->saved.h_in ? job->saved.h_in + row * width
                                  : job->h_in,
        .late = job->saved.late ? job->saved.late + row * hidden : job->late,
        .c_prev = job->saved.c && t ? job->saved.c + r->offset[t - 1] * hidden : job->c_state,
        .c = plan->zoneout_c > 0.0f
                 ? (job->saved.c_new ? job->saved.c_new + row * hidden : job->c_new)
             : job->saved.c ? job->saved.c + row * hidden
                            : job->c_state,
        .h = !ur_recurrent_has_m(plan) ? h
             : job->saved.m            ? job->saved.m + row * hidden
                                       : job->m,
    };
}

/* h_in = mask h_prev. */
static void mask_step(const forward_job *job, const ur_member *me, size_t t)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t width = ur_recurrent_width(plan);
    const ur_range mine = ur_my_range(me, ur_alive(r, t) * width);
    const float *h_prev = t ? run->y + r->offset[t - 1] * width : job->h0;
    float *h_in = job->saved.h_in ? job->saved.h_in + r->offset[t] * width : job->h_in;
    job->kernels->mul(mine.end - mine.begin, h_prev + mine.begin, run->mask + mine.begin,
                      h_in + mine.begin);
    ur_barrier(me);
}

/* Zoneout: the blend of units [begin, end) with the previous state. */
static void blend(const forward_job *job, size_t t, const ur_cell_step *s, ur_range rows,
                  size_t begin, size_t end)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_kernels *k = job->kernels;
    const size_t hidden = plan->hidden, row = run->rows->offset[t], count = end - begin;
    for (size_t r = rows.begin; plan->zoneout_h > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + begin;
        const float *w = ur_recurrent_fresh(run->fresh_h, job->expected_h, row + r, hidden);
        k->blend(count, w + begin, s->h + at, s->h_prev + at, run->y + row * hidden + at);
    }
    for (size_t r = rows.begin; plan->zoneout_c > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + begin;
        const float *w = ur_recurrent_fresh(run->fresh_c, job->expected_c, row + r, hidden);
        float *c = job->saved.c ? job->saved.c + row * hidden : job->c_state;
        k->blend(count, w + begin, s->c + at, s->c_prev + at, c + at);
    }
}

/* The cell's units [begin, end) of all rows. */
static void finish_units(const forward_job *job, size_t t, const ur_cell_step *s, size_t begin,
                         size_t end)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    job->cell->forward(job->kernels, s, begin, end);
    if (plan->zoneout_h > 0.0f || plan->zoneout_c > 0.0f)
        blend(job, t, s, (ur_range){0, s->rows}, begin, end);
    for (size_t r = 0; run->gate && r < s->rows; r++)
        memcpy(run->gate + (run->rows->offset[t] + r) * plan->hidden + begin,
               s->gates + r * job->gates_row + (plan->cell->gates - 1) * plan->hidden + begin,
               (end - begin) * sizeof(float));
}

/* This member's rows of a cell of whole rows. */
static void finish_rows(const forward_job *job, const ur_member *me, size_t t,
                        const ur_cell_step *s)
{
    const ur_range rows = ur_my_range(me, s->rows);
    ur_barrier(me);
    job->cell->forward(job->kernels, s, rows.begin, rows.end);
    blend(job, t, s, rows, 0, s->hidden);
}

/* One step of this member's panels, whose gates then stay in L1 for the cell. */
static void step(const forward_job *job, ur_range mine, size_t t, const ur_cell_step *s)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_kernels *k = job->kernels;
    const size_t hidden = plan->hidden, width = ur_recurrent_width(plan);
    const ur_columns columns = {plan->cell->gates - plan->cell->late, hidden};
    ur_product recurrent = {
        .m = s->rows,
        .k = t || run->h0 ? width : 0, /* nothing is to be added for an h of zeros */
        .a = s->h_in,
        .a_row = width,
        .a_k = 1,
        .b = plan->w_hh,
        .columns = columns,
        .c = s->gates,
        .c_row = job->gates_row,
        .start = UR_START_C,
    };
    if (run->ids) {
        recurrent.start = UR_START_ROWS;
        recurrent.table = job->table;
        recurrent.table_row = job->gates_row;
        recurrent.index = run->ids + run->rows->offset[t];
    }
    if (job->cell->split) {
        recurrent.start = UR_START_BIAS;
        recurrent.bias = job->cell->whole_rows ? NULL : plan->b_hh;
        recurrent.c = s->h_gates;
    }
    for (size_t p = mine.begin; p < mine.end; p++) {
        const size_t u = k->panel_begin(columns, p), end = k->panel_begin(columns, p + 1);
        k->product(&recurrent, p, p + 1);
        if (plan->cell->late)
            job->cell->between(k, s, u, end);
        else if (!job->cell->whole_rows)
            finish_units(job, t, s, u, end);
    }
}

/* The second product of a step, of what the first one's gates made. */
static void late_step(const forward_job *job, const ur_member *me, size_t t, const ur_cell_step *s)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_kernels *k = job->kernels;
    const size_t hidden = plan->hidden, before = (plan->cell->gates - plan->cell->late) * hidden;
    const ur_columns columns = {plan->cell->late, hidden};
    ur_product product = {
        .m = s->rows,
        .k = hidden,
        .a = s->late,
        .a_row = hidden,
        .a_k = 1,
        .b = plan->w_late,
        .columns = columns,
        .c = s->gates + before,
        .c_row = job->gates_row,
        .start = UR_START_C,
    };
    if (run->ids) {
        product.start = UR_START_ROWS;
        product.table = job->table + before;
        product.table_row = job->gates_row;
        product.index = run->ids + run->rows->offset[t];
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
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_product product = {
        .m = s->rows,
        .k = plan->hidden,
        .a = s->h,
        .a_row = plan->hidden,
        .a_k = 1,
        .b = plan->w_hr,
        .columns = {1, plan->proj},
        .c = run->y + run->rows->offset[t] * plan->proj,
        .c_row = plan->proj,
        .start = UR_START_BIAS,
    };
    ur_barrier(me);
    ur_product_part(job->kernels, me, &product);
}

/* One-hot inputs: W_ih onehot(v) = column v of W_ih. The columns that occur become the rows of a table,
 *   table(d, j) = bias[j] + W_ih(j, column[d]),
 * which is then looked up as that of embedded symbols is. A product with the one-hot rows would give
 * the same bits: its chain adds zeros and one weight to the bias. */
static void one_hot_table(const forward_job *job, ur_range panels)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const size_t hidden = plan->hidden;
    const ur_columns columns = gate_columns(plan);
    const size_t begin = job->kernels->panel_begin(columns, panels.begin);
    const size_t end = job->kernels->panel_begin(columns, panels.end);
    for (size_t g = 0; g < plan->cell->gates; g++)
        for (size_t j = g * hidden + begin; j < g * hidden + end; j++) {
            const float *w = plan->w_ih_rows + j * plan->input;
            for (size_t d = 0; d < run->table_rows; d++)
                job->table[d * job->gates_row + j] = job->bias[j] + w[run->column[d]];
        }
}

static void forward_member(void *arg, const ur_member *me)
{
    const forward_job *job = arg;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const ur_range mine = ur_my_range(me, job->kernels->panels(gate_columns(plan)));
    const bool looked_up = run->ids && !job->cell->split;

    if (run->column && job->begin == 0)
        one_hot_table(job, mine);
    else if (run->ids && job->begin == 0)
        input_product(job, mine, run->table_rows, run->x, job->table);
    for (size_t t0 = job->begin, c0 = job->chunk, t1; t0 < job->end; t0 = c0 = t1) {
        const size_t c1 = chunk_end(job, c0);
        t1 = c1 < job->end ? c1 : job->end;
        const size_t first = r->offset[c0], rows = r->offset[c1] - first;
        float *chunk = job->saved.gates ? job->saved.gates + first * job->gates_row : job->gates;
        const bool fresh = t0 == c0; /* else the part before has begun it */
        if (fresh && !run->ids)
            input_product(job, mine, rows, run->x + first * plan->input, chunk);
        else if (fresh && !looked_up)
            ur_gather_panels(job->kernels, gate_columns(plan), mine, rows, run->ids + first,
                             job->table, chunk, job->gates_row);
        for (size_t t = t0; t < t1; t++) {
            const ur_cell_step s = step_of(job, t, chunk + (r->offset[t] - first) * job->gates_row);
            if (run->mask)
                mask_step(job, me, t);
            step(job, mine, t, &s);
            if (plan->cell->late)
                late_step(job, me, t, &s);
            if (job->cell->whole_rows)
                finish_rows(job, me, t, &s);
            if (plan->proj)
                project(job, me, t, &s);
            ur_barrier(me);
        }
    }
}

/* All steps, part by part; a part may end within a chunk. */
static void run_steps(const ur_executor *e, forward_job *job)
{
    const ur_layout *r = job->run->rows;
    job->chunk = 0;
    const size_t k = job->plan->input + ur_recurrent_width(job->plan);
    const size_t rows = ur_recurrent_part_rows(job->plan, k);
    ur_team *team = ur_recurrent_team(e, job->plan, r, 1);
    for (job->begin = 0; job->begin < r->steps; job->begin = job->end) {
        job->end = job->begin;
        do
            job->end = end_within(job, job->end, near_rows(job));
        while (job->end < r->steps && r->offset[job->end] - r->offset[job->begin] < rows);
        ur_team_run(team, forward_member, job);
        for (size_t end; job->chunk < r->steps && (end = chunk_end(job, job->chunk)) <= job->end;)
            job->chunk = end;
    }
}

static void last_states(const forward_job *job)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t hidden = plan->hidden, width = ur_recurrent_width(plan);
    for (size_t place = 0; place < r->batch; place++) {
        const size_t b = r->sequence[place], length = r->length[b];
        const size_t row = length ? r->offset[length - 1] + place : 0;
        const float *h = length ? run->y + row * width : job->h0 + place * width;
        if (h != run->h_n + b * width) /* of an empty sequence they may be one */
            memcpy(run->h_n + b * width, h, width * sizeof *h);
        if (run->c_n)
            memcpy(run->c_n + b * hidden,
                   length && job->saved.c ? job->saved.c + row * hidden
                                          : job->c_state + place * hidden,
                   hidden * sizeof(float));
    }
}

static bool take_scratch(const ur_executor *e, forward_job *job)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t first = r->steps ? ur_alive(r, 0) : 0;
    ur_arena *s = e->memory;
    bool ok = (job->bias = ur_arena_take_zero(s, plan->cell->gates * plan->hidden, sizeof(float)));
    job->h0 =
        r->batch == 1 && run->h0 ? run->h0 : by_place(s, r, ur_recurrent_width(plan), run->h0);
    ok = ok && job->h0;
    if (plan->cell->has_c)
        ok = ok && (job->c_state = by_place(s, r, plan->hidden, run->c0));
    if (!job->saved.gates) {
        const size_t limit = chunk_rows(job);
        const size_t chunk = r->rows < limit ? r->rows : first > limit ? first : limit;
        ok = ok && (job->gates = ur_arena_take(s, chunk * job->gates_row, sizeof(float)));
    }
    if (job->cell->split && !job->saved.h_gates)
        ok = ok && (job->h_gates = ur_arena_take(s, first * job->gates_row, sizeof(float)));
    if (plan->cell->late && !job->saved.late)
        ok = ok && (job->late = ur_arena_take(s, first * plan->hidden, sizeof(float)));
    if (run->mask && !job->saved.h_in)
        ok = ok && (job->h_in = ur_arena_take(s, first * ur_recurrent_width(plan), sizeof(float)));
    if (plan->zoneout_c > 0.0f && !job->saved.c_new)
        ok = ok && (job->c_new = ur_arena_take(s, first * plan->hidden, sizeof(float)));
    ok = ok && ur_recurrent_expected(s, plan->hidden, plan->zoneout_h, &job->expected_h);
    ok = ok && ur_recurrent_expected(s, plan->hidden, plan->zoneout_c, &job->expected_c);
    if (ur_recurrent_has_m(plan) && !job->saved.m)
        ok = ok && (job->m = ur_arena_take(s, first * plan->hidden, sizeof(float)));
    if (run->ids)
        ok = ok && (job->table = ur_arena_take(s, run->table_rows * job->gates_row, sizeof(float)));
    return ok;
}

bool ur_cpu_recurrent(const ur_executor *e, const ur_recurrent_pass *pass)
{
    const ur_recurrent_plan *plan = &pass->plan;
    const ur_recurrent_run *run = &pass->run;
    const ur_mark mark = ur_arena_mark(e->memory);
    forward_job job = {.kernels = e->kernels,
                       .cell = ur_cpu_cell_of(plan->cell),
                       .plan = plan,
                       .run = run,
                       .gates_row = ur_recurrent_gates_row(plan)};
    if (pass->saved)
        ur_recurrent_lay_out(pass, &job.saved);
    else
        job.saved.c = run->c;
    const bool ok = take_scratch(e, &job);
    if (ok) {
        const size_t gates = plan->cell->gates * plan->hidden;
        if (plan->b_ih && !job.cell->whole_rows)
            e->kernels->add(gates, plan->b_ih, job.bias);
        if (plan->b_hh && !job.cell->split)
            e->kernels->add(gates, plan->b_hh, job.bias);
        run_steps(e, &job);
        last_states(&job);
    }
    ur_arena_rewind(e->memory, mark);
    return ok;
}
