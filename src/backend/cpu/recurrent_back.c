/* recurrent_back.c - gradients of one recurrent layer over a ragged batch (recurrent.c has the
 * equations).
 *
 * The steps are walked in reverse with the gradients of h and c carried in (B, R) and (B, H)
 * buffers; the cell leaves the gradients of the pre-activations in the gates. The weights'
 * gradients and dx are then one product each over all rows. */
#include "backend/cpu/recurrent_back.h"

#include <string.h>

/* dh of the step goes through the projection: d_proj = dh + dy, dm = d_proj W_hr. */
static void project_back(const ur_recurrent_back_job *job, const ur_member *me, size_t t)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t row = r->offset[t], alive = ur_cpu_alive(r, t), width = f->proj;
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
        .columns = {1, f->hidden},
        .c = job->dm,
        .c_row = f->hidden,
        .start = UR_START_BIAS,
    };
    ur_product_part(job->kernels, me, &product);
    ur_barrier(me);
}

/* Zoneout, before the cell: dh (with dy) and dc divided between the cell's and the previous state. */
static void zone_before(const ur_recurrent_back_job *job, ur_range rows, ur_range units, size_t t,
                        const ur_cell_step *s)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const size_t hidden = f->hidden, row = f->rows->offset[t], count = units.end - units.begin;
    for (size_t r = rows.begin; f->zoneout_h > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + units.begin;
        const float *w = ur_recurrent_fresh(f->fresh_h, job->expected_h, row + r, hidden);
        if (op->dy)
            job->kernels->add(count, op->dy + row * hidden + at, s->dh + at);
        job->kernels->blend_back(count, w + units.begin, s->dh + at, s->dh + at, job->zone_h + at);
    }
    for (size_t r = rows.begin; f->zoneout_c > 0.0f && r < rows.end; r++) {
        const size_t at = r * hidden + units.begin;
        const float *w = ur_recurrent_fresh(f->fresh_c, job->expected_c, row + r, hidden);
        job->kernels->blend_back(count, w + units.begin, s->dc + at, s->dc + at, job->zone_c + at);
    }
}

/* After it: what passed by the cell joins what the cell gave. */
static void zone_after(const ur_recurrent_back_job *job, ur_range rows, ur_range units,
                       const ur_cell_step *s)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const size_t count = units.end - units.begin;
    for (size_t r = rows.begin; r < rows.end; r++) {
        const size_t at = r * f->hidden + units.begin;
        if (f->zoneout_h > 0.0f && f->cell->direct)
            job->kernels->add(count, job->zone_h + at, s->dh + at);
        else if (f->zoneout_h > 0.0f)
            memcpy(s->dh + at, job->zone_h + at, count * sizeof *s->dh);
        if (f->zoneout_c > 0.0f)
            job->kernels->add(count, job->zone_c + at, s->dc + at);
    }
}

/* The cell of step t: this member's units, or rows of a cell that needs them whole. */
static void cell_back(const ur_recurrent_back_job *job, const ur_member *me, size_t t,
                      const ur_cell_step *s)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_cell *cell = f->cell;
    const bool zones = f->zoneout_h > 0.0f || f->zoneout_c > 0.0f;
    const ur_range mine = ur_my_range(me, f->hidden), my_rows = ur_my_range(me, s->rows);
    const ur_range rows = cell->whole_rows ? my_rows : (ur_range){0, s->rows};
    const ur_range units = cell->whole_rows ? (ur_range){0, f->hidden} : mine;
    const float *dc = job->op->dc ? job->op->dc + f->rows->offset[t] * f->hidden : NULL;
    for (size_t r = rows.begin; dc && r < rows.end; r++)
        job->kernels->add(units.end - units.begin, dc + r * f->hidden + units.begin,
                          s->dc + r * f->hidden + units.begin);
    if (zones)
        zone_before(job, rows, units, t, s);
    for (size_t r = 0; f->mask && cell->late && r < s->rows; r++)
        memset(job->d_in + r * f->hidden + units.begin, 0,
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
static void mask_back(const ur_recurrent_back_job *job, const ur_member *me, size_t rows,
                      bool direct)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_range mine = ur_my_range(me, rows * ur_recurrent_width(f));
    (direct ? job->kernels->mul_add : job->kernels->mul)(
        mine.end - mine.begin, f->mask + mine.begin, job->d_in + mine.begin, job->dh + mine.begin);
    ur_barrier(me);
}

/* dh = direct + d W_hh: what reaches h_prev from all gates but the late ones, before which these
 * give d_late = d W_late and through it the others' gradients. */
