/* test_decoder.c - the search over a decoder of a program's own, whose probabilities are a table:
 * what it asks of a decoder and when, what it makes of the options, and what it refuses. */
#include "support/contexts.h"
#include "unroll/decode.h"
#include "unroll/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { END = 0, A, B, C, SYMBOLS, MOST_CALLS = 32 };

/* Logits of the next symbol depend on the last one and on the source: row `last` of the source's
 * table. It also checks that it is called in order. */
typedef struct table {
    ur_decoder decoder;
    const float (*logits)[SYMBOLS]; /* (SYMBOLS) rows */
    size_t fail_at, wide_at;        /* the step that fails, or is too wide; from 1 */
    size_t started, steps, released;
    size_t rows_of[MOST_CALLS]; /* of each step */
    size_t most_hypotheses;
    bool attention;
} table;

typedef struct table_state {
    table *t;
    size_t rows, sources;
    bool stepped;
    size_t source[64];
    float look[64][2]; /* the row's source, and its row */
} table_state;

static void *start(ur_tape *tape, const ur_decoder *d, const ur_decoder_task *task,
                   int32_t *symbols)
{
    table *t = (table *)(uintptr_t)d->self;
    table_state *s = calloc(1, sizeof *s);
    assert_int_equal(ur_tape_mode(tape), UR_INFER);
    assert_non_null(s);
    s->t = t;
    s->rows = s->sources = task->sources->count;
    t->started++;
    t->most_hypotheses = task->hypotheses;
    t->attention = task->attention;
    for (size_t i = 0; i < s->rows; i++) {
        s->source[i] = i;
        symbols[i] = task->sources->ids[i].ids[0];
    }
    return s;
}

static ur_tensor *step(ur_tape *tape, void *state, const int32_t *symbols)
{
    table_state *s = state;
    table *t = s->t;
    const size_t dim[2] = {s->rows, SYMBOLS + (t->wide_at == t->steps + 1)};
    ur_tensor *x = ur_new_floats(tape, 2, dim, false);
    assert_false(s->stepped);
    s->stepped = true;
    if (t->steps < MOST_CALLS)
        t->rows_of[t->steps] = s->rows;
    if (++t->steps == t->fail_at)
        ur_new_floats(tape, 9, dim, false); /* too many dimensions: the tape fails */
    for (size_t i = 0; i < s->rows; i++) {
        memcpy(ur_floats(x) + i * SYMBOLS, t->logits[symbols[i]], sizeof t->logits[0]);
        s->look[i][0] = (float)s->source[i];
        s->look[i][1] = (float)i;
    }
    return x;
}

static void reorder(ur_tape *tape, void *state, size_t rows, const size_t *parent)
{
    table_state *s = state;
    size_t source[64], of[64] = {0};
    assert_int_equal(ur_tape_status(tape), UR_OK);
    assert_true(s->stepped && rows > 0 && rows <= 64);
    for (size_t i = 0; i < rows; i++) {
        assert_true(parent[i] < s->rows);
        source[i] = s->source[parent[i]];
        assert_true(i == 0 || source[i] >= source[i - 1]);
        assert_true(++of[source[i]] <= s->t->most_hypotheses);
    }
    memcpy(s->source, source, sizeof source);
    s->rows = rows;
    s->stepped = false;
}

static const float *attention(const void *state, size_t row)
{
    const table_state *s = state;
    assert_true(s->stepped && row < s->rows && s->t->attention);
    return s->look[row];
}

static void release(void *state)
{
    ((table_state *)state)->t->released++;
    free(state);
}

/* log of probabilities 1/8 1/2 1/4 1/8 */
#define HALF (-0.6931472f)
#define QUARTER (-1.3862944f)
#define EIGHTH (-2.0794415f)

/* After A the end is likely, after B hardly. */
static const float after[SYMBOLS][SYMBOLS] = {
    [END] = {EIGHTH, HALF, QUARTER, EIGHTH}, /* of the start */
    [A] = {HALF, EIGHTH, EIGHTH, QUARTER},
    [B] = {EIGHTH, EIGHTH, QUARTER, HALF},
    [C] = {HALF, QUARTER, EIGHTH, EIGHTH},
};

