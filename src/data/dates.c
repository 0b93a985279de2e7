/* dates.c - builtin:dates, ways of writing a date and the same date in ISO 8601.
 *
 * The days from 1970-01-01 to 2017-12-31 are equally likely, and so are four ways of writing:
 * 9/27/94; Sep 27, 1994; September 27, 1994; Tuesday, September 27, 1994. Words are in Title case
 * with probability 1/2, in lower and in UPPER case with 1/4 each. A line that belongs to the other
 * split is drawn again. */
#include "data/builtin.h"
#include "base/hash.h"
#include "base/philox.h"
#include "base/streams.h"

#include <stdio.h>
#include <string.h>

enum { QUESTION = 29, ANSWER = 10, LINE = QUESTION + 1 + ANSWER + 1 };
enum { FIRST_YEAR = 1970, LAST_YEAR = 2017, DAYS = 17532 };

static const char *const month_name[12] = {"January",   "February", "March",    "April",
                                           "May",       "June",     "July",     "August",
                                           "September", "October",  "November", "December"};
static const char *const weekday_name[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};

typedef struct date {
    unsigned year, month, day, weekday; /* month and day from 1, weekday from Sunday = 0 */
} date;

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The day that comes `days` after 1970-01-01, which was a Thursday. */
static date date_of(unsigned days)
{
    static const unsigned length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    date d = {FIRST_YEAR, 1, 1, (days + 4) % 7};
    while (days >= (is_leap(d.year) ? 366u : 365u))
        days -= is_leap(d.year++) ? 366u : 365u;
    for (;; d.month++) {
        unsigned n = length[d.month - 1] + (d.month == 2 && is_leap(d.year));
        if (days < n)
            break;
        days -= n;
    }
    d.day = days + 1;
    return d;
}

/* Only A-Z and a-z are in these names, whatever the locale. */
static void change_case(char *text, bool upper)
{
    for (; *text; text++) {
        if (upper && *text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
        else if (!upper && *text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

enum way { SLASHES, SHORT_MONTH, LONG_MONTH, WITH_WEEKDAY, WAYS };
enum letters { TITLE, TITLE_TOO, LOWER, UPPER, CASES };

static void write_date(date d, enum way way, enum letters letters, char question[QUESTION + 1])
{
    const char *month = month_name[d.month - 1];
    switch (way) {
    case SLASHES:
        snprintf(question, QUESTION + 1, "%u/%u/%02u", d.month, d.day, d.year % 100);
        return;
    case SHORT_MONTH:
        snprintf(question, QUESTION + 1, "%.3s %u, %u", month, d.day, d.year);
        break;
    case LONG_MONTH:
        snprintf(question, QUESTION + 1, "%s %u, %u", month, d.day, d.year);
        break;
    default:
        snprintf(question, QUESTION + 1, "%s, %s %u, %u", weekday_name[d.weekday], month, d.day,
                 d.year);
    }
    if (letters == LOWER || letters == UPPER)
        change_case(question, letters == UPPER);
}

static ur_status write_dates(const ur_allocator *a, const ur_pair_source *source, size_t count,
                             char *lines, ur_err *err)
{
    (void)a;
    (void)err;
    ur_random random = ur_random_start(source->seed, UR_STREAM_DATES + source->split);
    for (size_t i = 0; i < count;) {
        date d = date_of((unsigned)ur_random_below(&random, DAYS));
        enum way way = (enum way)ur_random_below(&random, WAYS);
        enum letters letters = (enum letters)ur_random_below(&random, CASES);
        char question[QUESTION + 1], answer[ANSWER + 16];
        write_date(d, way, letters, question);
        if (ur_split_of(ur_fingerprint_bytes(UR_FINGERPRINT, question, strlen(question))) !=
            source->split)
            continue;
        snprintf(answer, sizeof answer, "%04u-%02u-%02u", d.year, d.month, d.day);
        char *line = lines + i++ * LINE;
        ur_put_padded(line, question, QUESTION);
        line[QUESTION] = '_';
        ur_put_padded(line + QUESTION + 1, answer, ANSWER);
        line[LINE - 1] = '\n';
    }
    return UR_OK;
}

const ur_generator ur_generate_dates = {
    "dates",
    " ,-/0123456789ABCDEFGHIJLMNOPRSTUVWYabcdefghijlmnoprstuvwy",
    QUESTION,
    ANSWER,
    {SIZE_MAX, SIZE_MAX},
    write_dates,
};
