/* shifted.c - every operation takes the shift off its device pointers and calls the CPU's. Scratch
 * memory of the CPU's operations comes from an arena of their own. */
#include "support/shifted.h"

#include "backend/context.h"
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* Beyond what a process can address; 64-byte alignment stays. */
#define SHIFT ((uintptr_t)1 << 62)

static const ur_backend *const cpu = &ur_backend_cpu;

static float *at(const float *shifted)
{
    const uintptr_t address = (uintptr_t)shifted;
    if (!shifted)
        return NULL;
    assert_true(address >= SHIFT); /* else: memory of the host */
    return (float *)(address - SHIFT);
}

static ur_arena *scratch;

static ur_executor inner(const ur_executor *e)
{
    if (!scratch)
        assert_int_equal(ur_arena_new(ur_default_allocator(), &scratch, NULL), UR_OK);
    return (ur_executor){cpu, e->kernels, e->team, scratch};
}

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    char *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    return memory ? (void *)((uintptr_t)memory + SHIFT) : NULL;
}

static void release(void *context, void *memory)
{
    (void)context;
    free(at(memory));
}

static void copy_in(const ur_executor *e, void *to, const void *host, size_t bytes)
{
    cpu->copy_in(e, at(to), host, bytes);
}

static void copy_out(const ur_executor *e, void *host, const void *from, size_t bytes)
{
    cpu->copy_out(e, host, at(from), bytes);
}

static void fill(const ur_executor *e, size_t n, float value, float *y)
{
    cpu->fill(e, n, value, at(y));
}

static size_t packed_floats(const ur_context *c, const ur_pack *pack)
{
    return cpu->packed_floats(c, pack);
}

static void pack(const ur_context *c, const ur_pack *of, const float *w, float *packed,
                 size_t begin, size_t end)
{
    cpu->pack(c, of, at(w), at(packed), begin, end);
}

static bool has_cell(const ur_cell *cell)
{
    return cell != &ur_cell_rnn_relu; /* a backend may lack one */
}

static ur_linear_pass linear_of(ur_linear_pass p)
{
    p.x = at(p.x), p.w = at(p.w), p.bias = at(p.bias), p.y = at(p.y), p.dy = at(p.dy);
    p.dx = at(p.dx), p.dw = at(p.dw), p.db = at(p.db);
    p.slope = at(p.slope), p.x_slope = at(p.x_slope);
    return p;
}

static void linear(const ur_executor *e, const ur_linear_pass *p)
{
    const ur_linear_pass pass = linear_of(*p);
    cpu->linear(e, &pass);
}

static bool linear_back(const ur_executor *e, const ur_linear_pass *p)
{
    const ur_executor on = inner(e);
    const ur_linear_pass pass = linear_of(*p);
    return cpu->linear_back(&on, &pass);
}

static ur_matmul_pass matmul_of(ur_matmul_pass p)
{
    p.x = at(p.x), p.w = at(p.w), p.y = at(p.y), p.dy = at(p.dy), p.dx = at(p.dx), p.dw = at(p.dw);
    return p;
}

static bool matmul(const ur_executor *e, const ur_matmul_pass *p)
{
    const ur_executor on = inner(e);
    const ur_matmul_pass pass = matmul_of(*p);
    return cpu->matmul(&on, &pass);
}

static bool matmul_back(const ur_executor *e, const ur_matmul_pass *p)
{
    const ur_executor on = inner(e);
    const ur_matmul_pass pass = matmul_of(*p);
    return cpu->matmul_back(&on, &pass);
}

