/* exhaustive_math.c - every float there is through exp, log, tanh, sigmoid and erf: the largest
 * error against long double, and equal bytes on every instruction set of this machine.
 *
 *     exhaustive_math [THREADS [FUNCTION]]        tens of minutes; exit code 1 on a failure */
#include "kernels/ulp.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 14, BLOCKS = 1 << 18, MOST_THREADS = 256 };

typedef struct part {
    int function, index, count;
    double worst;
    float at;
    uint64_t different;
    pthread_t thread;
} part;

static uint64_t count_different(const float *a, const float *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < BLOCK; i++)
        n += memcmp(a + i, b + i, sizeof *a) != 0 && !(a[i] != a[i] && b[i] != b[i]);
    return n;
}

static void *run(void *arg)
{
    part *p = arg;
    const ur_kernels *plain = ur_kernels_find("plain");
    float x[BLOCK], want[BLOCK], got[BLOCK];
    for (uint32_t block = (uint32_t)p->index; block < BLOCKS; block += (uint32_t)p->count) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            const uint32_t bits = block * BLOCK + i;
            memcpy(x + i, &bits, sizeof bits);
        }
        elementary_kernel(plain, p->function)(BLOCK, x, want);
        const ur_kernels *other;
        for (size_t k = 1; (other = ur_kernels_at(k)); k++) {
            elementary_kernel(other, p->function)(BLOCK, x, got);
            if (memcmp(want, got, sizeof want) != 0)
                p->different += count_different(want, got);
        }
        for (size_t i = 0; i < BLOCK; i++) {
            const double e = ulp_error(want[i], elementary_truth(p->function, x[i]));
            if (e > p->worst) {
                p->worst = e;
                p->at = x[i];
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static part parts[MOST_THREADS];
    int threads = argc > 1 ? atoi(argv[1]) : 1, failed = 0;
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    for (int f = 0; f < ELEMENTARY; f++) {
        if (argc > 2 && strcmp(argv[2], elementary_name(f)) != 0)
            continue;
        for (int i = 0; i < threads; i++) {
            parts[i] = (part){.function = f, .index = i, .count = threads};
            if (pthread_create(&parts[i].thread, NULL, run, &parts[i]) != 0)
                return 1;
        }
        part all = {.worst = 0.0};
        for (int i = 0; i < threads; i++) {
            pthread_join(parts[i].thread, NULL);
            all.different += parts[i].different;
            if (parts[i].worst > all.worst) {
                all.worst = parts[i].worst;
                all.at = parts[i].at;
            }
        }
        printf("%-8s largest error %.4f ulp at %a; %" PRIu64 " results differ between instruction "
               "sets\n",
               elementary_name(f), all.worst, (double)all.at, all.different);
        fflush(stdout);
        failed |= all.worst > 2.0 || all.different > 0;
    }
    return failed;
}
