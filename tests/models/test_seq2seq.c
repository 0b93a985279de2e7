/* test_seq2seq.c - the encoder-decoder: that its own answers are what the teacher-forced decoder
 * would have written, step by step. */
#include "models/seq2seq.h"

#include "data/pairs.h"
#include "models/made_model.h"
#include "support/failing_alloc.h"

#include <math.h>
#include <string.h>

/* ---- answers -------------------------------------------------------------------------------- */

static ur_tape *inferring(ur_context *context, const ur_model *m)
{
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    return t;
}

static ur_answer *answers_of(ur_tape *t, const ur_model *m, const int32_t *first)
{
    ur_ids questions[PAIRS];
    for (size_t i = 0; i < PAIRS; i++)
        questions[i] = question(i);
    ur_answer *a = ur_seq2seq_answer(t, m, PAIRS, questions, first, NULL);
    tape_fine(t);
    return a;
}

/* Pairs whose answers are those. */
typedef struct made_pairs {
    ur_pairs pairs;
    size_t offset[2 * PAIRS + 1];
    int32_t ids[64];
} made_pairs;

static void make_pairs(made_pairs *p, const ur_answer *a)
{
    size_t at = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        const ur_ids q = question(i);
        p->offset[2 * i] = at;
        memcpy(p->ids + at, q.ids, q.length * sizeof *q.ids);
        at += q.length;
        p->offset[2 * i + 1] = at;
        memcpy(p->ids + at, a[i].ids, a[i].count * sizeof *q.ids);
        at += a[i].count;
        p->offset[2 * i + 2] = at;
    }
    p->pairs = (ur_pairs){.count = PAIRS, .offset = p->offset, .ids = p->ids};
}

/* log softmax(x)[which]. */
static double log_probability(const float *x, int32_t which)
{
    double sum = 0.0;
    for (int i = 0; i < SYMBOLS; i++)
        sum += exp((double)x[i]);
    return (double)x[which] - log(sum);
}

/* The greedy answers, given to the teacher-forced decoder, must be its largest logits everywhere;
 * probabilities and their product follow. */
static void answers_are_what_teacher_forcing_says(void **state)
{
    (void)state;
    static const size_t which[PAIRS] = {0, 1, 2, 3, 4};
    ur_context *context = context_of(NULL, 2, NULL);
    size_t complete = 0, cut = 0;
    for (int variant = 0; variant < TRANSFORMERS + 12; variant++) {
        const bool ragged = variant / 6 % 2;
        ur_seq2seq_config config = config_of(variant, ragged);
        config.format.answer_order = variant / 12 % 2 ? UR_ANSWER_REVERSED : UR_ANSWER_FORWARD;
        ur_model *m = model_of(context, &config, (uint64_t)variant);
        ur_tape *t = inferring(context, m);
        const ur_answer *a = answers_of(t, m, NULL);
        made_pairs p;
        make_pairs(&p, a);
        const ur_seq2seq_logits f = ur_seq2seq_forward(t, m, &p.pairs, PAIRS, which);
        tape_fine(t);
        for (size_t b = 0; b < PAIRS; b++) {
            double sum = 0.0;
            const size_t n = a[b].count;
            complete += a[b].complete;
            cut += !a[b].complete;
            for (size_t s = 0; s < n + (ragged && a[b].complete); s++) {
                const size_t row = ur_row(f.logits->layout, b, s);
                const float *x = ur_floats(f.logits->values) + row * SYMBOLS;
                const int32_t target = ur_ints(f.targets->values)[row];
                for (int i = 0; i < SYMBOLS; i++)
                    assert_true(x[i] <= x[target]);
                const double one = log_probability(x, target);
                if (s < n) {
                    const size_t i = config.format.answer_order ? n - 1 - s : s;
                    assert_true(fabs(exp(one) - (double)a[b].probability[i]) < 1e-5);
                }
                sum += one;
            }
            assert_true(fabs(sum - a[b].log_probability) < 1e-4);
            assert_true(ragged || (n == MOST_STEPS && a[b].complete));
        }
        ur_tape_free(t);
        ur_model_free(m);
    }
    assert_true(complete > 10 && cut > 10); /* both kinds were seen */
    ur_context_free(context);
}

