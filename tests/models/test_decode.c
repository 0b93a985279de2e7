/* test_decode.c - models that write by the search: against trying every answer, against a plain beam
 * search, beside others and alone, on every machine, and when memory runs out. */
#include "base/status.h"
#include "data/pairs.h"
#include "models/made_model.h"
#include "models/seq2seq.h"
#include "support/failing_alloc.h"
#include "unroll/language.h"
#include "unroll/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- models ------------------------------------------------------------------------------- */

static const ur_language_model_config texts[] = {
    {.cell = "lstm", .hidden_size = 7, .layers = 1, .bptt = 35},
    {.cell = "gru", .hidden_size = 6, .embed_size = 4, .layers = 2, .bptt = 35},
    {.cell = "rnn_tanh", .hidden_size = 9, .embed_size = 5, .layers = 1, .bptt = 35},
    {.network = UR_LANGUAGE_TRANSFORMER,
     .cell = "lstm",
     .hidden_size = 8,
     .heads = 2,
     .activation = UR_ACT_GELU,
     .layers = 2,
     .bptt = 35},
};
enum { TEXTS = sizeof texts / sizeof *texts };

static ur_model *text_model(ur_context *context, int kind, size_t vocabulary, uint64_t seed)
{
    ur_language_model_config c = texts[kind];
    ur_model *m;
    ur_err err;
    c.vocabulary = vocabulary;
    if (ur_language_model_new(context, &c, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ur_params_size(m->params); i++)
        ur_params_values(m->params)[i] = 1.5f * made_up(seed, i);
    ur_params_changed(m->params);
    return m;
}

/* An encoder-decoder of every kind: attention, none, peeky; one and two layers; ragged answers. */
static ur_model *answer_model(ur_context *context, int variant, size_t vocabulary, size_t steps,
                              uint64_t seed)
{
    static const char *const cells[] = {"lstm", "gru", "rnn_tanh"};
    ur_seq2seq_config c = config_of(variant, true);
    c.vocabulary = vocabulary;
    c.format.answer_steps = steps;
    c.cell = variant % 2 ? "lstm" : cells[variant / 2 % 3];
    c.layers = c.decoder_layers = 1 + (size_t)variant / 3 % 2;
    return model_of(context, &c, seed);
}

/* Makes a symbol more probable after anything, by about e^by. */
static void make_probable(ur_model *m, size_t symbol, float by)
{
    ur_params *p = m->params;
    const int bias = ur_params_find(p, "fc.bias"),
              norm = ur_params_find(p, "transformer.norm.bias");
    if (bias >= 0) {
        ur_param_values(p, bias)[symbol] += by;
    } else { /* what the last norm adds everywhere is what such a symbol likes */
        const float *b = ur_param_values(p, norm);
        const size_t d = ur_params_entry(p, (size_t)norm)->count;
        float *row = ur_param_values(p, ur_params_find(p, "embed.weight")) + symbol * d, square = 0;
        for (size_t i = 0; i < d; i++)
            square += b[i] * b[i];
        for (size_t i = 0; i < d; i++)
            row[i] += by * b[i] / square;
    }
    ur_params_changed(p);
}

static ur_tape *inferring(ur_context *context, const ur_model *m)
{
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    return t;
}

static void same_hypotheses(const ur_written *a, const ur_written *b, size_t width)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const ur_hypothesis *x = &a->best[i], *y = &b->best[i];
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->complete, y->complete);
        assert_memory_equal(x->ids, y->ids, x->count * sizeof *x->ids);
        same_floats("probability", "the other", x->probability, y->probability,
                    x->count + x->complete);
        assert_memory_equal(&x->score, &y->score, sizeof x->score);
        assert_memory_equal(&x->log_probability, &y->log_probability, sizeof x->score);
        assert_int_equal(x->attention != NULL, y->attention != NULL);
        if (x->attention)
            same_floats("attention", "the other", x->attention, y->attention, x->count * width);
    }
}

/* ---- against every answer there is -------------------------------------------------------- */