static ur_recurrent_pass recurrent_of(ur_recurrent_pass p)
{
    ur_recurrent_plan *w = &p.plan;
    ur_recurrent_run *r = &p.run;
    w->w_ih = at(w->w_ih), w->w_hh = at(w->w_hh), w->w_late = at(w->w_late), w->w_hr = at(w->w_hr);
    w->w_ih_rows = at(w->w_ih_rows), w->b_ih = at(w->b_ih), w->b_hh = at(w->b_hh);
    for (int i = 0; i < UR_CELL_OWN; i++)
        w->own[i] = at(w->own[i]);
    r->x = at(r->x), r->h0 = at(r->h0), r->c0 = at(r->c0), r->mask = at(r->mask);
    r->fresh_h = at(r->fresh_h), r->fresh_c = at(r->fresh_c), r->y = at(r->y), r->c = at(r->c);
    r->gate = at(r->gate), r->h_n = at(r->h_n), r->c_n = at(r->c_n);
    p.saved = at(p.saved);
    return p;
}

static size_t recurrent_saved(const ur_recurrent_pass *p)
{
    const ur_recurrent_pass pass = recurrent_of(*p);
    return cpu->recurrent_saved(&pass);
}

static bool recurrent(const ur_executor *e, const ur_recurrent_pass *p)
{
    const ur_executor on = inner(e);
    const ur_recurrent_pass pass = recurrent_of(*p);
    return cpu->recurrent(&on, &pass);
}

static bool recurrent_back(const ur_executor *e, const ur_recurrent_back *p)
{
    const ur_executor on = inner(e);
    const ur_recurrent_pass pass = recurrent_of(*p->forward);
    ur_recurrent_back b = *p;
    b.forward = &pass;
    b.w_ih = at(b.w_ih), b.w_hh = at(b.w_hh), b.w_hr = at(b.w_hr), b.w_late = at(b.w_late);
    b.dy = at(b.dy), b.d_gate = at(b.d_gate), b.dh_n = at(b.dh_n), b.dc_n = at(b.dc_n);
    b.dc = at(b.dc), b.dx = at(b.dx), b.dh0 = at(b.dh0), b.dc0 = at(b.dc0);
    b.dw_ih = at(b.dw_ih), b.dw_hh = at(b.dw_hh), b.db_ih = at(b.db_ih), b.db_hh = at(b.db_hh);
    b.dw_hr = at(b.dw_hr);
    for (int i = 0; i < UR_CELL_OWN; i++)
        b.d_own[i] = at(b.d_own[i]);
    return cpu->recurrent_back(&on, &b);
}

static ur_attention_pass attention_of(ur_attention_pass p)
{
    p.q = at(p.q), p.k = at(p.k), p.v = at(p.v), p.context = at(p.context), p.p = at(p.p);
    p.w = at(p.w), p.mask = at(p.mask), p.saved = at(p.saved);
    return p;
}

static bool attention(const ur_executor *e, const ur_attention_pass *p)
{
    const ur_executor on = inner(e);
    const ur_attention_pass pass = attention_of(*p);
    return cpu->attention(&on, &pass);
}

static bool attention_back(const ur_executor *e, const ur_attention_back *p)
{
    const ur_executor on = inner(e);
    const ur_attention_pass pass = attention_of(*p->forward);
    ur_attention_back back = *p;
    back.forward = &pass;
    back.dcontext = at(p->dcontext), back.dp_in = at(p->dp_in), back.dp = at(p->dp);
    back.dq = at(p->dq), back.dk = at(p->dk), back.dv = at(p->dv), back.dw = at(p->dw);
    return cpu->attention_back(&on, &back);
}

static ur_cross_entropy_pass loss_of(ur_cross_entropy_pass p)
{
    p.x = at(p.x), p.row_loss = at(p.row_loss), p.p = at(p.p), p.loss = at(p.loss);
    p.dloss = at(p.dloss), p.dx = at(p.dx);
    return p;
}

static void cross_entropy(const ur_executor *e, const ur_cross_entropy_pass *p)
{
    const ur_cross_entropy_pass pass = loss_of(*p);
    cpu->cross_entropy(e, &pass);
}

static void cross_entropy_back(const ur_executor *e, const ur_cross_entropy_pass *p)
{
    const ur_cross_entropy_pass pass = loss_of(*p);
    cpu->cross_entropy_back(e, &pass);
}

