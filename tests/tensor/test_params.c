/* test_params.c - the parameter vector: its table, aliases, sticky failures. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "tensor/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const size_t one = 1, three_by_five[] = {3, 5}, many[] = {2, 3, 5, 7};

static void table(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    assert_int_equal(ur_params_add(p, "a", 2, three_by_five, UR_TRAINABLE), 0);
    assert_int_equal(ur_params_add(p, "b", 1, &one, UR_DECAY), 1);
    assert_int_equal(ur_params_add(p, "c", 4, many, 0), 2);
    assert_int_equal(ur_params_alias(p, "tied", 0), 3);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    assert_int_equal(ur_params_count(p), 4);
    assert_int_equal(ur_params_weights(p), 15 + 1 + 210);
    assert_int_equal(ur_params_size(p), 16 + 16 + 224);
    assert_int_equal((uintptr_t)ur_params_values(p) % 64, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ur_params_entry(p, i)->offset % 16, 0);
    for (size_t i = 0; i < ur_params_size(p); i++)
        assert_true(ur_params_values(p)[i] == 0.0f);
    assert_int_equal(ur_params_find(p, "c"), 2);
    assert_int_equal(ur_params_find(p, "d"), -1);
    const ur_param *c = ur_params_entry(p, 2), *tied = ur_params_entry(p, 3);
    assert_string_equal(c->name, "c");
    assert_int_equal(c->ndim, 4);
    assert_int_equal(c->dim[3], 7);
    assert_int_equal(c->count, 210);
    assert_int_equal(c->alias_of, -1);
    assert_string_equal(tied->name, "tied");
    assert_int_equal(tied->alias_of, 0);
    assert_ptr_equal(ur_param_values(p, 3), ur_param_values(p, 0));
    ur_params_free(p);
    ur_context_free(context);
    ur_params_free(NULL);
}

/* Does one thing wrong, then tries to go on. */
static void sticky(void **state)
{
    (void)state;
    static const size_t huge[] = {SIZE_MAX / 8, 4}, zero[] = {3, 0};
    ur_context *context = context_of(NULL, 1, NULL);
    for (int wrong = 0; wrong < 7; wrong++) {
        ur_params *p;
        ur_err err = {UR_OK, ""};
        assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
        assert_int_equal(ur_params_add(p, "first", 1, &one, 0), 0);
        switch (wrong) {
        case 0:
            assert_int_equal(ur_params_add(p, "first", 1, &one, 0), -1);
            break;
        case 1:
            assert_int_equal(ur_params_add(p, "wrong", 0, &one, 0), -1);
            break;
        case 2:
            assert_int_equal(ur_params_add(p, "wrong", 5, many, 0), -1);
            break;
        case 3:
            assert_int_equal(ur_params_add(p, "wrong", 2, huge, 0), -1);
            break;
        case 4:
            assert_int_equal(ur_params_add(p, "wrong", 2, zero, 0), -1);
            break;
        case 5:
            assert_int_equal(ur_params_alias(p, "first", 0), -1);
            break;
        default:
            assert_int_equal(ur_params_alias(p, "wrong", 1), -1);
        }
        assert_int_equal(ur_params_add(p, "later", 1, &one, 0), -1);
        assert_int_equal(ur_params_pack(p, 0, UR_PACK_ROWS, 1), -1);
        assert_int_equal(ur_params_seal(p, &err), UR_INVALID);
        assert_non_null(strstr(err.text, wrong % 5 ? "wrong" : "first"));
        ur_params_free(p);
    }
    ur_context_free(context);
}

static void sealing_ends_the_building(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_params *p;
    assert_int_equal(ur_params_new(context, &p, NULL), UR_OK);
    assert_int_equal(ur_params_add(p, "a", 1, &one, 0), 0);
    assert_int_equal(ur_params_seal(p, NULL), UR_OK);
    assert_int_equal(ur_params_seal(p, NULL), UR_INVALID);
    assert_int_equal(ur_params_add(p, "b", 1, &one, 0), -1);
    assert_int_equal(ur_params_seal(p, NULL), UR_INVALID);
    assert_int_equal(ur_params_count(p), 1);
    ur_params_free(p);
    ur_context_free(context);
}

static ur_status build(const ur_allocator *a, ur_err *err, void *arg)
{
    (void)arg;
    const ur_options options = {.allocator = a, .threads = 1};
    ur_context *context;
    ur_params *p = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_params_new(context, &p, err);
    for (int i = 0; i < 20 && status == UR_OK; i++) {
        const char name[] = {'a' + (char)i, '\0'};
        const int index = ur_params_add(p, name, 2, three_by_five, 0);
        ur_params_pack(p, index, i % 2 ? UR_PACK_ROWS : UR_PACK_COLS, 1);
    }
    if (status == UR_OK) {
        ur_params_alias(p, "tied", 3);
        status = ur_params_seal(p, err);
    }
    ur_params_free(p);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(build, NULL) > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(sticky),
        cmocka_unit_test(sealing_ends_the_building),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
