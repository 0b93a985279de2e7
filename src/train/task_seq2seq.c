/* task_seq2seq.c - encoder-decoders as a kind of model that runs hold (task.h). */
#include "train/task.h"

#include <string.h>

#include "base/hash.h"
#include "base/status.h"

static const char *const attention_words[] = {"none", "dot"};
static const char *const cell_words[] = {
    "lstm", "gru", "rnn_tanh", "rnn_relu", "gru_original", "lstm_peephole", "lstm_layer_norm"};
static const char *const direction_words[] = {"no", "concat", "average"};
static const char *const start_words[] = {"h", "hc"};
static const char *const form_words[] = {"fixed", "ragged"};
static const char *const order_words[] = {"no", "yes", "with-start"};
static const char *const init_words[] = {"pytorch", "lecun"};

enum { MOST = 1 << 30 };

/* ---- configuration ------------------------------------------------------------------------ */

static void put_format(ur_json_writer *w, const ur_pair_format *f)
{
    ur_json_open_object(w, "text");
    ur_json_put_string(w, "form", form_words[f->form]);
    ur_json_put_bool(w, "strip", f->strip);
    ur_json_put_bool(w, "reverse_input", f->reverse_input);
    ur_json_put_string(w, "reverse_answer", order_words[f->answer_order]);
    ur_json_put_int(w, "question_width", (int64_t)f->question_width);
    ur_json_put_int(w, "answer_steps", (int64_t)f->answer_steps);
    ur_json_put_int(w, "start", f->start);
    ur_json_put_int(w, "end", f->end);
    ur_json_close_object(w);
}

static void seq2seq_print(ur_json_writer *w, const void *config)
{
    const ur_seq2seq_config *c = config;
    ur_json_put_int(w, "vocabulary_size", (int64_t)c->vocabulary);
    ur_json_put_int(w, "embed_size", (int64_t)c->embed_size);
    ur_json_put_int(w, "hidden_size", (int64_t)c->hidden_size);
    ur_json_put_string(w, "cell", c->cell ? c->cell : cell_words[0]);
    ur_json_put_int(w, "layers", c->layers ? (int64_t)c->layers : 1);
    ur_json_put_int(w, "decoder_layers", c->decoder_layers ? (int64_t)c->decoder_layers : 1);
    ur_json_put_string(w, "bidirectional", direction_words[c->directions]);
    ur_json_put_int(w, "proj_size", (int64_t)c->proj_size);
    ur_json_put_string(w, "attention", attention_words[c->attention]);
    ur_json_put_bool(w, "peeky", c->peeky);
    ur_json_put_string(w, "decoder_start", start_words[c->decoder_start]);
    ur_json_put_real(w, "dropout", (double)c->dropout);
    ur_json_put_real(w, "recurrent_dropout", (double)c->recurrent_dropout);
    ur_json_put_real(w, "zoneout_h", (double)c->zoneout_h);
    ur_json_put_real(w, "zoneout_c", (double)c->zoneout_c);
    ur_json_put_bool(w, "bias", !c->no_bias);
    ur_json_put_string(w, "init", init_words[c->init]);
    put_format(w, &c->format);
}

static ur_status parse_format(const ur_json_value *object, ur_pair_format *f, ur_err *err)
{
    static const char *const keys[] = {
        "form",           "strip",        "reverse_input", "reverse_answer",
        "question_width", "answer_steps", "start",         "end"};
    ur_reader r = {*object, UR_OK, err};
    ur_read_only(&r, keys, UR_COUNT(keys));
    f->form = (ur_pair_form)ur_read_choice(&r, "form", form_words, UR_COUNT(form_words));
    f->strip = ur_read_truth(&r, "strip");
    f->reverse_input = ur_read_truth(&r, "reverse_input");
    f->answer_order =
        (ur_answer_order)ur_read_choice(&r, "reverse_answer", order_words, UR_COUNT(order_words));
    f->question_width = (size_t)ur_read_whole(&r, "question_width", 0, UR_PAIR_LONGEST);
    f->answer_steps = (size_t)ur_read_whole(&r, "answer_steps", 1, 2 * UR_PAIR_LONGEST);
    f->start = (int32_t)ur_read_whole(&r, "start", 0, MOST);
    f->end = (int32_t)ur_read_whole(&r, "end", -1, MOST);
    return r.status;
}

