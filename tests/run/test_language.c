/* test_language.c - runs of language models: stopped anywhere and resumed they give the bytes of a
 * run that nobody stopped, on every machine; what they keep opens again; and what cannot be. */
#include "run/runs.h"
#include "unroll/decode.h"
#include "unroll/language.h"

#include "support/failing_alloc.h"

#include <math.h>
#include <unistd.h>

static const char *const model = "model.safetensors";

/* Some 700 characters; with 8 streams and 10 steps 8 batches an epoch. */
static void write_text(const char *path, size_t lines)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < lines; i++)
        fprintf(f, "%zu bottles of beer on the wall, %s!\n", 99 - i * 7 % 90,
                i % 3 ? "take one down" : "pass it around");
    assert_int_equal(fclose(f), 0);
}

static ur_run_settings settings_of(const char *text)
{
    ur_run_settings s = {.data = text, .train = ur_train_defaults()};
    s.train.batch = 8;
    s.train.epochs = 2;
    s.train.lr = 1e-2;
    s.train.clip = 1.0;
    return s;
}

/* Characters one-hot, with validation from the text's end; words, tied and dropped; random windows; a
 * Transformer. */
static ur_language_model_config config_of(int variant)
{
    ur_language_model_config c = ur_language_model_defaults();
    c.hidden_size = 12;
    c.bptt = 10;
    c.text.options = ur_text_defaults(variant == 1 ? UR_WORDS_PUNCTUATION : UR_CHARACTERS, false);
    if (variant == 0)
        c.text.valid_split = 0.1;
    if (variant == 1) {
        c.cell = "gru";
        c.layers = 2;
        c.embed_size = 12;
        c.tied = true;
        c.dropout = 0.3f;
        c.bptt = 3;
        c.keep_tail = true;
        c.text.min_freq = 2;
    }
    if (variant == 2) {
        c.cell = "rnn_tanh";
        c.sampling = UR_SAMPLING_RANDOM;
        c.bptt = 8;
    }
    if (variant == 3) {
        c.network = UR_LANGUAGE_TRANSFORMER;
        c.layers = 2;
        c.heads = 3;
        c.dropout = 0.2f;
        c.keep_tail = true;
        c.text.valid_split = 0.1;
    }
    return c;
}

