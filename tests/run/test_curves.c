/* test_curves.c - which panels and curves the picture of runs has, by what their metrics hold. */
#include "run/runs.h"

#include <sys/stat.h>

static ur_context *context;

/* A folder of that kind with two evaluations that have these members besides epoch and step. */
static void make_run(const char *folder, const char *kind, const char *first, const char *second)
{
    char path[64], text[512];
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(path, sizeof path, "%s/config.json", folder);
    snprintf(text, sizeof text, "{\"version\": 2, \"model\": \"%s\"}\n", kind);
    put_file(path, text);
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    snprintf(text, sizeof text,
             "{\"epoch\":1,\"step\":5%s}\n"
             "{\"epoch\":2,\"step\":10%s}\n",
             first, second);
    put_file(path, text);
}

/* The picture of some runs has all of `has` and nothing of `lacks`, each up to a NULL. */
static void check_picture_over(ur_curves_over over, size_t count, const char *const *folders,
                               const char *const *has, const char *const *lacks)
{
    ur_err err;
    size_t size;
    if (ur_run_plot_curves(context, count, folders, over, "picture.svg", &err) != UR_OK)
        fail_msg("%s", err.text);
    char *svg = file_of(".", "picture.svg", &size);
    for (; *has; has++)
        if (!strstr(svg, *has))
            fail_msg("no %s in the picture of %s", *has, folders[0]);
    for (; *lacks; lacks++)
        if (strstr(svg, *lacks))
            fail_msg("%s in the picture of %s", *lacks, folders[0]);
    free(svg);
}

static void check_picture(size_t count, const char *const *folders, const char *const *has,
                          const char *const *lacks)
{
    check_picture_over(UR_OVER_EPOCHS, count, folders, has, lacks);
}