static void gates_back(const ur_recurrent_back_job *job, const ur_member *me, size_t t,
                       const ur_cell_step *s)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const size_t row = f->rows->offset[t], hidden = f->hidden, width = ur_recurrent_width(f);
    const size_t before = (f->cell->gates - f->cell->late) * hidden;
    ur_product product = {
        .m = s->rows,
        .k = f->cell->late * hidden,
        .a = f->gates + row * f->gates_row + before,
        .a_row = f->gates_row,
        .a_k = 1,
        .b = op->w_late,
        .columns = {1, hidden},
        .c = job->d_late,
        .c_row = hidden,
        .start = UR_START_BIAS,
    };
    if (f->cell->late) {
        const ur_range units = ur_my_range(me, hidden);
        ur_product_part(job->kernels, me, &product);
        ur_barrier(me);
        f->cell->between_back(job->kernels, s, units.begin, units.end);
        ur_barrier(me);
    }
    if (t == 0 && !op->dh0)
        return;
    product.k = before;
    product.a = ur_recurrent_gates(f) + row * f->gates_row;
    product.b = op->w_hh;
    product.columns.units = product.c_row = width;
    const bool direct = f->cell->direct || f->zoneout_h > 0.0f;
    product.c = f->mask ? job->d_in : job->dh;
    product.start = (f->mask ? f->cell->late > 0 : direct) ? UR_START_C : UR_START_BIAS;
    ur_product_part(job->kernels, me, &product);
    ur_barrier(me);
    if (f->mask)
        mask_back(job, me, s->rows, direct);
}

/* The steps in reverse: gradients of all gates, dh and dc of the initial state. */
static void steps_back(const ur_recurrent_back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t hidden = f->hidden, width = ur_recurrent_width(f);

    for (size_t t = r->steps; t-- > 0;) {
        const size_t row = r->offset[t], alive = ur_cpu_alive(r, t);
        if (f->proj)
            project_back(job, me, t);
        const float *h_prev = t ? f->y + r->offset[t - 1] * width : job->h0;
        const ur_cell_step s = {
            .rows = alive,
            .hidden = hidden,
            .batch = r->batch,
            .own = f->own,
            .x_norm = f->x_norm ? f->x_norm + row * f->gates_row : NULL,
            .gates = f->gates + row * f->gates_row,
            .gates_row = f->gates_row,
            .h_gates = f->h_gates ? f->h_gates + row * f->gates_row : NULL,
            .h_prev = h_prev,
            .h_in = f->mask ? f->h_in + row * width : h_prev,
            .h = ur_recurrent_has_m(f) ? f->m + row * hidden : f->y + row * hidden,
            .c_prev = !f->c ? NULL
                      : t   ? f->c + r->offset[t - 1] * hidden
                            : job->c0,
            .c = !f->c      ? NULL
                 : f->c_new ? f->c_new + row * hidden
                            : f->c + row * hidden,
            .dy = op->dy && !ur_recurrent_has_m(f) ? op->dy + row * hidden : NULL,
            .d_o = op->d_o ? op->d_o + row * hidden : NULL,
            .dh = f->proj ? job->dm : job->dh,
            .dc = job->dc,
            .d_late = job->d_late,
            .d_in = f->mask ? job->d_in : job->dh,
            .d_bias = job->bias,
            .row_scratch = job->row_scratch,
            .d_own = job->d_own,
        };
        cell_back(job, me, t, &s);
        ur_barrier(me);
        gates_back(job, me, t, &s);
    }
}

static void back_member(void *arg, const ur_member *me)
{
    const ur_recurrent_back_job *job = arg;
    steps_back(job, me);
    ur_recurrent_weights_back(job, me);
}

/* ---- scratch and states ------------------------------------------------------------------- */

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

static float *take(const ur_cpu *cpu, size_t count, bool *ok)
{
    float *x = *ok ? ur_arena_take(cpu->scratch, count, sizeof *x) : NULL;
    *ok = x != NULL;
    return x;
}

static float *take_zero(const ur_cpu *cpu, size_t count, bool *ok)
{
    float *x = take(cpu, count, ok);
    if (x)
        memset(x, 0, count * sizeof *x);
    return x;
}

static float *take_packed(const ur_cpu *cpu, size_t width, size_t rows, bool *ok)
{
    return take(cpu, ur_packed_floats(cpu->kernels, (ur_columns){1, width}, rows), ok);
}