static void table_new(table *t)
{
    *t = (table){.logits = after};
    t->decoder = (ur_decoder){.self = t,
                              .vocabulary = SYMBOLS,
                              .end = END,
                              .steps = 6,
                              .start = start,
                              .step = step,
                              .reorder = reorder,
                              .attention = attention,
                              .release = release};
}

static const int32_t starts[] = {END, A, B, A};
static const ur_ids source_ids[] = {{starts, 2}, {starts + 1, 2}, {starts + 2, 2}};
static const ur_sources one = {.count = 1, .ids = source_ids};
static const ur_sources three = {.count = 3, .ids = source_ids};

typedef struct bench {
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    table t;
} bench;

static void bench_new(bench *b)
{
    b->context = context_of("plain", 1, NULL);
    assert_int_equal(ur_params_new(b->context, &b->params, NULL), UR_OK);
    ur_params_add(b->params, "nothing", 1, (size_t[]){1}, 0);
    assert_int_equal(ur_params_seal(b->params, NULL), UR_OK);
    b->tape = tape_of(b->context);
    ur_tape_start(b->tape, UR_INFER, b->params, NULL, 0, 0);
    table_new(&b->t);
}

static void bench_free(bench *b)
{
    assert_int_equal(b->t.started, b->t.released);
    ur_tape_free(b->tape);
    ur_params_free(b->params);
    ur_context_free(b->context);
}

static const ur_written *found(bench *b, const ur_sources *sources, ur_search_options o)
{
    table_new(&b->t);
    ur_tape_start(b->tape, UR_INFER, b->params, NULL, 0, 0);
    const ur_written *w = ur_search(b->tape, &b->t.decoder, sources, &o);
    tape_fine(b->tape);
    assert_int_equal(b->t.started, 1);
    assert_int_equal(b->t.released, 1);
    return w;
}

static void is(const ur_hypothesis *h, const char *want, double probability)
{
    static const char names[] = ".ABC";
    char got[16] = "";
    for (size_t i = 0; i < h->count; i++)
        got[i] = names[h->ids[i]];
    got[h->count] = h->complete ? '.' : '\0';
    assert_string_equal(got, want);
    double product = 1.0;
    for (size_t i = 0; i < h->count + h->complete; i++)
        product *= (double)h->probability[i];
    assert_true(fabs(product / probability - 1.0) < 1e-5);
    assert_true(fabs(exp(h->log_probability) / probability - 1.0) < 1e-5);
}

static void greedy(void **state)
{
    (void)state;
    bench b;
    bench_new(&b);
    const ur_written *w = found(&b, &three, (ur_search_options){0});
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w[i].count, 1);
    is(&w[0].best[0], "A.", 0.25);
    is(&w[1].best[0], ".", 0.5);
    is(&w[2].best[0], "C.", 0.25);
    assert_int_equal(b.t.steps, 2);
    assert_int_equal(b.t.rows_of[0], 3);
    assert_int_equal(b.t.rows_of[1], 2); /* the finished one has left */
    assert_false(b.t.attention);
    assert_null(w[0].best[0].attention);
    w = found(&b, &one, (ur_search_options){.beam = 1, .n_best = 1, .length_penalty = 4.0f});
    is(&w->best[0], "A.", 0.25);
    assert_true(fabs(w->best[0].score - log(0.25) / pow(7.0 / 6.0, 4.0)) < 1e-5);
    /* the limit: A would end, but has no step to */
    w = found(&b, &one, (ur_search_options){.most = 1});
    is(&w->best[0], "A", 0.5);
    w = found(&b, &one, (ur_search_options){.least = 3}); /* C after A, A after C, C */
    is(&w->best[0], "ACA.", 0.5 * 0.25 * 0.25 * 0.5);
    w = found(&b, &one, (ur_search_options){.never = (int32_t[]){A, END}, .never_count = 2});
    is(&w->best[0], "BCBCBC", 0.25 * 0.5 * 0.125 * 0.5 * 0.125 * 0.5);
    /* another symbol ends; the decoder's own limit holds */
    w = found(&b, &one, (ur_search_options){.end = &(int32_t){-1}, .most = 9});
    assert_int_equal(w->best[0].count, 6);
    assert_false(w->best[0].complete);
    w = found(&b, &three, (ur_search_options){.end = &(int32_t){C}});
    assert_true(w[2].best[0].complete && w[2].best[0].count == 0);
    bench_free(&b);
}

