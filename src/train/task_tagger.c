/* task_tagger.c - taggers and classifiers as kinds of models that runs hold (task.h). */
#include "train/task.h"

#include <string.h>

#include "backend/cpu/recurrent.h"
#include "base/status.h"

static const char *const direction_words[] = {"no", "concat", "average"};
static const char *const tokenizer_words[] = {"characters", "words", "words-punctuation"};

enum { MOST = 1 << 30 };

extern const ur_task ur_task_tagger, ur_task_classifier;

/* ---- configuration ------------------------------------------------------------------------ */

static void tagger_print(ur_json_writer *w, const void *config)
{
    const ur_tagger_config *c = config;
    ur_json_put_int(w, "vocabulary_size", (int64_t)c->vocabulary);
    ur_json_put_int(w, "labels", (int64_t)c->labels);
    ur_json_put_int(w, "embed_size", (int64_t)c->embed_size);
    ur_json_put_int(w, "hidden_size", (int64_t)c->hidden_size);
    ur_json_put_string(w, "cell", c->cell);
    ur_json_put_int(w, "layers", (int64_t)c->layers);
    ur_json_put_string(w, "bidirectional", direction_words[c->directions]);
    ur_json_put_real(w, "dropout", (double)c->dropout);
    ur_json_open_object(w, "text");
    ur_json_put_string(w, "tokenizer", tokenizer_words[c->text.tokenizer]);
    ur_json_put_bool(w, "letters_only", c->text.letters_only);
    ur_json_put_bool(w, "lower", c->text.lower);
    ur_json_put_int(w, "min_freq", (int64_t)c->min_freq);
    ur_json_put_int(w, "max_size", (int64_t)c->max_size);
    ur_json_close_object(w);
}

static const char *const tagger_keys[] = {"vocabulary_size", "labels",  "embed_size",
                                          "hidden_size",     "cell",    "layers",
                                          "bidirectional",   "dropout", "text"};

static ur_status parse_text(const ur_json_value *object, ur_tagger_config *c, ur_err *err)
{
    static const char *const keys[] = {"tokenizer", "letters_only", "lower", "min_freq",
                                       "max_size"};
    ur_reader r = {*object, UR_OK, err};
    ur_read_only(&r, keys, UR_COUNT(keys));
    c->text.tokenizer =
        (ur_tokenizer)ur_read_choice(&r, "tokenizer", tokenizer_words, UR_COUNT(tokenizer_words));
    c->text.letters_only = ur_read_truth(&r, "letters_only");
    c->text.lower = ur_read_truth(&r, "lower");
    c->min_freq = (size_t)ur_read_whole(&r, "min_freq", 0, MOST);
    c->max_size = (size_t)ur_read_whole(&r, "max_size", 0, MOST);
    return r.status;
}

/* Any cell there is: its own name, which is a constant. */
static const char *read_cell(ur_reader *r)
{
    const char *name = "lstm";
    if (r->status == UR_OK)
        r->status = ur_json_get_string(&r->object, "cell", &name, r->err);
    const ur_cell *cell = ur_cell_find(name);
    if (!cell)
        r->status =
            ur_fail(r->err, UR_BAD_FILE, "%s: there is no cell \"%s\"", r->object.file, name);
    return cell ? cell->name : "lstm";
}

static ur_status parse(const ur_json_value *root, ur_tagger_config *c, ur_err *err)
{
    ur_reader r = {*root, UR_OK, err};
    c->vocabulary = (size_t)ur_read_whole(&r, "vocabulary_size", 1, 1 << 22);
    c->labels = (size_t)ur_read_whole(&r, "labels", 1, UR_MOST_LABELS);
    c->embed_size = (size_t)ur_read_whole(&r, "embed_size", 1, 65536);
    c->hidden_size = (size_t)ur_read_whole(&r, "hidden_size", 1, 65536);
    c->cell = read_cell(&r);
    c->layers = (size_t)ur_read_whole(&r, "layers", 1, UR_MOST_LAYERS);
    c->directions = (ur_directions)ur_read_choice(&r, "bidirectional", direction_words,
                                                  UR_COUNT(direction_words));
    c->dropout = (float)ur_read_real(&r, "dropout", 0.0, 0.999999);
    if (r.status != UR_OK)
        return r.status;
    const ur_json_value text = ur_json_member(root, "text");
    return parse_text(&text, c, err);
}

static ur_status tagger_parse(const ur_json_value *root, void *config, ur_err *err)
{
    return parse(root, config, err);
}

