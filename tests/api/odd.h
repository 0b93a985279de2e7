/* odd.h - every public function called with arguments at their odd values.
 *
 * A table is a function of lines
 *     ODD(ur_linear_add, (void)ur_linear_add(new_params(), a_text("fc"), a_size(4), a_size(3), a_flag()))
 * with one line for each public function (tools/exports entries: none may be missing). The call is made
 * with all arguments as they should be, then with each argument in turn at each of its odd values, the
 * others as they should be, then with some of them odd at the same time. Whatever it is given, a call
 * returns, in bounded time and memory; what it says is a status with a sentence of UTF-8; and it is not
 * UR_OK where a value was given that has no meaning (an_enum). NULL is given where the header allows it.
 *
 * Which argument is odd is counted by the calls of the functions named a_* and an_*: a line makes as many
 * of them each time, in an order that may be any. */
#ifndef UR_TESTS_API_ODD_H
#define UR_TESTS_API_ODD_H

#include "support/contexts.h"
#include "support/slow.h"
#include "unroll.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ODD(name, ...)                                                                             \
    for (odd_begin(#name); odd_next();) {                                                          \
        __VA_ARGS__;                                                                               \
    }

enum { ODD_MOST_SITES = 400, ODD_NOTHING_SAID = -1 };

typedef struct odd_state {
    const char *name;              /* of the function */
    size_t calls;                  /* so far */
    size_t sites;                  /* arguments of this call, as far as they were asked for */
    size_t values[ODD_MOST_SITES]; /* (sites) odd values that each has */
    size_t site, value;            /* what is odd in this call; site == ODD_MOST_SITES: nothing */
    size_t together;               /* calls with several odd arguments so far */
    bool several;                  /* this is one of them */
    uint64_t random;
    size_t wrong;           /* functions that did something that they must not */
    const char *complained; /* the last of them */
    bool refused;           /* this call was given a value that has no meaning */
    int outcome;            /* ur_status, or ODD_NOTHING_SAID */
    ur_err err;
    bool no_err;            /* err was not given */
    void (*fresh)(void);    /* before a call */
    void (*stale)(void);    /* after it: tells the outcome of what it made, and releases that */
    size_t bytes;           /* that are allocated */
    ur_allocator allocator; /* hands out little */
} odd_state;

static odd_state odd;

/* ---- memory: what sizes near SIZE_MAX ask for is not there ---------------------------------------- */

static void *odd_allocate(void *user, size_t bytes)
{
    max_align_t *block;
    (void)user;
    if (bytes > (size_t)1 << 24 || odd.bytes + bytes > (size_t)1 << 26)
        return NULL;
    block = malloc(sizeof *block + bytes);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    odd.bytes += bytes;
    return block + 1;
}

static void odd_release(void *user, void *memory)
{
    size_t bytes;
    (void)user;
    if (!memory)
        return;
    max_align_t *block = (max_align_t *)memory - 1;
    memcpy(&bytes, block, sizeof bytes);
    odd.bytes -= bytes;
    free(block);
}

static void odd_init(void (*fresh)(void), void (*stale)(void))
{
    odd = (odd_state){.fresh = fresh, .stale = stale, .random = 88172645463325252u};
    odd.allocator = (ur_allocator){odd_allocate, odd_release, NULL};
}

/* ---- one line of a table -------------------------------------------------------------------------- */

static void odd_begin(const char *name)
{
    odd.name = name;
    odd.calls = odd.together = odd.sites = 0;
    odd.several = false;
}

/* What the call said. */
static inline void said(ur_status status)
{
    odd.outcome = (int)status;
}

/* Says what the function must not do, once. */
static inline void odd_complain(const char *format, ...)
{
    va_list arguments;
    if (odd.complained == odd.name)
        return;
    odd.complained = odd.name;
    odd.wrong++;
    fprintf(stderr, "%s, argument %zu, value %zu%s: ", odd.name, odd.site, odd.value,
            odd.several ? " (with others)" : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static inline void odd_check(void)
{
    size_t at = 0;
    if (odd.calls == 1 && odd.outcome != ODD_NOTHING_SAID && odd.outcome != UR_OK)
        odd_complain("as it should be called: %s: %s", ur_status_name((ur_status)odd.outcome),
                     odd.err.text);
    if (odd.refused && odd.outcome == UR_OK)
        odd_complain("accepted");
    if (odd.outcome <= UR_OK || odd.no_err)
        return;
    if (odd.outcome > UR_INTERRUPTED || (int)odd.err.status != odd.outcome || !odd.err.text[0])
        odd_complain("says %d, and then %d: %s", odd.outcome, (int)odd.err.status, odd.err.text);
    if (!ur_utf8_count(odd.err.text, strlen(odd.err.text), &at))
        odd_complain("its message is not UTF-8 at byte %zu", at);
    for (const char *c = odd.err.text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            odd_complain("its message has a control character: %s", odd.err.text);
}

/* At the end of a table. */
static inline void odd_end(void)
{
    if (odd.wrong)
        fail_msg("%zu of the functions do what they must not", odd.wrong);
}

/* The next call's plan; false behind the last. */
static inline bool odd_plan(void)
{
    if (odd.calls == 0) {
        odd.site = ODD_MOST_SITES;
        return true;
    }
    if (!odd.several) {
        odd.value = odd.site == ODD_MOST_SITES ? 0 : odd.value + 1;
        odd.site = odd.site == ODD_MOST_SITES ? 0 : odd.site;
        for (; odd.site < odd.sites && odd.value >= odd.values[odd.site]; odd.value = 0)
            odd.site++;
        if (odd.site < odd.sites)
            return true;
    }
    odd.several = odd.sites > 1;
    odd.site = ODD_MOST_SITES;
    return odd.several && odd.together++ < (size_t)(slow_tests() ? 300 : hurry() ? 4 : 12);
}

static inline bool odd_next(void)
{
    if (odd.calls > 0) {
        odd.stale();
        odd_check();
    }
    if (!odd_plan())
        return false;
    odd.calls++;
    odd.sites = 0;
    odd.refused = odd.no_err = false;
    odd.outcome = ODD_NOTHING_SAID;
    odd.err = (ur_err){UR_OK, ""};
    odd.fresh();
    return true;
}

/* 0: as it should be; else 1 + the number of the odd value. */
static inline size_t odd_pick(size_t values)
{
    const size_t site = odd.sites++;
    assert_true(site < ODD_MOST_SITES);
    odd.values[site] = values;
    if (odd.several) {
        odd.random ^= odd.random << 13;
        odd.random ^= odd.random >> 7;
        odd.random ^= odd.random << 17;
        const size_t number = (size_t)(odd.random >> 33);
        return number % 3 ? 0 : 1 + number / 3 % values;
    }
    return site == odd.site ? 1 + odd.value : 0;
}

/* ---- arguments ------------------------------------------------------------------------------------ */

/* A size, a place or a number that the function itself must judge. */
static inline size_t a_size(size_t good)
{
    static const size_t odd_sizes[] = {0,
                                       1,
                                       7,
                                       SIZE_MAX,
                                       SIZE_MAX - 1,
                                       SIZE_MAX / 2 + 1,
                                       SIZE_MAX / 4,
                                       (size_t)UINT32_MAX + 1,
                                       (size_t)INT32_MAX};
    const size_t i = odd_pick(sizeof odd_sizes / sizeof *odd_sizes);
    return i ? odd_sizes[i - 1] : good;
}

/* The length of an array that stands beside it, and has so many. */
static inline size_t a_count(size_t good)
{
    const size_t i = odd_pick(2);
    return i == 1 ? 0 : i == 2 && good > 1 ? 1 : good;
}

static inline int an_int(int good)
{
    static const int odd_ints[] = {-1, 0, 1, 7, INT_MAX, INT_MIN, 100000};
    const size_t i = odd_pick(sizeof odd_ints / sizeof *odd_ints);
    return i ? odd_ints[i - 1] : good;
}

/* Of an enumeration of `count` values: others have no meaning. */
static inline int an_enum(int good, int count)
{
    const int odd_values[] = {-1, count, INT_MAX, INT_MIN};
    const size_t i = odd_pick(sizeof odd_values / sizeof *odd_values);
    odd.refused |= i > 0;
    return i ? odd_values[i - 1] : good;
}

static inline double a_real(double good)
{
    static const double odd_reals[] = {
        (double)NAN, (double)INFINITY, -(double)INFINITY,       -1.0, 0.0,
        1.0,         DBL_MAX,          4.9406564584124654e-324, 1e9};
    const size_t i = odd_pick(sizeof odd_reals / sizeof *odd_reals);
    return i ? odd_reals[i - 1] : good;
}

static inline float a_float(float good)
{
    static const float odd_floats[] = {NAN,  INFINITY, -INFINITY, -1.0f,
                                       0.0f, 1.0f,     FLT_MAX,   1e-45f};
    const size_t i = odd_pick(sizeof odd_floats / sizeof *odd_floats);
    return i ? odd_floats[i - 1] : good;
}

static inline bool a_flag(bool good)
{
    return odd_pick(1) ? !good : good;
}

static inline uint64_t a_seed(void)
{
    const size_t i = odd_pick(2);
    return i == 1 ? 0 : i == 2 ? UINT64_MAX : 7;
}

static inline const char *a_text(const char *good)
{
    static char longest[6000];
    static const char *const odd_texts[] = {"",
                                            " ",
                                            "\n",
                                            "\t",
                                            "\xff\xfe",
                                            "a\x80",
                                            "\xf0\x9f\x98",
                                            "%n%s",
                                            "\x1b[31m\x07",
                                            "\xe2\x80\xae.",
                                            "/",
                                            "../..",
                                            "*",
                                            "[",
                                            "1",
                                            "-1",
                                            "9999999999999999999999",
                                            longest};
    memset(longest, 'a', sizeof longest - 1);
    const size_t i = odd_pick(sizeof odd_texts / sizeof *odd_texts);
    return i ? odd_texts[i - 1] : good;
}

static inline const void *or_null(const void *good)
{
    return odd_pick(1) ? NULL : good;
}

static inline const char *a_text_or_null(const char *good)
{
    const char *text = a_text(good);
    return or_null(text);
}

/* A pointer that receives something, where the header allows NULL. */
static inline void *to_null(void *good)
{
    return odd_pick(1) ? NULL : good;
}

static inline ur_err *an_err(void)
{
    odd.no_err = odd_pick(1) > 0;
    return odd.no_err ? NULL : &odd.err;
}

/* Every member of a configuration, as its table of fields has them, in its struct. */
static inline void *a_config(const ur_field *fields, void *config)
{
    for (const ur_field *f = fields; f->name; f++) {
        void *at = (char *)config + f->offset;
        int words = 0;
        char word[64];
        while (f->type == UR_FIELD_ENUM && ur_field_word(f, (size_t)words, word, sizeof word))
            words++;
        switch (f->type) {
        case UR_FIELD_BOOL:
            *(bool *)at = a_flag(*(bool *)at);
            break;
        case UR_FIELD_SIZE:
            *(size_t *)at = a_size(*(size_t *)at);
            break;
        case UR_FIELD_ID:
            *(int32_t *)at = an_int(*(int32_t *)at);
            break;
        case UR_FIELD_SEED:
            break;
        case UR_FIELD_REAL:
            *(double *)at = a_real(*(double *)at);
            break;
        case UR_FIELD_FLOAT:
            *(float *)at = a_float(*(float *)at);
            break;
        case UR_FIELD_ENUM:
            *(int *)at = an_enum(*(int *)at, words);
            break;
        case UR_FIELD_NAME:
            *(const char **)at = a_text(*(const char **)at);
            break;
        case UR_FIELD_TEXT:
            *(const char **)at = a_text_or_null(*(const char **)at);
            break;
        }
    }
    return config;
}

#endif
