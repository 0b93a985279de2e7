/* recurrent_back.c - gradients of one recurrent layer over a ragged batch (recurrent.c has the
 * equations).
 *
 * The steps are walked in reverse with the gradients of h and c carried in (B, R) and (B, H)
 * buffers; the cell leaves the gradients of the pre-activations in the gates. The weights'
 * gradients and dx are then one product each over all rows. */
#include "backend/cpu/recurrent.h"

#include <string.h>

typedef struct back_job {
    const ur_kernels *kernels;
    const ur_cpu_recurrent_back *op;
    float *c0;      /* (B, H) by place */
    float *h0;      /* (B, R) by place; zeros where h started from nothing */
    float *dh, *dc; /* (B, R), (B, H) by place: carried from step to step */
    float *dm;      /* (B, H) of one step: gradient of h before projection */
    float *d_proj;  /* (rows, P) whole gradient of h after projection */
    float *bias;    /* (2, GH) sums over the rows */
    float *x_packed, *h_packed, *h0_packed, *m_packed;
    float *by_id;     /* (table_rows, gates_row) sums of the gates' gradients by id */
    size_t *previous; /* (rows of steps >= 1): the row one step earlier */
} back_job;

static const float *recurrent_gates(const ur_cpu_recurrent *f)
{
    return f->cell->split ? f->h_gates : f->gates;
}

/* dh of the step goes through the projection: d_proj = dh + dy, dm = d_proj W_hr. */
static void project_back(const back_job *job, const ur_member *me, size_t t)
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

/* The steps in reverse: gradients of all gates, dh and dc of the initial state. */
static void steps_back(const back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t hidden = f->hidden, width = ur_recurrent_width(f);
    const ur_range units = ur_my_range(me, hidden);

    for (size_t t = r->steps; t-- > 0;) {
        const size_t row = r->offset[t], alive = ur_cpu_alive(r, t);
        if (f->proj)
            project_back(job, me, t);
        const ur_cell_step s = {
            .rows = alive,
            .hidden = hidden,
            .gates = f->gates + row * f->gates_row,
            .gates_row = f->gates_row,
            .h_gates = f->h_gates ? f->h_gates + row * f->gates_row : NULL,
            .h_prev = t ? f->y + r->offset[t - 1] * width : job->h0,
            .h = f->proj ? f->m + row * hidden : f->y + row * hidden,
            .c_prev = !f->c ? NULL
                      : t   ? f->c + r->offset[t - 1] * hidden
                            : job->c0,
            .c = f->c ? f->c + row * hidden : NULL,
            .dy = op->dy && !f->proj ? op->dy + row * hidden : NULL,
            .dh = f->proj ? job->dm : job->dh,
            .dc = job->dc,
        };
        f->cell->backward(job->kernels, &s, units.begin, units.end);
        ur_barrier(me);
        if (t == 0 && !op->dh0)
            break;
        const ur_product product = {
            .m = alive,
            .k = f->cell->gates * hidden,
            .a = recurrent_gates(f) + row * f->gates_row,
            .a_row = f->gates_row,
            .a_k = 1,
            .b = op->w_hh,
            .columns = {1, width},
            .c = job->dh,
            .c_row = width,
            .start = f->cell->direct ? UR_START_C : UR_START_BIAS,
        };
        ur_product_part(job->kernels, me, &product);
        ur_barrier(me);
    }
}

/* Rows of x: of the table where there is one. */
static size_t input_rows(const ur_cpu_recurrent *f)
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
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t width = ur_recurrent_width(f), first = ur_cpu_alive(r, 0);
    if (op->dw_ih)
        pack_part(job, me, input_rows(f), f->input, f->x, NULL, job->x_packed);
    if (op->dw_hh) {
        pack_part(job, me, r->rows - first, width, f->y, job->previous, job->h_packed);
        if (f->h0)
            pack_part(job, me, first, width, job->h0, NULL, job->h0_packed);
    }
    if (op->dw_hr)
        pack_part(job, me, r->rows, f->hidden, f->m, NULL, job->m_packed);
}

