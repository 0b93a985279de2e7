/* nearest.c - the name that was probably meant: the smallest number of letters to insert, drop,
 * replace or swap with their neighbour (restricted Damerau-Levenshtein distance). */
#include "options.h"

#include <string.h>

#define LONGEST 40

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    size_t d[LONGEST + 1][LONGEST + 1];
    if (rows > LONGEST || columns > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = least(d[i][j], least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[rows][columns];
}

int nearest_name(const char *text, size_t n, const char *const *names)
{
    size_t length = strlen(text), best = length / 3 + 2;
    int found = -1;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(text, names[i]);
        /* the beginning of a name is nearly the name */
        if (length >= 3 && strncmp(text, names[i], length) == 0)
            d = 1;
        if (d < best && d < strlen(names[i])) {
            best = d;
            found = (int)i;
        }
    }
    return found;
}
