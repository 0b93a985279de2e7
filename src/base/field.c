/* field.c - configuration structs by their tables: defaults, reading, checking, printing. */
#include "base/field.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* ---- tables ------------------------------------------------------------------------------- */

const ur_field *ur_field_find(const ur_field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

const char *ur_field_flag(const ur_field *f, char *text, size_t capacity)
{
    if (capacity == 0)
        return text;
    const char *dot = strrchr(f->name, '.');
    snprintf(text, capacity, "%s", f->flag ? f->flag : dot ? dot + 1 : f->name);
    for (char *c = text; *c && !f->flag; c++)
        *c = *c == '_' ? '-' : *c;
    return text;
}

const ur_field *ur_field_find_flag(const ur_field *fields, const char *flag)
{
    char text[64];
    for (; *flag && fields->name; fields++)
        if (strcmp(ur_field_flag(fields, text, sizeof text), flag) == 0 ||
            (fields->alias && strcmp(fields->alias, flag) == 0))
            return fields;
    return NULL;
}

/* ---- words -------------------------------------------------------------------------------- */

static const char *word_at(const ur_field *f, size_t i)
{
    if (f->word)
        return f->word(i);
    for (size_t k = 0; f->words && f->words[k]; k++)
        if (k == i)
            return f->words[k];
    return NULL;
}

/* A word without what else is read as it. */
static size_t word_length(const char *word)
{
    return strcspn(word, "|");
}

bool ur_field_word(const ur_field *f, size_t i, char *text, size_t capacity)
{
    const char *word = word_at(f, i);
    if (word && capacity)
        snprintf(text, capacity, "%.*s", (int)word_length(word), word);
    return word != NULL;
}

/* Whether `text` is one of the words "A|B|C". */
static bool is_word(const char *words, const char *text)
{
    const size_t size = strlen(text);
    while (*words) {
        const size_t length = word_length(words);
        if (length == size && strncmp(words, text, size) == 0)
            return true;
        words += length + (words[length] == '|');
    }
    return false;
}

/* The number of the word that `text` is; false when it is none. */
static bool find_word(const ur_field *f, const char *text, size_t *index)
{
    const char *word;
    for (const char *const *pair = f->synonyms; pair && *pair; pair += 2)
        if (strcmp(pair[0], text) == 0)
            text = pair[1];
    for (*index = 0; (word = word_at(f, *index)); ++*index)
        if (is_word(word, text))
            return true;
    return false;
}

/* ---- numbers ------------------------------------------------------------------------------ */

/* Digits alone. */
static bool read_whole(const char *text, uint64_t *number)
{
    uint64_t n = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        const unsigned digit = (unsigned char)*text - (unsigned)'0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = 10 * n + digit;
    }
    *number = n;
    return true;
}

/* A decimal number, all of the text, with a point whatever the locale. */
static bool read_real(const char *text, double *number)
{
    char copy[64], half[8], *end;
    const size_t size = strlen(text);
    if (size == 0 || size >= sizeof copy || text[strspn(text, "0123456789+-.eE")])
        return false;
    memcpy(copy, text, size + 1);
    snprintf(half, sizeof half, "%.1f", 0.5);
    char *point = strchr(copy, '.');
    if (point)
        *point = half[1];
    *number = strtod(copy, &end);
    return *end == '\0' && end != copy && isfinite(*number);
}

static bool in_range(const ur_field *f, double x)
{
    return x >= f->least && x <= f->most && !(f->open & UR_OPEN_LEAST && x <= f->least) &&
           !(f->open & UR_OPEN_MOST && x >= f->most);
}

/* As floats: what is written in the table's range is in it once it is rounded. */
static bool single_in_range(const ur_field *f, float x)
{
    return x >= (float)f->least && x <= (float)f->most &&
           !(f->open & UR_OPEN_LEAST && x <= (float)f->least) &&
           !(f->open & UR_OPEN_MOST && x >= (float)f->most);
}

/* ---- members ------------------------------------------------------------------------------ */

static void words_text(const ur_field *f, char *text, size_t capacity)
{
    char word[64];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; used < capacity && ur_field_word(f, i, word, sizeof word); i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s%s", i ? " or " : "", word);
}