/* dW_hh += d^T h_prev: rows of the later steps, then those of the first if it had an h0.
 * dW_hr += d_proj^T m. */
static void recurrent_weights_back(const back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_layout *r = f->rows;
    const size_t first = ur_cpu_alive(r, 0);
    ur_cpu_outer outer = {
        .rows = r->rows - first,
        .n_out = f->cell->gates * f->hidden,
        .n_in = ur_recurrent_width(f),
        .dy = recurrent_gates(f) + first * f->gates_row,
        .dy_row = f->gates_row,
        .x_packed = job->h_packed,
        .dw = job->op->dw_hh,
    };
    ur_outer_part(job->kernels, me, &outer);
    if (f->h0) {
        outer.rows = first;
        outer.dy = recurrent_gates(f);
        outer.x_packed = job->h0_packed;
        ur_outer_part(job->kernels, me, &outer);
    }
    if (job->op->dw_hr) {
        const ur_cpu_outer projection = {
            .rows = r->rows,
            .n_out = f->proj,
            .n_in = f->hidden,
            .dy = job->d_proj,
            .dy_row = f->proj,
            .x_packed = job->m_packed,
            .dw = job->op->dw_hr,
        };
        ur_outer_part(job->kernels, me, &projection);
    }
}

/* db += column sums of d over `rows` rows, this member's columns; the sums stay in `sums`. */
static void bias_back(const back_job *job, const ur_member *me, size_t rows, const float *d,
                      float *sums, float *db)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_range mine = ur_my_range(me, f->cell->gates * f->hidden);
    job->kernels->column_sums(rows, d, f->gates_row, sums, mine.begin, mine.end);
    job->kernels->add(mine.end - mine.begin, sums + mine.begin, db + mine.begin);
}

/* dW_ih += d^T x, db += column sums of d, dx += d W_ih: d are the gates' gradients of all rows, or
 * their sums by id, with the table as x. */
static void input_weights_back(const back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_kernels *k = job->kernels;
    const size_t n = f->cell->gates * f->hidden, rows = input_rows(f);
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
        bias_back(job, me, rows, d, job->bias, op->db_ih);
        if (f->cell->split)
            bias_back(job, me, f->rows->rows, f->h_gates, job->bias + n, op->db_hh);
        else
            k->add(mine.end - mine.begin, job->bias + mine.begin, op->db_hh + mine.begin);
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
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_range mine = ur_my_range(me, f->cell->gates * f->hidden);
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
    return take(cpu, ur_packed_size(cpu->kernels, (ur_columns){1, width}, rows), ok);
}

/* For the product with h_prev: the row one step earlier of every row of a later step. */
static void previous_rows(const ur_layout *r, size_t *previous)
{
    for (size_t t = 1; t < r->steps; t++)
        for (size_t b = 0; b < ur_cpu_alive(r, t); b++)
            *previous++ = r->offset[t - 1] + b;
}

static bool take_scratch(const ur_cpu *cpu, back_job *job)
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
    if (f->proj) {
        job->dm = take(cpu, r->batch * f->hidden, &ok);
        job->d_proj = take(cpu, r->rows * f->proj, &ok);
    }
    job->bias = take_zero(cpu, 2 * f->cell->gates * f->hidden, &ok);
    if (op->dw_ih)
        job->x_packed = take_packed(cpu, f->input, input_rows(f), &ok);
    if (f->ids)
        job->by_id = take_zero(cpu, f->table_rows * f->gates_row, &ok);
    if (op->dw_hr)
        job->m_packed = take_packed(cpu, f->hidden, r->rows, &ok);
    if (op->dw_hh) {
        job->h_packed = take_packed(cpu, width, r->rows - first, &ok);
        if (f->h0)
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
    back_job job = {.kernels = cpu->kernels, .op = op};
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