/* 4 symbols and the end; at most 4 steps, so at most 3 symbols before an end: 85 complete answers. */
enum { FEW = 5, LENGTH = 4, COMPLETE = 1 + 4 + 16 + 64, WIDE = 400 };

typedef struct tried {
    int32_t ids[LENGTH];
    size_t count;
    double log_probability;
} tried;

static double log_softmax(const float *x, size_t n, int32_t which)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i]);
    return (double)x[which] - log(sum);
}

static void list_answers(tried *all)
{
    size_t n = 0;
    for (size_t length = 0; length < LENGTH; length++)
        for (size_t i = 0; i < (size_t)1 << 2 * length; i++, n++) {
            all[n] = (tried){.count = length};
            for (size_t j = 0; j < length; j++) /* 0 2 3 4: END is 1 */
                all[n].ids[j] = (int32_t[]){0, 2, 3, 4}[i >> 2 * j & 3];
        }
    assert_int_equal(n, COMPLETE);
}

/* By the teacher-forced decoder. */
static void try_answers(ur_context *context, const ur_model *m, ur_ids q, tried *all)
{
    ur_tape *t = inferring(context, m);
    for (size_t i = 0; i < COMPLETE; i++) {
        int32_t ids[16];
        size_t offset[] = {0, q.length, q.length + all[i].count};
        memcpy(ids, q.ids, q.length * sizeof *ids);
        memcpy(ids + q.length, all[i].ids, all[i].count * sizeof *ids);
        const ur_pairs pairs = {.count = 1, .offset = offset, .ids = ids};
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        const ur_seq2seq_logits f = ur_seq2seq_forward(t, m, &pairs, 1, (size_t[]){0});
        tape_fine(t);
        all[i].log_probability = 0.0;
        for (size_t s = 0; s <= all[i].count; s++)
            all[i].log_probability += log_softmax(ur_floats(f.logits->values) + s * FEW, FEW,
                                                  s < all[i].count ? all[i].ids[s] : END);
    }
    ur_tape_free(t);
}

/* By reading prompt and answer at once. */
static void try_texts(ur_context *context, const ur_model *m, ur_ids prompt, tried *all)
{
    ur_tape *t = inferring(context, m);
    for (size_t i = 0; i < COMPLETE; i++) {
        int32_t ids[16];
        const size_t n = prompt.length + all[i].count;
        memcpy(ids, prompt.ids, prompt.length * sizeof *ids);
        memcpy(ids + prompt.length, all[i].ids, all[i].count * sizeof *ids);
        ids[n] = END;
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        const ur_seq *x = ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, 1, &n, NULL), ids);
        const ur_language_logits f = ur_language_model_forward(t, m, x, (ur_state){0});
        tape_fine(t);
        all[i].log_probability = 0.0;
        for (size_t s = prompt.length; s <= n; s++)
            all[i].log_probability +=
                log_softmax(ur_floats(f.logits->values) + (s - 1) * FEW, FEW, ids[s]);
    }
    ur_tape_free(t);
}

static double score_of(const tried *a, double penalty)
{
    return a->log_probability / pow((5.0 + (double)a->count + 1.0) / 6.0, penalty);
}

/* The n best of the list are what was found, but for rounding. */
static void check_best(const tried *all, double penalty, const ur_written *w, size_t n)
{
    bool taken[COMPLETE] = {false};
    assert_int_equal(w->count, n);
    for (size_t i = 0; i < n; i++) {
        size_t best = COMPLETE, its = COMPLETE;
        for (size_t j = 0; j < COMPLETE; j++) {
            const ur_hypothesis *h = &w->best[i];
            if (!taken[j] &&
                (best == COMPLETE || score_of(&all[j], penalty) > score_of(&all[best], penalty)))
                best = j;
            if (!taken[j] && h->count == all[j].count &&
                memcmp(h->ids, all[j].ids, h->count * sizeof *h->ids) == 0)
                its = j;
        }
        assert_true(w->best[i].complete && its < COMPLETE);
        assert_true(fabs(w->best[i].score - score_of(&all[its], penalty)) < 1e-4);
        assert_true(fabs(w->best[i].log_probability - all[its].log_probability) < 1e-4);
        if (score_of(&all[best], penalty) - score_of(&all[its], penalty) > 1e-4)
            fail_msg("penalty %g: answer %zu scores %g, the best %g", penalty, i,
                     score_of(&all[its], penalty), score_of(&all[best], penalty));
        taken[its] = true;
    }
}

