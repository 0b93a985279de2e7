/* backend.c - the CPU's table of operations, and those that are loops over the kernels. */
#include "backend/cpu/cpu.h"

#include <math.h>
#include <string.h>

#include "backend/context.h"
#include "backend/cpu/recurrent.h"
#include "base/alloc.h"
#include "base/tiny.h"
#include "kernels/math.h"

/* ---- memory -------------------------------------------------------------------------------- */

static void *allocate(void *context, size_t bytes)
{
    return ur_alloc(&((ur_context *)context)->allocator, bytes, 1);
}

static void release(void *context, void *memory)
{
    ur_free(&((ur_context *)context)->allocator, memory);
}

static void copy_memory(const ur_executor *e, void *to, const void *from, size_t bytes)
{
    (void)e;
    if (bytes)
        memcpy(to, from, bytes);
}

/* Vectors up to here are not worth a team's meeting. */
enum { FEW = UR_SIZE(64 * 1024, 8) };

typedef struct filling {
    float *y;
    float value;
} filling;

static void fill_range(void *arg, size_t begin, size_t end)
{
    const filling *f = arg;
    const bool zero = f->value == 0.0f && !signbit(f->value);
    if (zero)
        memset(f->y + begin, 0, (end - begin) * sizeof *f->y);
    for (size_t i = begin; !zero && i < end; i++)
        f->y[i] = f->value;
}

static void fill(const ur_executor *e, size_t n, float value, float *y)
{
    filling f = {y, value};
    if (n > FEW)
        ur_cpu_for(e, n, fill_range, &f);
    else
        fill_range(&f, 0, n);
}

/* Columns and depth of the product that a pack serves. */
static ur_columns pack_columns(const ur_pack *pack, size_t *k)
{
    const bool rows = pack->kind == UR_PACK_ROWS;
    *k = rows ? pack->columns : pack->rows;
    return rows ? (ur_columns){pack->gates, pack->rows / pack->gates}
                : (ur_columns){1, pack->columns};
}

static size_t packed_floats(const ur_context *c, const ur_pack *pack)
{
    size_t k;
    const ur_columns columns = pack_columns(pack, &k);
    if (ur_packed_floats(c->kernels, columns, 1) > SIZE_MAX / 64 / (k ? k : 1))
        return 0;
    return ur_packed_floats(c->kernels, columns, k);
}

static void pack_rows(const ur_context *c, const ur_pack *pack, const float *w, float *packed,
                      size_t begin, size_t end)
{
    size_t k;
    const ur_columns columns = pack_columns(pack, &k);
    if (pack->kind == UR_PACK_ROWS)
        c->kernels->pack_rows(columns, k, w, k, packed, begin, end);
    else
        c->kernels->pack_cols(columns, k, w, columns.units, NULL, packed, begin, end);
}

static bool has_cell(const ur_cell *cell)
{
    return ur_cpu_cell_of(cell) != NULL;
}

const ur_cpu_cell *ur_cpu_cell_of(const ur_cell *cell)
{
#define ADDRESS(name) &ur_cpu_##name,
    static const ur_cpu_cell *const cells[] = {UR_CELLS(ADDRESS)};
#undef ADDRESS
    for (size_t i = 0; i < sizeof cells / sizeof(ur_cpu_cell *); i++)
        if (cells[i]->cell == cell)
            return cells[i];
    return NULL;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void gather(const ur_executor *e, size_t rows, size_t width, const int32_t *ids,
                   const float *table, float *y)
{
    e->kernels->gather(ids, table, width, y, 0, rows);
}

typedef struct scattering {
    const ur_kernels *kernels;
    size_t rows, width;
    const int32_t *ids;
    const float *x;
    float *table;
} scattering;

static void scatter_columns(void *arg, size_t begin, size_t end)
{
    const scattering *s = arg;
    s->kernels->scatter_add(s->rows, s->ids, s->x, s->width, s->table, begin, end);
}

static void scatter_add(const ur_executor *e, size_t rows, size_t width, const int32_t *ids,
                        const float *x, float *table)
{
    scattering s = {e->kernels, rows, width, ids, x, table};
    ur_cpu_for(e, width, scatter_columns, &s);
}

static void copy_rows(const ur_executor *e, size_t rows, size_t width, const size_t *from,
                      const float *x, const size_t *to, float *y)
{
    (void)e;
    for (size_t r = 0; r < rows; r++)
        memcpy(y + (to ? to[r] : r) * width, x + (from ? from[r] : r) * width, width * sizeof *y);
}

static void add_rows(const ur_executor *e, size_t rows, size_t width, const size_t *from,
                     const float *x, const size_t *to, float *y)
{
    for (size_t r = 0; r < rows; r++)
        e->kernels->add(width, x + (from ? from[r] : r) * width, y + (to ? to[r] : r) * width);
}

static void copy_columns(const ur_executor *e, size_t rows, size_t width, const float *x,
                         size_t x_row, float *y, size_t y_row)
{
    (void)e;
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * y_row, x + r * x_row, width * sizeof *y);
}

static void add_columns(const ur_executor *e, size_t rows, size_t width, const float *x,
                        size_t x_row, float *y, size_t y_row)
{
    for (size_t r = 0; r < rows; r++)
        e->kernels->add(width, x + r * x_row, y + r * y_row);
}

/* ---- elements ------------------------------------------------------------------------------ */

typedef struct adding {
    const ur_kernels *kernels;
    size_t n;
    const float *x;
    float *y;
} adding;

