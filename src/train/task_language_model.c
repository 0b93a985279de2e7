/* task_language_model.c - language models as a kind of model that runs hold (task.h). */
#include "train/task.h"

#include "base/status.h"
#include "models/language_model.h"
#include "train/text_data.h"

static const char *const cell_words[] = {
    "lstm", "gru", "rnn_tanh", "rnn_relu", "gru_original", "lstm_peephole", "lstm_layer_norm"};
static const char *const sampling_words[] = {"sequential", "random"};

/* ---- configuration ------------------------------------------------------------------------ */

static void language_print(ur_json_writer *w, const void *config)
{
    const ur_language_model_config *c = config;
    ur_json_put_int(w, "vocabulary_size", (int64_t)c->vocabulary);
    ur_json_put_string(w, "cell", c->cell ? c->cell : cell_words[0]);
    ur_json_put_int(w, "embed_size", (int64_t)c->embed_size);
    ur_json_put_int(w, "hidden_size", (int64_t)c->hidden_size);
    ur_json_put_int(w, "layers", c->layers ? (int64_t)c->layers : 1);
    ur_json_put_bool(w, "bidirectional", c->bidirectional);
    ur_json_put_bool(w, "tied", c->tied);
    ur_json_put_real(w, "dropout", (double)c->dropout);
    ur_json_put_int(w, "bptt", (int64_t)c->bptt);
    ur_json_put_string(w, "sampling", sampling_words[c->sampling]);
    ur_json_put_bool(w, "keep_tail", c->keep_tail);
    ur_text_source_print(w, &c->text);
}

static const char *const language_keys[] = {
    "vocabulary_size", "cell", "embed_size", "hidden_size", "layers", "bidirectional", "tied",
    "dropout",         "bptt", "sampling",   "keep_tail",   "text"};

static ur_status language_parse(const ur_json_value *root, void *config, ur_err *err)
{
    ur_language_model_config *c = config;
    ur_reader r = {*root, UR_OK, err};
    c->vocabulary = (size_t)ur_read_whole(&r, "vocabulary_size", 2, 1 << 22);
    c->cell = cell_words[ur_read_choice(&r, "cell", cell_words, UR_COUNT(cell_words))];
    c->embed_size = (size_t)ur_read_whole(&r, "embed_size", 0, 65536);
    c->hidden_size = (size_t)ur_read_whole(&r, "hidden_size", 1, 65536);
    c->layers = (size_t)ur_read_whole(&r, "layers", 1, UR_MOST_LAYERS);
    c->bidirectional = ur_read_truth(&r, "bidirectional");
    c->tied = ur_read_truth(&r, "tied");
    c->dropout = (float)ur_read_real(&r, "dropout", 0.0, 0.999999);
    c->bptt = (size_t)ur_read_whole(&r, "bptt", 1, 1 << 20);
    c->sampling =
        (ur_sampling)ur_read_choice(&r, "sampling", sampling_words, UR_COUNT(sampling_words));
    c->keep_tail = ur_read_truth(&r, "keep_tail");
    return r.status == UR_OK ? ur_text_source_parse(root, &c->text, err) : r.status;
}

/* ---- data and model ----------------------------------------------------------------------- */

static ur_status make_data(ur_run *run, ur_ids ids, size_t batch, void **out, ur_err *err)
{
    ur_language_data *d;
    const ur_status status = ur_language_data_new(run->context, run->model, ids, batch, &d, err);
    *out = d;
    return status;
}

static ur_status use_texts(ur_run *run, const ur_text_data *texts, ur_err *err)
{
    ur_status status = make_data(run, texts->train, run->settings.train.batch, &run->train, err);
    if (status == UR_OK && texts->valid.length > 0)
        status = make_data(run, texts->valid, 0, &run->valid, err);
    return status;
}

static ur_status language_create(ur_run *run, ur_err *err)
{
    ur_language_model_config *c = run->config;
    ur_text_data texts;
    ur_status status = ur_text_data_read(run, &c->text, &texts, err);
    if (status == UR_OK) {
        c->vocabulary = ur_vocabulary_size(run->vocabulary);
        status = ur_language_model_new(run->context, c, &run->model, err);
    }
    if (status == UR_OK) {
        *c = *ur_language_model_config_of(run->model);
        ur_language_model_init(run->model, run->settings.train.seed);
        status = use_texts(run, &texts, err);
    }
    ur_text_data_free(&texts);
    return status;
}

static ur_status language_rebuild(ur_run *run, ur_err *err)
{
    const ur_language_model_config *c = run->config;
    ur_status status = ur_run_check_vocabulary(run, c->vocabulary, err);
    if (status == UR_OK)
        status = ur_text_source_check(&c->text, run->vocabulary, err);
    return status == UR_OK ? ur_language_model_new(run->context, c, &run->model, err) : status;
}

static ur_status language_reopen(ur_run *run, ur_err *err)
{
    const ur_language_model_config *c = run->config;
    ur_text_data texts;
    ur_status status = ur_text_data_read(run, &c->text, &texts, err);
    if (status == UR_OK)
        status = use_texts(run, &texts, err);
    ur_text_data_free(&texts);
    return status;
}

static ur_status language_open(ur_run *run, const ur_pair_source *source, void **out, ur_err *err)
{
    const ur_language_model_config *c = run->config;
    ur_corpus *corpus;
    *out = NULL;
    ur_status status =
        ur_corpus_open(run->a, source->data, &c->text.options, run->vocabulary, 0, &corpus, err);
    if (status != UR_OK)
        return status;
    status = make_data(run, ur_corpus_ids(corpus), 0, out, err);
    ur_corpus_free(corpus);
    return status;
}

static void language_free(void *data)
{
    ur_language_data_free(data);
}

static uint64_t language_fingerprint(const void *data)
{
    return ur_ids_fingerprint(((const ur_language_data *)data)->text);
}

static const char *const language_figures[] = {
    "train_loss", "train_perplexity", "valid_loss",        "valid_perplexity",
    "seconds",    "train_seconds",    "tokens_per_second", NULL};

const ur_task ur_task_language_model = {
    .kind = "language_model",
    .unit = "tokens",
    .figures = language_figures,
    .config_size = sizeof(ur_language_model_config),
    .print = language_print,
    .keys = language_keys,
    .n_keys = UR_COUNT(language_keys),
    .parse = language_parse,
    .create = language_create,
    .rebuild = language_rebuild,
    .reopen = language_reopen,
    .open = language_open,
    .free_data = language_free,
    .fingerprint = language_fingerprint,
};