static void gather(const ur_executor *e, size_t rows, size_t width, const int32_t *ids,
                   const float *table, float *y)
{
    cpu->gather(e, rows, width, ids, at(table), at(y));
}

static void scatter_add(const ur_executor *e, size_t rows, size_t width, const int32_t *ids,
                        const float *x, float *table)
{
    cpu->scatter_add(e, rows, width, ids, at(x), at(table));
}

static ur_embed_pass embed_of(ur_embed_pass p)
{
    p.table = at(p.table), p.positions = at(p.positions), p.y = at(p.y), p.dy = at(p.dy);
    p.dtable = at(p.dtable), p.dpositions = at(p.dpositions);
    return p;
}

static void embed(const ur_executor *e, const ur_embed_pass *p)
{
    const ur_embed_pass pass = embed_of(*p);
    cpu->embed(e, &pass);
}

static void embed_back(const ur_executor *e, const ur_embed_pass *p)
{
    const ur_embed_pass pass = embed_of(*p);
    cpu->embed_back(e, &pass);
}

static void copy_rows(const ur_executor *e, size_t rows, size_t width, const size_t *from,
                      const float *x, const size_t *to, float *y)
{
    cpu->copy_rows(e, rows, width, from, at(x), to, at(y));
}

static void add_rows(const ur_executor *e, size_t rows, size_t width, const size_t *from,
                     const float *x, const size_t *to, float *y)
{
    cpu->add_rows(e, rows, width, from, at(x), to, at(y));
}

static void copy_columns(const ur_executor *e, size_t rows, size_t width, const float *x,
                         size_t x_row, float *y, size_t y_row)
{
    cpu->copy_columns(e, rows, width, at(x), x_row, at(y), y_row);
}

static void add_columns(const ur_executor *e, size_t rows, size_t width, const float *x,
                        size_t x_row, float *y, size_t y_row)
{
    cpu->add_columns(e, rows, width, at(x), x_row, at(y), y_row);
}

static void add(const ur_executor *e, size_t n, const float *x, float *y)
{
    cpu->add(e, n, at(x), at(y));
}

static void axpy(const ur_executor *e, size_t n, float s, const float *x, float *y)
{
    cpu->axpy(e, n, s, at(x), at(y));
}

static void mul(const ur_executor *e, size_t n, const float *a, const float *b, float *y)
{
    cpu->mul(e, n, at(a), at(b), at(y));
}

static void mul_add(const ur_executor *e, size_t n, const float *a, const float *b, float *y)
{
    cpu->mul_add(e, n, at(a), at(b), at(y));
}

static void scale(const ur_executor *e, size_t n, float s, const float *x, float *y)
{
    cpu->scale(e, n, s, at(x), at(y));
}

static void map(const ur_executor *e, ur_map f, size_t n, const float *x, float *y)
{
    cpu->map(e, f, n, at(x), at(y));
}

static void map_back(const ur_executor *e, ur_map f, size_t n, const float *x, const float *y,
                     const float *dy, float *dx)
{
    cpu->map_back(e, f, n, at(x), at(y), at(dy), at(dx));
}

static void divide(const ur_executor *e, size_t n, const float *a, const float *b, float *y)
{
    cpu->div(e, n, at(a), at(b), at(y));
}

static void transpose(const ur_executor *e, size_t rows, size_t columns, const float *x, float *y)
{
    cpu->transpose(e, rows, columns, at(x), at(y));
}

static ur_norm_pass norm_of(ur_norm_pass p)
{
    p.x = at(p.x), p.gain = at(p.gain), p.bias = at(p.bias), p.f = at(p.f), p.sum = at(p.sum);
    p.y = at(p.y), p.kept = at(p.kept), p.dy = at(p.dy), p.dsum = at(p.dsum), p.dx = at(p.dx);
    p.df = at(p.df), p.dgain = at(p.dgain), p.dbias = at(p.dbias);
    return p;
}

static void norm(const ur_executor *e, const ur_norm_pass *p)
{
    const ur_norm_pass pass = norm_of(*p);
    cpu->norm(e, &pass);
}

