/* test_weights.c - saving parameters and loading them strictly. */
#include "unroll/io.h"
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"
#include "unroll/nn.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"

static const size_t six[] = {2, 3}, four[] = {4}, transposed[] = {3, 2};
static float numbers[8] = {1, -2, 3, -4, 5, -6, 0.25f, 1e-30f};

/* Parameters a.w (2,3), a.b (4), and a.tied for a.w. */
static ur_params *params_of(ur_context *context)
{
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    ur_params_add(p, "a.w", 2, six, UR_TRAINABLE);
    ur_params_add(p, "a.b", 1, four, UR_TRAINABLE);
    ur_params_alias(p, "a.tied", 0);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    return p;
}

static void fill(ur_params *p, uint64_t seed)
{
    for (size_t i = 0; i < ur_params_count(p); i++)
        for (size_t j = 0; j < ur_params_entry(p, i)->count; j++)
            ur_param_values(p, (int)i)[j] = made_up(seed + i, j);
}

static void there_and_back(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context), *q = params_of(context);
    fill(p, 1);
    assert_int_equal(ur_params_save(p, "w.safetensors", NULL), UR_OK);
    assert_int_equal(ur_params_load(q, "w.safetensors", "", NULL), UR_OK);
    same_floats("weights", "loaded", ur_params_values(p), ur_params_values(q), ur_params_size(p));
    ur_st *st; /* one tensor for the tied pair */
    assert_int_equal(ur_st_open(NULL, "w.safetensors", &st, NULL), UR_OK);
    assert_int_equal(ur_st_count(st), 2);
    assert_string_equal(ur_st_metadata(st, "format"), "pt");
    ur_st_close(st);
    ur_params_free(p);
    ur_params_free(q);
    ur_context_free(context);
}

static void write_file(const char *path, const ur_st_tensor *tensors, size_t n)
{
    assert_int_equal(ur_st_write(NULL, path, tensors, n, NULL, 0, NULL), UR_OK);
}

static void everything_at_fault_is_named(void **state)
{
    (void)state;
    static const int64_t whole[4] = {1, 2, 3, 4};
    const ur_st_tensor w = {"a.w", UR_ST_F32, 2, six, numbers};
    const ur_st_tensor b = {"a.b", UR_ST_F32, 1, four, numbers};
    const ur_st_tensor turned = {"a.w", UR_ST_F32, 2, transposed, numbers};
    const ur_st_tensor ints = {"a.b", UR_ST_I64, 1, four, whole};
    const ur_st_tensor more = {"a.more", UR_ST_F32, 1, four, numbers};
    const struct {
        ur_st_tensor tensors[3];
        size_t n;
        const char *says[3];
    } cases[] = {
        {{w}, 1, {"1 tensors at fault", "missing a.b", ""}},
        {{turned, b}, 2, {"ill-shaped: a.w is (3,2), (2,3) expected", "", ""}},
        {{w, b, more}, 3, {"surplus a.more", "1 tensors", ""}},
        {{w, ints}, 2, {"not floating point: a.b", "", ""}},
        {{turned, more}, 2, {"3 tensors at fault", "missing a.b", "surplus a.more"}},
        {{more}, 1, {"missing a.w", "missing a.b", "surplus a.more"}},
    };
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context);
    fill(p, 5);
    float before[32];
    memcpy(before, ur_params_values(p), sizeof before);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ur_err err;
        write_file("bad.safetensors", cases[i].tensors, cases[i].n);
        assert_int_equal(ur_params_load(p, "bad.safetensors", "", &err), UR_BAD_FILE);
        assert_non_null(strstr(err.text, "bad.safetensors"));
        for (int j = 0; j < 3; j++)
            if (!strstr(err.text, cases[i].says[j]))
                fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says[j]);
        same_floats("weights", "after a bad file", before, ur_params_values(p), 32);
    }
    ur_err err;
    assert_int_equal(ur_params_load(p, "nothing.safetensors", "", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "nothing.safetensors"));
    put_file("no.safetensors", "not one");
    assert_int_equal(ur_params_load(p, "no.safetensors", "", &err), UR_BAD_FILE);
    ur_params_free(p);
    ur_context_free(context);
}

/* More faults than a sentence has room for are counted. */
static void many_faults(void **state)
{
    (void)state;
    char names[100][64];
    ur_st_tensor tensors[102] = {{"a.w", UR_ST_F32, 2, six, numbers},
                                 {"a.b", UR_ST_F32, 1, four, numbers}};
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "a.rather.long.name.of.a.tensor.%d", i);
        tensors[i + 2] = (ur_st_tensor){names[i], UR_ST_F32, 1, four, numbers};
    }
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context);
    ur_err err;
    write_file("many.safetensors", tensors, 102);
    assert_int_equal(ur_params_load(p, "many.safetensors", "", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "100 tensors at fault"));
    assert_non_null(strstr(err.text, "tensor.0"));
    assert_true(strlen(err.text) < sizeof err.text - 1);
    ur_params_free(p);
    ur_context_free(context);
}