static void finds_the_best(void **state)
{
    (void)state;
    static const float penalties[] = {0.0f, 0.3f, 1.0f, 2.5f};
    static const int32_t read[] = {2, 0, 4};
    const ur_ids source = {read, 3};
    size_t moved = 0; /* that a penalty chose another answer */
    ur_context *context = context_of(NULL, 1, NULL);
    for (int i = 0; i < 18; i++) {
        tried all[COMPLETE];
        const bool answers = i % 2;
        ur_model *m = answers ? answer_model(context, i / 2, FEW, LENGTH, (uint64_t)i)
                              : text_model(context, i / 2 % TEXTS, FEW, (uint64_t)i);
        ur_tape *t = inferring(context, m);
        size_t first = 0;
        list_answers(all);
        (answers ? try_answers : try_texts)(context, m, source, all);
        for (size_t p = 0; p < 4; p++) {
            const size_t n_best = (size_t[]){1, 5, 81, 5}[p];
            const ur_search_options o = {.beam = WIDE,
                                         .n_best = n_best,
                                         .length_penalty = penalties[p],
                                         .most = LENGTH,
                                         .end = &(int32_t){END}};
            const ur_written *w = ur_generate(t, m, 1, &source, &o);
            tape_fine(t);
            check_best(all, (double)penalties[p], w, n_best);
            if (p == 0)
                first = w->best[0].count;
            moved += w->best[0].count != first;
        }
        ur_tape_free(t);
        ur_model_free(m);
    }
    assert_true(moved > 5);
    ur_context_free(context);
}

/* ---- against a plain beam search ----------------------------------------------------------- */

enum { MANY = 120, STEPS = 7 };

typedef struct plain {
    int32_t ids[STEPS];
    size_t count;
    double log_probability;
    bool complete;
} plain;

/* Logits after prompt and hypothesis, read anew. */
static void logits_after(ur_tape *t, const ur_model *m, ur_ids prompt, const plain *h, float *out)
{
    int32_t ids[32];
    const size_t n = prompt.length + h->count;
    memcpy(ids, prompt.ids, prompt.length * sizeof *ids);
    memcpy(ids + prompt.length, h->ids, h->count * sizeof *ids);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_seq *x = ur_seq_ints(t, ur_new_layout(t, UR_STEP_MAJOR, 1, &n, NULL), ids);
    const ur_language_logits f = ur_language_model_forward(t, m, x, (ur_state){0});
    tape_fine(t);
    memcpy(out, ur_floats(f.logits->values) + (n - 1) * MANY, MANY * sizeof *out);
}

static int by_probability(const void *a, const void *b)
{
    const double x = ((const plain *)a)->log_probability, y = ((const plain *)b)->log_probability;
    return x < y ? 1 : x > y ? -1 : 0;
}

static double plain_score(const plain *h, double penalty)
{
    return h->log_probability / pow((5.0 + (double)(h->count + h->complete)) / 6.0, penalty);
}

/* Every continuation, sorted; the best `beam` stay; no early end. Returns how many ended. */
static size_t plain_search(ur_context *context, const ur_model *m, ur_ids prompt, size_t beam,
                           plain *ended)
{
    ur_tape *t = inferring(context, m);
    plain *all = malloc(beam * MANY * sizeof *all), open[8] = {{.count = 0}};
    size_t rows = 1, n_ended = 0;
    float x[MANY];
    assert_non_null(all);
    for (size_t step = 0; step < STEPS && rows; step++) {
        size_t n = 0;
        for (size_t r = 0; r < rows; r++) {
            logits_after(t, m, prompt, &open[r], x);
            for (int32_t v = 0; v < MANY; v++, n++) {
                all[n] = open[r];
                all[n].log_probability += log_softmax(x, MANY, v);
                all[n].complete = v == END;
                if (v != END)
                    all[n].ids[all[n].count++] = v;
            }
        }
        qsort(all, n, sizeof *all, by_probability);
        rows = 0;
        for (size_t i = 0; i < beam; i++)
            if (all[i].complete)
                ended[n_ended++] = all[i];
            else
                open[rows++] = all[i];
    }
    free(all);
    ur_tape_free(t);
    return n_ended;
}

