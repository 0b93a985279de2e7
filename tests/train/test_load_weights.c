/* test_load_weights.c - a recurrent stack's weights from files of the kind that PyTorch's
 * state_dict makes: number formats, prefixes, and every tensor at fault told. */
#include "support/contexts.h"
#include "unroll/io.h"
#include "unroll/nn.h"
#include "unroll/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { INPUT = 3, HIDDEN = 4, MOST_TENSORS = 20, PATH = 64 };

typedef struct fixture {
    ur_context *context;
    ur_params *params;
    char path[PATH];
} fixture;

/* Two layers in both directions, biases and all: 16 tensors. */
static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    const ur_rnn_config config = {.cell = "gru",
                                  .input_size = INPUT,
                                  .hidden_size = HIDDEN,
                                  .num_layers = 2,
                                  .bidirectional = true};
    ur_rnn_stack stack;
    f->context = context_of(NULL, 1, NULL);
    assert_int_equal(ur_params_new(f->context, &f->params, NULL), UR_OK);
    assert_int_equal(ur_rnn_add(f->params, "", &config, &stack, NULL), UR_OK);
    assert_int_equal(ur_params_seal(f->params, NULL), UR_OK);
    assert_int_equal(ur_params_count(f->params), 16);
    strcpy(f->path, "weights-XXXXXX");
    const int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    ur_params_free(f->params);
    ur_context_free(f->context);
    free(f);
    return 0;
}

/* What element i of tensor number n holds: exact in every format. */
static float value(size_t n, size_t i)
{
    return (float)((int)((7 * n + i) % 31) - 15) / 4.0f;
}

/* ---- files written byte by byte ----------------------------------------------------------- */

static uint16_t bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

/* Of a number that a normal float16 holds exactly. */
static uint16_t float16(float x)
{
    if (x == 0.0f)
        return 0;
    int exponent;
    const float fraction = frexpf(fabsf(x), &exponent); /* [0.5, 1) */
    const unsigned bits = (unsigned)(exponent + 14) << 10 | ((unsigned)(fraction * 2048) & 1023u);
    return (uint16_t)(bits | (x < 0.0f ? 0x8000u : 0));
}

/* All parameters under the prefix as 2-byte numbers. */
static void write_halves(const fixture *f, const char *dtype, uint16_t (*half)(float),
                         const char *prefix)
{
    char header[4096] = "{";
    size_t at = 1, offset = 0;
    for (size_t n = 0; n < ur_params_count(f->params); n++) {
        const ur_param *p = ur_params_entry(f->params, n);
        char shape[32];
        if (p->ndim == 2)
            snprintf(shape, sizeof shape, "%zu,%zu", p->dim[0], p->dim[1]);
        else
            snprintf(shape, sizeof shape, "%zu", p->dim[0]);
        at += (size_t)snprintf(header + at, sizeof header - at,
                               "%s\"%s%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
                               "\"data_offsets\":[%zu,%zu]}",
                               n ? "," : "", prefix, p->name, dtype, shape, offset,
                               offset + 2 * p->count);
        assert_true(at < sizeof header - 16);
        offset += 2 * p->count;
    }
    at += (size_t)snprintf(header + at, sizeof header - at, "}%*s", 8 - (int)((at + 1) % 8), "");
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        fputc((int)(at >> 8 * i & 255), file);
    fwrite(header, 1, at, file);
    for (size_t n = 0; n < ur_params_count(f->params); n++)
        for (size_t i = 0; i < ur_params_entry(f->params, n)->count; i++) {
            const uint16_t bits = half(value(n, i));
            fputc(bits & 255, file);
            fputc(bits >> 8, file);
        }
    assert_int_equal(fclose(file), 0);
}

static void holds_the_values(const fixture *f)
{
    for (size_t n = 0; n < ur_params_count(f->params); n++) {
        const ur_param *p = ur_params_entry(f->params, n);
        for (size_t i = 0; i < p->count; i++)
            if (ur_param_values(f->params, (int)n)[i] != value(n, i))
                fail_msg("%s[%zu] is %g, not %g", p->name, i,
                         (double)ur_param_values(f->params, (int)n)[i], (double)value(n, i));
    }
}

static void load(const fixture *f, const char *prefix)
{
    ur_err err;
    if (ur_params_load(f->params, f->path, prefix, &err) != UR_OK)
        fail_msg("%s", err.text);
}

static void halves_are_read(void **state)
{
    const fixture *f = *state;
    write_halves(f, "F16", float16, "");
    load(f, "");
    holds_the_values(f);
    memset(ur_params_values(f->params), 0, ur_params_size(f->params) * sizeof(float));
    write_halves(f, "BF16", bfloat16, "encoder.rnn.");
    load(f, "encoder.rnn.");
    holds_the_values(f);
}

