/* limits.c - what the machine can do, measured beside the works:
 *     flops                 seconds per 1e9 floating-point operations, at the FMA peak
 *     reading bytes=N       seconds to read N bytes that were just read, shared by the threads, up and down in turn
 *
 * Both in the widest instruction set that the library uses here, reading by whichever of several loops is the
 * fastest. Every thread has a core of its own, as long as nobody else wants it; the slowest thread counts. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "works.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHAINS = 12, MOST = 64 }; /* independent chains: more than latency times units */
/* Bytes of memory, of what a read loop takes at a time, and of what is read upwards, however these follow. */
enum { LINE = 64, BLOCK = 8 * LINE, PART = 256 * BLOCK };

typedef struct isa {
    const char *name;
    size_t lanes;
    float (*multiply)(size_t passes); /* CHAINS * lanes FMAs a pass */
    uint64_t (*read)(const char *memory, size_t bytes,
                     size_t ahead); /* bytes: a multiple of BLOCK */
} isa;

/* ---- the loops ---------------------------------------------------------------------------- */

/* x = x * 1 + 0: the values stay, and the compiler cannot know that, nor that the chains are alike. */
#define MULTIPLY(name, target, type, set, fma, first)                                              \
    target static float name(size_t passes)                                                        \
    {                                                                                              \
        volatile float one = 1.0f, zero = 0.0f;                                                    \
        const type a = set(one), b = set(zero);                                                    \
        type x0 = set(one), x1 = set(one), x2 = set(one), x3 = set(one), x4 = set(one),            \
             x5 = set(one), x6 = set(one), x7 = set(one), x8 = set(one), x9 = set(one),            \
             xa = set(one), xb = set(one);                                                         \
        for (size_t i = 0; i < passes; i++) {                                                      \
            x0 = fma(x0, a, b), x1 = fma(x1, a, b), x2 = fma(x2, a, b), x3 = fma(x3, a, b);        \
            x4 = fma(x4, a, b), x5 = fma(x5, a, b), x6 = fma(x6, a, b), x7 = fma(x7, a, b);        \
            x8 = fma(x8, a, b), x9 = fma(x9, a, b), xa = fma(xa, a, b), xb = fma(xb, a, b);        \
        }                                                                                          \
        x0 = fma(x0, x1, x2), x3 = fma(x3, x4, x5), x6 = fma(x6, x7, x8), x9 = fma(x9, xa, xb);    \
        return first(fma(fma(x0, x3, x6), x9, x9));                                                \
    }

/* Eight vectors at a time into eight sums; where `ahead` is not 0, what stands so many bytes on is fetched. */
#define READ(name, target, type)                                                                   \
    target static uint64_t name(const char *memory, size_t bytes, size_t ahead)                    \
    {                                                                                              \
        const type *from = (const type *)memory, *end = (const type *)(memory + bytes);            \
        type s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;              \
        for (; from < end; from += 8) {                                                            \
            for (size_t i = 0; ahead && i < 8 * sizeof(type); i += LINE)                           \
                __builtin_prefetch((const char *)from + ahead + i);                                \
            s0 |= from[0], s1 |= from[1], s2 |= from[2], s3 |= from[3];                            \
            s4 |= from[4], s5 |= from[5], s6 |= from[6], s7 |= from[7];                            \
        }                                                                                          \
        s0 |= s1 | s2 | s3 | s4 | s5 | s6 | s7;                                                    \
        return (uint64_t)s0[0];                                                                    \
    }

#define PLAIN
typedef uint64_t words_16 __attribute__((vector_size(16)));

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f")))
typedef uint64_t words_32 __attribute__((vector_size(32)));
typedef uint64_t words_64 __attribute__((vector_size(64)));
MULTIPLY(multiply_avx2, AVX2, __m256, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_cvtss_f32)
MULTIPLY(multiply_avx512, AVX512, __m512, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_cvtss_f32)
READ(read_avx2, AVX2, words_32)
READ(read_avx512, AVX512, words_64)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define NEON_FMA(x, a, b) vfmaq_f32(b, x, a)
#define NEON_FIRST(x) vgetq_lane_f32(x, 0)
MULTIPLY(multiply_neon, PLAIN, float32x4_t, vdupq_n_f32, NEON_FMA, NEON_FIRST)
#endif

#define SAME(x) (x)
MULTIPLY(multiply_plain, PLAIN, float, SAME, __builtin_fmaf, SAME)
READ(read_plain, PLAIN, words_16)

static const isa isas[] = {
#if defined(__x86_64__)
    {"avx512", 16, multiply_avx512, read_avx512},
    {"avx2", 8, multiply_avx2, read_avx2},
#elif defined(__aarch64__)
    {"neon", 4, multiply_neon, read_plain},
#endif
    {"plain", 1, multiply_plain, read_plain},
};

/* ---- on all threads ----------------------------------------------------------------------- */

typedef struct limit {
    const isa *isa;
    int threads;
    size_t count; /* passes of the FMA loop, or passes over the memory */
    size_t bytes; /* per thread; 0: FMA */
    size_t ahead; /* what the read loop fetches */
    char *memory[MOST];
    double seconds[MOST];
    uint64_t sink[MOST];
    atomic_int ready; /* threads that wait for the others to begin */
} limit;