static void as_a_plain_one(void **state)
{
    (void)state;
    static const int32_t read[] = {7, 70, 111};
    const ur_ids prompt = {read, 3};
    size_t compared = 0;
    ur_context *context = context_of(NULL, 1, NULL);
    for (int i = 0; i < 2 * TEXTS; i++) {
        ur_model *m = text_model(context, i % TEXTS, MANY, 40 + (uint64_t)i);
        make_probable(m, END, 2.5f); /* so that answers end */
        ur_tape *t = inferring(context, m);
        for (size_t beam = 2; beam <= 8; beam += 3)
            for (int p = 0; p < 3; p++) {
                plain ended[8 * STEPS];
                const size_t n = plain_search(context, m, prompt, beam, ended);
                const ur_search_options o = {.beam = beam,
                                             .n_best = 1 + beam / 2,
                                             .length_penalty = (float)p,
                                             .most = STEPS,
                                             .end = &(int32_t){END}};
                const ur_written *w = ur_generate(t, m, 1, &prompt, &o);
                tape_fine(t);
                assert_int_equal(w->count, o.n_best);
                for (size_t k = 0; k < w->count && k < n; k++) {
                    size_t best = 0;
                    for (size_t j = 1; j < n; j++)
                        if (plain_score(&ended[j], p) > plain_score(&ended[best], p))
                            best = j;
                    const ur_hypothesis *h = &w->best[k];
                    assert_true(h->complete);
                    assert_true(fabs(h->score - plain_score(&ended[best], p)) < 1e-4);
                    assert_int_equal(h->count, ended[best].count);
                    assert_memory_equal(h->ids, ended[best].ids, h->count * sizeof *h->ids);
                    ended[best].log_probability = -INFINITY;
                    compared++;
                }
            }
        ur_tape_free(t);
        ur_model_free(m);
    }
    assert_true(compared > 60);
    ur_context_free(context);
}

/* ---- alone and beside others, on every machine ---------------------------------------------- */

static const ur_search_options ways[] = {
    {.most = 9},
    {.most = 9, .temperature = 0.9f, .seed = 5},
    {.most = 9, .temperature = 1.5f, .top_k = 12, .top_p = 0.9f, .seed = 5},
    {.most = 9, .beam = 4, .n_best = 3, .attention = true},
    {.most = 9, .beam = 5, .n_best = 2, .length_penalty = 1.0f, .least = 2, .attention = true},
};
enum { WAYS = sizeof ways / sizeof *ways };

static ur_model *model_number(ur_context *context, int i)
{
    return i < TEXTS ? text_model(context, i, 30, (uint64_t)i)
                     : answer_model(context, i - TEXTS, 30, 9, (uint64_t)i);
}

/* Prompts of several lengths; encoder-decoders also get an empty question. */
static ur_ids source_number(int model, size_t i)
{
    return model < TEXTS && question(i).length == 0 ? question(2) : question(i);
}

