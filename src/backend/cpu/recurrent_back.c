/* recurrent_back.c - gradients of one recurrent layer over a ragged batch (recurrent.c has the
 * equations): the steps in reverse, then the weights.
 *
 * The steps are walked in reverse with the gradients of h and c carried in (B, R) and (B, H)
 * buffers; the cell leaves the gradients of the pre-activations in the gates. The weights'
 * gradients and dx are then one product each over all rows. */
#include "backend/cpu/recurrent.h"

#include <string.h>

typedef struct back_job {
    const ur_kernels *kernels;
    const ur_cpu_cell *cell;
    const ur_recurrent_plan *plan;
    const ur_recurrent_run *run;
    ur_recurrent_saved saved;
    size_t begin, end; /* the steps of this part */
    size_t gates_row;
    const ur_recurrent_back *op;
    float *c0;                      /* (B, H) by place */
    float *h0;                      /* (B, R) by place; zeros where h started from nothing */
    float *dh, *dc;                 /* (B, R), (B, H) by place: carried from step to step */
    float *d_late;                  /* (B, H) of one step: gradient of what the late product took */
    float *row_scratch;             /* for a cell of whole rows, see ur_cell_step */
    float *d_in;                    /* (B, R) of one step: gradient of the masked h_prev */
    float *zone_h, *zone_c;         /* (B, H) of one step: what passes by the cell */
    float *expected_h, *expected_c; /* (H) 1 - zoneout */
    float *dm;                      /* (B, H) of one step: gradient of h before projection */
    float *d_proj;                  /* (rows, P) whole gradient of h after projection */
    float *bias;                    /* (2, GH) sums over the rows */
    float *x_packed, *h_packed, *h0_packed, *m_packed, *late_packed;
    float *d_own[UR_CELL_OWN]; /* of the cell's own weights, summed over the steps */
    float *by_id;              /* (table_rows, gates_row) sums of the gates' gradients by id */
    size_t *previous;          /* (rows of steps >= 1): the row one step earlier */
} back_job;

/* What W_hh h + b_hh was added to: the gates, or a split cell's own copy. */
static const float *h_product(const back_job *job)
{
    return job->cell->split ? job->saved.h_gates : job->saved.gates;
}

/* Rows of x: of the table where there is one. */
static size_t input_rows(const back_job *job)
{
    return job->run->ids ? job->run->table_rows : job->run->rows->rows;
}

/* ---- the steps in reverse ----------------------------------------------------------------- */

/* dh of the step goes through the projection: d_proj = dh + dy, dm = d_proj W_hr. */
static void project_back(const back_job *job, const ur_member *me, size_t t)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t row = r->offset[t], alive = ur_alive(r, t), width = plan->proj;
    float *d = job->d_proj + row * width;
    const ur_range mine = ur_my_range(me, alive * width);
    const size_t count = mine.end - mine.begin;
    memcpy(d + mine.begin, job->dh + mine.begin, count * sizeof *d);
    if (op->dy)
        job->kernels->add(count, op->dy + row * width + mine.begin, d + mine.begin);
    ur_barrier(me);
    const ur_product product = {
        .m = alive,
        .k = width,
        .a = d,
        .a_row = width,
        .a_k = 1,
        .b = op->w_hr,
        .columns = {1, plan->hidden},
        .c = job->dm,
        .c_row = plan->hidden,
        .start = UR_START_BIAS,
    };
    ur_product_part(job->kernels, me, &product);
    ur_barrier(me);
}

/* Zoneout, before the cell: dh (with dy) and dc divided between the cell's and the previous state. */
static void zone_before(const back_job *job, ur_range rows, ur_range units, size_t t,
                        const ur_cell_step *s)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const size_t hidden = plan->hidden, row = run->rows->offset[t], count = units.end - units.begin;
    for (size_t r = rows.begin; plan->zoneout_h > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + units.begin;
        const float *w = ur_recurrent_fresh(run->fresh_h, job->expected_h, row + r, hidden);
        if (op->dy)
            job->kernels->add(count, op->dy + row * hidden + at, s->dh + at);
        job->kernels->blend_back(count, w + units.begin, s->dh + at, s->dh + at, job->zone_h + at);
    }
    for (size_t r = rows.begin; plan->zoneout_c > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + units.begin;
        const float *w = ur_recurrent_fresh(run->fresh_c, job->expected_c, row + r, hidden);
        job->kernels->blend_back(count, w + units.begin, s->dc + at, s->dc + at, job->zone_c + at);
    }
}