static void prefixes(void **state)
{
    (void)state;
    const ur_st_tensor tensors[] = {{"model.a.w", UR_ST_F32, 2, six, numbers},
                                    {"model.a.b", UR_ST_F32, 1, four, numbers + 2},
                                    {"other", UR_ST_F32, 1, four, numbers}};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context);
    write_file("prefix.safetensors", tensors, 3);
    assert_int_equal(ur_params_load(p, "prefix.safetensors", "", NULL), UR_BAD_FILE);
    assert_int_equal(ur_params_load(p, "prefix.safetensors", "model.", NULL), UR_OK);
    same_floats("a.w", "with a prefix", numbers, ur_param_values(p, 0), 6);
    same_floats("a.b", "with a prefix", numbers + 2, ur_param_values(p, 1), 4);
    ur_params_free(p);
    ur_context_free(context);
}

/* ---- tied weights ------------------------------------------------------------------------- */

/* A file with one of the two names loads, whichever it is; with both they must be equal. */
static void tied(void **state)
{
    (void)state;
    float other[6];
    memcpy(other, numbers, sizeof other);
    const ur_st_tensor b = {"a.b", UR_ST_F32, 1, four, numbers};
    const ur_st_tensor w = {"a.w", UR_ST_F32, 2, six, numbers};
    const ur_st_tensor again = {"a.tied", UR_ST_F32, 2, six, other};
    const ur_st_tensor turned = {"a.tied", UR_ST_F32, 2, transposed, other};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context);
    ur_err err;
    write_file("one.safetensors", (ur_st_tensor[]){w, b}, 2);
    write_file("other.safetensors", (ur_st_tensor[]){b, again}, 2);
    write_file("both.safetensors", (ur_st_tensor[]){again, w, b}, 3);
    static const char *const good[] = {"one.safetensors", "other.safetensors", "both.safetensors"};
    for (int i = 0; i < 3; i++) {
        fill(p, 3);
        assert_int_equal(ur_params_load(p, good[i], "", NULL), UR_OK);
        same_floats("a.w", good[i], numbers, ur_param_data(p, 0), 6);
        assert_int_equal(ur_params_check(p, good[i], "", NULL, NULL, NULL), UR_OK);
    }
    other[5] += 1.0f;
    write_file("differ.safetensors", (ur_st_tensor[]){w, b, again}, 3);
    fill(p, 3);
    const float before = ur_param_data(p, 0)[0];
    for (int check = 0; check < 2; check++) {
        assert_int_equal(check ? ur_params_check(p, "differ.safetensors", "", NULL, NULL, &err)
                               : ur_params_load(p, "differ.safetensors", "", &err),
                         UR_BAD_FILE);
        assert_non_null(strstr(err.text, "a.w and a.tied are one weight in the model, but differ"));
        assert_true(ur_param_data(p, 0)[0] == before);
    }
    write_file("turned.safetensors", (ur_st_tensor[]){w, b, turned}, 3);
    assert_int_equal(ur_params_load(p, "turned.safetensors", "", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "ill-shaped: a.tied"));
    write_file("none.safetensors", &b, 1);
    assert_int_equal(ur_params_load(p, "none.safetensors", "", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "missing a.w"));
    ur_params_free(p);
    ur_context_free(context);
}

/* ---- part of a file ------------------------------------------------------------------------ */

static ur_status load_part(ur_params *p, const ur_prefix *prefixes, size_t n, const char *missing,
                           ur_err *err)
{
    return ur_params_load_part(p, "part.safetensors",
                               &(ur_load_options){.prefixes = prefixes,
                                                  .n_prefixes = n,
                                                  .missing = &missing,
                                                  .n_missing = missing != NULL},
                               err);
}