/* With a beam: the best two are kept at each step, what ended is set aside, and the search ends when
 * nothing open can win. */
static void beam(void **state)
{
    (void)state;
    bench b;
    bench_new(&b);
    const ur_written *w = found(&b, &one, (ur_search_options){.beam = 2, .n_best = 2});
    /* open A 1/2, B 1/4; then A. 1/4 is set aside and of the others AC and BC are 1/8 each, of which
     * the better hypothesis's is kept; AC. is 1/16 */
    assert_int_equal(w->count, 2);
    is(&w->best[0], "A.", 0.25);
    is(&w->best[1], "AC.", 0.0625);
    w = found(&b, &one, (ur_search_options){.beam = 2, .n_best = 1});
    is(&w->best[0], "A.", 0.25);
    assert_int_equal(b.t.steps, 2);
    /* a penalty that makes up for 1/16 being less: log(1/4) / (7/6)^a < log(1/16) / (8/6)^a */
    w = found(&b, &one, (ur_search_options){.beam = 3, .n_best = 1, .length_penalty = 4.0f});
    assert_true(w->best[0].count > 2);
    assert_true(w->best[0].score > log(0.25) / pow(7.0 / 6.0, 4.0));
    /* too short for anything but A. to end: the rest is filled up */
    w = found(&b, &one, (ur_search_options){.beam = 2, .n_best = 2, .most = 2});
    assert_int_equal(w->count, 2);
    is(&w->best[0], "A.", 0.25);
    is(&w->best[1], "AC", 0.125);
    bench_free(&b);
}

/* Rows of attention follow their hypotheses: each tells its source and its row in that step. */
static void attention_rows(void **state)
{
    (void)state;
    bench b;
    bench_new(&b);
    const ur_written *w =
        found(&b, &three, (ur_search_options){.beam = 2, .n_best = 2, .attention = true});
    assert_true(b.t.attention);
    for (size_t i = 0; i < 3; i++)
        for (size_t h = 0; h < w[i].count; h++)
            for (size_t j = 0; j < w[i].best[h].count; j++)
                assert_true(w[i].best[h].attention[2 * j] == (float)i);
    is(&w[0].best[1], "AC.", 0.0625);
    assert_true(w[0].best[1].attention[1] == 0.0f && w[0].best[1].attention[3] == 0.0f);
    b.t.decoder.attention = NULL;
    bench_free(&b);
}

/* A step in which all are equal: the lowest ids, the earliest hypotheses. */
static void ties(void **state)
{
    (void)state;
    static const float flat[SYMBOLS][SYMBOLS] = {{0}};
    bench b;
    bench_new(&b);
    table_new(&b.t);
    b.t.logits = flat;
    const ur_search_options o = {.beam = 3, .n_best = 3, .most = 2, .end = &(int32_t){-1}};
    const ur_written *w = ur_search(b.tape, &b.t.decoder, &one, &o);
    tape_fine(b.tape);
    assert_int_equal(w->count, 3);
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(w->best[i].ids[0], 0);
        assert_int_equal(w->best[i].ids[1], i);
    }
    bench_free(&b);
}