static ur_status classifier_parse(const ur_json_value *root, void *config, ur_err *err)
{
    ((ur_tagger_config *)config)->per_sequence = true;
    return parse(root, config, err);
}

/* ---- data --------------------------------------------------------------------------------- */

static ur_labelled_kind kind_of(const ur_tagger_config *c)
{
    return c->per_sequence ? UR_CLASSIFIED : UR_TAGGED;
}

static ur_status open_file(ur_run *run, const char *path, void **out, ur_err *err)
{
    const ur_tagger_config *c = run->config;
    ur_labelled *data;
    const ur_status status = ur_labelled_open(run->a, path, kind_of(c), &c->text, run->vocabulary,
                                              run->labels, &data, err);
    *out = status == UR_OK ? data : NULL;
    return status;
}

static ur_status tagger_open(ur_run *run, const ur_pair_source *source, void **data, ur_err *err)
{
    return open_file(run, source->data, data, err);
}

static ur_status open_valid(ur_run *run, ur_err *err)
{
    return run->settings.valid ? open_file(run, run->settings.valid, &run->valid, err) : UR_OK;
}

static void tagger_free_data(void *data)
{
    ur_labelled_free(data);
}

static uint64_t tagger_fingerprint(const void *data)
{
    return ur_labelled_fingerprint(data);
}

/* ---- data and model ----------------------------------------------------------------------- */

static ur_status tagger_create(ur_run *run, ur_err *err)
{
    ur_tagger_config *c = run->config;
    c->per_sequence = run->task == &ur_task_classifier;
    ur_status status = ur_tagger_check(c, err);
    if (status != UR_OK)
        return status;
    const ur_vocabulary_options choice = {.min_freq = c->min_freq, .max_size = c->max_size};
    ur_labelled *data;
    status = ur_labelled_learn(run->a, run->settings.data, kind_of(c), &c->text, &choice, &data,
                               &run->vocabulary, &run->labels, err);
    if (status != UR_OK)
        return status;
    run->train = data;
    c->vocabulary = ur_vocabulary_size(run->vocabulary);
    c->labels = ur_vocabulary_size(run->labels);
    status = ur_tagger_new(run->context, c, &run->model, err);
    if (status != UR_OK)
        return status;
    *c = *ur_tagger_config_of(run->model);
    ur_tagger_init(run->model, run->settings.train.seed);
    return open_valid(run, err);
}

static ur_status tagger_rebuild(ur_run *run, ur_err *err)
{
    const ur_tagger_config *c = run->config;
    ur_status status = ur_run_check_vocabulary(run, c->vocabulary, err);
    if (status == UR_OK && c->labels != ur_vocabulary_size(run->labels))
        status = ur_fail(err, UR_INVALID, "\"labels\" is %zu, but there are %zu labels", c->labels,
                         ur_vocabulary_size(run->labels));
    if (status == UR_OK)
        status = ur_text_check(&c->text, run->vocabulary, err);
    return status == UR_OK ? ur_tagger_new(run->context, c, &run->model, err) : status;
}

static ur_status tagger_reopen(ur_run *run, ur_err *err)
{
    const ur_status status = open_file(run, run->settings.data, &run->train, err);
    return status == UR_OK ? open_valid(run, err) : status;
}

static const char *const tagger_figures[] = {"train_loss",        "valid_loss", "valid_accuracy",
                                             "valid_f1",          "seconds",    "train_seconds",
                                             "tokens_per_second", NULL};
static const char *const classifier_figures[] = {
    "train_loss", "valid_loss",    "valid_accuracy",       "valid_f1",
    "seconds",    "train_seconds", "sequences_per_second", NULL};

#define LABELLING(name, counts, shows, reads)                                                      \
    {                                                                                              \
        .kind = (name), .unit = (counts), .labels = true, .figures = (shows),                      \
        .config_size = sizeof(ur_tagger_config), .print = tagger_print, .keys = tagger_keys,       \
        .n_keys = UR_COUNT(tagger_keys), .parse = (reads), .create = tagger_create,                \
        .rebuild = tagger_rebuild, .reopen = tagger_reopen, .open = tagger_open,                   \
        .free_data = tagger_free_data, .fingerprint = tagger_fingerprint,                          \
    }

const ur_task ur_task_tagger = LABELLING("tagger", "tokens", tagger_figures, tagger_parse);
const ur_task ur_task_classifier =
    LABELLING("classifier", "sequences", classifier_figures, classifier_parse);