/* After it: what passed by the cell joins what the cell gave. */
static void zone_after(const back_job *job, ur_range rows, ur_range units, const ur_cell_step *s)
{
    const ur_recurrent_plan *plan = job->plan;
    const size_t count = units.end - units.begin;
    for (size_t r = rows.begin; r < rows.end; r++) {
        const size_t at = r * plan->hidden + units.begin;
        if (plan->zoneout_h > 0.0f && job->cell->direct)
            job->kernels->add(count, job->zone_h + at, s->dh + at);
        else if (plan->zoneout_h > 0.0f)
            memcpy(s->dh + at, job->zone_h + at, count * sizeof *s->dh);
        if (plan->zoneout_c > 0.0f)
            job->kernels->add(count, job->zone_c + at, s->dc + at);
    }
}

/* The cell of step t: this member's units, or rows of a cell that needs them whole. */
static void cell_back(const back_job *job, const ur_member *me, size_t t, const ur_cell_step *s)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_cpu_cell *cell = job->cell;
    const bool zones = plan->zoneout_h > 0.0f || plan->zoneout_c > 0.0f;
    const ur_range mine = ur_my_range(me, plan->hidden), my_rows = ur_my_range(me, s->rows);
    const ur_range rows = cell->whole_rows ? my_rows : (ur_range){0, s->rows};
    const ur_range units = cell->whole_rows ? (ur_range){0, plan->hidden} : mine;
    const float *dc = job->op->dc ? job->op->dc + run->rows->offset[t] * plan->hidden : NULL;
    for (size_t r = rows.begin; dc && r < rows.end; r++)
        job->kernels->add(units.end - units.begin, dc + r * plan->hidden + units.begin,
                          s->dc + r * plan->hidden + units.begin);
    if (zones)
        zone_before(job, rows, units, t, s);
    for (size_t r = 0; run->mask && plan->cell->late && r < s->rows; r++)
        memset(job->d_in + r * plan->hidden + units.begin, 0,
               (units.end - units.begin) * sizeof(float));
    if (cell->whole_rows)
        cell->backward(job->kernels, s, rows.begin, rows.end);
    else
        cell->backward(job->kernels, s, units.begin, units.end);
    if (zones)
        zone_after(job, rows, units, s);
    if (!cell->whole_rows)
        return;
    ur_barrier(me);
    cell->sums_back(job->kernels, s, mine.begin, mine.end);
    ur_barrier(me);
    cell->products_back(job->kernels, s, rows.begin, rows.end);
}

/* dh = direct + mask d_in, where d_in has come through the masked products. */
static void mask_back(const back_job *job, const ur_member *me, size_t rows, bool direct)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_range mine = ur_my_range(me, rows * ur_recurrent_width(plan));
    (direct ? job->kernels->mul_add
            : job->kernels->mul)(mine.end - mine.begin, run->mask + mine.begin,
                                 job->d_in + mine.begin, job->dh + mine.begin);
    ur_barrier(me);
}

/* dh = direct + d W_hh: what reaches h_prev from all gates but the late ones, before which these
 * give d_late = d W_late and through it the others' gradients. */
static void gates_back(const back_job *job, const ur_member *me, size_t t, const ur_cell_step *s)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const size_t row = run->rows->offset[t], hidden = plan->hidden,
                 width = ur_recurrent_width(plan);
    const size_t before = (plan->cell->gates - plan->cell->late) * hidden;
    ur_product product = {
        .m = s->rows,
        .k = plan->cell->late * hidden,
        .a = job->saved.gates + row * job->gates_row + before,
        .a_row = job->gates_row,
        .a_k = 1,
        .b = op->w_late,
        .columns = {1, hidden},
        .c = job->d_late,
        .c_row = hidden,
        .start = UR_START_BIAS,
    };
    if (plan->cell->late) {
        const ur_range units = ur_my_range(me, hidden);
        ur_product_part(job->kernels, me, &product);
        ur_barrier(me);
        job->cell->between_back(job->kernels, s, units.begin, units.end);
        ur_barrier(me);
    }
    if (t == 0 && !op->dh0)
        return;
    product.k = before;
    product.a = h_product(job) + row * job->gates_row;
    product.b = op->w_hh;
    product.columns.units = product.c_row = width;
    const bool direct = job->cell->direct || plan->zoneout_h > 0.0f;
    product.c = run->mask ? job->d_in : job->dh;
    product.start = (run->mask ? plan->cell->late > 0 : direct) ? UR_START_C : UR_START_BIAS;
    ur_product_part(job->kernels, me, &product);
    ur_barrier(me);
    if (run->mask)
        mask_back(job, me, s->rows, direct);
}

