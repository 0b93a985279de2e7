/* test_tagger.c - taggers and classifiers: what they say to many texts is what they say to each,
 * directions, drop-out, and evaluation against its definition. Parameters and what is refused:
 * test_tagger_build.c. */
#include "models/made_tagger.h"
#include "support/failing_alloc.h"
#include "unroll/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- many texts ----------------------------------------------------------------------------- */

/* Whatever the threads, the instruction set and the company: the same bytes as one text alone. */
static void together_is_one_by_one(void **state)
{
    (void)state;
    static int32_t label[MOST_ROWS], first_label[MOST_ROWS];
    static float p[MOST_ROWS * LABELS], first[MOST_ROWS * LABELS];
    made m;
    make(&m, 0);
    for (int variant = 0; variant < 6; variant++) {
        const bool per_sequence = variant % 2;
        const ur_tagger_config config = config_of(variant / 2);
        const size_t n = answers_of(&m, per_sequence);
        contexts all = contexts_new();
        /* all contexts with the first model of each kind, the reference and the last with others */
        for (int c = 0; c < all.count; c += variant < 2 || c ? 1 : all.count - 1) {
            ur_model *model = model_of(all.at[c], per_sequence, &config);
            assert_int_equal(ur_tagger_apply(all.at[c], model, TEXTS, m.texts, label, p, NULL),
                             UR_OK);
            if (c == 0) {
                memcpy(first, p, n * LABELS * sizeof *p);
                memcpy(first_label, label, n * sizeof *label);
                for (size_t i = 0, at = 0; i < TEXTS; i++) {
                    const size_t k = per_sequence ? 1 : m.length[i];
                    assert_int_equal(
                        ur_tagger_apply(all.at[c], model, 1, &m.texts[i], label, p, NULL), UR_OK);
                    same_floats("probability", "alone", first + at * LABELS, p, k * LABELS);
                    assert_memory_equal(first_label + at, label, k * sizeof *label);
                    at += k;
                }
            }
            same_floats("probability", all.name[c], first, c ? p : first, n * LABELS);
            assert_memory_equal(first_label, c ? label : first_label, n * sizeof *label);
            ur_model_free(model);
        }
        contexts_free(&all);
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (size_t j = 0; j < LABELS; j++) {
                sum += (double)first[i * LABELS + j];
                assert_true(first[i * LABELS + j] <= first[i * LABELS + (size_t)first_label[i]]);
            }
            assert_true(fabs(sum - 1.0) < 1e-6);
        }
    }
}

/* log softmax(x)[target] of fc's bias alone. */
static void texts_without_tokens(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    const ur_tagger_config config = config_of(1);
    ur_model *model = model_of(context, true, &config);
    const float *bias = ur_param_values(model->params, ur_params_find(model->params, "fc.bias"));
    const ur_ids nothing[] = {{NULL, 0}, {NULL, 0}};
    int32_t label[2];
    float p[2 * LABELS];
    double sum = 0.0;
    assert_int_equal(ur_tagger_apply(context, model, 2, nothing, label, p, NULL), UR_OK);
    for (size_t i = 0; i < LABELS; i++)
        sum += exp((double)bias[i]);
    for (size_t i = 0; i < 2 * LABELS; i++)
        assert_true(fabs((double)p[i] - exp((double)bias[i % LABELS]) / sum) < 1e-6);
    assert_int_equal(ur_tagger_apply(context, model, 0, NULL, label, p, NULL), UR_OK);
    ur_model_free(model);
    model = model_of(context, false, &config);
    label[0] = 77;
    assert_int_equal(ur_tagger_apply(context, model, 2, nothing, label, NULL, NULL), UR_OK);
    assert_int_equal(label[0], 77); /* there is nothing to say */
    ur_model_free(model);
    ur_context_free(context);
}