static void beside_others(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int i = 0; i < TEXTS + 6; i++) {
        ur_model *m = model_number(context, i);
        ur_decoder d;
        assert_int_equal(ur_model_decoder(m, &d, NULL), UR_OK);
        for (int way = 0; way < WAYS; way++) {
            ur_search_options o = ways[way];
            o.end = &(int32_t){END};
            ur_ids turned[PAIRS], ids[PAIRS];
            uint64_t number[PAIRS];
            for (size_t b = 0; b < PAIRS; b++) {
                ids[b] = source_number(i, b);
                turned[b] = source_number(i, PAIRS - 1 - b);
                number[b] = PAIRS - 1 - b;
            }
            ur_tape *t = inferring(context, m), *other = inferring(context, m);
            const ur_written *all = ur_search(t, &d, &(ur_sources){.count = PAIRS, .ids = ids}, &o);
            const ur_written *back = ur_search(
                other, &d, &(ur_sources){.count = PAIRS, .ids = turned, .id = number}, &o);
            tape_fine(t);
            tape_fine(other);
            for (size_t b = 0; b < PAIRS; b++) {
                const ur_sources alone = {.count = 1, .ids = &ids[b], .id = &(uint64_t){b}};
                same_hypotheses(&all[b], &back[PAIRS - 1 - b], ids[b].length);
                const ur_written *one = ur_search(other, &d, &alone, &o);
                tape_fine(other);
                same_hypotheses(&all[b], one, ids[b].length);
            }
            ur_tape_free(t);
            ur_tape_free(other);
        }
        ur_model_free(m);
    }
    ur_context_free(context);
}

static void same_on_every_machine(void **state)
{
    (void)state;
    contexts all = contexts_new();
    for (int i = 0; i < TEXTS + 3; i++)
        for (int way = 0; way < WAYS; way++) {
            ur_tape *t[MOST_CONTEXTS];
            ur_model *m[MOST_CONTEXTS];
            const ur_written *first = NULL;
            const ur_ids ids[] = {source_number(i, 0), source_number(i, 2), source_number(i, 3)};
            for (int c = 0; c < all.count; c++) {
                m[c] = model_number(all.at[c], i);
                t[c] = inferring(all.at[c], m[c]);
                const ur_written *w = ur_generate(t[c], m[c], 3, ids, &ways[way]);
                tape_fine(t[c]);
                first = first ? first : w;
                for (size_t b = 0; b < 3; b++)
                    same_hypotheses(&first[b], &w[b], ids[b].length);
            }
            for (int c = 0; c < all.count; c++) {
                ur_tape_free(t[c]);
                ur_model_free(m[c]);
            }
        }
    contexts_free(&all);
}

/* A beam of one is the greedy search; what is drawn for source 0 is what a generator draws. */
static void as_a_generator(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    for (int i = 0; i < 2 * TEXTS; i++) {
        ur_model *m = text_model(context, i % TEXTS, 30, 90 + (uint64_t)i);
        for (int way = 0; way < 3; way++) {
            ur_search_options o = ways[way], step = ways[way];
            ur_tape *t = inferring(context, m);
            const ur_ids ids[] = {question(2), question(2)};
            o.most = 40;
            step.most = 0;
            const ur_written *w = ur_generate(t, m, 2, ids, &o);
            tape_fine(t);
            ur_generator *g;
            assert_int_equal(ur_generator_new(context, m, &step, &g, NULL), UR_OK);
            assert_int_equal(ur_generator_read(g, ids[0], NULL), UR_OK);
            double sum = 0.0;
            for (size_t s = 0; s < 40; s++) {
                int32_t id;
                double log_probability;
                assert_int_equal(ur_generator_write(g, &id, &log_probability, NULL), UR_OK);
                assert_int_equal(id, w[0].best[0].ids[s]);
                sum += log_probability;
            }
            assert_true(sum == w[0].best[0].log_probability);
            assert_true(sum == w[0].best[0].score);
            const bool same = memcmp(w[0].best[0].ids, w[1].best[0].ids, 40 * sizeof(int32_t)) == 0;
            assert_int_equal(same, way == 0); /* each source draws for itself */
            o.beam = o.n_best = 1;
            o.length_penalty = way == 0 ? 2.0f : 0.0f;
            const ur_written *one = ur_generate(t, m, 2, ids, &o);
            tape_fine(t);
            assert_memory_equal(one[0].best[0].ids, w[0].best[0].ids, 40 * sizeof(int32_t));
            same_floats("probability", "a beam of one", w[0].best[0].probability,
                        one[0].best[0].probability, 40);
            ur_generator_free(g);
            ur_tape_free(t);
        }
        ur_model_free(m);
    }
    ur_context_free(context);
}