/* A part's steps in reverse: gradients of all gates, dh and dc of the initial state. */
static void steps_back(const back_job *job, const ur_member *me)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t hidden = plan->hidden, width = ur_recurrent_width(plan);

    for (size_t t = job->end; t-- > job->begin;) {
        const size_t row = r->offset[t], alive = ur_alive(r, t);
        if (plan->proj)
            project_back(job, me, t);
        const float *h_prev = t ? run->y + r->offset[t - 1] * width : job->h0;
        const ur_cell_step s = {
            .rows = alive,
            .hidden = hidden,
            .batch = r->batch,
            .own = plan->own,
            .x_norm = job->saved.x_norm ? job->saved.x_norm + row * job->gates_row : NULL,
            .gates = job->saved.gates + row * job->gates_row,
            .gates_row = job->gates_row,
            .h_gates = job->saved.h_gates ? job->saved.h_gates + row * job->gates_row : NULL,
            .h_prev = h_prev,
            .h_in = run->mask ? job->saved.h_in + row * width : h_prev,
            .h = ur_recurrent_has_m(plan) ? job->saved.m + row * hidden : run->y + row * hidden,
            .c_prev = !job->saved.c ? NULL
                      : t           ? job->saved.c + r->offset[t - 1] * hidden
                                    : job->c0,
            .c = !job->saved.c      ? NULL
                 : job->saved.c_new ? job->saved.c_new + row * hidden
                                    : job->saved.c + row * hidden,
            .dy = op->dy && !ur_recurrent_has_m(plan) ? op->dy + row * hidden : NULL,
            .d_o = op->d_gate ? op->d_gate + row * hidden : NULL,
            .dh = plan->proj ? job->dm : job->dh,
            .dc = job->dc,
            .d_late = job->d_late,
            .d_in = run->mask ? job->d_in : job->dh,
            .d_bias = job->bias,
            .row_scratch = job->row_scratch,
            .d_own = job->d_own,
        };
        cell_back(job, me, t, &s);
        ur_barrier(me);
        gates_back(job, me, t, &s);
    }
}

/* ---- the weights --------------------------------------------------------------------------- */

/* Packs `rows` rows of a (.., width) matrix for ur_outer_part, this member's rows. */
static void pack_part(const back_job *job, const ur_member *me, size_t rows, size_t width,
                      const float *x, const size_t *index, float *packed)
{
    const ur_columns columns = {1, width};
    const ur_range mine = ur_my_range(me, rows);
    job->kernels->pack_cols(columns, rows, x, width, index, packed, mine.begin, mine.end);
}

static void pack_inputs(const back_job *job, const ur_member *me)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t width = ur_recurrent_width(plan), first = ur_alive(r, 0);
    if (op->dw_ih && !run->column)
        pack_part(job, me, input_rows(job), plan->input, run->x, NULL, job->x_packed);
    if (op->dw_hh) {
        if (run->mask)
            pack_part(job, me, r->rows, width, job->saved.h_in, NULL, job->h_packed);
        else
            pack_part(job, me, r->rows - first, width, run->y, job->previous, job->h_packed);
        if (run->h0 && !run->mask)
            pack_part(job, me, first, width, job->h0, NULL, job->h0_packed);
    }
    if (op->dw_hh && plan->cell->late)
        pack_part(job, me, r->rows, plan->hidden, job->saved.late, NULL, job->late_packed);
    if (op->dw_hr)
        pack_part(job, me, r->rows, plan->hidden, job->saved.m, NULL, job->m_packed);
}