static void make_all(void)
{
    make_run("pairs", "seq2seq", ",\"train_loss\":2,\"valid_loss\":3,\"valid_accuracy\":0.1",
             ",\"train_loss\":1,\"valid_loss\":2,\"valid_accuracy\":0.2");
    make_run("unvalidated", "seq2seq",
             ",\"train_loss\":2,\"valid_loss\":null,\"valid_accuracy\":null",
             ",\"train_loss\":1,\"valid_loss\":null,\"valid_accuracy\":null");
    make_run("text", "language_model",
             ",\"train_loss\":2,\"train_perplexity\":7.4,\"valid_loss\":3,\"valid_perplexity\":20",
             ",\"train_loss\":1,\"train_perplexity\":2.7,\"valid_loss\":2,\"valid_perplexity\":7");
    make_run("train-only", "language_model",
             ",\"train_loss\":2,\"train_perplexity\":7.4,\"valid_perplexity\":null",
             ",\"train_loss\":1,\"train_perplexity\":2.7");
    make_run("tags", "tagger",
             ",\"train_loss\":2,\"valid_loss\":3,\"valid_accuracy\":0.5,\"valid_f1\":0.25",
             ",\"train_loss\":1,\"valid_loss\":2,\"valid_accuracy\":0.6,\"valid_f1\":0.5");
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define LOSS ">loss (nats per symbol)<"

static void one_run(void **state)
{
    (void)state;
    make_all();
    check_picture(1, LIST("pairs"),
                  LIST(">accuracy<", LOSS, ">epoch<", ">pairs, training<", ">pairs, validation<"),
                  LIST(">perplexity per token<", ">F1<", ">pairs<"));
    check_picture(1, LIST("unvalidated/"), LIST(LOSS, ">epoch<", "unvalidated"),
                  LIST(">accuracy<", "validation"));
    check_picture(
        1, LIST("text"),
        LIST(">perplexity per token<", ">epoch<", ">text, training<", ">text, validation<"),
        LIST(">accuracy<", LOSS, ">text<"));
    check_picture(1, LIST("./train-only"), LIST(">perplexity per token<", "train-only"),
                  LIST(LOSS, "validation"));
    check_picture(1, LIST("tags"), LIST(">accuracy<", ">F1<", ">loss (nats per token)<"),
                  LIST(">perplexity per token<"));
}

static void several_runs(void **state)
{
    (void)state;
    make_all();
    check_picture(2, LIST("pairs", "unvalidated"),
                  LIST(">accuracy<", LOSS, ">pairs, training<", ">pairs, validation<",
                       ">unvalidated, training<"),
                  LIST(">unvalidated, validation<"));
    check_picture(2, LIST("text", "train-only"),
                  LIST(">text, training<", ">text, validation<", ">train-only, training<"),
                  LIST(LOSS, ">train-only, validation<"));
    /* of different kinds: what each has of its own; losses of those without perplexity */
    check_picture(3, LIST("text", "tags", "pairs"),
                  LIST(">accuracy<", ">F1<", ">perplexity per token<", ">loss<", ">text, training<",
                       ">tags, validation<", ">pairs, validation<"),
                  LIST("nothing"));
}

/* The y at which the picture has this text. */
static double height_of(const char *svg, const char *text)
{
    const char *at = strstr(svg, text);
    assert_non_null(at);
    while (at > svg && strncmp(at, "<text ", 6) != 0)
        at--;
    const char *y = strstr(at, " y=\"");
    assert_non_null(y);
    return atof(y + 4);
}

/* Both curves of a run stand on one row of the legend, also where three curves would fit. */
static void legend(void **state)
{
    (void)state;
    static const char *const members[] = {
        ",\"train_loss\":2,\"train_perplexity\":7.4,\"valid_loss\":3,\"valid_perplexity\":20",
        ",\"train_loss\":1,\"train_perplexity\":2.7,\"valid_loss\":2,\"valid_perplexity\":7"};
    size_t size;
    make_run("lm-lstm", "language_model", members[0], members[1]);
    make_run("lm-gru", "language_model", members[0], members[1]);
    check_picture(2, LIST("lm-lstm", "lm-gru"), LIST(">lm-gru, training<"), LIST("nothing"));
    char *svg = file_of(".", "picture.svg", &size);
    const double first = height_of(svg, ">lm-lstm, training<");
    const double second = height_of(svg, ">lm-gru, training<");
    assert_true(height_of(svg, ">lm-lstm, validation<") == first);
    assert_true(height_of(svg, ">lm-gru, validation<") == second);
    assert_true(second > first);
    free(svg);
}

/* An axis ends where the figure can, and shows the corner in which everything lies; validation's lines are
 * broken, training's are not. */
static void corners(void **state)
{
    (void)state;
    make_run("high", "seq2seq", ",\"train_loss\":2,\"valid_loss\":3,\"valid_accuracy\":0.9992",
             ",\"train_loss\":1,\"valid_loss\":2,\"valid_accuracy\":0.9996");
    check_picture(1, LIST("high"), LIST(">100.00 %<", ">99.90 %<", "stroke-dasharray=\"7 3\""),
                  LIST(">0 %<", ">100.02 %<"));
    make_run("low", "seq2seq", ",\"train_loss\":2,\"valid_accuracy\":0.001",
             ",\"train_loss\":1,\"valid_accuracy\":0.004");
    check_picture(1, LIST("low"), LIST(">0.0 %<", ">0.4 %<"), LIST(">100 %<"));
    make_run("f", "tagger", ",\"train_loss\":2,\"valid_f1\":0.3",
             ",\"train_loss\":1,\"valid_f1\":0.9");
    check_picture(1, LIST("f"), LIST(">1.0<", ">0.0<"), LIST(">1.2<"));
}

/* Curves run along what is asked for: with the same figures, of two runs the slower one's end lies to the
 * right over minutes; over steps both end at 10. */
static void over(void **state)
{
    (void)state;
    ur_err err;
    make_run("quick", "seq2seq", ",\"valid_loss\":3,\"train_seconds\":120,\"seconds\":4000",
             ",\"valid_loss\":2,\"train_seconds\":240,\"seconds\":8000");
    make_run("slow", "seq2seq", ",\"valid_loss\":3,\"train_seconds\":240,\"seconds\":250",
             ",\"valid_loss\":2,\"train_seconds\":480,\"seconds\":490");
    check_picture_over(UR_OVER_EPOCHS, 2, LIST("quick", "slow"), LIST(">epoch<", ">2<"),
                       LIST(">8<"));
    check_picture_over(UR_OVER_STEPS, 2, LIST("quick", "slow"), LIST(">step<", ">10<"),
                       LIST(">epoch<"));
    check_picture_over(UR_OVER_MINUTES, 2, LIST("quick", "slow"),
                       LIST(">minutes of training<", ">8<"), LIST(">epoch<", ">10<"));
    assert_int_equal(
        ur_run_plot_curves(context, 1, LIST("quick"), (ur_curves_over)3, "picture.svg", &err),
        UR_INVALID);
}

/* An epoch that ended without a validation leaves no gap between those before and after it. */
static void unmeasured(void **state)
{
    (void)state;
    static const char first[] = "{\"epoch\":1,\"step\":5,\"valid_loss\":3}\n",
                      none[] = "{\"epoch\":2,\"step\":10,\"valid_loss\":null}\n",
                      last[] = "{\"epoch\":3,\"step\":15,\"valid_loss\":2}\n";
    char text[256];
    size_t size, other_size;
    make_run("some", "seq2seq", "", "");
    snprintf(text, sizeof text, "%s%s", first, last);
    put_file("some/metrics.jsonl", text);
    check_picture(1, LIST("some"), LIST(LOSS, ">3<"), LIST("nan"));
    char *whole = file_of(".", "picture.svg", &size);
    snprintf(text, sizeof text, "%s%s%s", first, none, last);
    put_file("some/metrics.jsonl", text);
    check_picture(1, LIST("some"), LIST(LOSS), LIST("nan"));
    char *with = file_of(".", "picture.svg", &other_size);
    assert_int_equal(other_size, size);
    assert_memory_equal(with, whole, size);
    free(with);
    free(whole);
}

/* Figures of another kind than numbers are refused, of any size drawn; a run without evaluations is drawn empty. */
static void odd_metrics(void **state)
{
    (void)state;
    ur_err err;
    make_run("words", "seq2seq", ",\"train_loss\":\"low\"", "");
    assert_int_equal(
        ur_run_plot_curves(context, 1, LIST("words"), UR_OVER_EPOCHS, "picture.svg", &err),
        UR_BAD_FILE);
    assert_non_null(strstr(err.text, "train_loss"));
    make_run("tiny", "tagger", ",\"train_loss\":1e-70,\"valid_accuracy\":1e-40,\"valid_f1\":3e-41",
             ",\"train_loss\":5e-324,\"valid_accuracy\":0,\"valid_f1\":1.3e-40");
    check_picture(1, LIST("tiny"), LIST(">F1<"), LIST("nan", "inf"));
    make_run("huge", "tagger", ",\"train_loss\":1e300,\"valid_f1\":-1e300",
             ",\"train_loss\":1,\"valid_f1\":1");
    check_picture(1, LIST("huge"), LIST(">F1<"), LIST("nan", "inf"));
    make_run("none", "seq2seq", "", "");
    put_file("none/metrics.jsonl", "");
    check_picture(1, LIST("none"), LIST(LOSS, ">epoch<"), LIST("validation"));
    make_run("odd", "oracle", "", "");
    assert_int_equal(
        ur_run_plot_curves(context, 1, LIST("odd"), UR_OVER_EPOCHS, "picture.svg", &err),
        UR_BAD_FILE);
    assert_non_null(strstr(err.text, "odd/config.json"));
    assert_non_null(strstr(err.text, "oracle"));
    assert_int_equal(
        ur_run_plot_curves(context, 1, LIST("nowhere"), UR_OVER_EPOCHS, "picture.svg", &err),
        UR_BAD_FILE);
    assert_non_null(strstr(err.text, "nowhere"));
}

static int enter(void **state)
{
    context = context_of(NULL, 1, NULL);
    return run_folder_enter(state);
}

static int leave(void **state)
{
    ur_context_free(context);
    return test_folder_leave(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_run, enter, leave),
        cmocka_unit_test_setup_teardown(several_runs, enter, leave),
        cmocka_unit_test_setup_teardown(legend, enter, leave),
        cmocka_unit_test_setup_teardown(corners, enter, leave),
        cmocka_unit_test_setup_teardown(over, enter, leave),
        cmocka_unit_test_setup_teardown(unmeasured, enter, leave),
        cmocka_unit_test_setup_teardown(odd_metrics, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