/* Saved under a prefix in each format, they come back as they were. */
static void saved_likewise(void **state)
{
    const fixture *f = *state;
    static const ur_st_dtype dtypes[] = {UR_ST_F32, UR_ST_F16, UR_ST_BF16};
    for (int i = 0; i < 3; i++) {
        ur_st *st;
        ur_err err;
        for (size_t n = 0; n < ur_params_count(f->params); n++)
            for (size_t k = 0; k < ur_params_entry(f->params, n)->count; k++)
                ur_param_values(f->params, (int)n)[k] = value(n, k);
        if (ur_params_save_as(f->params, f->path, "encoder.rnn.", dtypes[i], &err) != UR_OK)
            fail_msg("%s", err.text);
        assert_int_equal(ur_st_open(NULL, f->path, &st, NULL), UR_OK);
        assert_int_equal(ur_st_count(st), 16);
        assert_non_null(ur_st_find(st, "encoder.rnn.weight_hh_l1_reverse"));
        assert_int_equal(ur_st_at(st, 0)->dtype, dtypes[i]);
        ur_st_close(st);
        memset(ur_params_values(f->params), 0, ur_params_size(f->params) * sizeof(float));
        load(f, "encoder.rnn.");
        holds_the_values(f);
    }
    assert_int_equal(ur_params_save_as(f->params, f->path, "", UR_ST_F64, NULL), UR_INVALID);
}

/* One parameter of n numbers. */
static ur_params *vector_of(ur_context *context, size_t n)
{
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    ur_params_add(p, "w", 1, &n, 0);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    return p;
}

/* Every finite 2-byte number is read and written unchanged; what lies between two goes to the nearer,
 * and from the middle to the even one. */
static void rounded_to_nearest(void **state)
{
    const fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        const ur_st_dtype dtype = i ? UR_ST_BF16 : UR_ST_F16;
        const unsigned infinite = i ? 0x7F80u : 0x7C00u;
        const size_t n = (size_t)2 * infinite;
        uint16_t *bits = malloc(n * sizeof *bits);
        assert_non_null(bits);
        for (unsigned k = 0; k < infinite; k++) {
            bits[2 * k] = (uint16_t)k;
            bits[2 * k + 1] = (uint16_t)(k | 0x8000u);
        }
        const ur_st_tensor tensor = {"w", dtype, 1, &n, bits};
        assert_int_equal(ur_st_write(NULL, f->path, &tensor, 1, NULL, 0, NULL), UR_OK);
        ur_params *p = vector_of(f->context, n), *q = vector_of(f->context, n);
        assert_int_equal(ur_params_load(p, f->path, "", NULL), UR_OK);
        assert_int_equal(ur_params_save_as(p, f->path, "", dtype, NULL), UR_OK);
        assert_int_equal(ur_params_load(q, f->path, "", NULL), UR_OK);
        same_floats("numbers", "saved", ur_params_values(p), ur_params_values(q), n);
        float *w = ur_params_values(p);
        for (size_t k = 0; k + 2 < n; k++) { /* a quarter, half, three quarters of the way */
            const float next = w[k + 2];
            const double part = 0.25 * (double)(1 + k / 2 % 3);
            ur_params_values(q)[k] = (float)((double)w[k] + part * ((double)next - (double)w[k]));
        }
        assert_int_equal(ur_params_save_as(q, f->path, "", dtype, NULL), UR_OK);
        assert_int_equal(ur_params_load(q, f->path, "", NULL), UR_OK);
        for (size_t k = 0; k + 2 < n; k++) {
            const size_t place = k / 2 % 3;
            const bool up = place == 2 || (place == 1 && k / 2 % 2 == 1);
            assert_true(ur_params_values(q)[k] == (up ? w[k + 2] : w[k]));
        }
        w[3] = i ? 3.4028234e38f : 65520.0f; /* rounds beyond the largest */
        ur_err err;
        assert_int_equal(ur_params_save_as(p, f->path, "", dtype, &err), UR_INVALID);
        assert_non_null(strstr(err.text, "w: element 3"));
        w[3] = INFINITY;
        w[4] = NAN;
        assert_int_equal(ur_params_save_as(p, f->path, "", dtype, &err), UR_OK);
        assert_int_equal(ur_params_load(q, f->path, "", NULL), UR_OK);
        assert_true(isinf(ur_params_values(q)[3]) && isnan(ur_params_values(q)[4]));
        ur_params_free(p);
        ur_params_free(q);
        free(bits);
    }
}

/* ---- float32, and what does not fit ------------------------------------------------------- */

typedef struct file {
    ur_st_tensor tensor[MOST_TENSORS];
    char name[MOST_TENSORS][64];
    size_t dim[MOST_TENSORS][2];
    float data[MOST_TENSORS][3 * HIDDEN * 2 * HIDDEN];
    size_t count;
} file;

static size_t add(file *out, const char *prefix, const char *name, int ndim, const size_t *dim)
{
    const size_t n = out->count++;
    assert_true(n < MOST_TENSORS);
    snprintf(out->name[n], sizeof out->name[n], "%s%s", prefix, name);
    memcpy(out->dim[n], dim, (size_t)ndim * sizeof *dim);
    for (size_t i = 0; i < sizeof out->data[n] / sizeof *out->data[n]; i++)
        out->data[n][i] = value(n, i);
    out->tensor[n] = (ur_st_tensor){out->name[n], UR_ST_F32, ndim, out->dim[n], out->data[n]};
    return n;
}