static void refused(bench *b, const ur_sources *sources, ur_search_options o, ur_status status,
                    const char *part)
{
    ur_tape_start(b->tape, UR_INFER, b->params, NULL, 0, 0);
    assert_null(ur_search(b->tape, &b->t.decoder, sources, &o));
    tape_failed(b->tape, status, part);
    assert_int_equal(b->t.started, b->t.released);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        ur_search_options o;
        const char *part;
    } bad[] = {
        {{.temperature = -1.0f}, "temperature is -1"},
        {{.temperature = NAN}, "temperature is nan"},
        {{.top_p = 1.5f}, "top_p is 1.5"},
        {{.beam = UR_MOST_HYPOTHESES + 1}, "beam is 4097"},
        {{.beam = 2, .n_best = 3}, "the best 3 of a beam of 2"},
        {{.n_best = 2}, "the best 2 of a beam of 1"},
        {{.length_penalty = -0.5f}, "length_penalty is -0.5"},
        {{.length_penalty = NAN}, "length_penalty is nan"},
        {{.least = 4, .most = 3}, "at least 4 symbols in at most 3"},
        {{.beam = 2, .temperature = 1.0f}, "draws nothing"},
        {{.never_count = 1}, "list is missing"},
    };
    bench b;
    bench_new(&b);
    ur_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ur_search_check(&bad[i].o, &err), UR_INVALID);
        assert_non_null(strstr(err.text, bad[i].part));
        refused(&b, &one, bad[i].o, UR_INVALID, bad[i].part);
    }
    assert_int_equal(b.t.started, 0);
    refused(&b, &one, (ur_search_options){.never = &(int32_t){SYMBOLS}, .never_count = 1},
            UR_INVALID, "symbol 4");
    refused(&b, &one, (ur_search_options){.never = &(int32_t){-1}, .never_count = 1}, UR_INVALID,
            "symbol -1");
    refused(&b, &one, (ur_search_options){.end = &(int32_t){SYMBOLS}}, UR_INVALID, "symbol 4");
    refused(&b, &one, (ur_search_options){.end = &(int32_t){-2}}, UR_INVALID, "symbol -2");
    const ur_search_options none = {.never = (int32_t[]){A, B, C}, .never_count = 3, .least = 1};
    refused(&b, &one, none, UR_INVALID, "every symbol");
    for (int i = 0; i < 2; i++) {
        ur_search_options o = none;
        o.beam = i ? 3 : 1;
        o.temperature = i ? 0.0f : 1.0f;
        refused(&b, &one, o, UR_INVALID, "every symbol");
    }
    b.t.decoder.steps = 0;
    refused(&b, &one, (ur_search_options){0}, UR_INVALID, "limit the steps");
    table_new(&b.t);
    b.t.fail_at = 2;
    refused(&b, &three, (ur_search_options){.beam = 2}, UR_INVALID, "9 dimensions");
    table_new(&b.t);
    b.t.wide_at = 1;
    refused(&b, &three, (ur_search_options){0}, UR_INVALID, "(3,4) expected");
    ur_tape_start(b.tape, UR_TRAIN, b.params, NULL, 0, 0);
    table_new(&b.t);
    assert_null(ur_search(b.tape, &b.t.decoder, &one, NULL));
    tape_failed(b.tape, UR_INVALID, "tape for inference");
    assert_null(ur_search(b.tape, &b.t.decoder, &one, NULL)); /* a tape that failed */
    bench_free(&b);
}

/* ---- given beginnings ------------------------------------------------------------------------- */