/* Attention: rows of probabilities over the question in reading order. A model that reads backwards
 * looks at the same characters as one that reads the turned question forwards. */
static void attention_in_reading_order(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_seq2seq_config config = config_of(0, false);
    ur_answer *a[2];
    ur_tape *t[2];
    ur_model *m[2];
    int32_t turned[5];
    const ur_ids q = question(2);
    for (size_t i = 0; i < q.length; i++)
        turned[i] = q.ids[q.length - 1 - i];
    for (int i = 0; i < 2; i++) {
        config.format.reverse_input = i;
        m[i] = model_of(context, &config, 4);
        t[i] = inferring(context, m[i]);
        const ur_ids asked = {i ? q.ids : turned, q.length};
        a[i] = ur_seq2seq_answer(t[i], m[i], 1, &asked, NULL, NULL);
        tape_fine(t[i]);
    }
    for (size_t s = 0; s < MOST_STEPS; s++) {
        double sum = 0.0;
        assert_int_equal(a[0]->ids[s], a[1]->ids[s]);
        for (size_t j = 0; j < q.length; j++) {
            sum += (double)a[1]->attention[s * q.length + j];
            same_floats("attention", "turned", a[0]->attention + s * q.length + q.length - 1 - j,
                        a[1]->attention + s * q.length + j, 1);
        }
        assert_true(fabs(sum - 1.0) < 1e-5);
    }
    for (int i = 0; i < 2; i++) {
        ur_tape_free(t[i]);
        ur_model_free(m[i]);
    }
    config = config_of(1, false);
    m[0] = model_of(context, &config, 4);
    t[0] = inferring(context, m[0]);
    assert_null(answers_of(t[0], m[0], NULL)->attention);
    ur_tape_free(t[0]);
    ur_model_free(m[0]);
    ur_context_free(context);
}

static void together_is_one_by_one(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int v = 0; v < 10; v++) {
        const int variant = v < 6 ? v : TRANSFORMERS + v;
        const ur_seq2seq_config config = config_of(variant, variant % 2);
        ur_model *m = model_of(context, &config, 11);
        ur_tape *t = inferring(context, m), *other = tape_of(context);
        const ur_answer *a = answers_of(t, m, NULL);
        for (size_t i = 0; i < PAIRS; i++) {
            const ur_ids q = question(i);
            ur_tape_start(other, UR_INFER, m->params, NULL, 0, 0);
            const ur_answer *b = ur_seq2seq_answer(other, m, 1, &q, NULL, NULL);
            tape_fine(other);
            assert_int_equal(a[i].count, b->count);
            assert_int_equal(a[i].complete, b->complete);
            assert_memory_equal(a[i].ids, b->ids, b->count * sizeof *b->ids);
            assert_memory_equal(&a[i].log_probability, &b->log_probability, sizeof(double));
            same_floats("probability", "alone", a[i].probability, b->probability, b->count);
            if (b->attention)
                same_floats("attention", "alone", a[i].attention, b->attention,
                            b->count * q.length);
        }
        ur_tape_free(t);
        ur_tape_free(other);
        ur_model_free(m);
    }
    ur_context_free(context);
}