/* dW_hh += d^T h_prev: rows of the later steps, then those of the first if it had an h0. */
static void recurrent_weights_back(const back_job *job, const ur_member *me)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t first = run->mask ? 0 : ur_alive(r, 0);
    ur_cpu_outer outer = {
        .rows = r->rows - first,
        .n_out = (plan->cell->gates - plan->cell->late) * plan->hidden,
        .n_in = ur_recurrent_width(plan),
        .dy = h_product(job) + first * job->gates_row,
        .dy_row = job->gates_row,
        .x_packed = job->h_packed,
        .dw = job->op->dw_hh,
        .blank = job->op->blank.dw_hh,
    };
    ur_outer_part(job->kernels, me, &outer);
    if (run->h0 && !run->mask) {
        outer.rows = first;
        outer.dy = h_product(job);
        outer.x_packed = job->h0_packed;
        outer.blank = false;
        ur_outer_part(job->kernels, me, &outer);
    }
    if (plan->cell->late) {
        const size_t before = outer.n_out;
        outer.rows = r->rows;
        outer.n_out = plan->cell->late * plan->hidden;
        outer.dy = job->saved.gates + before;
        outer.x_packed = job->late_packed;
        outer.dw = job->op->dw_hh + before * plan->hidden;
        outer.blank = job->op->blank.dw_hh;
        ur_outer_part(job->kernels, me, &outer);
    }
}

/* dW_hr += d_proj^T m */
static void projection_weight_back(const back_job *job, const ur_member *me)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_cpu_outer outer = {
        .rows = job->run->rows->rows,
        .n_out = plan->proj,
        .n_in = plan->hidden,
        .dy = job->d_proj,
        .dy_row = plan->proj,
        .x_packed = job->m_packed,
        .dw = job->op->dw_hr,
        .blank = job->op->blank.dw_hr,
    };
    ur_outer_part(job->kernels, me, &outer);
}

/* db += column sums of d (the gates' gradients of all rows, or their `rows` sums by id), this member's
 * columns. Either bias may do without a gradient. */
static void biases_back(const back_job *job, const ur_member *me, size_t rows, const float *d)
{
    const ur_recurrent_back *op = job->op;
    const ur_kernels *k = job->kernels;
    const size_t n = job->plan->cell->gates * job->plan->hidden;
    const ur_range mine = ur_my_range(me, n);
    const size_t count = mine.end - mine.begin;
    const bool apart = job->cell->split && !job->cell->whole_rows;
    float *sums_hh = apart ? job->bias + n : job->bias;
    if (!job->cell->whole_rows) /* which have been summed step by step */
        k->column_sums(rows, d, job->gates_row, job->bias, mine.begin, mine.end);
    if (apart)
        k->column_sums(job->run->rows->rows, job->saved.h_gates, job->gates_row, sums_hh,
                       mine.begin, mine.end);
    if (op->db_ih)
        k->add(count, job->bias + mine.begin, op->db_ih + mine.begin);
    if (op->db_hh)
        k->add(count, sums_hh + mine.begin, op->db_hh + mine.begin);
}

/* dW_ih(j, column[d]) += by_id(d, j) for j in `mine` of the gates' columns. */
static void one_hot_back(const back_job *job, ur_range mine, const float *by_id)
{
    const ur_recurrent_run *run = job->run;
    for (size_t j = mine.begin; j < mine.end; j++) {
        float *dw = job->op->dw_ih + j * job->plan->input;
        for (size_t d = 0; d < run->table_rows; d++)
            dw[run->column[d]] += by_id[d * job->gates_row + j];
    }
}

/* dW_ih += d^T x, db += column sums of d, dx += d W_ih: d are the gates' gradients of all rows, or
 * their sums by id, with the table as x. */
static void input_weights_back(const back_job *job, const ur_member *me)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_kernels *k = job->kernels;
    const size_t n = plan->cell->gates * plan->hidden, rows = input_rows(job);
    const float *d = run->ids ? job->by_id : job->saved.gates;

    if (op->dw_ih && run->column && job->by_id) {
        one_hot_back(job, ur_my_range(me, n), job->by_id);
    } else if (op->dw_ih) {
        const ur_cpu_outer outer = {
            .rows = rows,
            .n_out = n,
            .n_in = plan->input,
            .dy = d,
            .dy_row = job->gates_row,
            .x_packed = job->x_packed,
            .dw = op->dw_ih,
            .blank = op->blank.dw_ih,
        };
        ur_outer_part(k, me, &outer);
    }
    if (op->db_ih || op->db_hh)
        biases_back(job, me, rows, d);
    if (op->dx) {
        const ur_product product = {
            .m = rows,
            .k = n,
            .a = d,
            .a_row = job->gates_row,
            .a_k = 1,
            .b = op->w_ih,
            .columns = {1, plan->input},
            .c = op->dx,
            .c_row = plan->input,
            .start = ur_add_or_set(op->blank.dx),
        };
        ur_product_part(k, me, &product);
    }
}

