/* products.c - matrix products of whole layers.
 *
 *   linear: y = act(x W^T + b),   dx += dy W,   dW += dy^T x,   db += column sums of dy
 *   matmul: y = x w^T,       dx += dy w,   dw += dy^T x,   w being packed on the way */
#include "backend/cpu/cpu.h"

/* (m, k) times packed columns, from nothing or from what stands there. */
static ur_product product_of(size_t m, size_t k, const float *a, const float *packed,
                             ur_columns columns, float *c, ur_start start)
{
    return (ur_product){.m = m,
                        .k = k,
                        .a = a,
                        .a_row = k,
                        .a_k = 1,
                        .b = packed,
                        .columns = columns,
                        .c = c,
                        .c_row = columns.units,
                        .start = start};
}

static const ur_epilogue forward_epilogue[] = {[UR_ACT_NONE] = UR_EPILOGUE_NONE,
                                               [UR_ACT_RELU] = UR_EPILOGUE_RELU,
                                               [UR_ACT_GELU] = UR_EPILOGUE_GELU,
                                               [UR_ACT_GELU_TANH] = UR_EPILOGUE_GELU_TANH};

static size_t y_row(const ur_linear_pass *l)
{
    return l->y_row ? l->y_row : l->out;
}

void ur_cpu_linear(const ur_executor *e, const ur_linear_pass *l)
{
    ur_product p =
        product_of(l->rows, l->in, l->x, l->w, (ur_columns){1, l->out}, l->y, UR_START_BIAS);
    p.far = l->w_far;
    p.bias = l->bias;
    p.epilogue = forward_epilogue[l->act];
    p.slope = l->slope;
    p.c_row = y_row(l);
    ur_cpu_product(e, &p);
}

typedef struct linear_job {
    const ur_kernels *kernels;
    const ur_linear_pass *pass;
    float *packed; /* NULL: x is packed as it lies */
} linear_job;

static void linear_back_member(void *arg, const ur_member *me)
{
    const linear_job *job = arg;
    const ur_linear_pass *l = job->pass;
    const ur_kernels *k = job->kernels;
    const ur_columns columns = {1, l->in};
    if (l->dw) {
        if (job->packed) {
            const ur_range mine = ur_my_range(me, l->rows);
            k->pack_cols(columns, l->rows, l->x, l->in, NULL, job->packed, mine.begin, mine.end);
            ur_barrier(me);
        }
        const ur_cpu_outer outer = {.rows = l->rows,
                                    .n_out = l->out,
                                    .n_in = l->in,
                                    .dy = l->dy,
                                    .dy_row = y_row(l),
                                    .x_packed = job->packed ? job->packed : l->x,
                                    .dw = l->dw,
                                    .blank = l->dw_blank};
        ur_outer_part(k, me, &outer);
    }
    if (l->db) {
        const ur_range mine = ur_my_range(me, l->out);
        k->column_sums(l->rows, l->dy, y_row(l), l->db, mine.begin, mine.end);
    }
    if (l->dx) {
        ur_product p =
            product_of(l->rows, l->out, l->dy, l->w, columns, l->dx, ur_add_or_set(l->dx_blank));
        p.side = l->x_slope ? l->x_slope : l->x;
        p.factor = l->x_factor;
        p.epilogue = l->x_slope            ? UR_EPILOGUE_MUL
                     : l->x_factor != 0.0f ? UR_EPILOGUE_POSITIVE
                                           : UR_EPILOGUE_NONE;
        p.a_row = y_row(l);
        p.b_k = l->w_rows;
        p.b_begin = l->w_begin;
        ur_product_part(k, me, &p);
    }
}

static float *packed_of(const ur_executor *e, size_t columns, size_t k)
{
    return ur_arena_take(e->memory, ur_packed_floats(e->kernels, (ur_columns){1, columns}, k),
                         sizeof(float));
}

/* Whether rows of so many columns are one panel of whole vectors. */
static bool packed_as_it_lies(const ur_kernels *kernels, size_t columns)
{
    return columns % kernels->lanes == 0 && kernels->panels((ur_columns){1, columns}) == 1;
}

bool ur_cpu_linear_back(const ur_executor *e, const ur_linear_pass *l)
{
    const ur_mark mark = ur_arena_mark(e->memory);
    const bool packs = l->dw && !packed_as_it_lies(e->kernels, l->in);
    linear_job job = {e->kernels, l, packs ? packed_of(e, l->in, l->rows) : NULL};
    const bool ok = job.packed || !packs;
    if (ok)
        ur_team_run(e->team, linear_back_member, &job);
    ur_arena_rewind(e->memory, mark);
    return ok;
}

bool ur_cpu_matmul(const ur_executor *e, const ur_matmul_pass *m)
{
    const ur_columns columns = {1, m->width};
    const ur_mark mark = ur_arena_mark(e->memory);
    float *packed = packed_of(e, m->width, m->depth);
    if (packed) {
        e->kernels->pack_rows(columns, m->depth, m->w, m->depth, packed, 0, m->width);
        const ur_product p =
            product_of(m->rows, m->depth, m->x, packed, columns, m->y, UR_START_BIAS);
        ur_cpu_product(e, &p);
    }
    ur_arena_rewind(e->memory, mark);
    return packed != NULL;
}

bool ur_cpu_matmul_back(const ur_executor *e, const ur_matmul_pass *m)
{
    const ur_columns columns = {1, m->depth};
    const ur_mark mark = ur_arena_mark(e->memory);
    float *packed = packed_of(e, m->depth, m->rows > m->width ? m->rows : m->width);
    if (packed && m->dx) {
        e->kernels->pack_cols(columns, m->width, m->w, m->depth, NULL, packed, 0, m->width);
        const ur_product p = product_of(m->rows, m->width, m->dy, packed, columns, m->dx,
                                        ur_add_or_set(m->dx_blank));
        ur_cpu_product(e, &p);
    }
    if (packed && m->dw) {
        e->kernels->pack_cols(columns, m->rows, m->x, m->depth, NULL, packed, 0, m->rows);
        ur_product p = product_of(m->width, m->rows, m->dy, packed, columns, m->dw,
                                  ur_add_or_set(m->dw_blank));
        p.a_row = 1;
        p.a_k = m->width;
        ur_cpu_product(e, &p);
    }
    ur_arena_rewind(e->memory, mark);
    return packed != NULL;
}
