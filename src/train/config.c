/* config.c - config.json: everything needed to rebuild a model, its text processing and its
 * training. Reading checks every value and refuses keys it does not know. */
#include "train/config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

static const char *const attention_words[] = {"none", "dot"};
static const char *const cell_words[] = {
    "lstm", "gru", "rnn_tanh", "rnn_relu", "gru_original", "lstm_peephole", "lstm_layer_norm"};
static const char *const direction_words[] = {"no", "concat", "average"};
static const char *const start_words[] = {"h", "hc"};
static const char *const form_words[] = {"fixed", "ragged"};
static const char *const order_words[] = {"no", "yes", "with-start"};
static const char *const optimizer_words[] = {"adam", "sgd"};

/* Still 1: the keys of stack_keys and noise_keys came later, and a file without them means what it
 * meant: one LSTM layer in one direction, with biases, and without noise in the recurrence. */
enum { CONFIG_VERSION = 1, MOST = 1 << 30 };

#define COUNT(x) (sizeof(x) / sizeof *(x))

/* ---- writing ------------------------------------------------------------------------------ */

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

static void put_settings(ur_json_writer *w, const ur_run_settings *s)
{
    const ur_train_options *o = &s->train;
    ur_json_open_object(w, "training");
    ur_json_put_string(w, "data", s->data);
    if (s->valid)
        ur_json_put_string(w, "valid", s->valid);
    else
        ur_json_put_null(w, "valid");
    ur_json_put_int(w, "size", (int64_t)s->size);
    ur_json_put_int(w, "valid_size", (int64_t)s->valid_size);
    ur_json_put_int(w, "batch", (int64_t)o->batch);
    ur_json_put_int(w, "epochs", (int64_t)o->epochs);
    ur_json_put_int(w, "max_steps", (int64_t)o->max_steps);
    ur_json_put_string(w, "optimizer", optimizer_words[o->optimizer]);
    ur_json_put_real(w, "lr", o->lr);
    ur_json_put_real(w, "beta1", o->beta1);
    ur_json_put_real(w, "beta2", o->beta2);
    ur_json_put_real(w, "eps", o->eps);
    ur_json_put_real(w, "momentum", o->momentum);
    ur_json_put_bool(w, "nesterov", o->nesterov);
    ur_json_put_real(w, "weight_decay", o->weight_decay);
    ur_json_put_real(w, "clip", o->clip);
    ur_json_put_int(w, "seed", (int64_t)o->seed);
    ur_json_close_object(w);
}

