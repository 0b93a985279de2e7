/* slow.h - how much a test that could go on for long does. Environment variable UNROLL_SLOW: 1 (the
 * step `long` of .ci/run): everything; 0 (builds in which everything takes ten times as long): little;
 * else what proves the same in a moment. */
#ifndef UR_TESTS_SUPPORT_SLOW_H
#define UR_TESTS_SUPPORT_SLOW_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool slow_is(const char *what)
{
    const char *slow = getenv("UNROLL_SLOW");
    return slow && strcmp(slow, what) == 0;
}

/* Everything, however long it takes. */
static inline bool slow_tests(void)
{
    return slow_is("1");
}

/* Fewer and shorter, where everything takes ten times as long. */
static inline bool hurry(void)
{
    return slow_is("0") || (getenv("UNROLL_SANITIZE") && !slow_tests());
}

#endif