/* Files written before a group of keys was there have none of them. */
static bool has_any(const ur_reader *r, const char *const *keys, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = any || ur_read_has(r, keys[i]);
    return any;
}

static void parse_stacks(ur_reader *r, ur_seq2seq_config *c)
{
    static const char *const keys[] = {"cell", "layers", "decoder_layers", "bidirectional",
                                       "proj_size"};
    c->cell = cell_words[0];
    c->layers = c->decoder_layers = 1;
    if (!has_any(r, keys, UR_COUNT(keys)))
        return;
    c->cell = cell_words[ur_read_choice(r, "cell", cell_words, UR_COUNT(cell_words))];
    c->layers = (size_t)ur_read_whole(r, "layers", 1, UR_MOST_LAYERS);
    c->decoder_layers = (size_t)ur_read_whole(r, "decoder_layers", 1, UR_MOST_LAYERS);
    c->directions = (ur_directions)ur_read_choice(r, "bidirectional", direction_words,
                                                  UR_COUNT(direction_words));
    c->proj_size = (size_t)ur_read_whole(r, "proj_size", 0, 65535);
}

static void parse_noise(ur_reader *r, ur_seq2seq_config *c)
{
    static const char *const keys[] = {"recurrent_dropout", "zoneout_h", "zoneout_c", "bias"};
    if (!has_any(r, keys, UR_COUNT(keys)))
        return;
    c->recurrent_dropout = (float)ur_read_real(r, "recurrent_dropout", 0.0, 0.999999);
    c->zoneout_h = (float)ur_read_real(r, "zoneout_h", 0.0, 0.999999);
    c->zoneout_c = (float)ur_read_real(r, "zoneout_c", 0.0, 0.999999);
    c->no_bias = !ur_read_truth(r, "bias");
}

static const char *const seq2seq_keys[] = {
    "vocabulary_size",   "embed_size", "hidden_size", "cell",  "layers",        "decoder_layers",
    "bidirectional",     "proj_size",  "attention",   "peeky", "decoder_start", "dropout",
    "recurrent_dropout", "zoneout_h",  "zoneout_c",   "bias",  "init",          "text"};

static ur_status seq2seq_parse(const ur_json_value *root, void *config, ur_err *err)
{
    ur_seq2seq_config *c = config;
    ur_reader r = {*root, UR_OK, err};
    c->vocabulary = (size_t)ur_read_whole(&r, "vocabulary_size", 1, 1 << 22);
    c->embed_size = (size_t)ur_read_whole(&r, "embed_size", 1, 65536);
    c->hidden_size = (size_t)ur_read_whole(&r, "hidden_size", 1, 65536);
    parse_stacks(&r, c);
    c->attention = (ur_attention_kind)ur_read_choice(&r, "attention", attention_words,
                                                     UR_COUNT(attention_words));
    c->peeky = ur_read_truth(&r, "peeky");
    c->decoder_start =
        (ur_decoder_start)ur_read_choice(&r, "decoder_start", start_words, UR_COUNT(start_words));
    c->dropout = (float)ur_read_real(&r, "dropout", 0.0, 0.999999);
    parse_noise(&r, c);
    if (ur_read_has(&r, "init"))
        c->init = (ur_initialisation)ur_read_choice(&r, "init", init_words, UR_COUNT(init_words));
    if (r.status != UR_OK)
        return r.status;
    const ur_json_value text = ur_json_member(root, "text");
    return parse_format(&text, &c->format, err);
}

/* ---- data and model ----------------------------------------------------------------------- */

static bool is_builtin(const char *data)
{
    return strncmp(data, "builtin:", 8) == 0;
}

