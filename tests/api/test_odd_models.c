/* test_odd_models.c - model.h, the headers of the kinds, decode.h, train.h, run.h, bert.h, embedder.h and
 * filler.h with odd arguments (odd.h). */
#include "api/odd.h"
#include "support/faulty_syscalls.h"

#include <unistd.h>

enum { KINDS = 6, LANGUAGE = 3 };

/* A trained run of each kind. */
typedef struct runs {
    ur_context *context;
    ur_run *run[KINDS];
    ur_tape *tape;
    bool taped;
    ur_model *model; /* that the tape was started over */
    ur_embedder *embedder;
    ur_filler *filler;
    ur_model *bert;
    ur_trainer *trainer;
    ur_optimizer *optimizer;
    ur_generator *generator;
    ur_writer *writer;
    float *gradient;
} runs;

static runs r;
static const char *const kind_names[KINDS] = {"seq2seq",        "tagger",    "classifier",
                                              "language_model", "text_lstm", "translation"};
static const char *const data_names[KINDS] = {"pairs.tsv", "tags.txt", "classes.txt",
                                              "text.txt",  "text.txt", "two.tsv"};
static char folder_names[KINDS][16];
static max_align_t config_room[128];

static void fine(ur_status status, const ur_err *err)
{
    if (status != UR_OK)
        fail_msg("%s", err->text);
}

