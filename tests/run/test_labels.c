/* test_labels.c - runs of taggers and classifiers: tasks that ask for both directions or for a long
 * memory are learned, the same bytes come out everywhere, interrupted or not, and what is asked of
 * a trained run is answered as documented. */
#include "run/labelled_runs.h"
#include "support/slow.h"

#include <math.h>

static const char *const kinds[] = {"tagger", "classifier"};

/* ---- tasks ---------------------------------------------------------------------------------- */

typedef struct scores {
    double accuracy, f1;
} scores;

/* What the last evaluation of a training says. */
static scores trained(ur_context *context, const char *folder, const ur_run_settings *settings,
                      const char *name, const ur_tagger_config *config)
{
    const ur_kind *kind;
    ur_run *run;
    ur_err err;
    if (ur_run_create(context, folder, settings, name, config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    run_trained(run);
    ur_run_free(run);
    const ur_metrics last = last_metrics(context, folder, &kind);
    assert_string_equal(kind->name, name);
    return (scores){valid_figure(kind, &last, "accuracy"), valid_figure(kind, &last, "f1")};
}

/* Who reads one way cannot know what comes. */
static void both_directions(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_run_settings s = labelled_settings();
    ur_tagger_config c = ur_tagger_defaults();
    make_neighbours("train.txt", 800, 1);
    make_neighbours("valid.txt", 200, 2);
    s.train.batch = 32;
    s.train.lr = 0.02;
    s.train.epochs = 12;
    c.embed_size = 8;
    c.hidden_size = 16;
    const scores both = trained(context, "both", &s, "tagger", &c);
    c.directions = UR_ONE_WAY;
    const scores one = trained(context, "one", &s, "tagger", &c);
    if (!(both.accuracy >= 0.99 && both.f1 >= 0.98))
        fail_msg("both ways: accuracy %g, F1 %g", both.accuracy, both.f1);
    if (!(one.accuracy < 0.8))
        fail_msg("one way: accuracy %g", one.accuracy);
    ur_context_free(context);
}

/* One way, so that the first token's class has to be kept until the end. */
static void long_memory(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_run_settings s = labelled_settings();
    ur_tagger_config c = ur_classifier_defaults();
    const unsigned least = hurry() ? 10 : 30, most = 2 * least;
    make_first_decides("train.txt", hurry() ? 400 : 1000, least, most, 3);
    make_first_decides("valid.txt", 200, least, most, 4);
    s.train.batch = 16;
    s.train.lr = 0.02;
    s.train.epochs = 15;
    c.embed_size = 8;
    c.hidden_size = 32;
    c.cell = "gru";
    c.directions = UR_ONE_WAY;
    const scores m = trained(context, "run", &s, "classifier", &c);
    if (!(m.accuracy >= 0.99 && m.f1 >= 0.99))
        fail_msg("accuracy %g, F1 %g", m.accuracy, m.f1);
    ur_context_free(context);
}

/* ---- the same bytes ------------------------------------------------------------------------- */

static void instruction_sets_and_threads(void **state)
{
    (void)state;
    static const char *const texts[] = {"a b c d e", "", "e", "c c  unheard-of\tc"};
    for (int kind = 0; kind < 2; kind++) {
        contexts all = contexts_new();
        float first[64];
        ur_measure first_sum = {0};
        make_files(kind);
        for (int i = 0; i < all.count; i++) {
            const ur_run_settings s = labelled_settings();
            char folder[32], reference[32];
            ur_err err;
            snprintf(reference, sizeof reference, "%s0", kinds[kind]);
            snprintf(folder, sizeof folder, "%s%d", kinds[kind], i);
            ur_run *run = labelled_created(all.at[i], folder, &s, kind);
            run_trained(run);
            same_files(reference, folder, "model.safetensors");
            const ur_pair_source source = {.data = "valid.txt"};
            ur_prediction out[4];
            ur_measure sum;
            ur_confusion *confusion;
            if (ur_confusion_new(NULL, 3, true, &confusion, &err) != UR_OK ||
                ur_run_predict(run, 4, texts, NULL, out, NULL, &err) != UR_OK ||
                ur_run_evaluate(run, &source, &sum, confusion, &err) != UR_OK)
                fail_msg("%s", err.text);
            float got[64];
            size_t n = 0;
            for (int t = 0; t < 4; t++) {
                for (size_t j = 0; j < out[t].count * 3; j++)
                    got[n++] = out[t].all[j];
                ur_prediction_free(all.at[i], &out[t]);
            }
            if (i == 0) {
                memcpy(first, got, sizeof got);
                first_sum = sum;
            }
            same_floats("probability", all.name[i], first, got, n);
            assert_memory_equal(&sum.loss, &first_sum.loss, sizeof sum.loss);
            assert_memory_equal(sum.sum, first_sum.sum, sizeof sum.sum);
            ur_confusion_free(NULL, confusion);
            ur_run_free(run);
        }
        contexts_free(&all);
    }
}

/* Ten steps: stopped after each of the first nine, and before the first; in a hurry after some. */
static void interrupted_and_resumed(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int kind = 0; kind < 2; kind++) {
        const ur_run_settings s = labelled_settings();
        char whole[32], folder[32];
        make_files(kind);
        snprintf(whole, sizeof whole, "%s-whole", kinds[kind]);
        ur_run *run = labelled_created(context, whole, &s, kind);
        run_trained(run);
        ur_run_free(run);
        assert_int_equal(last_metrics(context, whole, NULL).step, 10);
        for (size_t step = 0; step < 10; step += hurry() ? 3 : 1) {
            stop_at stop = {step, 0};
            const ur_run_hooks hooks = stop_hooks(&stop);
            snprintf(folder, sizeof folder, "%s-%zu", kinds[kind], step);
            run = labelled_created(context, folder, &s, kind);
            if (step)
                assert_int_equal(ur_run_train(run, &hooks, NULL), UR_INTERRUPTED);
            ur_run_free(run);
            run = run_resumed(context, folder, 0, UR_NO_LIMIT);
            run_trained(run);
            ur_run_free(run);
            same_files(whole, folder, "model.safetensors");
            same_metrics(context, whole, folder);
        }
    }
    ur_context_free(context);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void labels_of_texts(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    for (int kind = 0; kind < 2; kind++) {
        ur_run_settings s = labelled_settings();
        s.train.max_steps = 1;
        make_files(kind);
        ur_run *run = labelled_created(context, kinds[kind], &s, kind);
        run_trained(run);
        ur_run_free(run);
        char path[64];
        snprintf(path, sizeof path, "%s/model.safetensors", kinds[kind]);
        for (int file = 0; file < 2; file++) { /* the folder, and the file alone */
            run = run_opened(context, file ? path : kinds[kind]);
            assert_string_equal(ur_run_kind(run)->name, kinds[kind]);
            const ur_vocabulary *names = ur_run_labels(run);
            assert_int_equal(ur_vocabulary_size(names), 3);
            static const char *const texts[] = {" a  Zebra\tc ", "", "b"};
            ur_prediction out[3];
            ur_err err;
            if (ur_run_predict(run, 3, texts, NULL, out, NULL, &err) != UR_OK)
                fail_msg("%s", err.text);
            assert_int_equal(out[0].count, kind ? 1 : 3);
            assert_int_equal(out[1].count, kind ? 1 : 0);
            assert_int_equal(out[2].count, 1);
            if (kind) {
                assert_null(out[0].tokens);
            } else {
                assert_string_equal(out[0].tokens[0], "a");
                assert_string_equal(out[0].tokens[1], "Zebra"); /* <unk> to the model alone */
                assert_string_equal(out[0].tokens[2], "c");
            }
            assert_int_equal(out[0].unknown, 1);
            assert_int_equal(out[2].unknown, 0);
            for (int t = 0; t < 3; t++) {
                for (size_t i = 0; i < out[t].count; i++) {
                    const float *p = out[t].all + 3 * i;
                    const int32_t label =
                        ur_vocabulary_find(names, out[t].labels[i], strlen(out[t].labels[i]));
                    assert_true(fabs((double)p[0] + (double)p[1] + (double)p[2] - 1) < 1e-6);
                    assert_true(label >= 0 && p[label] == out[t].probability[i]);
                    for (int j = 0; j < 3; j++)
                        assert_true(p[j] <= p[label]);
                }
                ur_prediction_free(context, &out[t]);
            }
            ur_run_free(run);
        }
    }
    ur_context_free(context);
}

/* What an evaluation counts is what the model says to the texts. */
static void confusion_of_a_file(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_run_settings s = labelled_settings();
    make_files(true);
    put_file("few.txt", "begins with B\tb a\nbegins with A\ta b c\nbegins with B\tc\n");
    ur_run *run = labelled_created(context, "run", &s, true);
    run_trained(run);
    static const char *const texts[] = {"b a", "a b c", "c"};
    static const char *const truth[] = {"begins with B", "begins with A", "begins with B"};
    ur_prediction out[3];
    size_t counts[9] = {0};
    double loss = 0.0;
    const ur_vocabulary *names = ur_run_labels(run);
    assert_int_equal(ur_run_predict(run, 3, texts, NULL, out, NULL, NULL), UR_OK);
    for (int i = 0; i < 3; i++) {
        const int32_t t = ur_vocabulary_find(names, truth[i], strlen(truth[i]));
        const int32_t l = ur_vocabulary_find(names, out[i].labels[0], strlen(out[i].labels[0]));
        counts[3 * t + l]++;
        loss -= log((double)out[i].all[t]);
        ur_prediction_free(context, &out[i]);
    }
    const ur_pair_source source = {.data = "few.txt"};
    ur_measure sum;
    ur_confusion *confusion;
    ur_err err;
    assert_int_equal(ur_confusion_new(NULL, 3, true, &confusion, &err), UR_OK);
    assert_int_equal(ur_run_evaluate(run, &source, &sum, confusion, &err), UR_OK);
    assert_memory_equal(confusion->counts, counts, sizeof counts);
    assert_true(fabs(sum.loss - loss) < 1e-5 && sum.examples == 3);
    assert_int_equal(ur_run_plot_confusion(run, confusion, "picture.svg", &err), UR_OK);
    assert_true(is_file(".", "picture.svg"));
    confusion->labels = 2;
    assert_int_equal(ur_run_plot_confusion(run, confusion, "never.svg", &err), UR_INVALID);
    ur_confusion_free(NULL, confusion);
    assert_int_equal(ur_confusion_new(NULL, 3, false, &confusion, &err), UR_OK);
    assert_int_equal(ur_run_evaluate(run, &source, &sum, confusion, &err), UR_OK);
    assert_true(ur_confusion_f1(confusion) == ur_measure_figure(ur_run_kind(run), &sum, "f1"));
    assert_int_equal(ur_run_plot_confusion(run, confusion, "never.svg", &err), UR_INVALID);
    ur_confusion_free(NULL, confusion);
    ur_measure other;
    assert_int_equal(ur_run_evaluate(run, &source, &other, NULL, &err), UR_OK);
    assert_memory_equal(&other, &sum, sizeof sum);
    ur_run_free(run);
    ur_context_free(context);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, run_folder_enter, test_folder_leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(both_directions),
        IN_A_FOLDER(long_memory),
        IN_A_FOLDER(instruction_sets_and_threads),
        IN_A_FOLDER(interrupted_and_resumed),
        IN_A_FOLDER(labels_of_texts),
        IN_A_FOLDER(confusion_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