static ur_run *created(ur_context *context, const char *folder, const ur_run_settings *s,
                       const ur_language_model_config *c)
{
    ur_run *run;
    ur_err err;
    if (ur_run_create(context, folder, s, "language_model", c, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

/* Trains up to s->train.max_steps, then to the end in a run opened anew. */
static void stopped_and_resumed(ur_context *context, const char *folder, const ur_run_settings *s,
                                const ur_language_model_config *c)
{
    ur_run *run = created(context, folder, s, c);
    run_trained(run);
    ur_run_free(run);
    run = run_resumed(context, folder, 0, UR_NO_LIMIT);
    run_trained(run);
    ur_run_free(run);
}

static void interrupted_at_ten_points(void **state)
{
    (void)state;
    static const size_t points[] = {1, 2, 3, 5, 7, 8, 9, 12, 14, 15};
    ur_context *context = context_of(NULL, 2, NULL);
    write_text("text", 18);
    for (int variant = 0; variant < 4; variant++) {
        char whole[32];
        ur_run_settings s = settings_of("text");
        const ur_language_model_config c = config_of(variant);
        snprintf(whole, sizeof whole, "whole%d", variant);
        ur_run *run = created(context, whole, &s, &c);
        run_trained(run);
        ur_run_free(run);
        for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
            char folder[32];
            snprintf(folder, sizeof folder, "v%d_%zu", variant, i);
            s.train.max_steps = points[i];
            stopped_and_resumed(context, folder, &s, &c);
            same_files(whole, folder, model);
        }
    }
    ur_context_free(context);
}

/* Where an epoch begins decides whether there is one batch more: 644 tokens for 8 streams of 10 steps
 * are 8 batches from the first five beginnings on and 7 from the others. */
static void epochs_of_different_lengths(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    write_text("text", 18);
    assert_int_equal(truncate("text", 645), 0);
    ur_language_model_config c = config_of(0);
    c.text.valid_split = 0.0;
    ur_run_settings s = settings_of("text");
    s.train.epochs = 6;
    ur_run *run = created(context, "whole", &s, &c);
    run_trained(run);
    ur_run_free(run);
    for (size_t steps = 4; steps <= 44; steps += 8) {
        char folder[32];
        snprintf(folder, sizeof folder, "stopped%zu", steps);
        s.train.max_steps = steps;
        stopped_and_resumed(context, folder, &s, &c);
        same_files("whole", folder, model);
    }
    ur_context_free(context);
}

static void same_on_every_machine(void **state)
{
    (void)state;
    contexts all = contexts_new();
    write_text("text", 18);
    for (int variant = 0; variant < 4; variant++)
        for (int i = 0; i < all.count; i += 2) {
            char folder[32], first[32];
            const ur_run_settings s = settings_of("text");
            const ur_language_model_config c = config_of(variant);
            snprintf(first, sizeof first, "m%d_0", variant);
            snprintf(folder, sizeof folder, "m%d_%d", variant, i);
            ur_run *run = created(all.at[i], folder, &s, &c);
            run_trained(run);
            ur_run_free(run);
            same_files(first, folder, model);
        }
    contexts_free(&all);
}

/* The figures say what the model does, and an opened run has the same configuration. */
static void figures(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    write_text("text", 18);
    write_text("other", 5);
    ur_run_settings s = settings_of("text");
    s.valid = "other";
    ur_language_model_config c = config_of(1);
    ur_run *run = created(context, "run", &s, &c);
    run_trained(run);
    const ur_kind *kind;
    const ur_metrics last = last_metrics(context, "run", &kind);
    const double perplexity = valid_figure(kind, &last, "perplexity");
    assert_int_equal(last.epoch, 2);
    assert_true(last.train_perplexity > 1.0 && perplexity > 1.0);
    assert_true(fabs(perplexity - exp(last.valid_loss)) < 1e-9);
    assert_true(last.tokens_per_second > 0.0);
    ur_run_free(run);

    static const char *const paths[] = {"run", "run/model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        run = run_opened(context, paths[i]);
        assert_string_equal(ur_run_kind(run)->name, "language_model");
        assert_ptr_equal(ur_run_kind(run), kind);
        const ur_language_model_config *got = ur_language_model_config_of(ur_run_model(run));
        assert_int_equal(got->vocabulary, ur_vocabulary_size(ur_run_vocabulary(run)));
        assert_string_equal(got->cell, "gru");
        assert_int_equal(got->text.options.tokenizer, UR_WORDS_PUNCTUATION);
        assert_true(got->tied && got->keep_tail && got->text.options.line_ends);
        assert_int_equal(got->text.min_freq, 2);
        ur_measure sum;
        const ur_pair_source source = {.data = "other"};
        assert_int_equal(ur_run_evaluate(run, &source, &sum, NULL, NULL), UR_OK);
        assert_true(fabs(sum.loss / (double)sum.positions - last.valid_loss) < 1e-12);
        ur_run_free(run);
    }
    ur_context_free(context);
}

/* ---- writing on ----------------------------------------------------------------------------- */

/* Words: what is written begins with the prompt, and the same options write the same; where the prompt
 * has tokens that the model does not know it says which. */
static void writes_on(void **state)
{
    (void)state;
    enum { TOKENS = 20 };
    static const ur_search_options drawn = {.temperature = 1.0f, .seed = 7};
    ur_context *context = context_of(NULL, 2, NULL);
    write_text("text", 18);
    ur_run_settings s = settings_of("text");
    ur_language_model_config c = config_of(1);
    s.train.epochs = 8;
    ur_run *run = created(context, "run", &s, &c);
    run_trained(run);
    char first[600] = "";
    for (int i = 0; i < 2; i++) {
        char text[600];
        ur_writer *writer;
        ur_err err;
        size_t unknown = 99;
        if (ur_writer_new(run, "bottles  of ginger beer", &drawn, &writer, &err) != UR_OK)
            fail_msg("%s", err.text);
        assert_string_equal(ur_writer_prompt(writer), "bottles of <unk> beer");
        assert_string_equal(ur_writer_unknown(writer, &unknown), "'ginger'");
        assert_int_equal(unknown, 1);
        snprintf(text, sizeof text, "%s", ur_writer_prompt(writer));
        for (int k = 0; k < TOKENS; k++) {
            ur_token_written w;
            assert_int_equal(ur_writer_next(writer, &w, &err), UR_OK);
            assert_string_equal(w.token, ur_vocabulary_token(ur_run_vocabulary(run), w.id, NULL));
            assert_true(w.log_probability <= 0.0);
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s", w.piece);
        }
        if (i == 0)
            snprintf(first, sizeof first, "%s", text);
        assert_string_equal(text, first);
        assert_non_null(strchr(first + strlen("bottles of <unk> beer"), ' '));
        ur_writer_free(writer);
    }
    ur_writer_free(NULL);
    ur_run_free(run);
    ur_context_free(context);
}

/* Without a prompt a text begins as after the end of a line; what cannot be encoded, options out of
 * range and models that see what is to come are refused. */
static void writing_refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    write_text("text", 18);
    ur_run_settings s = settings_of("text");
    ur_language_model_config c = config_of(0);
    s.train.max_steps = 1;
    ur_run *run = created(context, "run", &s, &c);
    const ur_search_options bad = {.temperature = -1.0f};
    ur_token_written one, other;
    ur_writer *writer;
    size_t unknown = 99;
    ur_err err;
    assert_int_equal(ur_writer_new(run, "", NULL, &writer, &err), UR_OK);
    assert_string_equal(ur_writer_prompt(writer), "");
    assert_string_equal(ur_writer_unknown(writer, &unknown), "");
    assert_int_equal(unknown, 0);
    assert_int_equal(ur_writer_next(writer, &one, &err), UR_OK);
    const int32_t id = one.id;
    ur_writer_free(writer);
    assert_int_equal(ur_writer_new(run, "\n", NULL, &writer, &err), UR_OK);
    assert_int_equal(ur_writer_next(writer, &other, &err), UR_OK);
    assert_int_equal(other.id, id);
    ur_writer_free(writer);
    assert_int_equal(ur_writer_new(run, "99 \xff", NULL, &writer, &err), UR_BAD_FILE);
    assert_null(writer);
    assert_non_null(strstr(err.text, "the prompt"));
    assert_int_equal(ur_writer_new(run, "99", &bad, &writer, &err), UR_INVALID);
    assert_null(writer);
    ur_run_free(run);
    c.bidirectional = true;
    run = created(context, "both", &s, &c);
    assert_int_equal(ur_writer_new(run, "99", NULL, &writer, &err), UR_UNSUPPORTED);
    assert_null(writer);
    assert_non_null(strstr(err.text, "bidirectional"));
    ur_run_free(run);
    ur_context_free(context);
}

/* ---- what cannot be ------------------------------------------------------------------------- */

static void refused(ur_context *context, const ur_run_settings *s,
                    const ur_language_model_config *c, ur_status status, const char *part)
{
    ur_run *run;
    ur_err err;
    assert_int_equal(ur_run_create(context, "bad", s, "language_model", c, &run, &err), status);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_false(is_file("bad", "config.json"));
}

static void bad_texts(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    ur_language_model_config c = config_of(0);
    c.text.valid_split = 0.0;
    write_text("short", 1);
    ur_run_settings s = settings_of("short");
    refused(context, &s, &c, UR_INVALID, "one batch of 8 windows of 10 steps takes");
    s.data = "missing";
    refused(context, &s, &c, UR_BAD_FILE, "missing");
    FILE *f = fopen("same", "w");
    assert_non_null(f);
    for (int i = 0; i < 400; i++)
        fputc('x', f);
    assert_int_equal(fclose(f), 0);
    s.data = "same";
    refused(context, &s, &c, UR_INVALID, "one and the same token 400 times");
    c.text.valid_split = 1.0;
    refused(context, &s, &c, UR_INVALID, "valid_split");
    /* an old text that changed */
    c = config_of(0);
    write_text("text", 18);
    s = settings_of("text");
    s.train.max_steps = 3;
    ur_run *run = created(context, "changed", &s, &c);
    run_trained(run);
    ur_run_free(run);
    write_text("text", 19);
    ur_err err;
    assert_int_equal(ur_run_resume(context, "changed", 0, 0, &run, &err), UR_BAD_FILE);
    assert_non_null(strstr(err.text, "not the data this run began with"));
    ur_context_free(context);
}

/* The run's configuration with `from` turned into `to`. */
static void change(const char *from, const char *to)
{
    size_t size;
    char *text = file_of("run", "kept.json", &size), *at = strstr(text, from);
    if (!at)
        fail_msg("config.json lacks %s", from);
    FILE *f = fopen("run/config.json", "w");
    assert_non_null(f);
    fprintf(f, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_int_equal(fclose(f), 0);
    free(text);
}

static void bad_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *part;
    } changes[] = {
        {"\"bptt\": 3", "\"bptt\": 0", "bptt"},
        {"\"bptt\": 3", "\"bppt\": 3", "bppt"},
        {"\"cell\": \"gru\"", "\"cell\": \"gru2\"", "cell"},
        {"\"sampling\": \"sequential\"", "\"sampling\": 1", "sampling"},
        {"\"tokenizer\": \"word-punct\"", "\"tokenizer\": \"bytes\"", "tokenizer"},
        {"\"tokenizer\": \"word-punct\"", "\"tokenizer\": \"characters\"", "line ends"},
        {"\"valid_split\": 0.0", "\"valid_split\": 1.5", "valid_split"},
        {"\"embed_size\": 12", "\"embed_size\": 11", "tied weights want"},
        {"\"vocabulary_size\": ", "\"vocabulary_size\": 1", "vocab"},
        {"\"min_freq\": 2,", "", "min_freq"},
    };
    ur_context *context = context_of(NULL, 1, NULL);
    write_text("text", 18);
    ur_run_settings s = settings_of("text");
    s.train.max_steps = 1;
    const ur_language_model_config c = config_of(1);
    ur_run *run = created(context, "run", &s, &c);
    run_trained(run);
    ur_run_free(run);
    assert_int_equal(rename("run/config.json", "run/kept.json"), 0);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        ur_err err;
        change(changes[i].from, changes[i].to);
        if (ur_run_open(context, "run", &run, &err) != UR_BAD_FILE)
            fail_msg("%s was taken", changes[i].to);
        if (!strstr(err.text, changes[i].part) || !strstr(err.text, "config.json"))
            fail_msg("\"%s\" lacks \"%s\"", err.text, changes[i].part);
    }
    change("\"epochs\": 2", "\"epochs\": 3");
    ur_run_free(run_opened(context, "run"));
    ur_context_free(context);
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Creates a run that learns a text in one step, trains, opens it again and measures. */
static ur_status whole_life(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_pair_source source = {.data = "tiny"};
    ur_run_settings s = {.data = "tiny", .train = ur_train_defaults()};
    ur_language_model_config c = ur_language_model_defaults();
    ur_context *context;
    ur_run *run = NULL;
    ur_writer *writer = NULL;
    ur_token_written written;
    ur_measure sum;
    s.train.batch = 2;
    s.train.max_steps = 1;
    c.hidden_size = 3;
    c.bptt = 4;
    c.text.valid_split = 0.3;
    (void)arg;
    assert_int_equal(system("rm -rf run"), 0);
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_run_create(context, "run", &s, "language_model", &c, &run, err);
    status = status == UR_OK ? ur_run_train(run, NULL, err) : status;
    ur_run_free(run);
    run = NULL;
    status = status == UR_OK ? ur_run_open(context, "run", &run, err) : status;
    status = status == UR_OK ? ur_run_evaluate(run, &source, &sum, NULL, err) : status;
    status = status == UR_OK ? ur_writer_new(run, "to be", NULL, &writer, err) : status;
    for (int i = 0; i < 2 && status == UR_OK; i++)
        status = ur_writer_next(writer, &written, err);
    ur_writer_free(writer);
    ur_run_free(run);
    ur_context_free(context);
    return status;
}