void ur_field_expected(const ur_field *f, char text[UR_FIELD_EXPECTED])
{
    char word[64];
    const size_t capacity = UR_FIELD_EXPECTED;
    switch (f->type) {
    case UR_FIELD_BOOL:
        snprintf(text, capacity, "true or false");
        break;
    case UR_FIELD_SEED:
        snprintf(text, capacity, "a whole number from 0 to 18446744073709551615");
        break;
    case UR_FIELD_REAL:
    case UR_FIELD_FLOAT:
        snprintf(text, capacity, "a number %s %g and %s %g",
                 f->open & UR_OPEN_LEAST ? "above" : "of at least", f->least,
                 f->open & UR_OPEN_MOST ? "below" : "at most", f->most);
        break;
    case UR_FIELD_SIZE:
    case UR_FIELD_ID:
        if (ur_field_word(f, 0, word, sizeof word))
            snprintf(text, capacity, "a whole number from %.0f to %.0f, or %s", f->least, f->most,
                     word);
        else
            snprintf(text, capacity, "a whole number from %.0f to %.0f", f->least, f->most);
        break;
    case UR_FIELD_ENUM:
    case UR_FIELD_NAME:
        words_text(f, text, capacity);
        break;
    case UR_FIELD_TEXT:
        snprintf(text, capacity, "%s, not an empty text", f->metavar ? f->metavar : "a text");
        break;
    }
}

static ur_status expected(const ur_field *f, ur_err *err)
{
    char what[UR_FIELD_EXPECTED];
    ur_field_expected(f, what);
    return ur_fail(err, UR_INVALID, "expected %s", what);
}

static void put(const ur_field *f, void *config, const void *value, size_t size)
{
    memcpy((char *)config + f->offset, value, size);
}

static void get(const ur_field *f, const void *config, void *value, size_t size)
{
    memcpy(value, (const char *)config + f->offset, size);
}

#define PUT(f, config, value) put(f, config, &(value), sizeof(value))
#define GET(f, config, value) get(f, config, &(value), sizeof(value))

static ur_status set_bool(const ur_field *f, void *config, const char *text, ur_err *err)
{
    const bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
        return expected(f, err);
    PUT(f, config, value);
    return UR_OK;
}

static ur_status set_size(const ur_field *f, void *config, const char *text, ur_err *err)
{
    uint64_t number;
    size_t value;
    if (find_word(f, text, &value))
        value = SIZE_MAX - value;
    else if (read_whole(text, &number) && number <= SIZE_MAX && in_range(f, (double)number))
        value = (size_t)number;
    else
        return expected(f, err);
    PUT(f, config, value);
    return UR_OK;
}

bool ur_field_put_number(const ur_field *f, void *config, double x)
{
    const bool single = f->type == UR_FIELD_FLOAT;
    const float rounded = single ? (float)x : 0.0f;
    if (!(single ? single_in_range(f, rounded) : in_range(f, x)))
        return false;
    const size_t size = f->type == UR_FIELD_SIZE ? (size_t)x : 0;
    const int32_t id = f->type == UR_FIELD_ID ? (int32_t)x : 0;
    if (f->type == UR_FIELD_SIZE)
        PUT(f, config, size);
    else if (f->type == UR_FIELD_ID)
        PUT(f, config, id);
    else if (single)
        PUT(f, config, rounded);
    else
        PUT(f, config, x);
    return true;
}

static ur_status set_id(const ur_field *f, void *config, const char *text, ur_err *err)
{
    uint64_t number;
    const bool negative = *text == '-';
    if (!read_whole(text + negative, &number) || number > INT32_MAX ||
        !ur_field_put_number(f, config, negative ? -(double)number : (double)number))
        return expected(f, err);
    return UR_OK;
}

static ur_status set_seed(const ur_field *f, void *config, const char *text, ur_err *err)
{
    uint64_t value;
    if (!read_whole(text, &value))
        return expected(f, err);
    PUT(f, config, value);
    return UR_OK;
}

static ur_status set_real(const ur_field *f, void *config, const char *text, ur_err *err)
{
    double value;
    if (!read_real(text, &value) || !ur_field_put_number(f, config, value))
        return expected(f, err);
    return UR_OK;
}

static ur_status set_word(const ur_field *f, void *config, const char *text, ur_err *err)
{
    size_t index;
    if (!find_word(f, text, &index))
        return expected(f, err);
    const int value = (int)index;
    const char *name = word_at(f, index);
    if (f->type == UR_FIELD_NAME)
        PUT(f, config, name);
    else
        PUT(f, config, value);
    return UR_OK;
}