/* One way, a token's answer does not depend on what follows; both ways it does. */
static void directions(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6};
    const ur_ids texts[] = {{ids, 8}, {ids, 3}};
    for (int way = 0; way < 3; way++)
        for (int deep = 0; deep < 2; deep++) {
            float p[11 * LABELS];
            ur_tagger_config config = config_of(deep);
            config.directions = (ur_directions)way;
            ur_model *model = model_of(context, false, &config);
            assert_int_equal(ur_tagger_apply(context, model, 2, texts, NULL, p, NULL), UR_OK);
            for (size_t i = 0; i < 3 * LABELS; i++)
                assert_true((memcmp(p + i, p + 8 * LABELS + i, sizeof *p) == 0) ==
                            (way == UR_ONE_WAY));
            ur_model_free(model);
        }
    ur_context_free(context);
}

/* ---- drop-out ------------------------------------------------------------------------------- */

/* The same from layers put together here: on the embeddings, between layers, on what fc reads. */
static void drop_out(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    made m;
    make(&m, 1);
    for (int variant = 0; variant < 4; variant++) {
        const bool per_sequence = variant % 2, training = variant < 2;
        ur_tagger_config config = config_of(1);
        config.directions = UR_BOTH_CONCAT;
        ur_model *model = model_of(context, per_sequence, &config);
        const ur_tagger *t = ur_as_tagger(model);
        assert_true(t->rnn.config.dropout == 0.3f);
        ur_tape *tape[2];
        const ur_seq *logits[2] = {NULL, NULL};
        for (int own = 0; own < 2; own++) {
            float *gradient = calloc(ur_params_size(model->params), sizeof *gradient);
            tape[own] = tape_of(context);
            ur_tape_start(tape[own], training ? UR_TRAIN : UR_INFER, model->params,
                          training ? gradient : NULL, 5, 9);
            const ur_layout *l = ur_new_layout(tape[own], UR_STEP_MAJOR, TEXTS, m.length, NULL);
            const ur_seq *ids = ur_seq_ints(tape[own], l, m.ids);
            if (own) {
                ur_seq *x = ur_dropout(tape[own], ur_embedding(tape[own], &t->embed, ids), 0.3f);
                const ur_rnn_out out = ur_rnn(tape[own], &t->rnn, x, (ur_state){0});
                x = out.y;
                if (per_sequence) {
                    size_t one[TEXTS];
                    for (size_t i = 0; i < TEXTS; i++)
                        one[i] = 1;
                    ur_tensor *h = ur_concat(tape[own], ur_pick(tape[own], out.h_n, 2),
                                             ur_pick(tape[own], out.h_n, 3));
                    l = ur_new_layout(tape[own], UR_STEP_MAJOR, TEXTS, one, NULL);
                    x = ur_seq_new(tape[own], h, l);
                }
                logits[own] = ur_linear_seq(tape[own], &t->fc, ur_dropout(tape[own], x, 0.3f));
            } else {
                logits[own] = ur_tagger_forward(tape[own], model, ids);
            }
            tape_fine(tape[own]);
            free(gradient);
        }
        assert_int_equal(logits[0]->values->dim[0], answers_of(&m, per_sequence));
        same_floats("logits", "put together", ur_floats(logits[0]->values),
                    ur_floats(logits[1]->values), ur_count(logits[0]->values));
        ur_tape_free(tape[0]);
        ur_tape_free(tape[1]);
        ur_model_free(model);
    }
    ur_context_free(context);
}

/* ---- evaluation ----------------------------------------------------------------------------- */

