/* tables.h - what tests do with field tables: values at the ends of ranges, beyond them, drawn at
 * random; one member of a config.json replaced. */
#ifndef UR_TESTS_RUN_TABLES_H
#define UR_TESTS_RUN_TABLES_H

#include "unroll/field.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TABLE_TEXT = 96, TABLE_MOST = 64 };

/* SplitMix64 (Steele et al. 2014): the same numbers everywhere. */
static inline uint64_t table_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline double table_uniform(uint64_t *state)
{
    return (double)(table_random(state) >> 11) * 0x1p-53;
}

static inline size_t table_count(const ur_field *fields)
{
    size_t n = 0;
    while (fields[n].name)
        n++;
    assert_true(n < TABLE_MOST);
    return n;
}

static inline size_t table_words(const ur_field *f)
{
    char word[TABLE_TEXT];
    size_t n = 0;
    while (ur_field_word(f, n, word, sizeof word))
        n++;
    return n;
}

/* ---- values -------------------------------------------------------------------------------- */

/* The least (way 1) or largest (way -1) value; an end that is left out gives the number next to it. */
static inline void table_end(const ur_field *f, int way, char text[TABLE_TEXT])
{
    const double end = way > 0 ? f->least : f->most, inside = way > 0 ? f->most : f->least;
    const bool open = f->open & (way > 0 ? UR_OPEN_LEAST : UR_OPEN_MOST);
    if (f->type == UR_FIELD_FLOAT) {
        const float x = open ? nextafterf((float)end, (float)inside) : (float)end;
        snprintf(text, TABLE_TEXT, "%.9g", (double)x);
    } else if (f->type == UR_FIELD_REAL) {
        snprintf(text, TABLE_TEXT, "%.17g", open ? nextafter(end, inside) : end);
    } else {
        snprintf(text, TABLE_TEXT, "%.0f", end);
    }
}

/* Value i of those that every field is tried with: the ends of its range and all its words; false
 * behind the last. */
static inline bool table_value(const ur_field *f, size_t i, char text[TABLE_TEXT])
{
    const bool number = f->type == UR_FIELD_SIZE || f->type == UR_FIELD_ID ||
                        f->type == UR_FIELD_REAL || f->type == UR_FIELD_FLOAT;
    if (number && i < 2) {
        table_end(f, i ? -1 : 1, text);
        return true;
    }
    if (f->type == UR_FIELD_BOOL || f->type == UR_FIELD_SEED || f->type == UR_FIELD_TEXT) {
        static const char *const bools[] = {"false", "true"};
        static const char *const seeds[] = {"0", "18446744073709551615"};
        static const char *const texts[] = {"a \"file\" \xc3\xa9\\\t.txt", "builtin:dates"};
        const char *const *all = f->type == UR_FIELD_BOOL   ? bools
                                 : f->type == UR_FIELD_SEED ? seeds
                                                            : texts;
        if (i < 2)
            snprintf(text, TABLE_TEXT, "%s", all[i]);
        return i < 2;
    }
    return ur_field_word(f, i - (number ? 2 : 0), text, TABLE_TEXT);
}

/* A number between two, small ones as likely as large ones. */
static inline double table_number(double least, double most, uint64_t *state)
{
    const double u = table_uniform(state), span = most - least;
    return least + (span > 4.0 ? expm1(u * log1p(span)) : u * span);
}

/* A value of the field's range, numbers at most `most` and often the least there is. */
static inline void table_draw(const ur_field *f, double most, uint64_t *state,
                              char text[TABLE_TEXT])
{
    static const char *const pieces[] = {"a", "\"", "\\",   "\n",  "\xc3\xa9", "\xf0\x9f\x8e\xb2",
                                         " ", "/",  "\x01", "\x7f"};
    const double end = fmin(f->most, fmax(most, f->least + 1.0));
    const size_t words = table_words(f);
    double x = 0.0;
    switch (f->type) {
    case UR_FIELD_SEED:
        snprintf(text, TABLE_TEXT, "%llu", (unsigned long long)table_random(state));
        return;
    case UR_FIELD_BOOL:
        snprintf(text, TABLE_TEXT, "%s", table_random(state) & 1 ? "true" : "false");
        return;
    case UR_FIELD_TEXT:
        text[0] = '\0';
        for (size_t n = 1 + table_random(state) % 12; n; n--)
            strcat(text, pieces[table_random(state) % 10]);
        return;
    case UR_FIELD_ENUM:
    case UR_FIELD_NAME:
        assert_true(ur_field_word(f, table_random(state) % words, text, TABLE_TEXT));
        return;
    case UR_FIELD_SIZE:
    case UR_FIELD_ID:
        if (table_random(state) % 4 == 0)
            table_end(f, 1, text);
        else if (words && table_random(state) % 4 == 0)
            assert_true(ur_field_word(f, table_random(state) % words, text, TABLE_TEXT));
        else
            snprintf(text, TABLE_TEXT, "%.0f", floor(table_number(f->least, end, state)));
        return;
    case UR_FIELD_REAL:
    case UR_FIELD_FLOAT:
        break;
    }
    if (table_random(state) % 4 == 0) {
        table_end(f, 1, text);
        return;
    }
    do /* as a float it may be an end that is left out */
        x = table_number(f->least, end, state);
    while (x <= f->least || (f->type == UR_FIELD_FLOAT && (double)(float)x >= f->most));
    snprintf(text, TABLE_TEXT, "%.17g", x);
}