/* ---- answers of encoder-decoders ------------------------------------------------------------ */

/* A hypothesis looked where the decoder looks that is given its symbols, all at once. */
static void check_attention(ur_tape *t, const ur_model *model, ur_ids q, const ur_hypothesis *h)
{
    const ur_seq2seq *m = ur_as_seq2seq(model);
    int32_t in[1 + MOST_STEPS] = {m->config->format.start};
    ur_weights *weights = NULL;
    if (!h->count)
        return;
    memcpy(in + 1, h->ids, (h->count - 1) * sizeof *in);
    const ur_encoded e = m->network->encode(t, m, ur_seq2seq_questions(t, m, 1, &q, NULL));
    const ur_layout *steps = ur_new_layout(t, UR_STEP_MAJOR, 1, &h->count, NULL);
    ur_seq2seq_decode(t, m, &e, ur_seq_ints(t, steps, in), NULL, NULL, &weights);
    tape_fine(t);
    same_floats("attention", "of the beam", weights->p, h->attention, h->count * q.length);
}

static void alternatives(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int variant = 0; variant < 12; variant++) {
        ur_seq2seq_config c = config_of(variant, true);
        c.format.answer_order = variant % 2 ? UR_ANSWER_REVERSED : UR_ANSWER_FORWARD;
        ur_model *m = model_of(context, &c, 7 + (uint64_t)variant);
        ur_tape *t = inferring(context, m);
        const ur_search_options o = {.beam = 6, .n_best = 4, .length_penalty = 0.5f};
        ur_ids q[PAIRS];
        for (size_t b = 0; b < PAIRS; b++)
            q[b] = question(b);
        const ur_answer *a = ur_seq2seq_answer(t, m, PAIRS, q, NULL, &o);
        tape_fine(t);
        ur_search_options shown = o;
        shown.attention = true;
        const ur_written *w = ur_generate(t, m, PAIRS, q, &shown);
        tape_fine(t);
        for (size_t b = 0; b < PAIRS; b++) {
            assert_int_equal(w[b].count, 1 + a[b].alternative_count);
            for (size_t i = 0; i < w[b].count; i++) {
                const ur_answer *x = i ? &a[b].alternatives[i - 1] : &a[b];
                const ur_hypothesis *h = &w[b].best[i];
                assert_int_equal(x->count, h->count);
                assert_int_equal(x->complete, h->complete);
                assert_true(x->score == h->score);
                assert_true(fabs(x->log_probability - h->log_probability) < 1e-4);
                assert_int_equal(x->attention != NULL, variant % 3 == 0);
                for (size_t s = 0; s < h->count; s++) {
                    const size_t at = variant % 2 ? h->count - 1 - s : s;
                    assert_int_equal(x->ids[at], h->ids[s]);
                    assert_true(x->probability[at] == h->probability[s]);
                    for (size_t j = 0; x->attention && j < q[b].length; j++)
                        assert_true(
                            x->attention[at * q[b].length + j] ==
                            h->attention[s * q[b].length +
                                         (c.format.reverse_input ? q[b].length - 1 - j : j)]);
                }
                if (x->attention)
                    check_attention(t, m, q[b], h);
                if (i && h->complete == w[b].best[i - 1].complete)
                    assert_true(h->score <= w[b].best[i - 1].score);
            }
        }
        const ur_answer *greedy = ur_seq2seq_answer(t, m, PAIRS, q, NULL, NULL);
        assert_int_equal(greedy[0].alternative_count, 0);
        assert_null(greedy[0].alternatives);
        assert_null(
            ur_seq2seq_answer(t, m, PAIRS, q, NULL, &(ur_search_options){.end = &(int32_t){2}}));
        tape_failed(t, UR_INVALID, "which symbol ends");
        ur_tape_free(t);
        ur_model_free(m);
    }
    ur_context_free(context);
}

/* ---- what fails ------------------------------------------------------------------------------ */