static ur_status open_pairs(ur_run *run, const ur_pair_source *source, ur_pairs **out, ur_err *err)
{
    const ur_seq2seq_config *c = run->config;
    return ur_pairs_open(run->a, source, &c->format, run->vocabulary, out, err);
}

static ur_status seq2seq_open(ur_run *run, const ur_pair_source *source, void **out, ur_err *err)
{
    ur_pairs *pairs;
    const ur_status status = open_pairs(run, source, &pairs, err);
    *out = status == UR_OK ? pairs : NULL;
    return status;
}

static ur_status open_valid(ur_run *run, ur_err *err)
{
    const ur_run_settings *s = &run->settings;
    if (!s->valid && !is_builtin(s->data))
        return UR_OK;
    const ur_pair_source source = ur_run_source(run, UR_SPLIT_VALID);
    return seq2seq_open(run, &source, &run->valid, err);
}

static ur_status seq2seq_create(ur_run *run, ur_err *err)
{
    ur_seq2seq_config *c = run->config;
    const ur_pair_format wanted = c->format;
    const ur_pair_source source = ur_run_source(run, UR_SPLIT_TRAIN);
    ur_pairs *pairs;
    ur_status status = ur_pairs_learn(run->a, &source, run->settings.strip, &pairs,
                                      &run->vocabulary, &c->format, err);
    if (status != UR_OK)
        return status;
    run->train = pairs;
    c->format.reverse_input = wanted.reverse_input;
    c->format.answer_order = wanted.answer_order;
    c->vocabulary = ur_vocabulary_size(run->vocabulary);
    status = ur_seq2seq_new(run->context, c, &run->model, err);
    if (status != UR_OK)
        return status;
    *c = *ur_seq2seq_config_of(run->model);
    ur_seq2seq_init(run->model, run->settings.train.seed);
    return open_valid(run, err);
}

static ur_status seq2seq_rebuild(ur_run *run, ur_err *err)
{
    const ur_seq2seq_config *c = run->config;
    run->settings.strip = c->format.strip;
    ur_status status = ur_run_check_vocabulary(run, c->vocabulary, err);
    if (status == UR_OK)
        status = ur_pair_format_check(&c->format, run->vocabulary, err);
    return status == UR_OK ? ur_seq2seq_new(run->context, c, &run->model, err) : status;
}

static ur_status seq2seq_reopen(ur_run *run, ur_err *err)
{
    const ur_pair_source source = ur_run_source(run, UR_SPLIT_TRAIN);
    const ur_status status = seq2seq_open(run, &source, &run->train, err);
    return status == UR_OK ? open_valid(run, err) : status;
}

static void seq2seq_free(void *data)
{
    ur_pairs_free(data);
}

static uint64_t seq2seq_fingerprint(const void *data)
{
    uint64_t hash = UR_FINGERPRINT; /* over ids and lengths */
    for (size_t i = 0; i < 2 * ur_pairs_count(data); i++) {
        const ur_ids side = i % 2 ? ur_pairs_answer(data, i / 2) : ur_pairs_question(data, i / 2);
        hash = ur_fingerprint_add(hash, side.length);
        for (size_t j = 0; j < side.length; j++)
            hash = ur_fingerprint_add(hash, (uint32_t)side.ids[j]);
    }
    return hash;
}

static const char *const seq2seq_figures[] = {
    "train_loss", "valid_loss",    "valid_accuracy",       "valid_forced_accuracy",
    "seconds",    "train_seconds", "sequences_per_second", NULL};

const ur_task ur_task_seq2seq = {
    .kind = "seq2seq",
    .unit = "sequences",
    .figures = seq2seq_figures,
    .config_size = sizeof(ur_seq2seq_config),
    .print = seq2seq_print,
    .keys = seq2seq_keys,
    .n_keys = UR_COUNT(seq2seq_keys),
    .parse = seq2seq_parse,
    .create = seq2seq_create,
    .rebuild = seq2seq_rebuild,
    .reopen = seq2seq_reopen,
    .open = seq2seq_open,
    .free_data = seq2seq_free,
    .fingerprint = seq2seq_fingerprint,
};