static void beginnings(void **state)
{
    (void)state;
    static const int32_t given[] = {B, A, A, END, A, B, C};
    const ur_ids begin[] = {{given, 1}, {given, 0}, {given + 1, 2}};
    ur_sources s = {.count = 3, .ids = source_ids, .begin = begin};
    bench b;
    bench_new(&b);
    const ur_written *w = found(&b, &s, (ur_search_options){0});
    is(&w[0].best[0], "BC.", 0.25 * 0.5 * 0.5);
    is(&w[1].best[0], ".", 0.5);
    is(&w[2].best[0], "AA.", 0.125 * 0.125 * 0.5);
    /* BC and BB are open, then BC. ends, and of BCA and BBC, alike, the better one's stays */
    w = found(&b, &s, (ur_search_options){.beam = 2, .n_best = 2});
    is(&w[0].best[0], "BC.", 0.0625);
    is(&w[0].best[1], "BCA.", 0.015625);
    is(&w[1].best[0], ".", 0.5);
    is(&w[2].best[0], "AA.", 0.0078125);
    assert_int_equal(b.t.rows_of[0], 3);
    assert_int_equal(b.t.rows_of[1], 3); /* of what is given there is one, and of C after A */

    s = (ur_sources){.count = 1, .ids = source_ids, .begin = &(ur_ids){given + 3, 2}};
    for (size_t beam = 1; beam <= 2; beam++) { /* what is given ends nothing */
        w = found(&b, &s, (ur_search_options){.beam = beam});
        is(&w->best[0], ".A.", 0.125 * 0.5 * 0.5);
    }
    /* what is never written can be given; what is given counts */
    s.begin = &(ur_ids){given + 1, 1};
    w = found(&b, &s, (ur_search_options){.never = &(int32_t){A}, .never_count = 1});
    is(&w->best[0], "A.", 0.25);
    w = found(&b, &s, (ur_search_options){.least = 2});
    is(&w->best[0], "AC.", 0.5 * 0.25 * 0.5);
    /* and may be more than the limit */
    s.begin = &(ur_ids){given + 4, 3};
    w = found(&b, &s, (ur_search_options){.most = 2});
    is(&w->best[0], "AB", 0.5 * 0.125);
    w = found(&b, &s, (ur_search_options){.most = 3, .beam = 3, .n_best = 3});
    assert_int_equal(w->count, 1);
    is(&w->best[0], "ABC", 0.5 * 0.125 * 0.5);
    /* no random number is drawn for what is given */
    const ur_sources drawn = {.count = 1, .ids = source_ids, .begin = &(ur_ids){given + 1, 1}};
    const ur_sources after_a = {.count = 1, .ids = source_ids + 1};
    for (uint64_t seed = 0; seed < 20; seed++) {
        const ur_search_options o = {
            .temperature = 1.0f, .seed = seed, .end = &(int32_t){-1}, .most = 6};
        int32_t ids[5];
        w = found(&b, &after_a, o);
        memcpy(ids, w->best[0].ids, sizeof ids);
        w = found(&b, &drawn, o);
        assert_int_equal(w->best[0].ids[0], A);
        assert_memory_equal(w->best[0].ids + 1, ids, sizeof ids);
    }
    s.begin = &(ur_ids){(int32_t[]){A, SYMBOLS}, 2};
    table_new(&b.t);
    refused(&b, &s, (ur_search_options){0}, UR_INVALID, "begin with symbol 4");
    assert_int_equal(b.t.started, 0);
    bench_free(&b);
}

/* ---- limits ----------------------------------------------------------------------------------- */

static size_t as_long_as_its_source(const ur_decoder *d, ur_ids source)
{
    (void)d;
    return source.length;
}

/* Each source has its own; the smallest of it, the options' and the decoder's holds. */
static void limits(void **state)
{
    (void)state;
    static const int32_t zeros[20] = {END};
    const ur_ids ids[] = {{zeros, 1}, {zeros, 20}, {zeros, 3}};
    const ur_sources s = {.count = 3, .ids = ids};
    static const struct {
        size_t steps, most, beam, want[3];
    } cases[] = {{0, 0, 1, {1, 20, 3}}, {0, 0, 3, {1, 20, 3}}, {6, 0, 1, {1, 6, 3}},
                 {6, 2, 2, {1, 2, 2}},  {0, 9, 1, {1, 9, 3}},  {4, 9, 2, {1, 4, 3}}};
    bench b;
    bench_new(&b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        table_new(&b.t);
        b.t.decoder.steps = cases[i].steps;
        b.t.decoder.limit = as_long_as_its_source;
        const ur_search_options o = {
            .most = cases[i].most, .beam = cases[i].beam, .end = &(int32_t){-1}};
        ur_tape_start(b.tape, UR_INFER, b.params, NULL, 0, 0);
        const ur_written *w = ur_search(b.tape, &b.t.decoder, &s, &o);
        tape_fine(b.tape);
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(w[j].best[0].count, cases[i].want[j]);
            assert_false(w[j].best[0].complete);
        }
        assert_int_equal(b.t.steps, cases[i].want[1]);
        assert_int_equal(b.t.rows_of[b.t.steps - 1],
                         cases[i].want[1] == 2 ? 2 * cases[i].beam : cases[i].beam);
    }
    bench_free(&b);
}

/* ---- against trying everything ------------------------------------------------------------------ */

