/* task_text_lstm.c - next-word models as a kind of model that runs hold (task.h). */
#include "train/task.h"

#include "base/status.h"
#include "models/text_lstm.h"
#include "train/text_data.h"

static const char *const bias_words[] = {"uniform", "one"};
static const char *const output_words[] = {"hidden", "gate"};

/* ---- configuration ------------------------------------------------------------------------ */

static void text_lstm_print(ur_json_writer *w, const void *config)
{
    const ur_text_lstm_config *c = config;
    ur_json_put_int(w, "vocabulary_size", (int64_t)c->vocabulary);
    ur_json_put_int(w, "context", (int64_t)c->context);
    ur_json_put_int(w, "embed_size", (int64_t)c->embed_size);
    ur_json_put_int(w, "hidden_size", (int64_t)c->hidden_size);
    ur_json_put_int(w, "layers", (int64_t)c->layers);
    ur_json_put_string(w, "bias_init", bias_words[c->bias_init]);
    ur_json_put_string(w, "output_from", output_words[c->output_from]);
    ur_json_put_int(w, "most_state_bytes", (int64_t)c->most_state_bytes);
    ur_text_source_print(w, &c->text);
}

static const char *const text_lstm_keys[] = {"vocabulary_size", "context",          "embed_size",
                                             "hidden_size",     "layers",           "bias_init",
                                             "output_from",     "most_state_bytes", "text"};

static ur_status text_lstm_parse(const ur_json_value *root, void *config, ur_err *err)
{
    ur_text_lstm_config *c = config;
    ur_reader r = {*root, UR_OK, err};
    c->vocabulary = (size_t)ur_read_whole(&r, "vocabulary_size", 2, 1 << 22);
    c->context = (size_t)ur_read_whole(&r, "context", 1, 1 << 16);
    c->embed_size = (size_t)ur_read_whole(&r, "embed_size", 0, 65536);
    c->hidden_size = (size_t)ur_read_whole(&r, "hidden_size", 1, 65536);
    c->layers = (size_t)ur_read_whole(&r, "layers", 1, UR_MOST_LAYERS);
    c->bias_init = (ur_bias_init)ur_read_choice(&r, "bias_init", bias_words, UR_COUNT(bias_words));
    c->output_from =
        (ur_output_from)ur_read_choice(&r, "output_from", output_words, UR_COUNT(output_words));
    c->most_state_bytes = (size_t)ur_read_whole(&r, "most_state_bytes", 0, INT64_MAX);
    return r.status == UR_OK ? ur_text_source_parse(root, &c->text, err) : r.status;
}

/* ---- data and model ----------------------------------------------------------------------- */

static ur_status make_data(ur_run *run, ur_ids ids, bool learn, void **out, ur_err *err)
{
    ur_next_words *d;
    const ur_status status = ur_next_words_new(run->context, run->model, ids, learn, &d, err);
    *out = d;
    return status;
}

static ur_status use_texts(ur_run *run, const ur_text_data *texts, ur_err *err)
{
    ur_status status = make_data(run, texts->train, true, &run->train, err);
    if (status == UR_OK && texts->valid.length > 0)
        status = make_data(run, texts->valid, false, &run->valid, err);
    return status;
}

static ur_status text_lstm_create(ur_run *run, ur_err *err)
{
    ur_text_lstm_config *c = run->config;
    ur_text_data texts;
    ur_status status = ur_text_data_read(run, &c->text, &texts, err);
    if (status == UR_OK) {
        c->vocabulary = ur_vocabulary_size(run->vocabulary);
        status = ur_text_lstm_new(run->context, c, &run->model, err);
    }
    if (status == UR_OK) {
        ur_text_lstm_init(run->model, run->settings.train.seed);
        status = use_texts(run, &texts, err);
    }
    ur_text_data_free(&texts);
    return status;
}

static ur_status text_lstm_rebuild(ur_run *run, ur_err *err)
{
    const ur_text_lstm_config *c = run->config;
    ur_status status = ur_run_check_vocabulary(run, c->vocabulary, err);
    if (status == UR_OK)
        status = ur_text_source_check(&c->text, run->vocabulary, err);
    return status == UR_OK ? ur_text_lstm_new(run->context, c, &run->model, err) : status;
}

static ur_status text_lstm_reopen(ur_run *run, ur_err *err)
{
    const ur_text_lstm_config *c = run->config;
    ur_text_data texts;
    ur_status status = ur_text_data_read(run, &c->text, &texts, err);
    if (status == UR_OK)
        status = use_texts(run, &texts, err);
    ur_text_data_free(&texts);
    return status;
}

static ur_status text_lstm_open(ur_run *run, const ur_pair_source *source, void **out, ur_err *err)
{
    const ur_text_lstm_config *c = run->config;
    ur_corpus *corpus;
    *out = NULL;
    ur_status status =
        ur_corpus_open(run->a, source->data, &c->text.options, run->vocabulary, 0, &corpus, err);
    if (status != UR_OK)
        return status;
    status = make_data(run, ur_corpus_ids(corpus), false, out, err);
    ur_corpus_free(corpus);
    return status;
}

static void text_lstm_free(void *data)
{
    ur_next_words_free(data);
}

static uint64_t text_lstm_fingerprint(const void *data)
{
    return ur_ids_fingerprint(((const ur_next_words *)data)->text);
}

static const char *const text_lstm_figures[] = {
    "train_loss",       "train_perplexity",  "valid_loss",
    "valid_perplexity", "valid_accuracy",    "seconds",
    "train_seconds",    "tokens_per_second", NULL};

const ur_task ur_task_text_lstm = {
    .kind = "text_lstm",
    .unit = "tokens",
    .figures = text_lstm_figures,
    .config_size = sizeof(ur_text_lstm_config),
    .print = text_lstm_print,
    .keys = text_lstm_keys,
    .n_keys = UR_COUNT(text_lstm_keys),
    .parse = text_lstm_parse,
    .create = text_lstm_create,
    .rebuild = text_lstm_rebuild,
    .reopen = text_lstm_reopen,
    .open = text_lstm_open,
    .free_data = text_lstm_free,
    .fingerprint = text_lstm_fingerprint,
};