/* The notes' leaking form: the first input is the answer's last symbol and must be told. */
static void with_start(void **state)
{
    (void)state;
    static const int32_t first[PAIRS] = {5, 2, 7, 3, 8};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_seq2seq_config config = config_of(0, false);
    config.format.answer_order = UR_ANSWER_WITH_START;
    ur_model *m = model_of(context, &config, 3);
    ur_tape *t = inferring(context, m);
    const ur_ids q = question(0);
    assert_null(ur_seq2seq_answer(t, m, 1, &q, NULL, NULL));
    tape_failed(t, UR_UNSUPPORTED, "last symbol");
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_answer *a = answers_of(t, m, first);
    for (size_t i = 0; i < PAIRS; i++) {
        assert_int_equal(a[i].count, MOST_STEPS);
        assert_int_equal(a[i].ids[MOST_STEPS - 1], first[i]);
        assert_true(a[i].probability[MOST_STEPS - 1] == 1.0f);
    }
    ur_tape_start(t, UR_TRAIN, m->params, NULL, 0, 0);
    assert_null(ur_seq2seq_answer(t, m, 1, &q, first, NULL));
    tape_failed(t, UR_INVALID, "tape for inference");
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* Asked for the answers that it gives, a model is right; for others, it is wrong. */
static void measure(void **state)
{
    (void)state;
    static const size_t which[PAIRS] = {0, 1, 2, 3, 4};
    ur_context *context = context_of(NULL, 1, NULL);
    for (int v = 0; v < 18; v++) {
        const int variant = v < 12 ? v : TRANSFORMERS + v;
        const bool ragged = variant / 6;
        const ur_seq2seq_config config = config_of(variant, ragged);
        ur_model *m = model_of(context, &config, (uint64_t)variant);
        ur_tape *t = inferring(context, m), *other = inferring(context, m);
        ur_answer *a = answers_of(t, m, NULL);
        made_pairs p;
        ur_measure right = {0}, wrong = {0};
        double loss = 0.0;
        size_t whole = 0, positions = 0;
        make_pairs(&p, a);
        for (size_t i = 0; i < PAIRS; i++) {
            whole += a[i].complete;
            positions += a[i].count + ragged;
            loss -= a[i].complete ? a[i].log_probability : 0.0;
            assert_int_equal(m->kind->length(m, &p.pairs, i), question(i).length);
            assert_int_equal(m->kind->positions(m, &p.pairs, i), a[i].count + ragged);
        }
        assert_int_equal(m->kind->examples(m, &p.pairs), PAIRS);
        m->kind->measure(other, m, &p.pairs, PAIRS, which, &right);
        tape_fine(other);
        assert_int_equal(right.examples, PAIRS);
        assert_int_equal(right.positions, positions);
        assert_int_equal(right.sum[0], whole);
        /* all symbols, but for the end that an answer without room never came to */
        assert_in_range(right.sum[1], positions - (PAIRS - whole), positions);
        if (whole == PAIRS)
            assert_true(fabs(right.loss - loss) < 1e-3);
        for (size_t i = 0; i < PAIRS; i++) /* the last symbol becomes another */
            if (a[i].count)
                a[i].ids[a[i].count - 1] = 2 + (a[i].ids[a[i].count - 1] - 1) % (SYMBOLS - 2);
        size_t empty = 0;
        for (size_t i = 0; i < PAIRS; i++)
            empty += a[i].complete && a[i].count == 0;
        make_pairs(&p, a);
        ur_tape_start(other, UR_INFER, m->params, NULL, 0, 0);
        m->kind->measure(other, m, &p.pairs, PAIRS, which, &wrong);
        assert_int_equal(wrong.sum[0], empty);
        if (!ragged) /* symbols count, not answers: only the last ones are wrong */
            assert_int_equal(wrong.sum[1], positions - PAIRS);
        const size_t lost = (size_t)(right.sum[1] - wrong.sum[1]);
        assert_in_range(lost, PAIRS - empty, 2 * (PAIRS - empty));
        assert_true(wrong.loss > right.loss);
        ur_tape_free(t);
        ur_tape_free(other);
        ur_model_free(m);
    }
    ur_context_free(context);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_seq2seq_config config = config_of(*(const int *)arg, true);
    const ur_ids q[] = {question(0), question(2)};
    ur_context *context;
    ur_model *m = NULL;
    ur_tape *t = NULL;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_seq2seq_new(context, &config, &m, err);
    if (status == UR_OK) {
        ur_seq2seq_init(m, 1);
        status = ur_tape_new(context, &t, err);
    }
    if (status == UR_OK) {
        ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
        const ur_answer *answers = ur_seq2seq_answer(t, m, 2, q, NULL, NULL);
        status = ur_tape_status(t);
        assert_true((status == UR_OK) == (answers != NULL));
        if (status != UR_OK) {
            err->status = status;
            memcpy(err->text, ur_error(t), strlen(ur_error(t)) + 1);
        }
    }
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int v = 0; v < 5; v++) {
        int variant = v < 3 ? v : TRANSFORMERS + v;
        assert_true(failing_alloc_sweep(use, &variant) > 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_what_teacher_forcing_says),
        cmocka_unit_test(attention_in_reading_order),
        cmocka_unit_test(together_is_one_by_one),
        cmocka_unit_test(with_start),
        cmocka_unit_test(measure),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
