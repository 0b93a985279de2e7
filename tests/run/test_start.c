/* test_start.c - weights that a run starts with: another run's or a file's, with the vocabularies that
 * they were trained with or row by row for other ones; what does not fit; parameters that are frozen. */
#include "run/labelled_runs.h"
#include "unroll/io.h"
#include "unroll/language.h"
#include "unroll/translation.h"

#include "support/failing_alloc.h"

static ur_context *context;

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

/* ---- what the tests have in common ---------------------------------------------------------- */

static ur_run *created(const char *folder, const ur_run_settings *s, const char *kind,
                       const void *config)
{
    ur_run *run;
    ur_err err;
    if (ur_run_create(context, folder, s, kind, config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

static void refused(const ur_run_settings *s, const char *kind, const void *config,
                    ur_status status, const char *part)
{
    ur_run *run;
    ur_err err;
    assert_int_equal(ur_run_create(context, "refused", s, kind, config, &run, &err), status);
    if (!strstr(err.text, part))
        fail_msg("no '%s' in: %s", part, err.text);
    assert_null(run);
    assert_false(is_file("refused", "config.json"));
}

static void said(const ur_run *run, const char *part)
{
    const char *remark;
    char all[2000] = "";
    for (size_t i = 0; (remark = ur_run_remark(run, i)); i++) {
        if (strstr(remark, part))
            return;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s\n", remark);
    }
    fail_msg("no '%s' in:\n%s", part, all);
}

static const ur_param *param_of(const ur_run *run, const char *name)
{
    const ur_params *p = ur_run_model(run)->params;
    const int index = ur_params_find(p, name);
    if (index < 0)
        fail_msg("there is no %s", name);
    return ur_params_entry(p, (size_t)index);
}

static const float *weights_of(const ur_run *run, const char *name)
{
    return ur_params_data(ur_run_model(run)->params) + param_of(run, name)->offset;
}

static bool equal(const ur_run *a, const ur_run *b, const char *name)
{
    const ur_param *p = param_of(a, name);
    assert_int_equal(p->count, param_of(b, name)->count);
    return memcmp(weights_of(a, name), weights_of(b, name), p->count * sizeof(float)) == 0;
}

static void all_equal(const ur_run *a, const ur_run *b)
{
    const ur_params *p = ur_run_model(a)->params;
    for (size_t i = 0; i < ur_params_count(p); i++)
        if (!equal(a, b, ur_params_entry(p, i)->name))
            fail_msg("%s differs", ur_params_entry(p, i)->name);
}

/* Row of a symbol in one run's parameter, of the same symbol in another's: whether they are equal. */
static bool same_row(const ur_run *a, const ur_run *b, const char *name, const char *symbol,
                     bool labels)
{
    const ur_vocabulary *v = labels ? ur_run_labels(a) : ur_run_vocabulary(a);
    const ur_vocabulary *w = labels ? ur_run_labels(b) : ur_run_vocabulary(b);
    const int32_t i = ur_vocabulary_find(v, symbol, strlen(symbol));
    const int32_t j = ur_vocabulary_find(w, symbol, strlen(symbol));
    const ur_param *p = param_of(a, name);
    const size_t width = p->ndim > 1 ? p->dim[1] : 1;
    assert_true(i >= 0 && j >= 0);
    return memcmp(weights_of(a, name) + (size_t)i * width, weights_of(b, name) + (size_t)j * width,
                  width * sizeof(float)) == 0;
}

/* ---- pairs ---------------------------------------------------------------------------------- */

static ur_run_settings pair_settings(const char *data)
{
    ur_run_settings s = {.data = data, .train = ur_train_defaults()};
    s.train.batch = 2;
    s.train.epochs = 3;
    return s;
}

/* A run on pairs of letters a to d, which the new data has in another order, and an e. */
static void make_old(void)
{
    put_file("old.txt", "ab\tba\nbc\tcb\ncd\tdc\nda\tad\nabc\tcba\n");
    put_file("new.txt", "dc\tcd\nca\tac\nbd\tdb\nabcdabcd\tdcbadcba\n");
    put_file("more.txt", "dc\tcd\nca\tac\nbd\tdb\neb\tbe\n");
    const ur_run_settings s = pair_settings("old.txt");
    const ur_seq2seq_config c = tiny_config();
    ur_run *run = created("old", &s, "seq2seq", &c);
    run_trained(run);
    ur_run_free(run);
}

static ur_run_settings from_old(void)
{
    ur_run_settings s = pair_settings("new.txt");
    s.init_from = "old";
    return s;
}

static void a_run(void **state)
{
    (void)state;
    make_old();
    const ur_run_settings s = from_old();
    const ur_seq2seq_config c = tiny_config();
    ur_run *old = run_opened(context, "old"), *run = created("new", &s, "seq2seq", &c);
    all_equal(old, run);
    said(run, "old/model.safetensors: ");
    said(run, "and the vocabulary");
    same_files("old", "new", "vocab.txt");
    const ur_seq2seq_config *form = ur_run_assets(run)->config;
    const ur_seq2seq_config *before = ur_run_assets(old)->config;
    assert_int_equal(form->format.start, before->format.start);
    assert_int_equal(form->format.end, before->format.end);
    assert_true(form->format.answer_steps > before->format.answer_steps); /* longer answers */
    run_trained(run);
    assert_false(equal(old, run, "decoder.fc.weight"));
    ur_run_free(run);
    ur_run_free(old);

    /* a stop and a resume, which needs the old run no more */
    run = created("part", &s, "seq2seq", &c);
    stop_at stop = {.step = 4};
    const ur_run_hooks hooks = stop_hooks(&stop);
    assert_int_equal(ur_run_train(run, &hooks, NULL), UR_INTERRUPTED);
    ur_run_free(run);
    assert_int_equal(system("rm -r old"), 0);
    run = run_resumed(context, "part", 0, 0);
    run_trained(run);
    ur_run_free(run);
    same_files("new", "part", "model.safetensors");
}

/* The best weights of a run, where there are some. */
static void the_best(void **state)
{
    (void)state;
    put_file("train.txt", "aa\tb\nab\tb\nba\tb\nbb\tb\n");
    put_file("valid.txt", "aa\ta\nbb\ta\n");
    ur_run_settings s = pair_settings("train.txt");
    s.valid = "valid.txt";
    s.train.epochs = 12;
    s.train.lr = 1e-2;
    const ur_seq2seq_config c = tiny_config();
    ur_run *run = created("old", &s, "seq2seq", &c);
    run_trained(run);
    ur_run_free(run);
    ur_run *old = run_opened(context, "old");
    assert_true(ur_run_has_best(old, NULL));
    s.init_from = "old";
    run = created("new", &s, "seq2seq", &c);
    said(run, "old/best.safetensors");
    all_equal(old, run);
    ur_run_free(run);
    s.init_from = "old/model.safetensors";
    run = created("last", &s, "seq2seq", &c);
    said(run, "and the vocabulary");
    assert_false(equal(old, run, "decoder.fc.bias"));
    ur_run_free(run);
    ur_run_free(old);
}

/* Rows of known characters are taken, those of a new one drawn: there is no <unk> for it. */
static void other_symbols(void **state)
{
    (void)state;
    make_old();
    ur_run_settings s = from_old();
    const ur_seq2seq_config c = tiny_config();
    s.data = "more.txt";
    ur_run *old = run_opened(context, "old"), *run = created("new", &s, "seq2seq", &c);
    s.init_from = NULL;
    ur_run *drawn = created("drawn", &s, "seq2seq", &c);
    said(run, "6 of the 7 symbols are known there");
    assert_int_equal(ur_vocabulary_size(ur_run_vocabulary(run)), 7); /* <start> <end> d c a b e */
    static const char *const counted[] = {"encoder.embed.weight", "decoder.embed.weight",
                                          "decoder.fc.weight", "decoder.fc.bias"};
    for (size_t i = 0; i < 4; i++) {
        static const char *const symbols[] = {"a", "b", "c", "d"};
        for (size_t k = 0; k < 4; k++) {
            assert_true(same_row(run, old, counted[i], symbols[k], false));
            assert_false(same_row(run, drawn, counted[i], symbols[k], false));
        }
        assert_true(same_row(run, drawn, counted[i], "e", false));
    }
    assert_true(equal(run, old, "encoder.lstm.weight_hh_l0"));
    run_trained(run);
    ur_run_free(drawn);
    ur_run_free(run);
    s = from_old();
    s.own_vocabulary = true; /* the same characters in another order */
    run = created("own", &s, "seq2seq", &c);
    for (size_t i = 0; i < 4; i++)
        assert_true(same_row(run, old, counted[i], "c", false));
    assert_false(equal(run, old, "encoder.embed.weight"));
    said(run, "6 of the 6 symbols are known there");
    ur_run_free(run);
    ur_run_free(old);
}

/* ---- what does not fit ------------------------------------------------------------------------ */

static void other_shapes(void **state)
{
    (void)state;
    make_old();
    const ur_run_settings s = from_old();
    ur_seq2seq_config c = tiny_config();
    c.hidden_size = 12;
    refused(&s, "seq2seq", &c, UR_BAD_FILE,
            "encoder.lstm.weight_ih_l0 is (64,5) there, but (48,5) in this model");
    c = tiny_config();
    c.layers = 2;
    ur_run *run = created("new", &s, "seq2seq", &c);
    said(run, "4 tensors of the model are not in it and start anew: encoder.lstm.weight_ih_l1, ");
    ur_run_free(run);
}

/* Some tensors under some names, ones. */
static void make_tensors(size_t count, const char *const *name, const size_t (*dim)[2])
{
    static float ones[1000];
    ur_st_tensor t[8];
    for (size_t i = 0; i < 1000; i++)
        ones[i] = 1.0f;
    for (size_t i = 0; i < count; i++)
        t[i] = (ur_st_tensor){name[i], UR_ST_F32, 2, dim[i], ones};
    assert_int_equal(
        ur_st_write(ur_context_allocator(context), "some.safetensors", t, count, NULL, 0, NULL),
        UR_OK);
}

static void a_file(void **state)
{
    (void)state;
    make_old();
    ur_run_settings s = from_old();
    const ur_seq2seq_config c = tiny_config();
    s.init_from = "some.safetensors";
    refused(&s, "seq2seq", &c, UR_BAD_FILE, "some.safetensors");
    make_tensors(3, (const char *const[]){"encoder.embed.weight", "head.a", "head.b"},
                 (const size_t[][2]){{6, 5}, {2, 2}, {3, 3}});
    ur_run *run = created("new", &s, "seq2seq", &c);
    for (size_t i = 0; i < 30; i++)
        assert_true(weights_of(run, "encoder.embed.weight")[i] == 1.0f);
    said(run, "2 tensors of it are not in the model: head.a, head.b");
    said(run, "start anew: encoder.lstm.weight_ih_l0, ");
    said(run, "names no symbols: row i");
    ur_run_free(run);
    make_tensors(1, (const char *const[]){"encoder.embed.weight"}, (const size_t[][2]){{8, 5}});
    refused(&s, "seq2seq", &c, UR_BAD_FILE, "encoder.embed.weight is (8,5) there, but (6,5)");
    make_tensors(1, (const char *const[]){"embed"}, (const size_t[][2]){{6, 5}});
    refused(&s, "seq2seq", &c, UR_BAD_FILE, "no tensor of this model");
    s.init_from = "nowhere";
    refused(&s, "seq2seq", &c, UR_BAD_FILE, "nowhere");
}

/* ---- labels ----------------------------------------------------------------------------------- */

static const char data_a[] = "one N\ntwo V\n\ntwo V\nthree X\n\none N\ntwo V\n\n";
static const char data_b[] = "two V\none N\n\ntwo V\none N\n\n";
static const char data_c[] = "one A\ntwo V\n\nfour N\none A\ntwo V\n\nfour N\n\n";

static ur_run_settings tag_settings(const char *data)
{
    ur_run_settings s = {.data = data, .train = ur_train_defaults()};
    s.train.epochs = 2;
    return s;
}

static ur_tagger_config tag_config(void)
{
    ur_tagger_config c = labelled_config(false);
    c.min_freq = 1;
    return c;
}

static void the_same_labels(void **state)
{
    (void)state;
    const ur_tagger_config c = tag_config();
    put_file("a.txt", data_a);
    put_file("b.txt", data_b);
    put_file("c.txt", data_c);
    ur_run_settings s = tag_settings("a.txt");
    ur_run *old = created("old", &s, "tagger", &c);
    run_trained(old);
    s = tag_settings("b.txt");
    s.init_from = "old";
    ur_run *run = created("b", &s, "tagger", &c);
    all_equal(old, run); /* labels in another order, one of them missing */
    same_files("old", "b", "labels.txt");
    ur_run_free(run);

    s.data = "c.txt"; /* a label A, and no X; a word "four" */
    run = created("c", &s, "tagger", &c);
    said(run, "2 of the 3 labels are known there");
    said(run, "the vocabulary that came with the weights lacks 2 tokens of the data");
    same_files("old", "c", "vocab.txt");
    s.init_from = NULL;
    ur_run *drawn = created("drawn", &s, "tagger", &c);
    assert_true(same_row(run, old, "fc.weight", "V", true));
    assert_true(same_row(run, old, "fc.bias", "N", true));
    assert_true(same_row(run, drawn, "fc.weight", "A", true));
    assert_true(equal(run, old, "embed.weight"));
    ur_run_free(drawn);
    run_trained(run);
    ur_run_free(run);
    ur_run_free(run_opened(context, "c"));
    ur_run_free(old);
}

/* ---- other kinds ------------------------------------------------------------------------------- */

static void another_kind(void **state)
{
    (void)state;
    const ur_tagger_config c = tag_config();
    put_file("a.txt", data_a);
    put_file("text.txt", "one two two\nthree two four one\none two three four\n");
    ur_language_model_config l = ur_language_model_defaults();
    l.text.options = ur_text_defaults(UR_WORDS, false);
    l.cell = "lstm";
    l.embed_size = c.embed_size;
    l.hidden_size = c.hidden_size;
    l.layers = c.layers;
    l.bptt = 2;
    ur_run_settings s = tag_settings("text.txt");
    s.train.batch = 2;
    ur_run *old = created("old", &s, "language_model", &l);
    run_trained(old);
    ur_run_free(old);
    old = run_opened(context, "old");
    s = tag_settings("a.txt");
    s.init_from = "old";
    ur_tagger_config one_way = c;
    one_way.directions = UR_ONE_WAY;
    ur_run *run = created("new", &s, "tagger", &one_way);
    assert_true(same_row(run, old, "embed.weight", "three", false));
    assert_true(equal(run, old, "lstm.weight_hh_l1"));
    said(run, "2 tensors count what it does not know and start anew: fc.weight, fc.bias");
    ur_run_free(run);
    ur_run_free(old);
}

/* What neither text contains is never written; what one of them does may be. */
static void never_written(void **state)
{
    (void)state;
    put_file("old.txt", "abab abab abab abab c\n");
    put_file("new.txt", "baba bbaa baab bbab d\n");
    ur_language_model_config c = ur_language_model_defaults();
    c.hidden_size = 8;
    c.bptt = 3;
    c.text.options = ur_text_defaults(UR_CHARACTERS, false);
    ur_run_settings s = tag_settings("old.txt");
    s.train.batch = 2;
    ur_run *old = created("old", &s, "language_model", &c);
    run_trained(old);
    s.data = "new.txt";
    s.init_from = "old";
    const ur_language_model_config *same = ur_run_assets(old)->config;
    ur_run *run = created("new", &s, "language_model", same);
    all_equal(old, run);
    said(run, "lacks 1 token of the data");
    const ur_language_model_config *now = ur_run_assets(run)->config;
    assert_true(!now->text.unseen || strcmp(now->text.unseen, same->text.unseen) == 0 ||
                strlen(now->text.unseen) < strlen(same->text.unseen));
    assert_int_equal(ur_vocabulary_find(ur_run_vocabulary(run), "d", 1), -1);
    ur_run_free(run);
    ur_run_free(old);
}

static void translations(void **state)
{
    (void)state;
    put_file("old.tsv", "a b\tx y\nb c\ty z\nc a\tz x\nb\ty\n");
    put_file("new.tsv", "c b\tz y\nd b\tw y\na c\tx z\n");
    ur_translation_config c = ur_translation_defaults();
    c.embed_size = 4;
    c.hidden_size = 8;
    c.text.merges = 0;
    c.text.min_freq = 1;
    c.text.joint = false;
    ur_run_settings s = tag_settings("old.tsv");
    s.train.batch = 2;
    ur_run *old = created("old", &s, "translation", &c);
    run_trained(old);
    ur_run_free(old);
    old = run_opened(context, "old");
    s.data = "new.tsv";
    s.init_from = "old";
    ur_run *run = created("same", &s, "translation", &c);
    all_equal(old, run);
    same_files("old", "same", "target.txt");
    ur_run_free(run);
    s.own_vocabulary = true;
    run = created("own", &s, "translation", &c);
    assert_true(same_row(run, old, "encoder.embed.weight", "c", false));
    run_trained(run);
    ur_run_free(run);
    ur_run_free(run_opened(context, "own"));
    s.own_vocabulary = false;
    c.text.joint = true; /* other texts than the run's */
    refused(&s, "translation", &c, UR_INVALID, "one vocabulary");
    ur_run_free(old);
}

/* ---- frozen ------------------------------------------------------------------------------------ */

static void frozen(void **state)
{
    (void)state;
    make_old();
    ur_run_settings s = from_old();
    const ur_seq2seq_config c = tiny_config();
    s.freeze = "encoder.*,decoder.embed.weight";
    s.train.weight_decay = 0.1;
    ur_run *old = run_opened(context, "old"), *run = created("new", &s, "seq2seq", &c);
    said(run, "6 of 12 parameters are frozen");
    run_trained(run);
    const ur_params *p = ur_run_model(run)->params;
    for (size_t i = 0; i < ur_params_count(p); i++) {
        const char *name = ur_params_entry(p, i)->name;
        const bool stays =
            strncmp(name, "encoder.", 8) == 0 || strcmp(name, "decoder.embed.weight") == 0;
        if (equal(old, run, name) != stays)
            fail_msg("%s %s", name, stays ? "has changed" : "stayed");
    }
    ur_run_free(run);

    run = created("part", &s, "seq2seq", &c);
    stop_at stop = {.step = 4};
    const ur_run_hooks hooks = stop_hooks(&stop);
    assert_int_equal(ur_run_train(run, &hooks, NULL), UR_INTERRUPTED);
    ur_run_free(run);
    run = run_resumed(context, "part", 0, 0);
    run_trained(run);
    ur_run_free(run);
    same_files("new", "part", "model.safetensors");

    s.freeze = "encoder.*,enc";
    refused(&s, "seq2seq", &c, UR_INVALID,
            "no parameter's name matches 'enc'; this model has 12: encoder.embed.weight, ");
    s.freeze = "*";
    refused(&s, "seq2seq", &c, UR_INVALID, "nothing to be trained");
    ur_run_free(old);
}

/* The gradient of frozen weights counts nowhere: the others take the same steps as with clipping off. */
static void frozen_norm(void **state)
{
    (void)state;
    make_old();
    ur_run_settings s = from_old();
    const ur_seq2seq_config c = tiny_config();
    s.freeze = "[!d]*,decoder.[!f]*"; /* all but decoder.fc */
    s.train.clip = 1e-3;
    ur_run *run = created("new", &s, "seq2seq", &c);
    ur_step step;
    ur_trainer *t;
    ur_err err;
    if (ur_trainer_new(context, ur_run_model(run), ur_run_train_data(run), &s.train, &t, &err) !=
            UR_OK ||
        ur_trainer_step(t, &step, &err) != UR_OK)
        fail_msg("%s", err.text);
    const double some = step.gradient_norm;
    ur_trainer_free(t);
    ur_params_set_flags(ur_run_model(run)->params, "*", UR_TRAINABLE, true);
    assert_int_equal(
        ur_trainer_new(context, ur_run_model(run), ur_run_train_data(run), &s.train, &t, NULL),
        UR_OK);
    assert_int_equal(ur_trainer_step(t, &step, NULL), UR_OK);
    assert_true(some > 0.0 && some < step.gradient_norm);
    ur_trainer_free(t);
    ur_run_free(run);
}

/* ---- memory ------------------------------------------------------------------------------------ */

static ur_status start(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    ur_run_settings s = tag_settings("c.txt");
    ur_tagger_config c = tag_config();
    ur_context *own;
    ur_run *run = NULL;
    c.layers = 1;
    s.init_from = "old";
    s.own_vocabulary = *(const bool *)arg;
    s.freeze = "fc.*";
    s.overwrite = true;
    ur_status status = ur_context_new(&options, &own, err);
    if (status != UR_OK)
        return status;
    status = ur_run_create(own, "new", &s, "tagger", &c, &run, err);
    ur_run_free(run);
    ur_context_free(own);
    return status;
}

static void memory(void **state)
{
    (void)state;
    ur_tagger_config c = tag_config();
    put_file("a.txt", data_a);
    put_file("c.txt", data_c);
    const ur_run_settings s = tag_settings("a.txt");
    c.layers = 1;
    ur_run *old = created("old", &s, "tagger", &c);
    run_trained(old);
    ur_run_free(old);
    for (int own = 0; own < 2; own++) {
        bool vocabulary = own;
        assert_true(failing_alloc_sweep(start, &vocabulary) > 100);
    }
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_run),        IN_A_FOLDER(the_best),      IN_A_FOLDER(other_symbols),
        IN_A_FOLDER(other_shapes), IN_A_FOLDER(a_file),        IN_A_FOLDER(the_same_labels),
        IN_A_FOLDER(another_kind), IN_A_FOLDER(never_written), IN_A_FOLDER(translations),
        IN_A_FOLDER(frozen),       IN_A_FOLDER(frozen_norm),   IN_A_FOLDER(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