ur_status ur_field_set(const ur_field *f, void *config, const char *text, ur_err *err)
{
    if (!text) {
        if (!f->bare)
            return ur_fail(err, UR_INVALID, "it needs a value");
        text = f->bare;
    }
    switch (f->type) {
    case UR_FIELD_BOOL:
        return set_bool(f, config, text, err);
    case UR_FIELD_SIZE:
        return set_size(f, config, text, err);
    case UR_FIELD_ID:
        return set_id(f, config, text, err);
    case UR_FIELD_SEED:
        return set_seed(f, config, text, err);
    case UR_FIELD_REAL:
    case UR_FIELD_FLOAT:
        return set_real(f, config, text, err);
    case UR_FIELD_ENUM:
    case UR_FIELD_NAME:
        return set_word(f, config, text, err);
    case UR_FIELD_TEXT:
        break;
    }
    if ((double)strlen(text) < f->least)
        return expected(f, err);
    PUT(f, config, text);
    return UR_OK;
}

ur_status ur_fields_apply(const ur_field *fields, void *config, const ur_setting *s, ur_err *err)
{
    for (; s && s->name; s++) {
        const ur_field *f = ur_field_find(fields, s->name);
        ur_err why;
        if (!f)
            return ur_fail(err, UR_INVALID, "there is no setting \"%s\"", s->name);
        if (ur_field_set(f, config, s->value, &why) != UR_OK)
            return ur_fail(err, UR_INVALID, "%s %s: %s", s->name, s->value ? s->value : "",
                           why.text);
    }
    return UR_OK;
}

void ur_fields_default(const ur_field *fields, void *config)
{
    for (const ur_field *f = fields; f->name; f++) {
        static const double zeros[1] = {0.0};
        const char *none = NULL;
        if (f->type == UR_FIELD_TEXT && !f->initial)
            PUT(f, config, none);
        else if (f->initial)
            ur_field_set(f, config, f->initial, NULL);
        else if (f->type == UR_FIELD_BOOL)
            set_bool(f, config, "false", NULL);
        else if (f->type == UR_FIELD_ENUM || f->type == UR_FIELD_NAME)
            ur_field_set(f, config, word_at(f, 0), NULL);
        else if (f->type == UR_FIELD_SEED)
            set_seed(f, config, "0", NULL);
        else
            put(f, config, zeros,
                f->type == UR_FIELD_REAL   ? sizeof(double)
                : f->type == UR_FIELD_SIZE ? sizeof(size_t)
                                           : sizeof(float));
    }
}

/* Bytes of a member. */
static size_t size_of(ur_field_type type)
{
    static const size_t bytes[] = {
        [UR_FIELD_BOOL] = sizeof(bool),         [UR_FIELD_SIZE] = sizeof(size_t),
        [UR_FIELD_ID] = sizeof(int32_t),        [UR_FIELD_SEED] = sizeof(uint64_t),
        [UR_FIELD_REAL] = sizeof(double),       [UR_FIELD_FLOAT] = sizeof(float),
        [UR_FIELD_ENUM] = sizeof(int),          [UR_FIELD_NAME] = sizeof(const char *),
        [UR_FIELD_TEXT] = sizeof(const char *),
    };
    return bytes[type];
}

void ur_field_take(const ur_field *f, void *config, const void *from)
{
    put(f, config, (const char *)from + f->offset, size_of(f->type));
}

void ur_fields_take(const ur_field *fields, void *config, const void *from)
{
    for (const ur_field *f = fields; f->name; f++)
        if (!f->of_data)
            ur_field_take(f, config, from);
}

/* ---- checking and printing ---------------------------------------------------------------- */

static bool valid_number(const ur_field *f, const void *config)
{
    size_t size;
    int32_t id;
    double real;
    float single;
    switch (f->type) {
    case UR_FIELD_SIZE:
        GET(f, config, size);
        for (size_t i = 0; word_at(f, i); i++)
            if (size == SIZE_MAX - i)
                return true;
        return in_range(f, (double)size);
    case UR_FIELD_ID:
        GET(f, config, id);
        return in_range(f, (double)id);
    case UR_FIELD_FLOAT:
        GET(f, config, single);
        return single_in_range(f, single);
    default:
        GET(f, config, real);
        return in_range(f, real);
    }
}