static bool norm_back(const ur_executor *e, const ur_norm_pass *p)
{
    const ur_executor on = inner(e);
    const ur_norm_pass pass = norm_of(*p);
    return cpu->norm_back(&on, &pass);
}

static void softmax(const ur_executor *e, size_t rows, size_t width, const float *x, float *y)
{
    cpu->softmax(e, rows, width, at(x), at(y));
}

static void softmax_back(const ur_executor *e, size_t rows, size_t width, const float *y,
                         const float *dy, float *dx)
{
    cpu->softmax_back(e, rows, width, at(y), at(dy), at(dx));
}

static void sum(const ur_executor *e, size_t n, const float *x, float *y)
{
    cpu->sum(e, n, at(x), at(y));
}

static void spread(const ur_executor *e, size_t n, const float *s, float *y)
{
    cpu->spread(e, n, at(s), at(y));
}

static float sum_squares(const ur_executor *e, size_t n, const float *x, float *partial)
{
    return cpu->sum_squares(e, n, at(x), partial);
}

static void adam(const ur_context *c, const ur_adam *a, size_t n, const float *grad, float *m,
                 float *v, float *w)
{
    cpu->adam(c, a, n, at(grad), at(m), at(v), at(w));
}

static void sgd(const ur_context *c, const ur_sgd *s, size_t n, const float *grad, float *velocity,
                float *w)
{
    cpu->sgd(c, s, n, at(grad), at(velocity), at(w));
}

static ur_dropout_pass dropout_of(ur_dropout_pass p)
{
    p.x = at(p.x), p.y = at(p.y);
    return p;
}

static void dropout(const ur_executor *e, const ur_dropout_pass *p)
{
    const ur_dropout_pass pass = dropout_of(*p);
    cpu->dropout(e, &pass);
}

static bool dropout_back(const ur_executor *e, const ur_dropout_pass *p)
{
    const ur_executor on = inner(e);
    const ur_dropout_pass pass = dropout_of(*p);
    return cpu->dropout_back(&on, &pass);
}

static bool dropout_mask(const ur_executor *e, const ur_dropout_pass *p)
{
    const ur_executor on = inner(e);
    const ur_dropout_pass pass = dropout_of(*p);
    return cpu->dropout_mask(&on, &pass);
}

static bool zoneout_mask(const ur_executor *e, const ur_dropout_pass *p)
{
    const ur_executor on = inner(e);
    const ur_dropout_pass pass = dropout_of(*p);
    return cpu->zoneout_mask(&on, &pass);
}

const ur_backend shifted_backend = {
    .name = "shifted",
    .allocate = allocate,
    .release = release,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .fill = fill,
    .packed_floats = packed_floats,
    .pack = pack,
    .has_cell = has_cell,
    .linear = linear,
    .linear_back = linear_back,
    .matmul = matmul,
    .matmul_back = matmul_back,
    .recurrent_saved = recurrent_saved,
    .recurrent = recurrent,
    .recurrent_back = recurrent_back,
    .attention = attention,
    .attention_back = attention_back,
    .cross_entropy = cross_entropy,
    .cross_entropy_back = cross_entropy_back,
    .gather = gather,
    .scatter_add = scatter_add,
    .embed = embed,
    .embed_back = embed_back,
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
    .norm = norm,
    .norm_back = norm_back,
    .map = map,
    .map_back = map_back,
    .softmax = softmax,
    .softmax_back = softmax_back,
    .sum = sum,
    .spread = spread,
    .sum_squares = sum_squares,
    .adam = adam,
    .sgd = sgd,
    .dropout = dropout,
    .dropout_back = dropout_back,
    .dropout_mask = dropout_mask,
    .zoneout_mask = zoneout_mask,
};

ur_context *shifted_context(const char *isa, int threads)
{
    const ur_options options = {.threads = threads, .isa = isa};
    ur_context *context;
    assert_int_equal(ur_context_new_with(&shifted_backend, &options, &context, NULL), UR_OK);
    return context;
}