static void memory(void **state)
{
    (void)state;
    put_file("tiny", "to be or not to be that is the question");
    assert_true(failing_alloc_sweep(whole_life, NULL) > 100);
}

/* Steps take no memory once some epochs have seen every size of batch. */
static void steady_training(void **state)
{
    (void)state;
    failing_alloc count;
    failing_alloc_init(&count, 0, false);
    ur_context *context = context_of(NULL, 1, &count.hooks);
    write_text("text", 18);
    const ur_run_settings s = settings_of("text");
    const ur_language_model_config c = config_of(0);
    ur_run *run = created(context, "run", &s, &c);
    ur_train_options o = s.train;
    ur_trainer *t;
    ur_step step = {0};
    o.epochs = 10;
    assert_int_equal(
        ur_trainer_new(context, ur_run_model(run), ur_run_train_data(run), &o, &t, NULL), UR_OK);
    while (step.epoch < 7)
        assert_int_equal(ur_trainer_step(t, &step, NULL), UR_OK);
    const size_t calls = count.calls;
    while (!ur_trainer_finished(t))
        assert_int_equal(ur_trainer_step(t, &step, NULL), UR_OK);
    assert_int_equal(count.calls, calls);
    ur_trainer_free(t);
    ur_run_free(run);
    ur_context_free(context);
    assert_int_equal(count.outstanding, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(interrupted_at_ten_points, run_folder_enter,
                                        test_folder_leave),
        cmocka_unit_test_setup_teardown(epochs_of_different_lengths, run_folder_enter,
                                        test_folder_leave),
        cmocka_unit_test_setup_teardown(same_on_every_machine, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(figures, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(writes_on, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(writing_refused, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(bad_texts, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(bad_configurations, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(memory, run_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(steady_training, run_folder_enter, test_folder_leave)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