ur_status ur_config_print(const ur_allocator *a, const ur_seq2seq_config *c,
                          const ur_run_settings *settings, char **text, ur_err *err)
{
    ur_json_writer *w;
    *text = NULL;
    ur_status status = ur_json_writer_new(a, settings ? 2 : 0, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_int(w, "version", CONFIG_VERSION);
    ur_json_put_string(w, "model", "seq2seq");
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
    put_format(w, &c->format);
    if (settings)
        put_settings(w, settings);
    ur_json_close_object(w);
    const char *written = ur_json_text(w, NULL, err);
    *text = written ? ur_strdup(a, written) : NULL;
    ur_json_writer_free(w);
    return *text ? UR_OK : ur_no_memory(err, 4096);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Reads members one after the other; the first failure stays. */
typedef struct reader {
    ur_json_value object;
    ur_status status;
    ur_err *err;
} reader;

static int64_t whole(reader *r, const char *key, int64_t least, int64_t most)
{
    int64_t x = least;
    if (r->status == UR_OK)
        r->status = ur_json_get_int(&r->object, key, least, most, &x, r->err);
    return x;
}

static double real(reader *r, const char *key, double least, double most)
{
    double x = least;
    if (r->status == UR_OK)
        r->status = ur_json_get_real(&r->object, key, least, most, &x, r->err);
    return x;
}

static bool truth(reader *r, const char *key)
{
    bool x = false;
    if (r->status == UR_OK)
        r->status = ur_json_get_bool(&r->object, key, &x, r->err);
    return x;
}

static int choice(reader *r, const char *key, const char *const *words, size_t n)
{
    int x = 0;
    if (r->status == UR_OK)
        r->status = ur_json_get_choice(&r->object, key, words, n, &x, r->err);
    return x;
}

static void only(reader *r, const char *const *keys, size_t n)
{
    if (r->status == UR_OK)
        r->status = ur_json_only(&r->object, keys, n, r->err);
}

static ur_status parse_format(const ur_json_value *object, ur_pair_format *f, ur_err *err)
{
    static const char *const keys[] = {
        "form",           "strip",        "reverse_input", "reverse_answer",
        "question_width", "answer_steps", "start",         "end"};
    reader r = {*object, UR_OK, err};
    only(&r, keys, COUNT(keys));
    f->form = (ur_pair_form)choice(&r, "form", form_words, COUNT(form_words));
    f->strip = truth(&r, "strip");
    f->reverse_input = truth(&r, "reverse_input");
    f->answer_order =
        (ur_answer_order)choice(&r, "reverse_answer", order_words, COUNT(order_words));
    f->question_width = (size_t)whole(&r, "question_width", 0, UR_PAIR_LONGEST);
    f->answer_steps = (size_t)whole(&r, "answer_steps", 1, 2 * UR_PAIR_LONGEST);
    f->start = (int32_t)whole(&r, "start", 0, MOST);
    f->end = (int32_t)whole(&r, "end", -1, MOST);
    return r.status;
}

static ur_status parse_settings(const ur_allocator *a, const ur_json_value *object,
                                ur_run_settings *s, ur_err *err)
{
    static const char *const keys[] = {
        "data",      "valid",     "size",         "valid_size", "batch", "epochs",
        "max_steps", "optimizer", "lr",           "beta1",      "beta2", "eps",
        "momentum",  "nesterov",  "weight_decay", "clip",       "seed"};
    ur_train_options *o = &s->train;
    reader r = {*object, UR_OK, err};
    only(&r, keys, COUNT(keys));
    s->size = (size_t)whole(&r, "size", 0, MOST);
    s->valid_size = (size_t)whole(&r, "valid_size", 0, MOST);
    o->batch = (size_t)whole(&r, "batch", 1, 1 << 20);
    o->epochs = (size_t)whole(&r, "epochs", 0, MOST);
    o->max_steps = (size_t)whole(&r, "max_steps", 0, MOST);
    o->optimizer = (ur_optimizer)choice(&r, "optimizer", optimizer_words, COUNT(optimizer_words));
    o->lr = real(&r, "lr", 0.0, 1e6);
    o->beta1 = real(&r, "beta1", 0.0, 1.0);
    o->beta2 = real(&r, "beta2", 0.0, 1.0);
    o->eps = real(&r, "eps", 0.0, 1.0);
    o->momentum = real(&r, "momentum", 0.0, 1.0);
    o->nesterov = truth(&r, "nesterov");
    o->weight_decay = real(&r, "weight_decay", 0.0, 1e6);
    o->clip = real(&r, "clip", 0.0, 1e30);
    o->seed = (uint64_t)whole(&r, "seed", INT64_MIN, INT64_MAX);
    const char *data = NULL, *valid = NULL;
    const ur_json_value member = ur_json_member(object, "valid");
    if (r.status == UR_OK)
        r.status = ur_json_get_string(object, "data", &data, err);
    if (r.status == UR_OK && !ur_json_is_null(&member))
        r.status = ur_json_string(&member, &valid, err);
    if (r.status != UR_OK)
        return r.status;
    ur_run_settings borrowed = *s;
    borrowed.data = data;
    borrowed.valid = valid;
    return ur_settings_copy(a, &borrowed, s, err);
}

/* Files written before a group of keys was there have none of them. */
static bool has_any(const reader *r, const char *const *keys, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        const ur_json_value member = ur_json_member(&r->object, keys[i]);
        any = any || !ur_json_is_missing(&member);
    }
    return any;
}

static void parse_stacks(reader *r, ur_seq2seq_config *c)
{
    static const char *const stack_keys[] = {"cell", "layers", "decoder_layers", "bidirectional",
                                             "proj_size"};
    c->cell = cell_words[0];
    c->layers = c->decoder_layers = 1;
    if (!has_any(r, stack_keys, COUNT(stack_keys)))
        return;
    c->cell = cell_words[choice(r, "cell", cell_words, COUNT(cell_words))];
    c->layers = (size_t)whole(r, "layers", 1, UR_MOST_LAYERS);
    c->decoder_layers = (size_t)whole(r, "decoder_layers", 1, UR_MOST_LAYERS);
    c->directions =
        (ur_directions)choice(r, "bidirectional", direction_words, COUNT(direction_words));
    c->proj_size = (size_t)whole(r, "proj_size", 0, 65535);
}

static void parse_noise(reader *r, ur_seq2seq_config *c)
{
    static const char *const noise_keys[] = {"recurrent_dropout", "zoneout_h", "zoneout_c", "bias"};
    if (!has_any(r, noise_keys, COUNT(noise_keys)))
        return;
    c->recurrent_dropout = (float)real(r, "recurrent_dropout", 0.0, 0.999999);
    c->zoneout_h = (float)real(r, "zoneout_h", 0.0, 0.999999);
    c->zoneout_c = (float)real(r, "zoneout_c", 0.0, 0.999999);
    c->no_bias = !truth(r, "bias");
}

static ur_status parse_root(const ur_allocator *a, const ur_json_value *root, ur_seq2seq_config *c,
                            ur_run_settings *settings, ur_err *err)
{
    static const char *const keys[] = {"version",       "model",          "vocabulary_size",
                                       "embed_size",    "hidden_size",    "cell",
                                       "layers",        "decoder_layers", "bidirectional",
                                       "proj_size",     "attention",      "peeky",
                                       "decoder_start", "dropout",        "recurrent_dropout",
                                       "zoneout_h",     "zoneout_c",      "bias",
                                       "text",          "training"};
    static const char *const models[] = {"seq2seq"};
    reader r = {*root, UR_OK, err};
    only(&r, keys, COUNT(keys));
    whole(&r, "version", CONFIG_VERSION, CONFIG_VERSION);
    choice(&r, "model", models, COUNT(models));
    c->vocabulary = (size_t)whole(&r, "vocabulary_size", 1, 1 << 22);
    c->embed_size = (size_t)whole(&r, "embed_size", 1, 65536);
    c->hidden_size = (size_t)whole(&r, "hidden_size", 1, 65536);
    parse_stacks(&r, c);
    c->attention =
        (ur_attention_kind)choice(&r, "attention", attention_words, COUNT(attention_words));
    c->peeky = truth(&r, "peeky");
    c->decoder_start =
        (ur_decoder_start)choice(&r, "decoder_start", start_words, COUNT(start_words));
    c->dropout = (float)real(&r, "dropout", 0.0, 0.999999);
    parse_noise(&r, c);
    if (r.status != UR_OK)
        return r.status;
    const ur_json_value text = ur_json_member(root, "text");
    const ur_status status = parse_format(&text, &c->format, err);
    if (status != UR_OK || !settings)
        return status;
    const ur_json_value training = ur_json_member(root, "training");
    settings->strip = c->format.strip;
    return parse_settings(a, &training, settings, err);
}

ur_status ur_config_parse(const ur_allocator *a, const char *name, const char *text, size_t size,
                          ur_seq2seq_config *config, ur_run_settings *settings, ur_err *err)
{
    ur_json *document;
    *config = (ur_seq2seq_config){0};
    if (settings)
        *settings = (ur_run_settings){0};
    ur_status status = ur_json_parse(a, name, text, size, &document, err);
    if (status != UR_OK)
        return status;
    const ur_json_value root = ur_json_root(document);
    status = parse_root(a, &root, config, settings, err);
    ur_json_free(document);
    return status;
}

/* ---- settings ----------------------------------------------------------------------------- */

ur_status ur_settings_copy(const ur_allocator *a, const ur_run_settings *from, ur_run_settings *to,
                           ur_err *err)
{
    char *data = ur_strdup(a, from->data);
    char *valid = from->valid ? ur_strdup(a, from->valid) : NULL;
    *to = *from;
    to->data = data;
    to->valid = valid;
    if (data && (valid || !from->valid))
        return UR_OK;
    ur_settings_free(a, to);
    return ur_no_memory(err, strlen(from->data) + 1);
}

void ur_settings_free(const ur_allocator *a, ur_run_settings *s)
{
    char *strings[2];
    memcpy(&strings[0], &s->data, sizeof *strings);
    memcpy(&strings[1], &s->valid, sizeof *strings);
    ur_free(a, strings[0]);
    ur_free(a, strings[1]);
    s->data = s->valid = NULL;
}
