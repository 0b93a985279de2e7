/* additions.c - builtin:additions, sums of two numbers of 1 to 3 digits.
 *
 * The number of digits is drawn first, each of 1, 2 and 3 equally likely, then the digits. Numbers
 * with few digits are soon used up: no two numbers are added twice, in whichever order. */
#include "data/builtin.h"
#include "base/alloc.h"
#include "base/philox.h"
#include "base/status.h"
#include "base/streams.h"

#include <stdio.h>

enum { QUESTION = 7, ANSWER = 4, LINE = QUESTION + 1 + ANSWER + 1, NUMBERS = 1000 };

static unsigned draw_number(ur_random *random)
{
    static const unsigned below[3] = {10, 100, NUMBERS};
    return (unsigned)ur_random_below(random, below[ur_random_below(random, 3)]);
}

static void write_line(unsigned x, unsigned y, char *line)
{
    char question[32], answer[16];
    snprintf(question, sizeof question, "%u+%u", x, y);
    snprintf(answer, sizeof answer, "%u", x + y);
    ur_put_padded(line, question, QUESTION);
    line[QUESTION] = '_';
    ur_put_padded(line + QUESTION + 1, answer, ANSWER);
    line[LINE - 1] = '\n';
}

static ur_status write_additions(const ur_allocator *a, const ur_pair_source *source, size_t count,
                                 char *lines, ur_err *err)
{
    size_t sums = (size_t)NUMBERS * NUMBERS;
    unsigned char *seen = ur_alloc_zero(a, sums, 1); /* by the two numbers in rising order */
    if (!seen)
        return ur_no_memory(err, sums);
    ur_random random = ur_random_start(source->seed, UR_STREAM_ADDITIONS + source->split);
    for (size_t i = 0; i < count;) {
        unsigned x = draw_number(&random), y = draw_number(&random);
        unsigned sum = x < y ? x * NUMBERS + y : y * NUMBERS + x;
        if (seen[sum] || ur_split_of(sum) != source->split)
            continue;
        seen[sum] = 1;
        write_line(x, y, lines + i++ * LINE);
    }
    ur_free(a, seen);
    return UR_OK;
}

const ur_generator ur_generate_additions = {
    "additions", " +0123456789", QUESTION, ANSWER, {400000, 40000}, write_additions,
};