static void add_member(void *arg, const ur_member *me)
{
    const adding *a = arg;
    const ur_range mine = ur_my_floats(me, a->n);
    a->kernels->add(mine.end - mine.begin, a->x + mine.begin, a->y + mine.begin);
}

static void add(const ur_executor *e, size_t n, const float *x, float *y)
{
    adding a = {e->kernels, n, x, y};
    ur_team_run(n > FEW ? e->team : NULL, add_member, &a);
}

static void axpy(const ur_executor *e, size_t n, float s, const float *x, float *y)
{
    e->kernels->axpy(n, s, x, y);
}

static void mul(const ur_executor *e, size_t n, const float *a, const float *b, float *y)
{
    e->kernels->mul(n, a, b, y);
}

static void mul_add(const ur_executor *e, size_t n, const float *a, const float *b, float *y)
{
    e->kernels->mul_add(n, a, b, y);
}

static void scale(const ur_executor *e, size_t n, float s, const float *x, float *y)
{
    e->kernels->scale(n, s, x, y);
}

static void divide(const ur_executor *e, size_t n, const float *a, const float *b, float *y)
{
    (void)e;
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] / b[i];
}

static void transpose(const ur_executor *e, size_t rows, size_t columns, const float *x, float *y)
{
    (void)e;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            y[c * rows + r] = x[r * columns + c];
}

static void softmax(const ur_executor *e, size_t rows, size_t width, const float *x, float *y)
{
    for (size_t r = 0; r < rows; r++)
        e->kernels->softmax(width, x + r * width, y + r * width);
}

static void softmax_back(const ur_executor *e, size_t rows, size_t width, const float *y,
                         const float *dy, float *dx)
{
    for (size_t r = 0; r < rows; r++)
        e->kernels->softmax_back(width, y + r * width, dy + r * width, dx + r * width);
}

static void sum(const ur_executor *e, size_t n, const float *x, float *y)
{
    *y = ur_sum_long(e->kernels, n, x);
}

typedef struct squaring {
    const ur_kernels *kernels;
    size_t n;
    const float *x;
    float *partial;
} squaring;

static void square_blocks(void *arg, size_t begin, size_t end)
{
    const squaring *s = arg;
    for (size_t i = begin; i < end; i++) {
        const float *x = s->x + i * UR_SUM_BLOCK;
        const size_t left = s->n - i * UR_SUM_BLOCK;
        s->partial[i] = s->kernels->dot(left < UR_SUM_BLOCK ? left : UR_SUM_BLOCK, x, x);
    }
}

static float sum_squares(const ur_executor *e, size_t n, const float *x, float *partial)
{
    squaring s = {e->kernels, n, x, partial};
    ur_cpu_for(e, ur_sum_blocks(n), square_blocks, &s);
    return ur_tree_sum(ur_sum_blocks(n), partial);
}

static void adam(const ur_context *c, const ur_adam *a, size_t n, const float *grad, float *m,
                 float *v, float *w)
{
    c->kernels->adam(a, n, grad, m, v, w);
}

static void sgd(const ur_context *c, const ur_sgd *s, size_t n, const float *grad, float *velocity,
                float *w)
{
    c->kernels->sgd(s, n, grad, velocity, w);
}

static void spread(const ur_executor *e, size_t n, const float *s, float *y)
{
    (void)e;
    for (size_t i = 0; i < n; i++)
        y[i] += *s;
}

const ur_backend ur_backend_cpu = {
    .name = "cpu",
    .host_memory = true,
    .allocate = allocate,
    .release = release,
    .copy_in = copy_memory,
    .copy_out = copy_memory,
    .fill = fill,
    .packed_floats = packed_floats,
    .pack = pack_rows,
    .has_cell = has_cell,
    .linear = ur_cpu_linear,
    .linear_back = ur_cpu_linear_back,
    .matmul = ur_cpu_matmul,
    .matmul_back = ur_cpu_matmul_back,
    .recurrent_saved = ur_cpu_recurrent_saved,
    .recurrent = ur_cpu_recurrent,
    .recurrent_back = ur_cpu_recurrent_back,
    .attention = ur_cpu_attention,
    .attention_back = ur_cpu_attention_back,
    .cross_entropy = ur_cpu_cross_entropy,
    .cross_entropy_back = ur_cpu_cross_entropy_back,
    .gather = gather,
    .scatter_add = scatter_add,
    .embed = ur_cpu_embed,
    .embed_back = ur_cpu_embed_back,
    .copy_rows = copy_rows,
    .add_rows = add_rows,
    .copy_columns = copy_columns,
    .add_columns = add_columns,
    .add = add,
    .axpy = axpy,
    .mul = mul,
    .mul_add = mul_add,
    .scale = scale,
    .div = divide,
    .transpose = transpose,
    .map = ur_cpu_map,
    .map_back = ur_cpu_map_back,
    .norm = ur_cpu_norm,
    .norm_back = ur_cpu_norm_back,
    .softmax = softmax,
    .softmax_back = softmax_back,
    .sum = sum,
    .spread = spread,
    .sum_squares = sum_squares,
    .adam = adam,
    .sgd = sgd,
    .dropout = ur_cpu_dropout,
    .dropout_back = ur_cpu_dropout_back,
    .dropout_mask = ur_cpu_dropout_mask,
    .zoneout_mask = ur_cpu_zoneout_mask,
};