static void own_weights_back(const back_job *job, const ur_member *me)
{
    const ur_recurrent_plan *plan = job->plan;
    for (size_t i = 0; i < UR_CELL_OWN && plan->cell->own[i].name; i++) {
        const ur_range mine = ur_my_range(me, plan->cell->own[i].size * plan->hidden);
        if (job->op->d_own[i])
            job->kernels->add(mine.end - mine.begin, job->d_own[i] + mine.begin,
                              job->op->d_own[i] + mine.begin);
    }
}

static void sum_by_id(const back_job *job, const ur_member *me)
{
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_range mine = ur_my_range(me, plan->cell->gates * plan->hidden);
    job->kernels->scatter_add(run->rows->rows, run->ids, job->saved.gates, job->gates_row,
                              job->by_id, mine.begin, mine.end);
}

static void weights_back(const back_job *job, const ur_member *me)
{
    pack_inputs(job, me);
    if (job->by_id)
        sum_by_id(job, me);
    ur_barrier(me);
    if (job->op->dw_hh)
        recurrent_weights_back(job, me);
    if (job->op->dw_hr)
        projection_weight_back(job, me);
    input_weights_back(job, me);
    own_weights_back(job, me);
}

static void steps_member(void *arg, const ur_member *me)
{
    steps_back(arg, me);
}

static void weights_member(void *arg, const ur_member *me)
{
    weights_back(arg, me);
}

static void last_member(void *arg, const ur_member *me)
{
    steps_back(arg, me);
    weights_back(arg, me);
}

/* All steps in reverse, part by part. The team does the weights, in the operation of the last part if that is
 * the team's, too. */
static void run_steps(const ur_executor *e, back_job *job)
{
    const ur_layout *r = job->run->rows;
    const size_t rows = ur_recurrent_part_rows(job->plan, ur_recurrent_width(job->plan));
    ur_team *team = ur_recurrent_team(e, job->plan, r, 2);
    for (job->end = r->steps; job->end > 0; job->end = job->begin) {
        job->begin = job->end - 1;
        while (job->begin > 0 && r->offset[job->end] - r->offset[job->begin] < rows)
            job->begin--;
        ur_team_run(team, job->begin == 0 && team ? last_member : steps_member, job);
    }
    if (!team && r->steps > 0)
        ur_team_run(e->team, weights_member, job);
}

/* ---- scratch and states ------------------------------------------------------------------- */

static void by_place(const ur_layout *r, size_t width, const float *by_index, float *out)
{
    for (size_t place = 0; by_index && place < r->batch; place++)
        memcpy(out + place * width, by_index + r->sequence[place] * width, width * sizeof *out);
}

static void add_by_index(const ur_executor *e, const ur_layout *r, size_t width, const float *x,
                         float *by_index)
{
    for (size_t place = 0; by_index && place < r->batch; place++)
        e->kernels->add(width, x + place * width, by_index + r->sequence[place] * width);
}

static float *take(const ur_executor *e, size_t count, bool *ok)
{
    float *x = *ok ? ur_arena_take(e->memory, count, sizeof *x) : NULL;
    *ok = x != NULL;
    return x;
}

static float *take_zero(const ur_executor *e, size_t count, bool *ok)
{
    float *x = take(e, count, ok);
    if (x)
        memset(x, 0, count * sizeof *x);
    return x;
}

static float *take_packed(const ur_executor *e, size_t width, size_t rows, bool *ok)
{
    return take(e, ur_packed_floats(e->kernels, (ur_columns){1, width}, rows), ok);
}

/* For the product with h_prev: the row one step earlier of every row of a later step. */
static void previous_rows(const ur_layout *r, size_t *previous)
{
    for (size_t t = 1; t < r->steps; t++)
        for (size_t b = 0; b < ur_alive(r, t); b++)
            *previous++ = r->offset[t - 1] + b;
}

