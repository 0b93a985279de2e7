/* serve.c - reading works line by line, doing them for a round, answering. See bench.h. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- words of a line ---------------------------------------------------------------------- */

bool bench_text(const char *line, const char *key, char *out, size_t size)
{
    const size_t length = strlen(key);
    for (const char *word = line; word; word = strchr(word, ' ')) {
        word += *word == ' ';
        if (strncmp(word, key, length) == 0 && word[length] == '=') {
            const char *value = word + length + 1;
            const size_t n = strcspn(value, " \n");
            if (n >= size)
                return false;
            memcpy(out, value, n);
            out[n] = '\0';
            return true;
        }
    }
    return false;
}

size_t bench_number(const char *line, const char *key, size_t otherwise)
{
    char text[32];
    return bench_text(line, key, text, sizeof text) ? strtoull(text, NULL, 10) : otherwise;
}

bool bench_is(const char *line, const char *key, const char *value)
{
    char text[BENCH_LINE];
    return bench_text(line, key, text, sizeof text) && strcmp(text, value) == 0;
}

/* ---- data --------------------------------------------------------------------------------- */

void *bench_memory(size_t count, size_t size)
{
    const size_t bytes = (count * size + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (!memory) {
        fprintf(stderr, "out of memory: %zu bytes\n", bytes);
        exit(1);
    }
    return memset(memory, 0, bytes);
}

void bench_fill(float *x, size_t n, float bound, uint64_t seed)
{
    uint64_t state = seed * 2 + 1;
    for (size_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = bound * ((float)(state >> 40) / 8388608.0f - 1.0f);
    }
}

size_t bench_lengths(const char *line, size_t batch, size_t steps, size_t *length)
{
    size_t sum = 0;
    for (size_t b = 0; b < batch; b++) {
        const size_t place = (7 * b + 3) % batch; /* no order, where 7 does not divide the batch */
        length[b] = !bench_number(line, "ragged", 0) ? steps
                    : batch == 1                     ? steps
                                                     : 1 + place * (steps - 1) / (batch - 1);
        sum += length[b];
    }
    return sum;
}

void bench_spread(size_t batch, size_t shortest, size_t longest, size_t *length)
{
    for (size_t b = 0; b < batch; b++) {
        const size_t place = (7 * b + 3) % batch, steps = batch > 1 ? batch - 1 : 1;
        length[b] = shortest + (2 * place * (longest - shortest) + steps) / (2 * steps);
    }
    if (batch == 1)
        length[0] = longest;
}

/* ---- rounds ------------------------------------------------------------------------------- */

enum { MOST_WORKS = 16 };

typedef struct known {
    char line[BENCH_LINE];
    const bench_kind *kind;
    void *work; /* NULL: not done here */
    char why[BENCH_LINE];
    double pass; /* seconds of one pass by the clock, as of the warm-up */
} known;

typedef struct server {
    const bench_kind *kinds;
    size_t kind_count;
    int threads;
    double round; /* seconds that a round should take */
    known known[MOST_WORKS];
    size_t count;
} server;

/* Its result; what it took by the clock is added to *clock. */
static double one_pass(const known *k, double *clock)
{
    const double begin = bench_now();
    const double own = k->kind->run(k->work);
    const double took = bench_now() - begin;
    *clock += took;
    return own >= 0.0 ? own : took;
}

/* Passes until caches, allocators and frequency have settled. */
static void warm_up(known *k, double seconds)
{
    double clock = 0.0;
    for (size_t passes = 0; passes < 1 || (passes < 2 && k->pass < 0.2) || clock < seconds;
         passes++) {
        const double before = clock;
        one_pass(k, &clock);
        k->pass = clock - before;
    }
}

static double one_round(known *k, double seconds)
{
    double clock = 0.0, sum = 0.0;
    while (k->pass < 0.1 * seconds && clock < 0.1 * seconds)
        one_pass(k, &clock); /* another contestant had the caches */
    const double wanted = seconds / (k->pass > 1e-9 ? k->pass : 1e-9) + 0.5;
    const size_t passes = wanted < 1.0 ? 1 : (size_t)wanted;
    for (size_t i = 0; i < passes; i++)
        sum += one_pass(k, &clock);
    return sum / (double)passes;
}

static void drop(server *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->known[i].work)
            s->known[i].kind->release(s->known[i].work);
    s->count = 0;
}

static known *find(server *s, const char *line)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->known[i].line, line) == 0)
            return &s->known[i];
    if (s->count == MOST_WORKS)
        drop(s);
    known *k = &s->known[s->count++];
    *k = (known){.why = "nobody here knows this kind of work"};
    snprintf(k->line, sizeof k->line, "%s", line);
    const size_t length = strcspn(line, " ");
    for (size_t i = 0; i < s->kind_count; i++)
        if (strlen(s->kinds[i].name) == length && strncmp(s->kinds[i].name, line, length) == 0)
            k->kind = &s->kinds[i];
    if (k->kind)
        k->work = k->kind->make(line, s->threads, k->why);
    if (k->work)
        warm_up(k, s->round);
    return k;
}

static void answer(server *s, const char *line)
{
    known *k = find(s, line);
    if (k->work)
        printf("{\"seconds\": %.9g}\n", one_round(k, s->round));
    else
        printf("{\"none\": \"%s\"}\n", k->why);
    fflush(stdout);
}

int bench_main(int argc, char **argv, const char *name, const bench_kind *kinds, size_t count)
{
    static server s; /* large */
    s = (server){.kinds = kinds, .kind_count = count, .threads = 1, .round = 0.03};
    int rounds = 0, i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            s.threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--round") == 0)
            s.round = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = atoi(argv[i + 1]);
    }
    for (int j = i; j < argc && rounds; j++)
        for (int r = 0; r < rounds; r++)
            answer(&s, argv[j]);
    if (!rounds) {
        char line[BENCH_LINE];
        printf("{\"ready\": true, \"name\": \"%s\"}\n", name);
        fflush(stdout);
        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = '\0';
            if (strcmp(line, "drop") == 0)
                drop(&s);
            else
                answer(&s, line);
        }
    }
    drop(&s);
    return 0;
}
