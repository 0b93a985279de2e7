/* golden.c - golden cases: reading and comparing. */
#include "support/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

golden golden_open(const char *name)
{
    golden g = {.name = name};
    char path[1024];
    ur_err err;
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/%s.safetensors", root ? root : ".", name);
    if (ur_st_open(ur_default_allocator(), path, &g.st, &err) != UR_OK)
        fail_msg("%s", err.text);
    return g;
}

void golden_close(golden *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->blocks[i]);
    free(g->blocks);
    ur_st_close(g->st);
}

void *golden_take(golden *g, size_t bytes)
{
    if (g->count == g->capacity) {
        g->capacity = 2 * g->capacity + 16;
        g->blocks = realloc(g->blocks, g->capacity * sizeof *g->blocks);
        assert_non_null(g->blocks);
    }
    void *block = calloc(bytes + 1, 1);
    assert_non_null(block);
    g->blocks[g->count++] = block;
    return block;
}

static const ur_st_info *find(golden *g, const char *tensor)
{
    const ur_st_info *info = ur_st_find(g->st, tensor);
    if (!info)
        fail_msg("golden case %s has no tensor %s", g->name, tensor);
    return info;
}

size_t golden_dim(golden *g, const char *tensor, int i)
{
    return find(g, tensor)->dims[i];
}

const float *golden_floats(golden *g, const char *tensor, size_t *count)
{
    const ur_st_info *info = find(g, tensor);
    float *x = golden_take(g, info->count * sizeof *x);
    ur_err err;
    if (ur_st_read_floats(g->st, ur_st_index(g->st, tensor), x, &err) != UR_OK)
        fail_msg("%s", err.text);
    if (count)
        *count = info->count;
    return x;
}

const int32_t *golden_ints(golden *g, const char *tensor, size_t *count)
{
    const ur_st_info *info = find(g, tensor);
    int64_t *wide = golden_take(g, info->count * sizeof *wide);
    int32_t *x = golden_take(g, info->count * sizeof *x);
    ur_err err;
    if (ur_st_read_i64(g->st, ur_st_index(g->st, tensor), wide, &err) != UR_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < info->count; i++)
        x[i] = (int32_t)wide[i];
    if (count)
        *count = info->count;
    return x;
}

size_t *golden_lengths(golden *g, const char *tensor, size_t *count)
{
    size_t n;
    const int32_t *x = golden_ints(g, tensor, &n);
    size_t *length = golden_take(g, n * sizeof *length);
    for (size_t i = 0; i < n; i++)
        length[i] = (size_t)x[i];
    if (count)
        *count = n;
    return length;
}

const float *golden_rows(golden *g, size_t batch, size_t steps, size_t features,
                         const size_t *length, const float *padded)
{
    float *rows = golden_take(g, batch * steps * features * sizeof *rows), *at = rows;
    for (size_t b = 0; b < batch; b++) {
        memcpy(at, padded + b * steps * features, length[b] * features * sizeof *rows);
        at += length[b] * features;
    }
    return rows;
}

static void compare(golden *g, const char *tensor, size_t count, const float *want,
                    const float *got, double bound)
{
    double largest = 0.0, worst = 0.0;
    size_t where = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)got[i] - (double)want[i]);
        largest = fmax(largest, fabs((double)want[i]));
        if (!(error <= worst)) {
            worst = error;
            where = i;
        }
    }
    if (!(worst <= bound * largest))
        fail_msg("%s: %s[%zu] is %g, not %g: an error of %.2g of the largest element, %.0e allowed",
                 g->name, tensor, where, (double)got[where], (double)want[where], worst / largest,
                 bound);
}

void golden_compare(golden *g, const char *tensor, const float *got, double bound)
{
    size_t count;
    const float *want = golden_floats(g, tensor, &count);
    assert_non_null(got);
    compare(g, tensor, count, want, got, bound);
}

void golden_compare_seq(golden *g, const char *tensor, const ur_layout *layout, size_t features,
                        const float *got, double bound)
{
    size_t count;
    const float *want = golden_floats(g, tensor, &count);
    const size_t steps = golden_dim(g, tensor, 1);
    assert_non_null(got);
    assert_int_equal(count, layout->batch * steps * features);
    float *padded = golden_take(g, count * sizeof *padded);
    for (size_t b = 0; b < layout->batch; b++)
        for (size_t t = 0; t < layout->length[b]; t++)
            memcpy(padded + (b * steps + t) * features, got + ur_row(layout, b, t) * features,
                   features * sizeof *padded);
    compare(g, tensor, count, want, padded, bound);
}

void golden_load_params(golden *g, ur_params *params, const char *prefix)
{
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        char name[256];
        ur_err err;
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        if (ur_st_load_floats(g->st, name, p->ndim, p->dim, ur_param_values(params, (int)i),
                              &err) != UR_OK)
            fail_msg("%s", err.text);
    }
    ur_params_changed(params);
}

void golden_compare_params(golden *g, const ur_params *params, const char *prefix,
                           const float *vector, double bound)
{
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        golden_compare(g, name, vector + p->offset, bound);
    }
}