static bool take_scratch(const ur_executor *e, back_job *job)
{
    const ur_recurrent_back *op = job->op;
    const ur_recurrent_plan *plan = job->plan;
    const ur_recurrent_run *run = job->run;
    const ur_layout *r = run->rows;
    const size_t width = ur_recurrent_width(plan), first = ur_alive(r, 0);
    bool ok = true;
    job->h0 = take_zero(e, r->batch * width, &ok);
    job->dh = take_zero(e, r->batch * width, &ok);
    if (plan->cell->has_c) {
        job->c0 = take_zero(e, r->batch * plan->hidden, &ok);
        job->dc = take_zero(e, r->batch * plan->hidden, &ok);
    }
    if (plan->cell->late)
        job->d_late = take(e, r->batch * plan->hidden, &ok);
    if (job->cell->whole_rows)
        job->row_scratch = take(e, r->batch * (job->gates_row + 3 * plan->hidden), &ok);
    if (run->mask)
        job->d_in = take(e, r->batch * width, &ok);
    if (plan->zoneout_h > 0.0f)
        job->zone_h = take(e, r->batch * plan->hidden, &ok);
    if (plan->zoneout_c > 0.0f)
        job->zone_c = take(e, r->batch * plan->hidden, &ok);
    ok = ok && ur_recurrent_expected(e->memory, plan->hidden, plan->zoneout_h, &job->expected_h);
    ok = ok && ur_recurrent_expected(e->memory, plan->hidden, plan->zoneout_c, &job->expected_c);
    for (size_t i = 0; i < UR_CELL_OWN && plan->cell->own[i].name; i++)
        job->d_own[i] = take_zero(e, plan->cell->own[i].size * plan->hidden, &ok);
    if (plan->proj) {
        job->dm = take(e, r->batch * plan->hidden, &ok);
        job->d_proj = take(e, r->rows * plan->proj, &ok);
    }
    job->bias = take_zero(e, 2 * plan->cell->gates * plan->hidden, &ok);
    if (op->dw_ih && !run->column)
        job->x_packed = take_packed(e, plan->input, input_rows(job), &ok);
    if (run->ids)
        job->by_id = take_zero(e, run->table_rows * job->gates_row, &ok);
    if (op->dw_hr)
        job->m_packed = take_packed(e, plan->hidden, r->rows, &ok);
    if (op->dw_hh && plan->cell->late)
        job->late_packed = take_packed(e, plan->hidden, r->rows, &ok);
    if (op->dw_hh) {
        job->h_packed = take_packed(e, width, run->mask ? r->rows : r->rows - first, &ok);
        if (run->h0 && !run->mask)
            job->h0_packed = take_packed(e, width, first, &ok);
        job->previous = ok ? ur_arena_take(e->memory, r->rows - first, sizeof(size_t)) : NULL;
        ok = job->previous != NULL;
        if (ok)
            previous_rows(r, job->previous);
    }
    return ok;
}

/* Nothing but zero lengths: the states' gradients pass through. */
static void pass_through(const ur_executor *e, const ur_recurrent_back *op)
{
    const ur_recurrent_plan *plan = &op->forward->plan;
    const size_t batch = op->forward->run.rows->batch;
    if (op->dh0 && op->dh_n)
        e->kernels->add(batch * ur_recurrent_width(plan), op->dh_n, op->dh0);
    if (op->dc0 && op->dc_n)
        e->kernels->add(batch * plan->hidden, op->dc_n, op->dc0);
}

bool ur_cpu_recurrent_back(const ur_executor *e, const ur_recurrent_back *op)
{
    const ur_recurrent_plan *plan = &op->forward->plan;
    const ur_recurrent_run *run = &op->forward->run;
    const ur_layout *r = run->rows;
    if (r->steps == 0) {
        pass_through(e, op);
        return true;
    }
    const size_t width = ur_recurrent_width(plan);
    const ur_mark mark = ur_arena_mark(e->memory);
    back_job job = {.kernels = e->kernels,
                    .cell = ur_cpu_cell_of(plan->cell),
                    .plan = plan,
                    .run = run,
                    .gates_row = ur_recurrent_gates_row(plan),
                    .op = op};
    ur_recurrent_lay_out(op->forward, &job.saved);
    const bool ok = take_scratch(e, &job);
    if (ok) {
        by_place(r, width, run->h0, job.h0);
        by_place(r, width, op->dh_n, job.dh);
        by_place(r, plan->hidden, run->c0, job.c0);
        by_place(r, plan->hidden, op->dc_n, job.dc);
        run_steps(e, &job);
        add_by_index(e, r, width, job.dh, op->dh0);
        add_by_index(e, r, plan->hidden, job.dc, op->dc0);
    }
    ur_arena_rewind(e->memory, mark);
    return ok;
}