typedef struct one_thread {
    limit *limit;
    int index;
} one_thread;

/* This thread keeps to the index-th of the processors that the program may use. */
static void keep_to(int index)
{
#if defined(__linux__)
    cpu_set_t usable, one;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &usable) && index-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
        }
#else
    (void)index;
#endif
}

/* All parts; down: from the last to the first, which finds in a cache what the pass before read last. */
static uint64_t read_all(const limit *l, const char *memory, bool down)
{
    const size_t parts = (l->bytes + PART - 1) / PART;
    uint64_t sink = 0;
    for (size_t i = 0; i < parts; i++) {
        const size_t begin = (down ? parts - 1 - i : i) * PART, left = l->bytes - begin;
        sink ^= l->isa->read(memory + begin, left < PART ? left : PART, l->ahead);
    }
    return sink;
}

static void *work(void *arg)
{
    const one_thread *me = arg;
    limit *l = me->limit;
    uint64_t sink = 0;
    keep_to(me->index);
    if (l->bytes)
        sink += read_all(l, l->memory[me->index], true);
    atomic_fetch_add(&l->ready, 1);
    while (atomic_load(&l->ready) < l->threads)
        ;
    const double begin = bench_now();
    if (!l->bytes)
        sink += l->isa->multiply(l->count) > 0.5f;
    for (size_t i = 0; l->bytes && i < l->count; i++) {
        sink ^= read_all(l, l->memory[me->index], i % 2);
        __asm__ volatile("" ::: "memory");
    }
    l->seconds[me->index] = bench_now() - begin;
    l->sink[me->index] = sink;
    return NULL;
}

/* Seconds that the slowest thread took for its passes. */
static double all_threads(limit *l)
{
    pthread_t thread[MOST];
    one_thread argument[MOST];
    double slowest = 0.0;
    atomic_store(&l->ready, 0);
    for (int i = 0; i < l->threads; i++) {
        argument[i] = (one_thread){l, i};
        if (pthread_create(&thread[i], NULL, work, &argument[i]) != 0) {
            fprintf(stderr, "limits: no thread could be started\n");
            exit(1);
        }
    }
    for (int i = 0; i < l->threads; i++) {
        pthread_join(thread[i], NULL);
        slowest = l->seconds[i] > slowest ? l->seconds[i] : slowest;
    }
    return slowest;
}

static limit *limit_new(int threads)
{
    limit *l = bench_memory(1, sizeof *l);
    ur_context *context;
    l->threads = threads < 1 ? 1 : threads > MOST ? MOST : threads;
    l->isa = &isas[sizeof isas / sizeof *isas - 1];
    if (ur_context_new(&(ur_options){.threads = 1}, &context, NULL) == UR_OK) {
        for (size_t i = sizeof isas / sizeof *isas; i-- > 0;)
            if (strcmp(isas[i].name, ur_context_isa(context)) == 0)
                l->isa = &isas[i];
        ur_context_free(context);
    }
    return l;
}

static void release(void *arg)
{
    limit *l = arg;
    for (int i = 0; i < l->threads; i++)
        free(l->memory[i]);
    free(l);
}

static void *make_flops(const char *line, int threads, char why[BENCH_LINE])
{
    (void)line;
    (void)why;
    limit *l = limit_new(threads);
    l->count = 4 * 1000 * 1000; /* a few milliseconds */
    return l;
}

static double run_flops(void *arg)
{
    limit *l = arg;
    const double flops =
        2.0 * CHAINS * (double)l->isa->lanes * (double)l->count * (double)l->threads;
    return all_threads(l) / flops * 1e9;
}

/* Processors differ in how far they look ahead themselves. */
static void choose_ahead(limit *l)
{
    static const size_t ways[] = {0, 512, 1024, 2048, 4096};
    double least = 0.0;
    size_t best = 0;
    for (int turn = 0; turn < 3; turn++)
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            l->ahead = ways[i];
            const double seconds = all_threads(l);
            if (least == 0.0 || seconds < least) {
                least = seconds;
                best = ways[i];
            }
        }
    l->ahead = best;
}

static void *make_reading(const char *line, int threads, char why[BENCH_LINE])
{
    (void)why;
    limit *l = limit_new(threads);
    const size_t total = bench_number(line, "bytes", 1 << 20);
    l->bytes = (total / (size_t)l->threads + BLOCK - 1) / BLOCK * BLOCK;
    l->count = (64 << 20) / l->bytes + 2;
    for (int i = 0; i < l->threads; i++) {
        l->memory[i] = bench_memory(l->bytes, 1);
        memset(l->memory[i], 1, l->bytes);
    }
    choose_ahead(l);
    return l;
}

static double run_reading(void *arg)
{
    limit *l = arg;
    return all_threads(l) / (double)l->count;
}

const bench_kind bench_flops = {"flops", make_flops, run_flops, release};
const bench_kind bench_reading = {"reading", make_reading, run_reading, release};
