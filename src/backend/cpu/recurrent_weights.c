/* recurrent_weights.c - gradients of a recurrent layer's weights and input, one product each over all
 * rows, once recurrent_back.c has left the pre-activations' gradients in the gates. */
#include "backend/cpu/recurrent_back.h"
#include "backend/cpu/recurrent_one_hot.h"

/* Packs `rows` rows of a (.., width) matrix for ur_outer_part, this member's rows. */
static void pack_part(const ur_recurrent_back_job *job, const ur_member *me, size_t rows,
                      size_t width, const float *x, const size_t *index, float *packed)
{
    const ur_columns columns = {1, width};
    const ur_range mine = ur_my_range(me, rows);
    job->kernels->pack_cols(columns, rows, x, width, index, packed, mine.begin, mine.end);
}

static void pack_inputs(const ur_recurrent_back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_layout *r = f->rows;
    const size_t width = ur_recurrent_width(f), first = ur_cpu_alive(r, 0);
    if (op->dw_ih && !f->column)
        pack_part(job, me, ur_recurrent_input_rows(f), f->input, f->x, NULL, job->x_packed);
    if (op->dw_hh) {
        if (f->mask)
            pack_part(job, me, r->rows, width, f->h_in, NULL, job->h_packed);
        else
            pack_part(job, me, r->rows - first, width, f->y, job->previous, job->h_packed);
        if (f->h0 && !f->mask)
            pack_part(job, me, first, width, job->h0, NULL, job->h0_packed);
    }
    if (op->dw_hh && f->cell->late)
        pack_part(job, me, r->rows, f->hidden, f->late, NULL, job->late_packed);
    if (op->dw_hr)
        pack_part(job, me, r->rows, f->hidden, f->m, NULL, job->m_packed);
}

/* dW_hh += d^T h_prev: rows of the later steps, then those of the first if it had an h0.
 * dW_hr += d_proj^T m. */
static void recurrent_weights_back(const ur_recurrent_back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_layout *r = f->rows;
    const size_t first = f->mask ? 0 : ur_cpu_alive(r, 0);
    ur_cpu_outer outer = {
        .rows = r->rows - first,
        .n_out = (f->cell->gates - f->cell->late) * f->hidden,
        .n_in = ur_recurrent_width(f),
        .dy = ur_recurrent_gates(f) + first * f->gates_row,
        .dy_row = f->gates_row,
        .x_packed = job->h_packed,
        .dw = job->op->dw_hh,
        .blank = job->op->blank.dw_hh,
    };
    ur_outer_part(job->kernels, me, &outer);
    if (f->h0 && !f->mask) {
        outer.rows = first;
        outer.dy = ur_recurrent_gates(f);
        outer.x_packed = job->h0_packed;
        outer.blank = false;
        ur_outer_part(job->kernels, me, &outer);
    }
    if (f->cell->late) {
        const size_t before = outer.n_out;
        outer.rows = r->rows;
        outer.n_out = f->cell->late * f->hidden;
        outer.dy = f->gates + before;
        outer.x_packed = job->late_packed;
        outer.dw = job->op->dw_hh + before * f->hidden;
        outer.blank = job->op->blank.dw_hh;
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
            .blank = job->op->blank.dw_hr,
        };
        ur_outer_part(job->kernels, me, &projection);
    }
}

/* db += column sums of d over `rows` rows, this member's columns; the sums stay in `sums`. */
static void bias_back(const ur_recurrent_back_job *job, const ur_member *me, size_t rows,
                      const float *d, float *sums, float *db)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_range mine = ur_my_range(me, f->cell->gates * f->hidden);
    job->kernels->column_sums(rows, d, f->gates_row, sums, mine.begin, mine.end);
    job->kernels->add(mine.end - mine.begin, sums + mine.begin, db + mine.begin);
}

/* dW_ih += d^T x, db += column sums of d, dx += d W_ih: d are the gates' gradients of all rows, or
 * their sums by id, with the table as x. */
static void input_weights_back(const ur_recurrent_back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent_back *op = job->op;
    const ur_cpu_recurrent *f = op->forward;
    const ur_kernels *k = job->kernels;
    const size_t n = f->cell->gates * f->hidden, rows = ur_recurrent_input_rows(f);
    const float *d = f->ids ? job->by_id : f->gates;

    if (op->dw_ih && f->column) {
        ur_one_hot_back(f, ur_my_range(me, n), d, op->dw_ih);
    } else if (op->dw_ih) {
        const ur_cpu_outer outer = {
            .rows = rows,
            .n_out = n,
            .n_in = f->input,
            .dy = d,
            .dy_row = f->gates_row,
            .x_packed = job->x_packed,
            .dw = op->dw_ih,
            .blank = op->blank.dw_ih,
        };
        ur_outer_part(k, me, &outer);
    }
    if (op->db_ih && f->cell->whole_rows) { /* summed step by step */
        const ur_range mine = ur_my_range(me, n);
        k->add(mine.end - mine.begin, job->bias + mine.begin, op->db_ih + mine.begin);
        k->add(mine.end - mine.begin, job->bias + mine.begin, op->db_hh + mine.begin);
    } else if (op->db_ih) {
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
            .start = ur_add_or_set(op->blank.dx),
        };
        ur_product_part(k, me, &product);
    }
}

static void own_weights_back(const ur_recurrent_back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent *f = job->op->forward;
    for (size_t i = 0; i < UR_CELL_OWN && f->cell->own[i].name; i++) {
        const ur_range mine = ur_my_range(me, f->cell->own[i].size * f->hidden);
        if (job->op->d_own[i])
            job->kernels->add(mine.end - mine.begin, job->d_own[i] + mine.begin,
                              job->op->d_own[i] + mine.begin);
    }
}

static void sum_by_id(const ur_recurrent_back_job *job, const ur_member *me)
{
    const ur_cpu_recurrent *f = job->op->forward;
    const ur_range mine = ur_my_range(me, f->cell->gates * f->hidden);
    job->kernels->scatter_add(f->rows->rows, f->ids, f->gates, f->gates_row, job->by_id, mine.begin,
                              mine.end);
}

void ur_recurrent_weights_back(const ur_recurrent_back_job *job, const ur_member *me)
{
    pack_inputs(job, me);
    if (job->by_id)
        sum_by_id(job, me);
    ur_barrier(me);
    if (job->op->dw_hh)
        recurrent_weights_back(job, me);
    input_weights_back(job, me);
    own_weights_back(job, me);
}
