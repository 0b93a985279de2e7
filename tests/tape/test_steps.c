/* test_steps.c - rows taken out, the first rows of each block, rows put together: values, equal bytes
 * on every machine and on another device, refusals, memory. Gradients: double/tape/test_operations.c. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/shifted.h"
#include "tape/tape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 6, WIDTH = 5, BLOCKS = 3 };

static ur_tensor *numbered(ur_tape *t, int ndim, const size_t *dim)
{
    ur_tensor *x = ur_tensor_new(t, UR_F32, ndim, dim);
    float *to = x ? ur_write_begin(t, x) : NULL;
    for (size_t i = 0; to && i < ur_count(x); i++)
        to[i] = (float)i;
    if (to)
        ur_write_end(t, x, to);
    return x;
}

static void has_shape(const ur_tensor *x, int ndim, const size_t *dim)
{
    assert_non_null(x);
    assert_int_equal(x->ndim, ndim);
    for (int i = 0; i < ndim; i++)
        assert_int_equal(x->dim[i], dim[i]);
}

static void check_values(ur_context *context)
{
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    ur_tensor *x = numbered(t, 2, (size_t[]){ROWS, WIDTH});
    ur_tensor *s = numbered(t, 3, (size_t[]){BLOCKS, ROWS, WIDTH});
    for (size_t begin = 0; begin <= ROWS; begin++)
        for (size_t count = 0; begin + count <= ROWS; count++) {
            const ur_tensor *y = ur_rows_from(t, x, begin, count);
            tape_fine(t);
            has_shape(y, 2, (size_t[]){count, WIDTH});
            const float *got = ur_read(t, y);
            for (size_t i = 0; i < count * WIDTH; i++)
                assert_true(got[i] == (float)(begin * WIDTH + i));
        }
    for (size_t rows = 0; rows <= ROWS; rows++) {
        const ur_tensor *y = ur_first_of_each(t, s, rows);
        tape_fine(t);
        has_shape(y, 3, (size_t[]){BLOCKS, rows, WIDTH});
        const float *got = ur_read(t, y);
        for (size_t i = 0; i < BLOCKS * rows * WIDTH; i++)
            assert_true(got[i] == (float)(i / (rows * WIDTH) * ROWS * WIDTH + i % (rows * WIDTH)));
    }
    ur_tensor *parts[] = {ur_rows_from(t, x, 4, 2), ur_rows_from(t, x, 0, 0), x,
                          ur_rows_from(t, x, 1, 1)};
    const ur_tensor *y = ur_join_rows(t, 4, parts);
    tape_fine(t);
    has_shape(y, 2, (size_t[]){2 + ROWS + 1, WIDTH});
    const float *got = ur_read(t, y);
    for (size_t i = 0; i < (2 + ROWS + 1) * WIDTH; i++) {
        const size_t row = i / WIDTH;
        const size_t from = row < 2 ? row + 4 : row < 2 + ROWS ? row - 2 : 1;
        assert_true(got[i] == (float)(from * WIDTH + i % WIDTH));
    }
    y = ur_join_rows(t, 1, &x);
    has_shape(y, 2, (size_t[]){ROWS, WIDTH});
    ur_tape_free(t);
}

static void values(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int i = 0; i < all.count; i++)
        check_values(all.at[i]);
    contexts_free(&all);
    ur_context *context = shifted_context(NULL, 1);
    check_values(context);
    ur_context_free(context);
}

/* ---- refusals --------------------------------------------------------------------------------- */

typedef enum what { FROM, FIRST, JOIN, JOIN_NONE } what;

static void refused(ur_context *context, what how, int ndim, size_t a, size_t b, const char *part)
{
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
    ur_tensor *x = numbered(t, ndim, (size_t[]){ROWS, WIDTH, 2});
    ur_tensor *other = how == JOIN ? numbered(t, 2, (size_t[]){a, b}) : NULL;
    assert_null(how == FROM    ? ur_rows_from(t, x, a, b)
                : how == FIRST ? ur_first_of_each(t, x, a)
                               : ur_join_rows(t, how == JOIN ? 2 : 0, (ur_tensor *[]){x, other}));
    tape_failed(t, UR_INVALID, part);
    /* a tape that failed does nothing more */
    assert_null(ur_rows_from(t, NULL, 0, 0));
    assert_null(ur_first_of_each(t, NULL, 0));
    assert_null(ur_join_rows(t, 1, (ur_tensor *[]){NULL}));
    ur_tape_free(t);
}

static void refusals(void **state)
{
    (void)state;
    ur_context *context = context_of("plain", 1, NULL);
    refused(context, FROM, 2, ROWS + 1, 0, "rows [7, 7) of (6,5)");
    refused(context, FROM, 2, 2, 5, "rows [2, 7) of (6,5)");
    refused(context, FROM, 2, 1, SIZE_MAX - 1, "of (6,5)");
    refused(context, FROM, 3, 0, 1, "rows_from");
    refused(context, FIRST, 3, WIDTH + 1, 1, "first_of_each: 6 rows of (6,5,2)");
    refused(context, FIRST, 2, 1, 1, "first_of_each");
    refused(context, JOIN, 2, 3, WIDTH - 1, "join_rows: (6,5) and (3,4) differ");
    refused(context, JOIN, 3, 3, WIDTH, "join_rows");
    refused(context, JOIN_NONE, 2, 1, 1, "join_rows: of nothing");
    ur_context_free(context);
}

static ur_status all_of_them(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_context *context = NULL;
    ur_tape *t = NULL;
    (void)arg;
    ur_status s = ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, err);
    s = s == UR_OK ? ur_tape_new(context, &t, err) : s;
    if (s == UR_OK) {
        ur_tape_start(t, UR_INFER, NULL, NULL, 0, 0);
        ur_tensor *x = numbered(t, 2, (size_t[]){3000, WIDTH});
        ur_tensor *y = ur_join_rows(t, 2, (ur_tensor *[]){x, ur_rows_from(t, x, 1, 2000)});
        ur_tensor *z = ur_first_of_each(t, ur_stack(t, 2, (ur_tensor *[]){y, y}), 4000);
        assert_true(z != NULL || ur_tape_status(t) == UR_NO_MEMORY);
        s = ur_tape_status(t);
        if (s != UR_OK) {
            err->status = s;
            strncpy(err->text, ur_error(t), sizeof err->text - 1);
        }
    }
    ur_tape_free(t);
    ur_context_free(context);
    return s;
}

static void memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(all_of_them, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(refusals),
                                       cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