/* What the field does not take, as JSON, number i; false behind the last. */
static inline bool table_bad(const ur_field *f, size_t i, char text[TABLE_TEXT])
{
    static const char *const truth[] = {"[1]", "{}", "\"true\"", "1", "null", NULL};
    static const char *const whole[] = {"[1]",  "{}",   "\"3\"", "\"all\"",
                                        "true", "null", "0.5",   NULL};
    static const char *const real[] = {"[1]", "{}", "\"0.5\"", "true", "null", NULL};
    static const char *const word[] = {"[1]",  "{}", "\"no such word\"", "\"\"", "0", "true",
                                       "null", NULL};
    static const char *const any[] = {"[1]", "{}", "3", "true", NULL};
    const bool reals = f->type == UR_FIELD_REAL || f->type == UR_FIELD_FLOAT;
    const bool ranged = reals || f->type == UR_FIELD_SIZE || f->type == UR_FIELD_ID;
    const bool words = f->type == UR_FIELD_ENUM || f->type == UR_FIELD_NAME;
    const char *const *bad = f->type == UR_FIELD_BOOL   ? truth
                             : f->type == UR_FIELD_TEXT ? any
                             : words                    ? word
                             : reals                    ? real
                                                        : whole;
    if (ranged && i < 2) {
        const double below = f->least - (f->open & UR_OPEN_LEAST ? 0.0 : 1.0);
        const double above = f->most + (f->open & UR_OPEN_MOST ? 0.0 : fmax(1.0, f->most * 1e-3));
        snprintf(text, TABLE_TEXT, reals ? "%.17g" : "%.0f", i ? above : below);
        return true;
    }
    for (i -= ranged ? 2 : 0; i && *bad; i--)
        bad++;
    snprintf(text, TABLE_TEXT, "%s", *bad ? *bad : "");
    return *bad != NULL;
}

/* ---- files --------------------------------------------------------------------------------- */

/* "text", of the field "text.lower"; "" of one that stands in no object. */
static inline void table_object(const ur_field *f, char object[TABLE_TEXT])
{
    const char *dot = strchr(f->name, '.');
    snprintf(object, TABLE_TEXT, "%.*s", dot ? (int)(dot - f->name) : 0, f->name);
}

static inline const char *table_key(const ur_field *f)
{
    const char *dot = strchr(f->name, '.');
    return dot ? dot + 1 : f->name;
}

/* Where the line of a key begins in a text that is indented by two; object "": the outermost one. */
static inline const char *table_line(const char *text, const char *object, const char *key)
{
    char open[2 * TABLE_TEXT], line[2 * TABLE_TEXT];
    const int indent = *object ? 4 : 2;
    snprintf(open, sizeof open, "\n  \"%s\": {", object);
    snprintf(line, sizeof line, "\n%*s\"%s\": ", indent, "", key);
    const char *in = *object ? strstr(text, open) : text, *at = in ? strstr(in, line) : NULL;
    const char *end = in ? strstr(in, *object ? "\n  }" : "\n}") : NULL;
    if (!at || at > end)
        fail_msg("no %s in \"%s\" of %s", key, object, text);
    return at + 1;
}

/* The text with the member replaced, or left out (member NULL); the caller frees. */
static inline char *table_replaced(const char *text, const char *object, const char *key,
                                   const char *member)
{
    const char *begin = table_line(text, object, key), *end = strchr(begin, '\n');
    const bool comma = end[-1] == ',';
    const size_t room = strlen(text) + (member ? strlen(member) : 0) + 8;
    char *out = calloc(1, room);
    assert_non_null(out);
    if (member)
        snprintf(out, room, "%.*s%s%s%s", (int)(begin - text), text, member, comma ? "," : "", end);
    else /* the last member takes the comma before it along */
        snprintf(out, room, "%.*s%s", (int)(begin - text) - (!comma && begin[-2] == ',' ? 2 : 1),
                 text, end);
    return out;
}

#endif