/* Whether a value that a program wrote is one that can be read. */
static bool valid(const ur_field *f, const void *config)
{
    size_t index;
    int number;
    const char *text;
    switch (f->type) {
    case UR_FIELD_BOOL:
    case UR_FIELD_SEED:
        return true;
    case UR_FIELD_ENUM:
        GET(f, config, number);
        return number >= 0 && word_at(f, (size_t)number);
    case UR_FIELD_NAME:
        GET(f, config, text);
        return text && find_word(f, text, &index);
    case UR_FIELD_TEXT:
        GET(f, config, text);
        return !text || (double)strlen(text) >= f->least;
    default:
        return valid_number(f, config);
    }
}

ur_status ur_fields_check(const ur_field *fields, const void *config, const char *what, ur_err *err)
{
    for (const ur_field *f = fields; f->name; f++) {
        char value[64];
        ur_err why;
        if (valid(f, config))
            continue;
        ur_field_print(f, config, value, sizeof value);
        expected(f, &why);
        return ur_fail(err, UR_INVALID, "%s: %s is %s, %s", what, f->name, value, why.text);
    }
    return UR_OK;
}

/* The shortest of 6 to 17 digits that is read back as the same number. */
static int print_real(double x, bool single, char *text, size_t capacity)
{
    int n = 0;
    for (int digits = 6; digits <= 17; digits++) {
        double back;
        char half[8], *point;
        n = snprintf(text, capacity, "%.*g", digits, x);
        snprintf(half, sizeof half, "%.1f", 0.5);
        point = capacity ? strchr(text, half[1]) : NULL;
        if (point)
            *point = '.';
        if (capacity && read_real(text, &back) && (single ? (float)back == (float)x : back == x))
            break;
    }
    return n;
}

static int print_size(const ur_field *f, size_t value, char *text, size_t capacity)
{
    for (size_t i = 0; word_at(f, i); i++)
        if (value == SIZE_MAX - i)
            return snprintf(text, capacity, "%.*s", (int)word_length(word_at(f, i)), word_at(f, i));
    return snprintf(text, capacity, "%zu", value);
}

static int print_word(const char *word, int number, char *text, size_t capacity)
{
    if (!word)
        return snprintf(text, capacity, "%d", number);
    return snprintf(text, capacity, "%.*s", (int)word_length(word), word);
}

size_t ur_field_print(const ur_field *f, const void *config, char *text, size_t capacity)
{
    bool truth;
    size_t size;
    int32_t id;
    uint64_t seed;
    double real;
    float single;
    int number = 0, n = 0;
    const char *word = NULL;
    switch (f->type) {
    case UR_FIELD_BOOL:
        GET(f, config, truth);
        n = snprintf(text, capacity, "%s", truth ? "true" : "false");
        break;
    case UR_FIELD_SIZE:
        GET(f, config, size);
        n = print_size(f, size, text, capacity);
        break;
    case UR_FIELD_ID:
        GET(f, config, id);
        n = snprintf(text, capacity, "%ld", (long)id);
        break;
    case UR_FIELD_SEED:
        GET(f, config, seed);
        n = snprintf(text, capacity, "%llu", (unsigned long long)seed);
        break;
    case UR_FIELD_REAL:
        GET(f, config, real);
        n = print_real(real, false, text, capacity);
        break;
    case UR_FIELD_FLOAT:
        GET(f, config, single);
        n = print_real((double)single, true, text, capacity);
        break;
    case UR_FIELD_ENUM:
        GET(f, config, number);
        n = print_word(number < 0 ? NULL : word_at(f, (size_t)number), number, text, capacity);
        break;
    case UR_FIELD_NAME:
    case UR_FIELD_TEXT:
        GET(f, config, word);
        n = f->type == UR_FIELD_NAME && word ? print_word(word, 0, text, capacity)
                                             : snprintf(text, capacity, "%s", word ? word : "");
        break;
    }
    return n > 0 ? (size_t)n : 0;
}

bool ur_field_applies(const ur_field *fields, const ur_field *field, const void *config)
{
    char name[64], value[64];
    if (!field->belongs)
        return true;
    const size_t length = strcspn(field->belongs, "=");
    snprintf(name, sizeof name, "%.*s", (int)length, field->belongs);
    const ur_field *other = ur_field_find(fields, name);
    if (!other)
        return false;
    ur_field_print(other, config, value, sizeof value);
    return is_word(field->belongs + length + 1, value);
}