static void failures(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_model *m = text_model(context, 0, 30, 1);
    ur_tape *t = inferring(context, m);
    const ur_ids none = {NULL, 0}, wrong = {(int32_t[]){3, 30}, 2};
    ur_ids q = question(0);
    assert_null(ur_generate(t, m, 1, &q, NULL));
    tape_failed(t, UR_INVALID, "limit");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_generate(t, m, 2, (ur_ids[]){q, none}, &ways[0]));
    tape_failed(t, UR_INVALID, "prompt 1 is empty");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_generate(t, m, 2, (ur_ids[]){q, wrong}, &ways[3]));
    tape_failed(t, UR_INVALID, "prompt 1 has the id 30");
    ur_param_values(m->params, ur_params_find(m->params, "fc.bias"))[3] = NAN;
    ur_params_changed(m->params);
    for (int way = 0; way < WAYS; way++) {
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        assert_null(ur_generate(t, m, 1, &q, &ways[way]));
        tape_failed(t, UR_DIVERGED, "symbol 3");
    }
    ur_model_free(m);
    const ur_language_model_config both = {.vocabulary = 30,
                                           .hidden_size = 3,
                                           .bidirectional = true,
                                           .cell = "lstm",
                                           .layers = 1,
                                           .bptt = 35};
    assert_int_equal(ur_language_model_new(context, &both, &m, NULL), UR_OK);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_generate(t, m, 1, &q, &ways[0]));
    tape_failed(t, UR_UNSUPPORTED, "bidirectional");
    ur_model_free(m);
    m = answer_model(context, 0, 9, 6, 1);
    q = wrong;
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_generate(t, m, 1, &q, &ways[3]));
    tape_failed(t, UR_INVALID, "id 30");
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

typedef struct use {
    int model, way, threads;
} use;

static ur_status write_all(const ur_allocator *a, ur_err *err, void *arg)
{
    const use *u = arg;
    static const int32_t never[] = {2};
    const ur_options options = {.allocator = a, .threads = u->threads};
    const ur_ids q[] = {question(0), question(2), question(4)};
    ur_context *context;
    ur_tape *t = NULL;
    ur_generator *g = NULL;
    int32_t id;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    ur_model *m = NULL;
    ur_language_model_config c = texts[u->model % TEXTS];
    ur_seq2seq_config s = config_of(u->model - TEXTS, true);
    c.vocabulary = SYMBOLS;
    status = u->model < TEXTS ? ur_language_model_new(context, &c, &m, err)
                              : ur_seq2seq_new(context, &s, &m, err);
    if (status == UR_OK) {
        for (size_t i = 0; i < ur_params_size(m->params); i++)
            ur_params_values(m->params)[i] = made_up(3, i);
        ur_params_changed(m->params);
        status = ur_tape_new(context, &t, err);
    }
    if (status == UR_OK) {
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        const ur_written *w = ur_generate(t, m, 3, q, &ways[u->way]);
        status = ur_tape_status(t);
        assert_true((status == UR_OK) == (w != NULL));
        if (status != UR_OK)
            ur_fail(err, status, "%s", ur_error(t));
    }
    ur_search_options step = ways[u->way];
    step.most = 0;
    if (u->way > 2) /* by beam */
        step = (ur_search_options){.never = never, .never_count = 1};
    status = status == UR_OK ? ur_generator_new(context, m, &step, &g, err) : status;
    status = status == UR_OK ? ur_generator_read(g, q[0], err) : status;
    status = status == UR_OK ? ur_generator_read(g, q[1], err) : status;
    status = status == UR_OK ? ur_generator_write(g, &id, NULL, err) : status;
    ur_generator_free(g);
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * (TEXTS + 3); i++) {
        use u = {.model = i / 2, .way = i % WAYS, .threads = i % 2 ? 3 : 1};
        assert_true(failing_alloc_sweep(write_all, &u) > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_best), cmocka_unit_test(as_a_plain_one),
        cmocka_unit_test(beside_others),  cmocka_unit_test(same_on_every_machine),
        cmocka_unit_test(as_a_generator), cmocka_unit_test(alternatives),
        cmocka_unit_test(failures),       cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
