/* reduce.c - sums over long vectors: blocks of UR_SUM_BLOCK, then a fixed binary tree over them; and
 * the largest of a row.
 *
 * The tree joins neighbours, level by level; a last one without a neighbour moves up as it is. */
#include "kernels/kernels.h"

#include "kernels/math.h"

size_t ur_sum_blocks(size_t n)
{
    return (n + UR_SUM_BLOCK - 1) / UR_SUM_BLOCK;
}

float ur_tree_sum(size_t n, float *partial)
{
    if (n == 0)
        return 0.0f;
    while (n > 1) {
        for (size_t i = 0; i < n / 2; i++)
            partial[i] = partial[2 * i] + partial[2 * i + 1];
        if (n % 2)
            partial[n / 2] = partial[n - 1];
        n = n / 2 + n % 2;
    }
    return partial[0];
}

/* The same tree over the blocks' sums as they come, without keeping them: like the digits of a
 * binary counter, level[i] waits for its neighbour of 2^i blocks. */
static float sum_blocks(const ur_kernels *k, size_t n, const float *x, bool squares)
{
    float level[8 * sizeof(size_t)];
    size_t blocks = 0;
    for (; n; blocks++) {
        const size_t size = n < UR_SUM_BLOCK ? n : UR_SUM_BLOCK;
        float s = squares ? k->dot(size, x, x) : k->sum(size, x);
        int i = 0;
        for (; blocks >> i & 1; i++)
            s = level[i] + s;
        level[i] = s;
        x += size;
        n -= size;
    }
    float s = 0.0f;
    bool begun = false;
    for (int i = 0; blocks >> i; i++)
        if (blocks >> i & 1) {
            s = begun ? level[i] + s : level[i];
            begun = true;
        }
    return s;
}

float ur_sum_long(const ur_kernels *k, size_t n, const float *x)
{
    return sum_blocks(k, n, x, false);
}

float ur_sum_squares_long(const ur_kernels *k, size_t n, const float *x)
{
    return sum_blocks(k, n, x, true);
}

size_t ur_argmax(const float *x, size_t n)
{
    size_t best = 0;
    while (best < n && x[best] != x[best])
        best++;
    for (size_t i = best + 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best < n ? best : 0;
}