static void write_text(const char *path, const char *what, int times)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < times; i++)
        assert_true(fputs(what, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static const ur_kind *kind_of(size_t k)
{
    const ur_kind *kind = ur_kind_find(r.context, kind_names[k]);
    assert_non_null(kind);
    assert_true(kind->config_size <= sizeof config_room);
    return kind;
}

/* A small configuration of a kind. */
static void *small_config(size_t k)
{
    static const char *const sizes[] = {"hidden_size", "embed_size", "bptt", "context",
                                        "text.min_freq"};
    const ur_kind *kind = kind_of(k);
    ur_kind_defaults(kind, config_room);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const ur_field *f = ur_field_find(kind->fields, sizes[i]);
        if (f)
            fine(ur_field_set(f, config_room, i < 2 ? "4" : i < 4 ? "2" : "1", &odd.err), &odd.err);
    }
    return config_room;
}

static ur_run_settings small_settings(size_t k)
{
    ur_run_settings s = ur_run_defaults(kind_of(k));
    s.data = data_names[k];
    s.valid = k == 3 || k == 4 ? "text.txt" : NULL;
    s.overwrite = true;
    s.train.batch = 2;
    s.train.epochs = 1;
    s.train.max_steps = 2;
    s.train.warmup_steps = 0;
    s.train.schedule = UR_LR_CONSTANT;
    s.train.early_stop = 0;
    s.train.batch_tokens = 0;
    s.valid_split = 0;
    return s;
}

static void make_runs(void)
{
    static char folder[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    const ur_options options = {.allocator = &odd.allocator, .threads = 1};
    ur_err *err = &odd.err;
    snprintf(folder, sizeof folder, "%s/tests/golden/bert_tiny", root ? root : ".");
    write_text("pairs.tsv", "ab\tba\nabc\tcba\nb\tb\n", 4);
    write_text("text.txt", "the cat sat on the mat\nthe dog\n", 6);
    write_text("tags.txt", "the D\ncat N\n\nthe D\ndog N\n\n", 3);
    write_text("classes.txt", "up\tthe cat\ndown\ta dog sat\n", 3);
    write_text("two.tsv", "go home\tva chez toi\ngo on\tva toi\ncome home\tviens chez toi\n", 4);
    fine(ur_context_new(&options, &r.context, err), err);
    for (size_t k = 0; k < KINDS; k++) {
        const ur_run_settings s = small_settings(k);
        snprintf(folder_names[k], sizeof folder_names[k], "run%zu", k);
        fine(ur_run_create(r.context, folder_names[k], &s, kind_names[k], small_config(k),
                           &r.run[k], err),
             err);
        fine(ur_run_train(r.run[k], NULL, err), err);
    }
    fine(ur_tape_new(r.context, &r.tape, err), err);
    fine(ur_embedder_open(r.context, folder, NULL, &r.embedder, err), err);
    fine(ur_filler_open(r.context, folder, &r.filler, err), err);
    ur_model *model = ur_run_model(r.run[0]);
    const ur_run_settings s = small_settings(0);
    fine(ur_trainer_new(r.context, model, ur_run_train_data(r.run[0]), &s.train, &r.trainer, err),
         err);
    fine(ur_optimizer_new(model->params, &s.train, &r.optimizer, err), err);
    fine(ur_generator_new(r.context, ur_run_model(r.run[LANGUAGE]), NULL, &r.generator, err), err);
    fine(ur_writer_new(r.run[LANGUAGE], "the ", NULL, &r.writer, err), err);
    r.gradient = calloc(ur_params_size(model->params), sizeof *r.gradient);
    assert_non_null(r.gradient);
}

static void free_runs(void)
{
    free(r.gradient);
    ur_writer_free(r.writer);
    ur_generator_free(r.generator);
    ur_optimizer_free(r.optimizer);
    ur_trainer_free(r.trainer);
    ur_filler_free(r.filler);
    ur_embedder_free(r.embedder);
    ur_tape_free(r.tape);
    for (size_t k = 0; k < KINDS; k++)
        ur_run_free(r.run[k]);
    ur_context_free(r.context);
    assert_int_equal(odd.bytes, 0);
}

static void fresh(void)
{
    r.taped = false;
}

static void stale(void)
{
    if (r.taped && odd.outcome == ODD_NOTHING_SAID) {
        said(ur_tape_status(r.tape));
        odd.err = (ur_err){ur_tape_status(r.tape), ""};
        snprintf(odd.err.text, sizeof odd.err.text, "%s", ur_error(r.tape));
    }
}

/* ---- what a call is given --------------------------------------------------------------------------- */

/* A run; as it should be number k. */
static ur_run *a_run(size_t k)
{
    const size_t pick = odd_pick(KINDS - 1);
    return r.run[(k + pick) % KINDS];
}

static ur_model *a_model(size_t k)
{
    return ur_run_model(a_run(k));
}

static ur_tape *taped(const ur_model *model)
{
    r.taped = true;
    ur_tape_start(r.tape, UR_INFER, model->params, NULL, 1, 2);
    return r.tape;
}

static const char *a_folder(const char *good)
{
    static char longest[6000];
    const char *const folders[] = {"",      "\n",       "\xff\xfe",  "no/such/folder",
                                   longest, "text.txt", "text.txt/x"};
    memset(longest, 'a', sizeof longest - 1);
    const size_t i = odd_pick(sizeof folders / sizeof *folders);
    return i ? folders[i - 1] : good;
}

/* Ids of a vocabulary, and others. */
static ur_ids some_ids(size_t count)
{
    static int32_t ids[64];
    for (size_t i = 0; i < count; i++)
        ids[i] = i == 1 ? an_int(1) : (int32_t)(1 + i % 2);
    return (ur_ids){ids, a_count(count)};
}

static const ur_search_options *a_search(void)
{
    static ur_search_options o;
    static int32_t never[1], end[1];
    o = (ur_search_options){0};
    (void)a_config(ur_search_fields(), &o);
    if (o.most > 50)
        o.most = 50; /* how long it may take is the caller's choice */
    never[0] = an_int(1);
    end[0] = an_int(1);
    o.never = never;
    o.never_count = odd_pick(1);
    o.end = odd_pick(1) ? end : NULL;
    o.attention = a_flag(false);
    o.maps = a_flag(false);
    return &o;
}

/* What is chosen, or NULL. */
static const ur_search_options *search_or_null(void)
{
    const ur_search_options *o = a_search();
    return odd.refused ? o : or_null(o);
}

static ur_run_settings *some_settings(size_t k)
{
    static ur_run_settings s;
    s = small_settings(k);
    (void)a_config(ur_run_settings_fields(), &s);
    s.minutes = s.minutes > 0 ? 0 : s.minutes;
    return &s;
}

static const ur_train_options *train_options(void)
{
    return &some_settings(0)->train;
}

static void *an_odd_config(size_t k)
{
    return a_config(kind_of(k)->fields, small_config(k));
}

static const ur_pair_source *a_source(const char *data)
{
    static ur_pair_source s;
    s = (ur_pair_source){.data = a_text(data),
                         .size = a_size(5),
                         .seed = a_seed(),
                         .split = (ur_split)an_enum(0, 2)};
    return &s;
}

static void ignore_fault(void *user, const char *fault)
{
    size_t at;
    (void)user;
    assert_true(ur_utf8_count(fault, strlen(fault), &at));
}

static ur_measure measure;
static ur_confusion *confusion;
static ur_prediction predicted[3];

static void free_predictions(size_t count)
{
    for (size_t i = 0; i < count; i++)
        ur_prediction_free(r.context, &predicted[i]);
    memset(predicted, 0, sizeof predicted);
}

/* ---- the tables ------------------------------------------------------------------------------------- */

static void models(void **unused)
{
    ur_model *model = NULL;
    (void)unused;
    const ur_kind *kind = kind_of(0);
    const size_t which[1] = {0};
    ODD(ur_text_source_check, {
        const ur_text_source s = {.options = {(ur_tokenizer)an_enum(1, 5), a_flag(false),
                                              a_flag(false), a_flag(false),
                                              (ur_unicode)an_enum(0, 3)},
                                  .min_freq = a_size(1),
                                  .max_size = a_size(0),
                                  .max_tokens = a_size(0),
                                  .valid_split = a_real(0.1),
                                  .unseen = a_text_or_null(NULL)};
        said(ur_text_source_check(&s, or_null(ur_run_vocabulary(r.run[LANGUAGE])), an_err()));
    })
    ODD(ur_measure_figure, {
        const ur_measure m = {.loss = a_real(1.0), .positions = a_size(2), .examples = a_size(2)};
        (void)ur_measure_figure(kind_of(odd_pick(KINDS - 1)), &m, a_text("loss"));
    })
    ODD(ur_prediction_free, {
        ur_prediction none = {0};
        ur_prediction_free(r.context, &none);
    })
    ODD(ur_kind_at, (void)ur_kind_at(r.context, a_size(0)))
    ODD(ur_kind_find, (void)ur_kind_find(r.context, a_text("tagger")))
    ODD(ur_kind_add, {
        static ur_kind mine;
        static int added;
        mine = *kind;
        char name[64];
        snprintf(name, sizeof name, "kind%d", added++);
        mine.name = a_text_or_null(added == 1 ? "kind" : "seq2seq");
        (void)name;
        said(ur_kind_add(r.context, &mine, an_err()));
        if (odd.calls == 2)
            odd.calls = 2;
    })
    ODD(ur_kind_defaults, ur_kind_defaults(kind_of(odd_pick(KINDS - 1)), config_room))
    for (size_t k = 0; k < KINDS; k++) {
        ODD(ur_kind_check, said(ur_kind_check(kind_of(k), an_odd_config(k), an_err())))
        ODD(ur_model_new, {
            model = NULL;
            memcpy(config_room, ur_run_assets(r.run[k])->config, kind_of(k)->config_size);
            said(ur_model_new(r.context, kind_of(k), a_config(kind_of(k)->fields, config_room),
                              &model, an_err()));
            ur_model_free(model);
        })
    }
    ODD(ur_kind_noted, (void)ur_kind_noted(kind_of(odd_pick(KINDS - 1))))
    ODD(ur_kind_perplexity, (void)ur_kind_perplexity(kind_of(odd_pick(KINDS - 1))))
    ODD(ur_kind_per, (void)ur_kind_per(kind, or_null(small_config(0))))
    ODD(ur_model_init, ur_model_init(a_model(0), a_seed()))
    ODD(ur_model_free, ur_model_free(NULL))
    ODD(ur_model_embedding, (void)ur_model_embedding(a_model(0), a_text("encoder.embed")))
    ODD(ur_model_linear, (void)ur_model_linear(a_model(0), a_text("decoder.fc")))
    ODD(ur_model_rnn, (void)ur_model_rnn(a_model(0), a_text("encoder.lstm")))
    ODD(ur_model_check, said(ur_model_check(a_model(0), kind, an_err())))
    ODD(ur_seq2seq_network_name, (void)ur_seq2seq_network_name(a_size(0)))
    ODD(ur_seq2seq_defaults, (void)ur_seq2seq_defaults())
    ODD(ur_seq2seq_check, said(ur_seq2seq_check(an_odd_config(0), an_err())))
    ODD(ur_seq2seq_new, {
        model = NULL;
        memcpy(config_room, ur_seq2seq_config_of(ur_run_model(r.run[0])),
               sizeof(ur_seq2seq_config));
        said(ur_seq2seq_new(r.context, a_config(kind->fields, config_room), &model, an_err()));
        ur_model_free(model);
    })
    ODD(ur_seq2seq_init, ur_seq2seq_init(ur_run_model(r.run[0]), a_seed()))
    ODD(ur_seq2seq_config_of, (void)ur_seq2seq_config_of(a_model(0)))
    ODD(ur_seq2seq_forward, (void)ur_seq2seq_forward(taped(ur_run_model(r.run[0])), a_model(0),
                                                     ur_run_train_data(r.run[0]), a_count(1),
                                                     (const size_t[1]){a_size(0)}))
    ODD(ur_seq2seq_answer, {
        const ur_ids q[2] = {some_ids(2), some_ids(3)};
        const int32_t first[2] = {an_int(0), 0};
        const size_t n = a_count(2);
        const ur_search_options *o = search_or_null();
        (void)ur_seq2seq_answer(taped(ur_run_model(r.run[0])), a_model(0), n, q,
                                odd_pick(1) ? first : NULL, o);
    })
    ODD(ur_tagger_defaults, (void)ur_tagger_defaults())
    ODD(ur_classifier_defaults, (void)ur_classifier_defaults())
    ODD(ur_tagger_check, said(ur_tagger_check(an_odd_config(1), an_err())))
    ODD(ur_classifier_check, said(ur_classifier_check(an_odd_config(2), an_err())))
    ODD(ur_tagger_new, {
        model = NULL;
        memcpy(config_room, ur_tagger_config_of(ur_run_model(r.run[1])), sizeof(ur_tagger_config));
        said(ur_tagger_new(r.context, a_config(kind_of(1)->fields, config_room), &model, an_err()));
        ur_model_free(model);
    })
    ODD(ur_classifier_new, {
        model = NULL;
        memcpy(config_room, ur_tagger_config_of(ur_run_model(r.run[2])), sizeof(ur_tagger_config));
        said(ur_classifier_new(r.context, a_config(kind_of(2)->fields, config_room), &model,
                               an_err()));
        ur_model_free(model);
    })
    ODD(ur_tagger_init, ur_tagger_init(ur_run_model(r.run[1]), a_seed()))
    ODD(ur_tagger_config_of, (void)ur_tagger_config_of(a_model(1)))
    ODD(ur_tagger_forward, {
        ur_tape *t = taped(ur_run_model(r.run[1]));
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 2, (const size_t[2]){1, 2}, NULL);
        (void)ur_tagger_forward(
            t, a_model(1),
            odd_pick(1) ? NULL : ur_seq_ints(t, l, (const int32_t[3]){an_int(1), 1, 2}));
    })
    ODD(ur_tagger_apply, {
        int32_t label[64];
        float p[640];
        const ur_ids texts[2] = {some_ids(2), some_ids(3)};
        said(ur_tagger_apply(r.context, a_model(1), a_count(2), texts, to_null(label), to_null(p),
                             an_err()));
    })
    ODD(ur_confusion_new, {
        confusion = NULL;
        const ur_allocator *a = or_null(&odd.allocator);
        said(ur_confusion_new(a, a ? a_size(3) : 3, a_flag(true), &confusion, an_err()));
        ur_confusion_free(a, confusion);
    })
    ODD(ur_confusion_free, ur_confusion_free(&odd.allocator, NULL))
    size_t counts[4] = {1, 0, 2, SIZE_MAX};
    const ur_confusion two = {2, counts, NULL, NULL, NULL};
    ODD(ur_confusion_score, {
        counts[3] = a_size(1);
        (void)ur_confusion_score(&two, a_size(1));
    })
    ODD(ur_confusion_accuracy, {
        counts[3] = a_size(1);
        (void)ur_confusion_accuracy(&two);
    })
    ODD(ur_confusion_f1, {
        counts[3] = a_size(1);
        (void)ur_confusion_f1(&two);
    })
    ODD(ur_translator_name, (void)ur_translator_name(a_size(0)))
    ODD(ur_translation_defaults, (void)ur_translation_defaults())
    ODD(ur_translation_check, said(ur_translation_check(an_odd_config(5), an_err())))
    ODD(ur_translation_new, {
        model = NULL;
        memcpy(config_room, ur_translation_config_of(ur_run_model(r.run[5])),
               sizeof(ur_translation_config));
        said(ur_translation_new(r.context, a_config(kind_of(5)->fields, config_room), &model,
                                an_err()));
        ur_model_free(model);
    })
    ODD(ur_translation_config_of, (void)ur_translation_config_of(a_model(5)))
    ODD(ur_translation_data_new, {
        ur_translation_data *data = NULL;
        ur_parallel *pairs = NULL;
        ur_languages l = {NULL, NULL, NULL, NULL};
        const ur_parallel_options o = {.text = {.tokenizer = UR_WORDS_JOINED}};
        fine(ur_parallel_learn(&odd.allocator, "two.tsv", &o, NULL, &pairs, NULL, &l, &odd.err),
             &odd.err);
        said(ur_translation_data_new(&odd.allocator, pairs, &l, &o.text, &data, an_err()));
        ur_translation_data_free(data);
        ur_parallel_free(pairs);
        ur_languages_free(&l);
    })
    ODD(ur_translation_data_free, ur_translation_data_free(NULL))
    ODD(ur_translation_forward,
        (void)ur_translation_forward(taped(ur_run_model(r.run[5])), a_model(5),
                                     ur_run_train_data(r.run[5]), a_count(1), which))
    ODD(ur_translation_score, {
        double out[64];
        said(ur_translation_score(a_model(5), ur_run_train_data(r.run[5]), out, an_err()));
    })
    odd_end();
}

static void language(void **unused)
{
    ur_model *model = NULL;
    ur_language_data *data = NULL;
    ur_next_words *next = NULL;
    size_t n;
    (void)unused;
    ODD(ur_language_network_name, (void)ur_language_network_name(a_size(0)))
    ODD(ur_language_model_defaults, (void)ur_language_model_defaults())
    ODD(ur_language_model_check, said(ur_language_model_check(an_odd_config(3), an_err())))
    ODD(ur_language_model_new, {
        model = NULL;
        memcpy(config_room, ur_language_model_config_of(ur_run_model(r.run[3])),
               sizeof(ur_language_model_config));
        said(ur_language_model_new(r.context, a_config(kind_of(3)->fields, config_room), &model,
                                   an_err()));
        ur_model_free(model);
    })
    ODD(ur_language_model_init, ur_language_model_init(ur_run_model(r.run[3]), a_seed()))
    ODD(ur_language_model_config_of, (void)ur_language_model_config_of(a_model(3)))
    ODD(ur_language_data_new, {
        data = NULL;
        said(ur_language_data_new(r.context, a_model(3), some_ids(20), a_size(2), &data, an_err()));
        (void)(data ? ur_language_data_text(data) : (ur_ids){NULL, 0});
        ur_language_data_free(data);
    })
    ODD(ur_language_data_free, ur_language_data_free(NULL))
    ODD(ur_language_data_text, (void)ur_language_data_text(ur_run_train_data(r.run[3])))
    ODD(ur_language_model_forward, {
        ur_tape *t = taped(ur_run_model(r.run[3]));
        const ur_layout *l = ur_new_layout(t, UR_STEP_MAJOR, 2, (const size_t[2]){1, 2}, NULL);
        (void)ur_language_model_forward(
            t, a_model(3),
            odd_pick(1) ? NULL : ur_seq_ints(t, l, (const int32_t[3]){an_int(1), 1, 2}),
            (ur_state){NULL, NULL});
    })
    ODD(ur_text_lstm_defaults, (void)ur_text_lstm_defaults())
    ODD(ur_text_lstm_check, said(ur_text_lstm_check(an_odd_config(4), an_err())))
    ODD(ur_text_lstm_new, {
        model = NULL;
        memcpy(config_room, ur_text_lstm_config_of(ur_run_model(r.run[4])),
               sizeof(ur_text_lstm_config));
        said(ur_text_lstm_new(r.context, a_config(kind_of(4)->fields, config_room), &model,
                              an_err()));
        ur_model_free(model);
    })
    ODD(ur_text_lstm_init, ur_text_lstm_init(ur_run_model(r.run[4]), a_seed()))
    ODD(ur_text_lstm_config_of, (void)ur_text_lstm_config_of(a_model(4)))
    ODD(ur_text_lstm_logits,
        (void)ur_text_lstm_logits(taped(ur_run_model(r.run[4])), a_model(4), a_count(2),
                                  (const int32_t[4]){1, an_int(1), 1, 1}))
    ODD(ur_next_words_new, {
        next = NULL;
        said(
            ur_next_words_new(r.context, a_model(4), some_ids(20), a_flag(false), &next, an_err()));
        ur_next_words_free(next);
    })
    ODD(ur_next_words_free, ur_next_words_free(NULL))
    ODD(ur_next_words_count, (void)ur_next_words_count(ur_run_train_data(r.run[4])))
    ODD(ur_next_words_text, (void)ur_next_words_text(ur_run_train_data(r.run[4])))
    ODD(ur_next_words_states, (void)ur_next_words_states(ur_run_train_data(r.run[4]), &n))
    ODD(ur_text_lstm_state_bytes, (void)ur_text_lstm_state_bytes(an_odd_config(4), a_size(5)))
    odd_end();
}

static void decoding(void **unused)
{
    ur_decoder decoder;
    ur_generator *generator = NULL;
    int32_t id;
    double p;
    (void)unused;
    ODD(ur_model_decoder, said(ur_model_decoder(a_model(3), &decoder, an_err())))
    ODD(ur_penalty_name, (void)ur_penalty_name(a_size(0)))
    ODD(ur_search_check, said(ur_search_check(a_search(), an_err())))
    ODD(ur_search_fields, assert_non_null(ur_search_fields()))
    ODD(ur_search, {
        const ur_ids q[2] = {some_ids(2), some_ids(3)}, begin[2] = {some_ids(1), some_ids(1)};
        const int32_t first[2] = {an_int(1), 1};
        const ur_sources s = {a_count(2), q, odd_pick(1) ? first : NULL, odd_pick(1) ? begin : NULL,
                              or_null((const uint64_t[2]){1, 1})};
        fine(ur_model_decoder(ur_run_model(r.run[0]), &decoder, &odd.err), &odd.err);
        (void)ur_search(taped(ur_run_model(r.run[0])), &decoder, &s, search_or_null());
    })
    ODD(ur_generate, {
        const ur_ids q[2] = {some_ids(2), some_ids(3)};
        ur_search_options o = *a_search();
        o.most = o.most ? o.most : 5;
        (void)ur_generate(taped(ur_run_model(r.run[3])), a_model(3), a_count(2), q, &o);
    })
    ODD(ur_generator_new, {
        generator = NULL;
        said(ur_generator_new(r.context, a_model(3), search_or_null(), &generator, an_err()));
        ur_generator_free(generator);
    })
    ODD(ur_generator_free, ur_generator_free(NULL))
    ODD(ur_generator_read, said(ur_generator_read(r.generator, some_ids(3), an_err())))
    ODD(ur_generator_write, said(ur_generator_write(r.generator, &id, to_null(&p), an_err())))
    ODD(ur_generator_logits, (void)ur_generator_logits(r.generator))
    odd_end();
}

static void training(void **unused)
{
    ur_params *const params = ur_run_model(r.run[0])->params;
    ur_optimizer *optimizer = NULL;
    ur_trainer *trainer = NULL;
    ur_step step;
    static char bytes[1 << 16];
    (void)unused;
    fine(ur_params_save(params, "weights", &odd.err), &odd.err);
    FILE *f = fopen("weights", "rb");
    assert_non_null(f);
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    ODD(ur_params_save, said(ur_params_save(params, a_text("out"), an_err())))
    ODD(ur_params_save_as,
        said(ur_params_save_as(params, a_text("out"), a_text("p."),
                               (ur_st_dtype)an_enum(UR_ST_F32, UR_ST_DTYPES + 1), an_err())))
    ODD(ur_params_load, said(ur_params_load(params, a_text("weights"), a_text(""), an_err())))
#define PART                                                                                       \
    or_null((&(ur_load_options){&(const ur_prefix){a_text("encoder."), a_text("encoder.")},        \
                                odd_pick(1), (const char *const[1]){a_text("*")}, odd_pick(1),     \
                                &(const ur_prefix){a_text(".gamma"), a_text(".weight")},           \
                                odd_pick(1), (const char *const[1]){a_text("no*")}, odd_pick(1)}))
    ODD(ur_params_load_part, said(ur_params_load_part(params, a_text("weights"), PART, an_err())))
    ODD(ur_params_load_memory,
        said(ur_params_load_memory(params, a_text("name"), bytes, a_count(size), PART, an_err())))
    ODD(ur_params_check, said(ur_params_check(params, a_text("weights"), a_text(""),
                                              a_flag(true) ? ignore_fault : NULL, NULL, an_err())))
    ODD(ur_optimizer_name, (void)ur_optimizer_name(a_size(0)))
    ODD(ur_optimizer_options, (void)ur_optimizer_options(a_size(0)))
    ODD(ur_schedule_name, (void)ur_schedule_name(a_size(0)))
    ODD(ur_schedule_options, (void)ur_schedule_options(a_size(0)))
    ODD(ur_train_defaults, (void)ur_train_defaults())
    ODD(ur_train_check, {
        const ur_train_options *o = train_options();
        odd.refused = false;
        said(ur_train_check(o, an_err()));
    })
    ODD(ur_optimizer_new, {
        optimizer = NULL;
        const ur_train_options *o = train_options();
        odd.refused = false;
        said(ur_optimizer_new(params, o, &optimizer, an_err()));
        ur_optimizer_free(optimizer);
    })
    ODD(ur_optimizer_free, ur_optimizer_free(NULL))
    ODD(ur_optimizer_norm, {
        r.gradient[0] = a_float(0.5f);
        (void)ur_optimizer_norm(r.optimizer, r.gradient);
    })
    ODD(ur_optimizer_steps, (void)ur_optimizer_steps(r.optimizer))
    ODD(ur_optimizer_set_steps, ur_optimizer_set_steps(r.optimizer, a_seed()))
    ODD(ur_optimizer_moment, (void)ur_optimizer_moment(r.optimizer, a_size(0)))
    ODD(ur_optimizer_step, {
        r.gradient[0] = a_float(0.5f);
        ur_optimizer_step(r.optimizer, r.gradient, a_real(0.1), a_real(1.0));
    })
    ODD(ur_schedule_start, (void)ur_schedule_start(train_options()))
    ur_schedule_state state = {.lr = 1};
#define STATE                                                                                      \
    (state = (ur_schedule_state){a_real(0.1), a_real(1.0), a_seed(), a_real(1.0), a_seed()}, &state)
    const ur_run_settings s = small_settings(0);
    ODD(ur_schedule_lr,
        (void)ur_schedule_lr(&s.train, STATE, a_seed(), a_seed(), a_seed(), a_size(5)))
    ODD(ur_schedule_epoch, ur_schedule_epoch(&s.train, STATE, a_seed()))
    ODD(ur_schedule_validated, (void)ur_schedule_validated(&s.train, STATE, a_real(1.0)))
    ODD(ur_schedule_ended, (void)ur_schedule_ended(&s.train, STATE))
    ODD(ur_trainer_new, {
        trainer = NULL;
        const ur_train_options *o = train_options();
        odd.refused = false;
        said(ur_trainer_new(r.context, ur_run_model(r.run[0]), ur_run_train_data(r.run[0]), o,
                            &trainer, an_err()));
        ur_trainer_free(trainer);
    })
    ODD(ur_trainer_free, ur_trainer_free(NULL))
    ODD(ur_trainer_options, assert_non_null(ur_trainer_options(r.trainer)))
    ODD(ur_trainer_finished, (void)ur_trainer_finished(r.trainer))
    ODD(ur_trainer_validated, (void)ur_trainer_validated(r.trainer, a_real(1.0)))
    fine(ur_params_load(params, "weights", "", &odd.err), &odd.err);
    ODD(ur_trainer_step, {
        const ur_status status = ur_trainer_step(r.trainer, &step, an_err());
        if (!ur_trainer_finished(r.trainer))
            said(status);
    })
    fine(ur_params_load(params, "weights", "", &odd.err), &odd.err);
    ODD(ur_evaluate,
        said(ur_evaluate(ur_run_model(r.run[0]), ur_run_train_data(r.run[0]), &measure, an_err())))
    ODD(ur_evaluate_with, {
        size_t counts_of[3][3] = {{0}};
        ur_confusion some = {a_count(2), NULL, counts_of[0], counts_of[1], counts_of[2]};
        said(ur_evaluate_with(ur_run_model(r.run[1]), ur_run_train_data(r.run[1]), &measure,
                              a_flag(true) ? &some : NULL, an_err()));
    })
    odd_end();
}

/* Whether a training that these settings say would be over soon. */
static bool soon(const ur_run_settings *s)
{
    return s->train.max_steps > 0 && s->train.max_steps < 10 && s->train.batch < 1000;
}

static void runs_made(void **unused)
{
    ur_run *run = NULL;
    (void)unused;
    ODD(ur_run_settings_fields, assert_non_null(ur_run_settings_fields()))
    ODD(ur_run_defaults, (void)ur_run_defaults(or_null(kind_of(0))))
    for (size_t k = 0; k < (hurry() ? 1 : KINDS); k++)
        ODD(ur_run_create, {
            run = NULL;
            const ur_run_settings *s = some_settings(k);
            odd.refused = false;
            said(ur_run_create(r.context, a_folder("made"), s, a_text(kind_names[k]),
                               an_odd_config(k), &run, an_err()));
            if (odd.outcome == UR_OK && soon(s))
                (void)ur_run_train(run, NULL, NULL);
            odd.refused = false;
            ur_run_free(run);
        })
    ODD(ur_run_create_with, {
        run = NULL;
        const ur_run_settings *s = some_settings(3);
        odd.refused = false;
        memcpy(config_room, ur_run_assets(r.run[4])->config, kind_of(4)->config_size);
        said(ur_run_create_with(r.context, a_folder("made"), s, a_text("text_lstm"), config_room,
                                ur_run_train_data(r.run[4]), to_null(ur_run_valid_data(r.run[4])),
                                &run, an_err()));
        ur_run_free(run);
    })
    ODD(ur_run_open, {
        run = NULL;
        said(ur_run_open(r.context, a_text("run0"), &run, an_err()));
        ur_run_free(run);
    })
    ODD(ur_run_open_start, {
        run = NULL;
        said(ur_run_open_start(r.context, ur_kind_at(r.context, odd_pick(1)), a_text("run0"), &run,
                               an_err()));
        ur_run_free(run);
    })
    ODD(ur_kind_starting, {
        const ur_kind *kind;
        said(ur_kind_starting(a_text("classifier"), a_text("run0"), &kind, an_err()));
    })
    ODD(ur_run_open_last, {
        run = NULL;
        said(ur_run_open_last(r.context, a_text("run1"), &run, an_err()));
        ur_run_free(run);
    })
    ODD(ur_run_check, said(ur_run_check(r.context, a_text("run2"),
                                        a_flag(true) ? ignore_fault : NULL, NULL, an_err())))
    for (size_t k = 0; k < KINDS; k++) { /* the folders are let go, to be resumed */
        ur_run_free(r.run[k]);
        r.run[k] = NULL;
    }
    ODD(ur_run_resume, {
        run = NULL;
        said(ur_run_resume(r.context, a_text("run0"), a_size(1), a_size(2), &run, an_err()));
        ur_run_free(run);
    })
    ODD(ur_run_resume_as, {
        run = NULL;
        const ur_resume_options o = {.epochs = a_size(1),
                                     .max_steps = a_size(2),
                                     .lr = a_real(0.1),
                                     .data = a_text_or_null(NULL),
                                     .valid = a_text_or_null(NULL)};
        said(ur_run_resume_as(r.context, a_text("run3"), &o, &run, an_err()));
        ur_run_free(run);
    })
    ODD(ur_run_resume_with, {
        run = NULL;
        const ur_status s = ur_run_resume_with(r.context, a_text("run1"), a_size(1), a_size(2),
                                               NULL, NULL, &run, an_err());
        if (odd.calls > 1)
            said(s);
        ur_run_free(run);
    })
    for (size_t k = 0; k < KINDS; k++)
        fine(ur_run_resume(r.context, folder_names[k], 0, 0, &r.run[k], &odd.err), &odd.err);
    ODD(ur_run_average, said(ur_run_average(r.run[0], a_size(1), a_text_or_null("out"), an_err())))
    ODD(ur_run_average_best, {
        const ur_status s =
            ur_run_average_best(r.run[3], a_size(1), a_text_or_null("out"), an_err());
        if (odd.calls > 1)
            said(s);
    })
    ODD(ur_run_free, ur_run_free(NULL))
    ODD(ur_run_stopped_early, (void)ur_run_stopped_early(a_run(0)))
    ODD(ur_run_kind, (void)ur_run_kind(a_run(0)))
    ODD(ur_run_assets, (void)ur_run_assets(a_run(0)))
    ODD(ur_run_model, (void)ur_run_model(a_run(0)))
    ODD(ur_run_vocabulary, (void)ur_run_vocabulary(a_run(0)))
    ODD(ur_run_labels, (void)ur_run_labels(a_run(0)))
    ODD(ur_run_settings_of, (void)ur_run_settings_of(a_run(0)))
    ODD(ur_run_folder, (void)ur_run_folder(a_run(0)))
    ODD(ur_run_has_best, {
        size_t epoch;
        (void)ur_run_has_best(a_run(0), to_null(&epoch));
    })
    ODD(ur_run_config_text, assert_non_null(ur_run_config_text(a_run(0))))
    ODD(ur_run_train_data, (void)ur_run_train_data(a_run(0)))
    ODD(ur_run_valid_data, (void)ur_run_valid_data(a_run(0)))
    ODD(ur_run_remark, (void)ur_run_remark(a_run(0), a_size(0)))
    ODD(ur_run_set_reading,
        said(ur_run_set_reading(a_run(0), a_text("read.skip"), a_text("true"), an_err())))
    ODD(ur_run_train,
        said(ur_run_train(a_run(0), or_null((&(ur_run_hooks){.user = NULL})), an_err())))
    odd_end();
}

static void runs_used(void **unused)
{
    ur_metrics *all = NULL;
    ur_metrics one = {.epoch = 1};
    ur_writer *writer = NULL;
    ur_token_written token;
    const ur_kind *kind;
    char name[UR_METRIC_NAME];
    double *scores = NULL;
    size_t n, bad;
    (void)unused;
    ODD(ur_metrics_name, (void)ur_metrics_name(kind_of(odd_pick(KINDS - 1)), a_size(0), name))
    ODD(ur_metrics_figure, {
        one.valid[0] = a_real(1.0);
        (void)ur_metrics_figure(kind_of(odd_pick(KINDS - 1)), &one, a_text("valid_accuracy"));
    })
    ODD(ur_metrics_load, {
        all = NULL;
        said(ur_metrics_load(r.context, a_text("run0"), &all, &n, a_flag(true) ? &kind : NULL,
                             an_err()));
        ur_metrics_free(r.context, all);
    })
    ODD(ur_metrics_free, ur_metrics_free(r.context, NULL))
    for (size_t k = 0; k < KINDS; k++) {
        ODD(ur_run_evaluate, {
            size_t counts_of[3] = {0};
            ur_confusion some = {2, NULL, counts_of, counts_of, counts_of};
            const ur_pair_source *s = a_source(data_names[k]);
            odd.refused = false;
            said(ur_run_evaluate(r.run[k], s, &measure, a_flag(true) ? &some : NULL, an_err()));
        })
        ODD(ur_run_predict, {
            const char *const texts[2] = {a_text(k == 0 ? "ab" : "the"),
                                          a_text(k == 0 ? "b" : "the")};
            const size_t count = a_count(2);
            const ur_status s = ur_run_predict(r.run[k], count, texts, search_or_null(), predicted,
                                               to_null(&bad), an_err());
            if (odd.calls > 1)
                said(s);
            if (s == UR_OK)
                free_predictions(count);
            odd.refused = false;
        })
        ODD(ur_writer_new, {
            writer = NULL;
            const ur_status s =
                ur_writer_new(r.run[k], a_text("the"), search_or_null(), &writer, an_err());
            odd.refused = false;
            if (odd.calls > 1)
                said(s);
            if (writer)
                (void)ur_writer_next(writer, &token, NULL);
            ur_writer_free(writer);
        })
        ODD(ur_run_score, {
            scores = NULL;
            const ur_pair_source *source = a_source(data_names[k]);
            odd.refused = false;
            const ur_status s = ur_run_score(r.run[k], source, &scores, &n, an_err());
            if (odd.calls > 1)
                said(s);
            ur_scores_free(r.context, scores);
        })
        ODD(ur_run_sample, {
            memset(predicted, 0, sizeof predicted);
            const ur_status s = ur_run_sample(r.run[k], a_size(0), predicted, an_err());
            if (odd.calls > 1)
                said(s);
            if (s == UR_OK)
                free_predictions(1);
        })
        ODD(ur_run_plot_attention, {
            const ur_attention_view v = {a_text_or_null(NULL), a_size(0), a_size(0), a_flag(false)};
            const ur_status s =
                ur_run_plot_attention(r.run[k], a_text("ab"), or_null(&v), a_text("out"), an_err());
            if (odd.calls > 1)
                said(s);
        })
        ODD(ur_run_plot_confusion, {
            size_t counts[16] = {a_size(1), 2, 3, 4};
            const ur_confusion c = {a_count(2), a_flag(true) ? counts : NULL, NULL, NULL, NULL};
            const ur_status s = ur_run_plot_confusion(r.run[k], &c, a_text("out"), an_err());
            if (odd.calls > 1)
                said(s);
        })
    }
    ODD(ur_run_search, ur_run_search(a_run(0), NULL))
    ODD(ur_scores_free, ur_scores_free(r.context, NULL))
    ODD(ur_run_samples, (void)ur_run_samples(a_run(0)))
    ODD(ur_writer_free, ur_writer_free(NULL))
    ODD(ur_writer_prompt, assert_non_null(ur_writer_prompt(r.writer)))
    ODD(ur_writer_unknown, (void)ur_writer_unknown(r.writer, &n))
    ODD(ur_writer_next, said(ur_writer_next(r.writer, &token, an_err())))
    ODD(ur_run_plot_curves, {
        const char *const folders[2] = {a_text("run0"), a_text("run1")};
        said(ur_run_plot_curves(r.context, a_count(2), folders, (ur_curves_over)an_enum(0, 3),
                                a_text("out"), an_err()));
    })
    ODD(ur_attention_name, (void)ur_attention_name(a_size(0)))
    odd_end();
}

static void published(void **unused)
{
    static char folder[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    ur_embedder *embedder = NULL;
    ur_filler *filler = NULL;
    ur_model *model = NULL;
    ur_bert_config config;
    ur_bert_labels_config labels;
    static float vectors[4096];
    static ur_filling fillings[4096];
    size_t n, bad;
    (void)unused;
    snprintf(folder, sizeof folder, "%s/tests/golden/bert_tiny", root ? root : ".");
    char file[600];
    snprintf(file, sizeof file, "%s/config.json", folder);
    const ur_model *bert = ur_embedder_model(r.embedder);
#define CONFIG                                                                                     \
    (config = *ur_bert_config_of(bert), config.vocabulary = a_size(config.vocabulary),             \
     config.hidden_size = a_size(config.hidden_size), config.layers = a_size(config.layers),       \
     config.heads = a_size(config.heads),                                                          \
     config.feed_forward_size = a_size(config.feed_forward_size),                                  \
     config.positions = a_size(config.positions), config.segments = a_size(config.segments),       \
     config.activation = (ur_activation)an_enum(2, 4), config.dropout = a_float(0.1f),             \
     config.attention_dropout = a_float(0.1f), config.layer_norm_eps = a_float(1e-12f),            \
     config.deviation = a_real(0.02), config.position_kind = an_enum(0, 1),                        \
     config.no_pooler = a_flag(false), config.masked_words = a_flag(false), &config)
    ODD(ur_bert_defaults, (void)ur_bert_defaults())
    ODD(ur_bert_config_load,
        said(ur_bert_config_load(&odd.allocator, a_text(file), &config, an_err())))
    ODD(ur_bert_new, {
        model = NULL;
        said(ur_bert_new(r.context, CONFIG, &model, an_err()));
        ur_model_free(model);
    })
    ODD(ur_bert_config_of, (void)ur_bert_config_of(odd_pick(1) ? ur_run_model(r.run[0]) : bert))
#define BERT_IDS                                                                                   \
    (odd_pick(1)                                                                                   \
         ? NULL                                                                                    \
         : ur_seq_ints(r.tape,                                                                     \
                       ur_new_layout(r.tape, UR_SEQUENCE_MAJOR, 2, (const size_t[2]){1, 2}, NULL), \
                       (const int32_t[3]){an_int(1), 1, 2}))
    ODD(ur_bert_encode, {
        ur_tape *t = taped(bert);
        (void)ur_bert_encode(t, odd_pick(1) ? ur_run_model(r.run[0]) : bert, BERT_IDS, NULL,
                             or_null((&(ur_transformer_call){.causal = a_flag(false)})));
    })
    ODD(ur_bert_pool, {
        ur_tape *t = taped(bert);
        (void)ur_bert_pool(t, odd_pick(1) ? ur_run_model(r.run[0]) : bert,
                           ur_bert_encode(t, bert, BERT_IDS, NULL, NULL));
    })
    ODD(ur_bert_words, {
        ur_tape *t = taped(bert);
        const size_t dim[2] = {a_count(2), ur_bert_config_of(bert)->hidden_size + odd_pick(1)};
        ur_tensor *x = ur_copy_floats(t, 2, dim, vectors, false);
        (void)ur_bert_words(t, odd_pick(1) ? ur_run_model(r.run[0]) : bert, x);
        odd.outcome = 0;
    })
    ODD(ur_bert_next, {
        ur_tape *t = taped(bert);
        const size_t dim[2] = {a_count(2), ur_bert_config_of(bert)->hidden_size + odd_pick(1)};
        ur_tensor *x = ur_copy_floats(t, 2, dim, vectors, false);
        (void)ur_bert_next(t, odd_pick(1) ? ur_run_model(r.run[0]) : bert, x);
        odd.outcome =
            odd.outcome == ODD_NOTHING_SAID ? UR_OK : odd.outcome; /* it has no such head */
    })
    ODD(ur_bert_data_new, {
        ur_bert_data *data = NULL;
        const size_t at[2] = {odd_pick(1) ? 0 : 1, a_size(2)};
        const int32_t shown[2] = {an_int(4), 5};
        const ur_bert_example e = {some_ids(3), some_ids(2), a_flag(true), a_count(2), at, shown};
        said(ur_bert_data_new(r.context, a_count(1), &e, an_int(1), an_int(2), a_size(1), &data,
                              an_err()));
        ur_bert_data_free(data);
    })
    ODD(ur_bert_data_free, ur_bert_data_free(NULL))
#define LABELS_CONFIG                                                                              \
    (labels = ur_bert_labels_defaults(), labels.bert = *CONFIG, labels.labels = a_size(3),         \
     labels.classifier_dropout = a_float(0.1f), labels.text.cutting = an_enum(0, 4), &labels)
    ODD(ur_bert_labels_defaults, (void)ur_bert_labels_defaults())
    ODD(ur_bert_classifier_new, {
        model = NULL;
        said(ur_bert_classifier_new(r.context, LABELS_CONFIG, &model, an_err()));
        ur_model_free(model);
    })
    ODD(ur_bert_tagger_new, {
        model = NULL;
        said(ur_bert_tagger_new(r.context, LABELS_CONFIG, &model, an_err()));
        ur_model_free(model);
    })
    ur_model *headed;
    labels = ur_bert_labels_defaults();
    labels.bert = *ur_bert_config_of(bert);
    labels.labels = 3;
    assert_int_equal(ur_bert_tagger_new(r.context, &labels, &headed, NULL), UR_OK);
    ODD(ur_bert_labels_config_of,
        (void)ur_bert_labels_config_of(odd_pick(1) ? ur_run_model(r.run[0]) : headed))
    ODD(ur_bert_label, {
        ur_tape *t = taped(headed);
        (void)ur_bert_label(t, odd_pick(1) ? ur_run_model(r.run[0]) : headed,
                            ur_bert_encode(t, headed, BERT_IDS, NULL, NULL));
        odd.outcome = odd.outcome == ODD_NOTHING_SAID ? UR_OK : odd.outcome;
    })
    ur_model_free(headed);
#define QA_CONFIG                                                                                  \
    (qa = ur_bert_qa_defaults(), qa.bert = *CONFIG, qa.stride = a_size(3),                         \
     qa.max_answer = a_size(30), qa.null_threshold = (double)a_float(0.5f), &qa)
    ur_bert_qa_config qa;
    ODD(ur_bert_qa_defaults, (void)ur_bert_qa_defaults())
    ODD(ur_bert_qa_new, {
        model = NULL;
        said(ur_bert_qa_new(r.context, QA_CONFIG, &model, an_err()));
        ur_model_free(model);
    })
    qa = ur_bert_qa_defaults();
    qa.bert = *ur_bert_config_of(bert);
    assert_int_equal(ur_bert_qa_new(r.context, &qa, &headed, NULL), UR_OK);
    ODD(ur_bert_qa_config_of,
        (void)ur_bert_qa_config_of(odd_pick(1) ? ur_run_model(r.run[0]) : headed))
    ODD(ur_bert_spans, {
        ur_tape *t = taped(headed);
        (void)ur_bert_spans(t, odd_pick(1) ? ur_run_model(r.run[0]) : headed,
                            ur_bert_encode(t, headed, BERT_IDS, NULL, NULL));
        odd.outcome = odd.outcome == ODD_NOTHING_SAID ? UR_OK : odd.outcome;
    })
    ODD(ur_bert_span_loss, {
        ur_tape *t = taped(headed);
        const int32_t at[4] = {an_int(0), an_int(1), an_int(2), 0};
        (void)ur_bert_span_loss(
            t, ur_bert_spans(t, headed, ur_bert_encode(t, headed, BERT_IDS, NULL, NULL)), at, at,
            a_real(2.0));
        odd.outcome = odd.outcome == ODD_NOTHING_SAID ? UR_OK : odd.outcome;
    })
    ur_model_free(headed);
    ODD(ur_embedder_pool_name, (void)ur_embedder_pool_name(a_size(0)))
    ODD(ur_embedder_open, {
        embedder = NULL;
        const ur_embedder_options o = {a_text_or_null(NULL), a_flag(false), a_text_or_null(NULL)};
        said(ur_embedder_open(r.context, a_text(folder), or_null(&o), &embedder, an_err()));
        ur_embedder_free(embedder);
    })
    ODD(ur_embedder_free, ur_embedder_free(NULL))
    ODD(ur_embedder_width, (void)ur_embedder_width(r.embedder))
    ODD(ur_embedder_longest, (void)ur_embedder_longest(r.embedder))
    ODD(ur_embedder_model, assert_non_null(ur_embedder_model(r.embedder)))
    ODD(ur_embedder_wordpiece, assert_non_null(ur_embedder_wordpiece(r.embedder)))
    ODD(ur_embedder_remark, (void)ur_embedder_remark(r.embedder, a_size(0)))
    ODD(ur_embedder_apply, {
        const char *const texts[2] = {a_text("the cat"), a_text("hello")};
        said(ur_embedder_apply(r.embedder, a_count(2), texts, vectors, to_null(&n), to_null(&bad),
                               an_err()));
    })
    ODD(ur_filler_open, {
        filler = NULL;
        said(ur_filler_open(r.context, a_text(folder), &filler, an_err()));
        ur_filler_free(filler);
    })
    ODD(ur_filler_free, ur_filler_free(NULL))
    ODD(ur_filler_wordpiece, assert_non_null(ur_filler_wordpiece(r.filler)))
    ODD(ur_filler_masks, said(ur_filler_masks(r.filler, a_text("the [MASK]"), &n, an_err())))
    ODD(ur_filler_apply,
        said(ur_filler_apply(r.filler, a_text("the [MASK]"), a_size(3), fillings, an_err())))
    odd_end();
}

static int enter(void **state)
{
    (void)!chdir("/dev/shm");
    if (test_folder_enter(state))
        return 1;
    odd_init(fresh, stale);
    make_runs();
    return 0;
}

static int leave(void **state)
{
    free_runs();
    return test_folder_leave(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(models, enter, leave),
        cmocka_unit_test_setup_teardown(language, enter, leave),
        cmocka_unit_test_setup_teardown(decoding, enter, leave),
        cmocka_unit_test_setup_teardown(training, enter, leave),
        cmocka_unit_test_setup_teardown(runs_made, enter, leave),
        cmocka_unit_test_setup_teardown(runs_used, enter, leave),
        cmocka_unit_test_setup_teardown(published, enter, leave),
    };
    if (argc > 1) /* one table */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