static void evaluation(void **state)
{
    (void)state;
    static int32_t label[MOST_ROWS];
    static float p[MOST_ROWS * LABELS];
    made m;
    make(&m, 1);
    contexts all = contexts_new();
    for (int variant = 0; variant < 6; variant++) {
        const bool per_sequence = variant % 2;
        const ur_tagger_config config = config_of(variant / 2);
        ur_labelled *data = labelled_of(NULL, per_sequence ? UR_CLASSIFIED : UR_TAGGED, TOKENS,
                                        LABELS, TEXTS, m.length, m.ids, m.labels);
        ur_measure first = {0};
        for (int c = 0; c < all.count; c += variant < 2 || c ? 1 : all.count - 1) {
            ur_model *model = model_of(all.at[c], per_sequence, &config);
            ur_measure sum;
            ur_confusion *confusion;
            assert_int_equal(ur_confusion_new(NULL, LABELS, true, &confusion, NULL), UR_OK);
            assert_int_equal(ur_evaluate_with(model, data, &sum, confusion, NULL), UR_OK);
            if (c == 0)
                first = sum;
            assert_memory_equal(&first.loss, &sum.loss, sizeof sum.loss);
            assert_memory_equal(&first.sum[UR_TAGGER_F1], &sum.sum[UR_TAGGER_F1],
                                sizeof sum.sum[UR_TAGGER_F1]);
            assert_int_equal(first.sum[UR_TAGGER_ACCURACY], sum.sum[UR_TAGGER_ACCURACY]);
            const size_t n = answers_of(&m, per_sequence);
            assert_true(sum.positions == n && sum.examples == n);
            double loss = 0.0;
            size_t right = 0, counts[LABELS * LABELS] = {0};
            ur_tagger_apply(all.at[c], model, TEXTS, m.texts, label, p, NULL);
            for (size_t i = 0; i < n; i++) {
                const size_t target = (size_t)m.labels[i];
                loss -= log((double)p[i * LABELS + target]);
                right += label[i] == m.labels[i];
                counts[target * LABELS + (size_t)label[i]]++;
            }
            assert_true(fabs(loss - sum.loss) < 1e-5 * (double)n);
            assert_int_equal(right, sum.sum[UR_TAGGER_ACCURACY]);
            assert_int_equal(confusion->labels, LABELS);
            assert_memory_equal(confusion->counts, counts, sizeof counts);
            const ur_confusion matrix = {LABELS, counts, NULL, NULL,
                                         NULL}; /* the same by its sums */
            assert_true(fabs(ur_confusion_f1(&matrix) - ur_confusion_f1(confusion)) < 1e-15);
            assert_true(fabs(ur_confusion_accuracy(&matrix) - ur_confusion_accuracy(confusion)) <
                        1e-15);
            assert_true(fabs(ur_confusion_f1(confusion) - sum.sum[UR_TAGGER_F1]) < 1e-15);
            assert_true(right > 0 && right < n && sum.sum[UR_TAGGER_F1] > 0 &&
                        sum.sum[UR_TAGGER_F1] < 1);
            ur_measure class_sum; /* as a run asks */
            assert_int_equal(model->kind->evaluate(model, data, &class_sum, NULL, NULL), UR_OK);
            assert_memory_equal(&class_sum.loss, &sum.loss, sizeof sum.loss);
            assert_int_equal(model->kind->examples(model, data), TEXTS);
            ur_confusion_free(NULL, confusion);
            ur_model_free(model);
        }
        ur_labelled_free(data);
    }
    contexts_free(&all);
}

/* Four times as many texts take the memory of some of them. */
static void memory_of_many_texts(void **state)
{
    (void)state;
    enum { STEPS = 400, SOME = 24, MANY = 4 * SOME }; /* more than two shards */
    static int32_t ids[STEPS], label[MANY * STEPS];
    static ur_ids texts[MANY];
    const ur_tagger_config config = config_of(0);
    size_t most[2];
    for (size_t i = 0; i < STEPS; i++)
        ids[i] = (int32_t)(i % TOKENS);
    for (size_t i = 0; i < MANY; i++)
        texts[i] = (ur_ids){ids, STEPS};
    for (int many = 0; many < 2; many++) {
        failing_alloc f;
        failing_alloc_init(&f, 0, false);
        ur_context *context = context_of(NULL, 1, &f.hooks);
        ur_model *model = model_of(context, false, &config);
        assert_int_equal(
            ur_tagger_apply(context, model, many ? MANY : SOME, texts, label, NULL, NULL), UR_OK);
        ur_model_free(model);
        ur_context_free(context);
        assert_int_equal(f.bytes, 0);
        most[many] = f.most;
    }
    if (most[1] > most[0] + most[0] / 4)
        fail_msg("%zu bytes for %d texts, %zu for %d", most[0], SOME, most[1], MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_is_one_by_one),
        cmocka_unit_test(texts_without_tokens),
        cmocka_unit_test(directions),
        cmocka_unit_test(drop_out),
        cmocka_unit_test(evaluation),
        cmocka_unit_test(memory_of_many_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