static file *file_of(const fixture *f, const char *prefix)
{
    file *out = calloc(1, sizeof *out);
    assert_non_null(out);
    for (size_t n = 0; n < ur_params_count(f->params); n++) {
        const ur_param *p = ur_params_entry(f->params, n);
        add(out, prefix, p->name, p->ndim, p->dim);
    }
    return out;
}

static void write_file(const fixture *f, const file *out)
{
    ur_err err;
    if (ur_st_write(NULL, f->path, out->tensor, out->count, NULL, 0, &err) != UR_OK)
        fail_msg("%s", err.text);
}

static void a_prefix_picks_its_tensors(void **state)
{
    const fixture *f = *state;
    file *out = file_of(f, "encoder.rnn.");
    add(out, "", "decoder.rnn.weight_ih_l0", 1, (size_t[]){2});
    add(out, "", "encoder.rnn2.weight_ih_l0", 1, (size_t[]){2});
    write_file(f, out);
    load(f, "encoder.rnn.");
    holds_the_values(f);
    free(out);
}

static void says(const ur_err *err, const char *part)
{
    if (!strstr(err->text, part))
        fail_msg("\"%s\" does not say \"%s\"", err->text, part);
}

static void every_fault_is_told(void **state)
{
    const fixture *f = *state;
    file *out = file_of(f, "rnn.");
    strcpy(out->name[1], "rnn.weight_hh_l7"); /* l0's is missing, and one is too many */
    out->dim[6][0] = HIDDEN;
    out->dim[15][0] = 2;
    add(out, "rnn.", "weight_hr_l0", 2, (size_t[]){2, HIDDEN});
    write_file(f, out);
    float *before = malloc(ur_params_size(f->params) * sizeof *before);
    assert_non_null(before);
    memcpy(before, ur_params_values(f->params), ur_params_size(f->params) * sizeof *before);
    ur_err err;
    assert_int_equal(ur_params_load(f->params, f->path, "rnn.", &err), UR_BAD_FILE);
    says(&err, "5 tensors at fault");
    says(&err, "missing rnn.weight_hh_l0;");
    says(&err, "ill-shaped: rnn.bias_ih_l0_reverse is (4), (12) expected");
    says(&err, "ill-shaped: rnn.bias_hh_l1_reverse is (2), (12) expected");
    says(&err, "surplus rnn.weight_hh_l7");
    says(&err, "surplus rnn.weight_hr_l0");
    same_floats("parameters", "after a refusal", before, ur_params_values(f->params),
                ur_params_size(f->params));
    assert_int_equal(ur_params_load(f->params, f->path, "nn.", &err), UR_BAD_FILE);
    says(&err, "16 tensors at fault");
    free(before);
    free(out);
}

typedef struct heard {
    size_t count;
    char last[200];
} heard;

static void hear(void *user, const char *fault)
{
    heard *h = user;
    h->count++;
    snprintf(h->last, sizeof h->last, "%s", fault);
}

static void all_faults_are_heard(void **state)
{
    const fixture *f = *state;
    heard h = {0};
    ur_err err;
    file *out = file_of(f, "");
    write_file(f, out);
    assert_int_equal(ur_params_check(f->params, f->path, "", hear, &h, &err), UR_OK);
    assert_int_equal(h.count, 0);
    assert_int_equal(ur_params_check(f->params, f->path, "rnn.", hear, &h, &err), UR_BAD_FILE);
    says(&err, "16 tensors at fault");
    assert_int_equal(h.count, 16);
    assert_string_equal(h.last, "missing rnn.bias_hh_l1_reverse");
    assert_int_equal(ur_params_check(f->params, f->path, "rnn.", NULL, NULL, NULL), UR_BAD_FILE);
    assert_int_equal(ur_params_check(f->params, "no/such.file", "", hear, &h, &err), UR_BAD_FILE);
    assert_int_equal(h.count, 16);
    free(out);
}

static void what_was_saved_is_read(void **state)
{
    const fixture *f = *state;
    for (size_t n = 0; n < ur_params_count(f->params); n++)
        for (size_t i = 0; i < ur_params_entry(f->params, n)->count; i++)
            ur_param_values(f->params, (int)n)[i] = value(n, i);
    assert_int_equal(ur_params_save(f->params, f->path, NULL), UR_OK);
    memset(ur_params_values(f->params), 0, ur_params_size(f->params) * sizeof(float));
    load(f, "");
    holds_the_values(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(halves_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(saved_likewise, setup, teardown),
        cmocka_unit_test_setup_teardown(rounded_to_nearest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prefix_picks_its_tensors, setup, teardown),
        cmocka_unit_test_setup_teardown(every_fault_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(all_faults_are_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_saved_is_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