/* For the product with h_prev: the row one step earlier of every row of a later step. */
static void previous_rows(const ur_layout *r, size_t *previous)
{
    for (size_t t = 1; t < r->steps; t++)
        for (size_t b = 0; b < ur_cpu_alive(r, t); b++)
            *previous++ = r->offset[t - 1] + b;
}

static bool take_scratch(const ur_cpu *cpu, ur_recurrent_back_job *job)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t width = ur_recurrent_width(f), first = ur_cpu_alive(r, 0);
    bool ok = true;
    job->h0 = take_zero(cpu, r->batch * width, &ok);
    job->dh = take_zero(cpu, r->batch * width, &ok);
    if (f->cell->has_c) {
        job->c0 = take_zero(cpu, r->batch * f->hidden, &ok);
        job->dc = take_zero(cpu, r->batch * f->hidden, &ok);
    }
    if (f->cell->late)
        job->d_late = take(cpu, r->batch * f->hidden, &ok);
    if (f->cell->whole_rows)
        job->row_scratch = take(cpu, r->batch * (f->gates_row + 3 * f->hidden), &ok);
    if (f->mask)
        job->d_in = take(cpu, r->batch * width, &ok);
    if (f->zoneout_h > 0.0f)
        job->zone_h = take(cpu, r->batch * f->hidden, &ok);
    if (f->zoneout_c > 0.0f)
        job->zone_c = take(cpu, r->batch * f->hidden, &ok);
    ok = ok && ur_recurrent_expected(cpu->scratch, f->hidden, f->zoneout_h, &job->expected_h);
    ok = ok && ur_recurrent_expected(cpu->scratch, f->hidden, f->zoneout_c, &job->expected_c);
    for (size_t i = 0; i < UR_CELL_OWN && f->cell->own[i].name; i++)
        job->d_own[i] = take_zero(cpu, f->cell->own[i].size * f->hidden, &ok);
    if (f->proj) {
        job->dm = take(cpu, r->batch * f->hidden, &ok);
        job->d_proj = take(cpu, r->rows * f->proj, &ok);
    }
    job->bias = take_zero(cpu, 2 * f->cell->gates * f->hidden, &ok);
    if (op->dw_ih && !f->column)
        job->x_packed = take_packed(cpu, f->input, ur_recurrent_input_rows(f), &ok);
    if (f->ids)
        job->by_id = take_zero(cpu, f->table_rows * f->gates_row, &ok);
    if (op->dw_hr)
        job->m_packed = take_packed(cpu, f->hidden, r->rows, &ok);
    if (op->dw_hh && f->cell->late)
        job->late_packed = take_packed(cpu, f->hidden, r->rows, &ok);
    if (op->dw_hh) {
        job->h_packed = take_packed(cpu, width, f->mask ? r->rows : r->rows - first, &ok);
        if (f->h0 && !f->mask)
            job->h0_packed = take_packed(cpu, width, first, &ok);
        job->previous = ok ? ur_arena_take(cpu->scratch, r->rows - first, sizeof(size_t)) : NULL;
        ok = job->previous != NULL;
        if (ok)
            previous_rows(r, job->previous);
    }
    return ok;
}

/* Nothing but zero lengths: the states' gradients pass through. */
static void pass_through(const ur_cpu *cpu, const ur_cpu_recurrent_back *op)
{
    const ur_cpu_recurrent *f = op->forward;
    const size_t batch = f->rows->batch;
    if (op->dh0 && op->dh_n)
        cpu->kernels->add(batch * ur_recurrent_width(f), op->dh_n, op->dh0);
    if (op->dc0 && op->dc_n)
        cpu->kernels->add(batch * f->hidden, op->dc_n, op->dc0);
}

bool ur_cpu_recurrent_backward(const ur_cpu *cpu, const ur_cpu_recurrent_back *op)
{
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    if (r->steps == 0) {
        pass_through(cpu, op);
        return true;
    }
    const size_t width = ur_recurrent_width(f);
    const ur_mark mark = ur_arena_mark(cpu->scratch);
    ur_recurrent_back_job job = {.kernels = cpu->kernels, .op = op};
    const bool ok = take_scratch(cpu, &job);
    if (ok) {
        by_place(r, width, f->h0, job.h0);
        by_place(r, width, op->dh_n, job.dh);
        by_place(r, f->hidden, f->c0, job.c0);
        by_place(r, f->hidden, op->dc_n, job.dc);
        ur_team_run(cpu->team, back_member, &job);
        add_by_index(cpu, r, width, job.dh, op->dh0);
        add_by_index(cpu, r, f->hidden, job.dc, op->dc0);
    }
    ur_arena_rewind(cpu->scratch, mark);
    return ok;
}
