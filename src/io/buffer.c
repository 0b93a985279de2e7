/* buffer.c - a growing text; see buffer.h. */
#include "io/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

ur_buffer ur_buffer_start(const ur_allocator *a)
{
    return (ur_buffer){.allocator = a};
}

void ur_buffer_free(ur_buffer *b)
{
    ur_free(b->allocator, b->text);
    *b = (ur_buffer){.allocator = b->allocator};
}

void ur_buffer_put(ur_buffer *b, const char *bytes, size_t n)
{
    if (b->failed || n >= SIZE_MAX - b->size ||
        !ur_reserve(b->allocator, &b->text, &b->capacity, b->size, b->size + n + 1, 1)) {
        b->failed = true;
        return;
    }
    if (n > 0)
        memcpy(b->text + b->size, bytes, n);
    b->size += n;
    b->text[b->size] = '\0';
}

void ur_buffer_text(ur_buffer *b, const char *text)
{
    ur_buffer_put(b, text, strlen(text));
}

/* The decimal digits of `value`, at least `least` of them; returns the end. */
static char *digits(char *out, uint64_t value, int least)
{
    char reversed[24];
    int n = 0;
    while (value > 0 || n < least) {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    }
    while (n > 0)
        *out++ = reversed[--n];
    *out = '\0';
    return out;
}

void ur_buffer_int(ur_buffer *b, int64_t value)
{
    char text[24];
    text[0] = '-';
    digits(text + 1, value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value, 1);
    ur_buffer_text(b, value < 0 ? text : text + 1);
}

const char *ur_fixed(char out[UR_FIXED], double value, int decimals, bool trim)
{
    const int most = 9; /* 1e9 times 10^9 fits 64 bits */
    uint64_t power = 1;
    decimals = decimals < 0 ? 0 : decimals > most ? most : decimals;
    for (int i = 0; i < decimals; i++)
        power *= 10;
    if (isnan(value))
        value = 0;
    double size = fmin(fabs(value), 1e9);
    uint64_t scaled = (uint64_t)llround(size * (double)power);
    char *end = out;
    if (value < 0 && scaled > 0)
        *end++ = '-';
    end = digits(end, scaled / power, 1);
    uint64_t rest = scaled % power;
    while (trim && decimals > 0 && rest % 10 == 0) {
        rest /= 10;
        decimals--;
    }
    if (decimals > 0) {
        *end++ = '.';
        digits(end, rest, decimals);
    }
    return out;
}

const char *ur_scientific(char out[UR_FIXED], double value, int decimals)
{
    if (value == 0)
        return ur_fixed(out, 0, 0, true);
    /* 10^exponent itself may be no normal number: the value is made larger first. The slack lets
     * 9.9999999999, which is written as 10, have the exponent of 10. */
    const int exponent = (int)floor(log10(fabs(value)) + 1e-9);
    const int shift = exponent < -290 ? 290 : 0;
    const double mantissa = value * pow(10, shift) / pow(10, exponent + shift);
    char number[UR_FIXED];
    snprintf(out, UR_FIXED, "%.20se%d", ur_fixed(number, mantissa, decimals, true), exponent);
    return out;
}

void ur_buffer_fixed(ur_buffer *b, double value, int decimals, bool trim)
{
    char text[UR_FIXED];
    ur_buffer_text(b, ur_fixed(text, value, decimals, trim));
}

void ur_buffer_real(ur_buffer *b, double value)
{
    char text[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* Whatever the locale put for the decimal point (it may be several bytes) becomes one. */
    bool real = false, skipping = false;
    for (const char *p = text; *p != '\0'; p++) {
        bool plain = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
        if (plain)
            ur_buffer_put(b, p, 1);
        else if (!skipping)
            ur_buffer_put(b, ".", 1);
        skipping = !plain;
        real = real || !plain || *p == 'e';
    }
    if (!real)
        ur_buffer_put(b, ".0", 2);
}

ur_status ur_buffer_save(const ur_buffer *b, const char *path, ur_err *err)
{
    if (b->failed)
        return ur_no_memory(err, b->size);
    return ur_replace_file(b->allocator, path, b->text == NULL ? "" : b->text, b->size, err);
}
