/* test_hash.c - FNV-1a has its published values: they stand in run folders, and decide which split
 * generated dates belong to. (Fingerprints of ids: tests/data/test_corpus.c.) */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void published_values(void **state)
{
    (void)state;
    assert_true(ur_fingerprint_bytes(UR_FINGERPRINT, "", 0) == UINT64_C(0xCBF29CE484222325));
    assert_true(ur_fingerprint_bytes(UR_FINGERPRINT, "a", 1) == UINT64_C(0xAF63DC4C8601EC8C));
    assert_true(ur_fingerprint_bytes(UR_FINGERPRINT, "foobar", 6) == UINT64_C(0x85944171F73967E8));
    /* bytes are numbers from 0 to 255 */
    assert_true(ur_fingerprint_bytes(UR_FINGERPRINT, "\xFF", 1) ==
                ur_fingerprint_add(UR_FINGERPRINT, 255));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