enum { DEEP = 3, ALL = 13 /* answers of up to DEEP steps, the end's included */, WIDE = 36 };

typedef struct answer {
    int32_t ids[DEEP];
    size_t count;
    double log_probability, score;
} answer;

static double scored(const answer *a, int penalty, double power)
{
    const double symbols = (double)a->count + 1.0;
    const double base = penalty == UR_PENALTY_WU ? (5.0 + symbols) / 6.0 : symbols;
    return a->log_probability / pow(base, power);
}

static int by_score(const void *a, const void *b)
{
    const double x = ((const answer *)a)->score, y = ((const answer *)b)->score;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* All answers without `never` of at least `least` symbols, the best first. */
static size_t list_all(const ur_search_options *o, answer out[ALL])
{
    answer open[ALL] = {{.count = 0}}, a;
    size_t opened = 1, count = 0;
    for (size_t i = 0; i < opened; i++) {
        const int32_t last = open[i].count ? open[i].ids[open[i].count - 1] : starts[0];
        for (int32_t next = 0; next < SYMBOLS; next++) {
            a = open[i];
            a.log_probability += (double)after[last][next];
            if (next == END && a.count >= o->least) {
                a.score = scored(&a, o->penalty, (double)o->length_penalty);
                out[count++] = a;
            } else if (next != END && a.count + 1 < DEEP && !(o->never && next == *o->never)) {
                a.ids[a.count++] = next;
                open[opened++] = a;
            }
        }
    }
    qsort(out, count, sizeof *out, by_score);
    return count;
}

/* A beam that holds everything finds all answers in their order, and its best one also when it is asked
 * for that alone, and so may stop early. Equal scores come in any order. */
static void check_all(bench *b, ur_search_options o)
{
    answer all[ALL];
    const size_t count = list_all(&o, all);
    o.beam = WIDE;
    o.most = DEEP;
    for (o.n_best = 1; o.n_best <= count; o.n_best += count - 1) {
        const ur_written *w = found(b, &one, o);
        assert_int_equal(w->count, o.n_best);
        for (size_t i = 0; i < w->count; i++) {
            const ur_hypothesis *h = &w->best[i];
            answer a = {.count = h->count, .log_probability = h->log_probability};
            assert_true(h->complete && h->count >= o.least);
            assert_true(fabs(h->score - all[i].score) < 1e-5);
            assert_true(fabs(scored(&a, o.penalty, (double)o.length_penalty) - h->score) < 1e-5);
            double sum = 0.0;
            for (size_t j = 0; j <= h->count; j++) {
                const int32_t last = j ? h->ids[j - 1] : starts[0];
                sum += (double)after[last][j < h->count ? h->ids[j] : END];
                assert_false(o.never && j < h->count && h->ids[j] == *o.never);
            }
            assert_true(fabs(sum - h->log_probability) < 1e-5);
        }
    }
}

static void all_answers(void **state)
{
    (void)state;
    static const float powers[] = {0.0f, 1.0f, 2.5f, 4.0f};
    bench b;
    bench_new(&b);
    for (int penalty = UR_PENALTY_WU; penalty <= UR_PENALTY_CTRANSLATE2; penalty++)
        for (size_t i = 0; i < 4; i++)
            for (size_t least = 0; least < DEEP; least++)
                for (int32_t never = 0; never < SYMBOLS; never++)
                    check_all(&b, (ur_search_options){.length_penalty = powers[i],
                                                      .penalty = penalty,
                                                      .least = least,
                                                      .never = never ? &never : NULL,
                                                      .never_count = never > 0});
    assert_string_equal(ur_penalty_name(UR_PENALTY_WU), "wu");
    assert_string_equal(ur_penalty_name(UR_PENALTY_CTRANSLATE2), "ctranslate2");
    assert_null(ur_penalty_name(2));
    /* a longer answer wins by whole lengths, not by Wu's: log 1/4 and log 1/16 of 2 and of 3 symbols */
    const ur_search_options o = {.beam = WIDE, .most = DEEP, .length_penalty = 4.0f};
    ur_search_options whole = o;
    whole.penalty = UR_PENALTY_CTRANSLATE2;
    is(&found(&b, &one, o)->best[0], "A.", 0.25);
    is(&found(&b, &one, whole)->best[0], "AC.", 0.0625);
    refused(&b, &one, (ur_search_options){.beam = 2, .penalty = 2}, UR_INVALID, "penalty");
    bench_free(&b);
}

/* NaN and infinities, wherever they stand, however the search goes. */
static void diverged(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    bench b;
    bench_new(&b);
    for (size_t i = 0; i < 3; i++)
        for (size_t at = 0; at < SYMBOLS; at++)
            for (int how = 0; how < 3; how++) {
                float logits[SYMBOLS][SYMBOLS];
                memcpy(logits, after, sizeof logits);
                logits[A][at] = bad[i]; /* in the second step */
                table_new(&b.t);
                b.t.logits = (const float(*)[SYMBOLS])logits;
                const ur_search_options o = {.beam = how == 1 ? 2 : 1,
                                             .temperature = how == 2 ? 1e-6f : 0.0f};
                refused(&b, &one, o, UR_DIVERGED, "not finite");
            }
    bench_free(&b);
}

/* No source, nothing to do. */
static void no_source(void **state)
{
    (void)state;
    bench b;
    bench_new(&b);
    assert_non_null(ur_search(b.tape, &b.t.decoder, &(ur_sources){0}, NULL));
    tape_fine(b.tape);
    assert_int_equal(b.t.steps, 0);
    bench_free(&b);
}

/* ---- a model of one's own ------------------------------------------------------------------- */

typedef struct own_model {
    ur_model base;
    table *t;
} own_model;

static ur_status own_decoder(const ur_model *model, ur_decoder *out, ur_err *err)
{
    (void)err;
    *out = ((const own_model *)model)->t->decoder;
    return UR_OK;
}

/* It generates, all at once and one token at a time: a generator feeds a decoder that cannot read
 * several symbols with one after the other. */
static void own(void **state)
{
    (void)state;
    const ur_kind writes = {.name = "table", .decoder = own_decoder};
    const ur_kind silent = {.name = "silent"};
    bench b;
    bench_new(&b);
    own_model m = {{.kind = &writes, .context = b.context, .params = b.params}, &b.t};
    ur_generator *g;
    ur_err err;
    int32_t id;
    assert_int_equal(ur_generator_new(b.context, &m.base, NULL, &g, &err), UR_OK);
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_INVALID);
    assert_int_equal(ur_generator_read(g, (ur_ids){(int32_t[]){B}, 1}, &err), UR_OK);
    assert_int_equal(ur_generator_read(g, (ur_ids){(int32_t[]){A, B}, 2}, &err), UR_OK);
    assert_int_equal(b.t.steps, 3);
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_OK);
    assert_int_equal(id, C);
    b.t.fail_at = 5;
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_INVALID);
    assert_null(ur_generator_logits(g));
    assert_int_equal(ur_generator_write(g, &id, NULL, &err), UR_INVALID); /* it stays so */
    assert_non_null(strstr(err.text, "9 dimensions"));
    ur_generator_free(g);
    assert_int_equal(b.t.released, 1);
    table_new(&b.t);
    const ur_written *w = ur_generate(b.tape, &m.base, 1, source_ids, NULL);
    tape_fine(b.tape);
    is(&w->best[0], "A.", 0.25);
    m.base.kind = &silent;
    ur_decoder d;
    assert_int_equal(ur_model_decoder(&m.base, &d, &err), UR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "a silent"));
    assert_int_equal(ur_generator_new(b.context, &m.base, NULL, &g, &err), UR_UNSUPPORTED);
    assert_null(g);
    assert_null(ur_generate(b.tape, &m.base, 1, source_ids, NULL));
    tape_failed(b.tape, UR_UNSUPPORTED, "does not write");
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy),    cmocka_unit_test(beam),       cmocka_unit_test(attention_rows),
        cmocka_unit_test(ties),      cmocka_unit_test(refusals),   cmocka_unit_test(diverged),
        cmocka_unit_test(no_source), cmocka_unit_test(own),        cmocka_unit_test(beginnings),
        cmocka_unit_test(limits),    cmocka_unit_test(all_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