static void part_of_a_file(void **state)
{
    (void)state;
    const ur_st_tensor tensors[] = {{"old.w", UR_ST_F32, 2, six, numbers},
                                    {"head.b", UR_ST_F32, 1, four, numbers + 2},
                                    {"else", UR_ST_F32, 1, four, numbers}};
    const ur_prefix both[] = {{"old.", "a."}, {"head.", "a."}}, wrong[] = {{"old.", "b."}};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context);
    ur_err err;
    write_file("part.safetensors", tensors, 3);
    fill(p, 3);
    assert_int_equal(load_part(p, both, 2, NULL, &err), UR_OK);
    same_floats("a.w", "under a prefix", numbers, ur_param_data(p, 0), 6);
    same_floats("a.b", "under another", numbers + 2, ur_param_data(p, 1), 4);
    /* what may be missing stays; nothing else may be */
    fill(p, 3);
    const float b = ur_param_data(p, 1)[2];
    assert_int_equal(load_part(p, both, 1, NULL, &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "missing old.b"));
    assert_int_equal(load_part(p, both, 1, "*.x", &err), UR_BAD_FILE);
    assert_int_equal(load_part(p, both, 1, "*.b", &err), UR_OK);
    same_floats("a.w", "in part", numbers, ur_param_data(p, 0), 6);
    assert_true(ur_param_data(p, 1)[2] == b);
    /* tied weights may be missing by either name */
    assert_int_equal(load_part(p, both + 1, 1, "a.tied", &err), UR_OK);
    /* and there is no room for more than the parameters */
    assert_int_equal(load_part(p, wrong, 1, "*", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "surplus old.w"));
    assert_int_equal(load_part(p, NULL, 0, "*", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "surplus else"));
    const ur_st_tensor two[] = {{"old.w", UR_ST_F32, 2, six, numbers},
                                {"head.w", UR_ST_F32, 2, six, numbers}};
    write_file("part.safetensors", two, 2);
    assert_int_equal(load_part(p, both, 2, "*", &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "twice, under two prefixes: head.w"));
    ur_params_free(p);
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    assert_int_equal(load_part(p, both, 2, "*", &err), UR_INVALID);
    assert_non_null(strstr(err.text, "not sealed"));
    ur_params_free(p);
    ur_context_free(context);
}

static void from_memory(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p = params_of(context), *q = params_of(context);
    fill(p, 1);
    assert_int_equal(ur_params_save(p, "memory.safetensors", NULL), UR_OK);
    FILE *file = fopen("memory.safetensors", "rb");
    assert_non_null(file);
    char bytes[4096];
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ur_err err;
    assert_int_equal(ur_params_load_memory(q, "it", bytes, size, NULL, &err), UR_OK);
    same_floats("weights", "from memory", ur_params_data(p), ur_params_data(q), ur_params_size(p));
    assert_int_equal(ur_params_load_memory(q, "it", bytes, size - 1, NULL, &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "it"));
    ur_params_free(p);
    ur_params_free(q);
    ur_context_free(context);
}

/* Loading brings the packed copies up to date. */
static void a_layer_computes_with_what_was_loaded(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p[2];
    ur_linear_layer layer[2];
    float y[2][4];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ur_params_new(context, &p[i], NULL), UR_OK);
        layer[i] = ur_linear_add(p[i], "fc", 3, 4, true);
        assert_int_equal(ur_params_seal(p[i], NULL), UR_OK);
        if (i == 0) {
            ur_linear_init(&layer[0], p[0], 1);
            ur_params_changed(p[0]);
            assert_int_equal(ur_params_save(p[0], "fc.safetensors", NULL), UR_OK);
        } else {
            assert_int_equal(ur_params_load(p[1], "fc.safetensors", "", NULL), UR_OK);
        }
        ur_tape *t = tape_of(context);
        ur_tape_start(t, UR_INFER, p[i], NULL, 0, 0);
        const ur_tensor *out = ur_linear(
            t, &layer[i], ur_copy_floats(t, 2, (size_t[]){1, 3}, (float[]){1, 2, 3}, false));
        tape_fine(t);
        memcpy(y[i], out->data, sizeof y[i]);
        ur_tape_free(t);
    }
    same_floats("y", "loaded", y[0], y[1], 4);
    ur_params_free(p[0]);
    ur_params_free(p[1]);
    ur_context_free(context);
}

static ur_status save_and_load(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_context *context;
    ur_params *p = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_params_new(context, &p, err);
    if (status == UR_OK) {
        ur_params_add(p, "a.w", 2, six, 0);
        status = ur_params_seal(p, err);
    }
    if (status == UR_OK)
        status = ur_params_save(p, "sweep.safetensors", err);
    if (status == UR_OK)
        status = ur_params_load(p, "sweep.safetensors", "", err);
    ur_params_free(p);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(save_and_load, NULL) > 10);
}

int main(void)
{
#define IN_A_FOLDER(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, test_folder_enter, test_folder_leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(there_and_back),
        IN_A_FOLDER(everything_at_fault_is_named),
        IN_A_FOLDER(many_faults),
        IN_A_FOLDER(prefixes),
        IN_A_FOLDER(tied),
        IN_A_FOLDER(part_of_a_file),
        IN_A_FOLDER(from_memory),
        IN_A_FOLDER(a_layer_computes_with_what_was_loaded),
        IN_A_FOLDER(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
