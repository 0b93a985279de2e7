/* published_run.c - a published BERT with a head as a run, to be asked and evaluated as one; and as what a new
 * run starts with, where the head may be missing.
 *
 * The kind of run is the one that config.json's "architectures" name, its labels are those of "id2label". A
 * new run has all of the published model that no option says: sizes, vocabulary, how texts are cut. */
#include "run/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/field.h"
#include "base/status.h"
#include "base/utf8.h"
#include "io/json.h"
#include "models/bert_heads.h"
#include "models/kinds.h"
#include "run/published.h"

/* What config.json says beside what a BERT is. */
typedef struct claims {
    const char *class;    /* "BertForSequenceClassification"; NULL: it says none */
    double dropout;       /* of the classifier; < 0: it says none */
    ur_json_value labels; /* "id2label" */
    const char *problem;  /* "problem_type" */
} claims;

static ur_status read_claims(const ur_json_value *root, claims *out, ur_err *err)
{
    const ur_json_value classes = ur_json_member(root, "architectures");
    const ur_json_value first = ur_json_item(&classes, 0);
    const ur_json_value rate = ur_json_member(root, "classifier_dropout");
    *out = (claims){.dropout = -1.0, .labels = ur_json_member(root, "id2label")};
    ur_status status = ur_published_string(root, "problem_type", &out->problem, err);
    if (status == UR_OK && !ur_json_is_missing(&first))
        status = ur_json_string(&first, &out->class, err);
    if (status == UR_OK && !ur_json_is_missing(&rate) && !ur_json_is_null(&rate))
        status = ur_json_real(&rate, 0.0, 0.999999, &out->dropout, err);
    return status;
}

/* ---- which kind -------------------------------------------------------------------------------- */

static const ur_kind *kind_of_class(const ur_context *context, const char *class)
{
    const ur_kind *kind;
    for (size_t i = 0; class && (kind = ur_kind_at(context, i)); i++)
        if (kind->architecture && strcmp(kind->architecture, class) == 0)
            return kind;
    return NULL;
}

/* A string of an object's, "" where there is none. */
static const char *string_of(const ur_json_value *object, const char *key)
{
    const char *text = "";
    ur_json_get_string(object, key, &text, NULL);
    return text;
}

bool ur_published_starts(const ur_kind *kind, const ur_json *config)
{
    if (!kind->published || !config)
        return false;
    const ur_json_value root = ur_json_root(config);
    /* transformers keeps the keys of a run that it read and saved, which is none then */
    const ur_json_value saved = ur_json_member(&root, "transformers_version");
    const char *model = ur_json_is_missing(&saved) ? string_of(&root, "model") : "";
    return strcmp(model, kind->name) != 0 &&
           (strcmp(string_of(&root, "model_type"), kind->published) == 0 || !*model);
}

const ur_kind *ur_published_kind(const ur_context *context, const ur_json *config)
{
    const ur_json_value root = ur_json_root(config);
    const ur_json_value classes = ur_json_member(&root, "architectures");
    const ur_json_value first = ur_json_item(&classes, 0);
    const char *class = NULL;
    ur_json_string(&first, &class, NULL);
    return kind_of_class(context, class);
}

/* Also from a run of its own. */
static bool can_start(const ur_kind *kind, const ur_json *config)
{
    const ur_json_value root = ur_json_root(config);
    return kind->published && (ur_published_starts(kind, config) ||
                               strcmp(string_of(&root, "model_type"), kind->published) == 0);
}

ur_status ur_kind_starting(const char *verb, const char *path, const ur_kind **out, ur_err *err)
{
    const ur_kind *kind;
    ur_json *config;
    *out = NULL;
    const ur_status status = ur_published_config(NULL, path, &config, err);
    for (size_t i = 0; config && !*out && (kind = ur_kind_at(NULL, i)); i++)
        if (kind->verb && strcmp(kind->verb, verb) == 0 && can_start(kind, config))
            *out = kind;
    ur_json_free(config);
    return status;
}

/* ---- configuration ----------------------------------------------------------------------------- */

static ur_status no_more_tokens(const char *folder, const ur_wordpiece_options *o, ur_err *err)
{
    char shown[UR_SHOWN];
    for (size_t i = 0; i < o->n_more; i++) {
        bool own = false;
        for (int k = 0; k < UR_SPECIALS; k++)
            own = own || (o->special[k] && strcmp(o->special[k], o->more[i]) == 0);
        if (!own)
            return ur_fail(err, UR_UNSUPPORTED,
                           "%s: the tokenizer has a special token of its own, %s: labelling knows "
                           "the five of BERT alone",
                           folder, ur_shown(shown, o->more[i]));
    }
    return UR_OK;
}

static ur_status fill_config(ur_run *run, const char *folder, const ur_bert_config *bert,
                             const claims *said, const ur_published_settings *tokenizer,
                             ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    const ur_field *rate = ur_field_find(kind->fields, "classifier_dropout");
    const ur_wordpiece_options *o = &tokenizer->options;
    ur_bert_config *c = run->assets.config = ur_alloc(run->a, 1, kind->config_size);
    if (!c)
        return ur_no_memory(err, kind->config_size);
    ur_kind_defaults(kind, c);
    *c = *bert;
    c->init = UR_BERT_NORMAL; /* of the head */
    if (rate) {
        const float dropout = said->dropout < 0.0 ? bert->dropout : (float)said->dropout;
        memcpy((char *)c + rate->offset, &dropout, sizeof dropout);
    }
    ur_bert_reading *text = ur_bert_reading_of(kind, c);
    *text = (ur_bert_reading){.lower = o->lower,
                              .strip_accents = o->strip_accents,
                              .ideographs = o->ideographs,
                              .longest = tokenizer->longest};
    for (int i = 0; i < UR_SPECIALS; i++) {
        char *own = o->special[i] ? ur_strdup(run->a, o->special[i]) : NULL;
        text->special[i] = own;
        if (o->special[i] && !own)
            return ur_no_memory(err, strlen(o->special[i]) + 1);
    }
    if (text->longest > bert->positions)
        text->longest = 0;
    return no_more_tokens(folder, o, err);
}

/* ---- labels ------------------------------------------------------------------------------------ */

/* What "id2label" calls the labels of a head with `rows` of them, in its order; NULL: it does not say. */
static ur_status list_labels(const claims *said, const char *folder, size_t rows,
                             const char **label, ur_err *err)
{
    ur_status status = UR_OK;
    const char *key;
    for (size_t i = 0; status == UR_OK && (key = ur_json_key(&said->labels, i)); i++) {
        char *end;
        const ur_json_value value = ur_json_member_at(&said->labels, i);
        const unsigned long long number = strtoull(key, &end, 10);
        if (*key < '0' || *key > '9' || *end)
            continue;
        if (number >= rows)
            return ur_fail(err, UR_BAD_FILE,
                           "%s: config.json has more labels than the %zu that the head gives: they "
                           "do not fit",
                           folder, rows);
        status = ur_json_string(&value, &label[number], err);
    }
    return status;
}

static ur_status add_label(ur_run *run, const char *folder, const claims *said, size_t i,
                           const char *label, ur_err *err)
{
    char made[32];
    int32_t id;
    if (!label && !ur_json_is_missing(&said->labels) && !ur_json_is_null(&said->labels)) {
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        return ur_json_get_string(&said->labels, key, &label, err); /* which is missing */
    }
    snprintf(made, sizeof made, "LABEL_%zu",
             i); /* what transformers calls those that nobody names */
    label = label ? label : made;
    const ur_status status = ur_vocabulary_add(run->assets.labels, label, strlen(label), &id, err);
    return status == UR_OK && (size_t)id != i
               ? ur_fail(err, UR_BAD_FILE, "%s/config.json: two labels are called the same", folder)
               : status;
}

static ur_status read_labels(ur_run *run, const char *folder, const claims *said, size_t rows,
                             ur_err *err)
{
    const char **label = ur_alloc_zero(run->a, rows, sizeof *label);
    if (!label)
        return ur_no_memory(err, rows * sizeof *label);
    ur_status status = ur_vocabulary_new(run->a, &run->assets.labels, err);
    if (status == UR_OK)
        status = list_labels(said, folder, rows, label, err);
    for (size_t i = 0; i < rows && status == UR_OK; i++)
        status = add_label(run, folder, said, i, label[i], err);
    ur_free(run->a, (void *)label);
    if (status == UR_OK)
        ((ur_bert_labels_config *)run->assets.config)->labels = rows;
    return status;
}

/* ---- both ----------------------------------------------------------------------------------------- */

/* Whether the head gives labels, and not a number or several labels. */
static ur_status check_problem(const ur_kind *kind, const char *folder, const claims *said,
                               size_t rows, ur_err *err)
{
    const bool one = !said->problem || strcmp(said->problem, "single_label_classification") == 0;
    if (!kind->has_labels || (one && rows > 1))
        return UR_OK;
    return ur_fail(err, UR_UNSUPPORTED,
                   "%s: a head that gives %s; one label of several is given here", folder,
                   one ? "a number (regression)" : said->problem);
}

static ur_status no_head(const char *folder, const claims *said, ur_err *err)
{
    char shown[UR_SHOWN];
    return ur_fail(
        err, UR_UNSUPPORTED,
        "%s: a published %s, which gives no labels and no answers: "
        "BertForSequenceClassification, BertForTokenClassification and "
        "BertForQuestionAnswering do; others make vectors (ur_embedder, unroll embed) or "
        "are fine-tuned first (init_from, --init-from)",
        folder, said->class ? ur_shown(shown, said->class) : "BERT");
}

/* The kind is known, config.json was read. */
static ur_status fill(ur_run *run, const char *folder, const ur_bert_config *bert,
                      const claims *said, bool used, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    ur_published_settings tokenizer;
    ur_published_weights *file = &run->start;
    ur_status status = ur_published_look(run->a, folder, kind->head, file, err);
    const bool head =
        file->outputs > 0 && said->class && strcmp(said->class, kind->architecture) == 0;
    if (!head)
        file->outputs = 0;
    if (status == UR_OK && used)
        status = head ? check_problem(kind, folder, said, file->outputs, err)
                      : no_head(folder, said, err);
    if (status != UR_OK)
        return status;
    status = ur_published_read_settings(run->a, folder, &tokenizer, err);
    if (status == UR_OK)
        status = fill_config(run, folder, bert, said, &tokenizer, err);
    if (status == UR_OK)
        status = ur_published_vocabulary(run->a, folder, &tokenizer, &run->assets.wordpiece, err);
    ur_published_free_settings(run->a, &tokenizer);
    if (status == UR_OK && ur_wordpiece_size(run->assets.wordpiece) > bert->vocabulary)
        status = ur_fail(err, UR_BAD_FILE,
                         "%s: vocab.txt has %zu tokens, the embedding of config.json %zu", folder,
                         ur_wordpiece_size(run->assets.wordpiece), bert->vocabulary);
    if (status == UR_OK && head && kind->has_labels &&
        (used || check_problem(kind, folder, said, file->outputs, NULL) == UR_OK))
        status = read_labels(run, folder, said, file->outputs, err);
    return status;
}

static ur_status make_model(ur_run *run, const char *folder, ur_err *err)
{
    ur_assets *assets = &run->assets;
    ur_err why;
    ur_status status = ur_kind_check(assets->kind, assets->config, &why);
    if (status == UR_OK)
        status = ur_model_outline(run->context, assets->kind, assets->config, &assets->model, &why);
    if (status != UR_OK)
        return ur_fail(err, status == UR_INVALID ? UR_BAD_FILE : status, "%s: %s", folder,
                       why.text);
    return ur_published_load(run->a, assets->model->params, folder, &run->start, assets->kind->head,
                             true, err);
}

ur_status ur_published_open_run(ur_run *run, const char *folder, const ur_json *config,
                                const ur_kind *kind, ur_err *err)
{
    const bool used = kind == NULL;
    const ur_json_value root = ur_json_root(config);
    ur_bert_config bert;
    claims said;
    ur_status status = ur_published_check_files(run->a, folder, err);
    if (status == UR_OK)
        status = ur_bert_config_read(run->a, config, &bert, err);
    if (status == UR_OK)
        status = read_claims(&root, &said, err);
    if (status != UR_OK)
        return status;
    run->assets.kind = used ? kind_of_class(run->context, said.class) : kind;
    if (!run->assets.kind)
        return no_head(folder, &said, err);
    status = fill(run, folder, &bert, &said, used, err);
    return status == UR_OK && used ? make_model(run, folder, err) : status;
}

/* ---- to start with -------------------------------------------------------------------------------- */

static ur_status take_text(ur_run *run, const ur_field *f, const void *from, ur_err *err)
{
    char *text, *old, *copy = NULL;
    char *at = (char *)run->assets.config + f->offset;
    memcpy(&text, (const char *)from + f->offset, sizeof text);
    if (text && !(copy = ur_strdup(run->a, text)))
        return ur_no_memory(err, strlen(text) + 1);
    memcpy(&old, at, sizeof old);
    ur_free(run->a, old);
    memcpy(at, &copy, sizeof copy);
    return UR_OK;
}

ur_status ur_published_take(ur_run *run, const void *from, ur_err *err)
{
    ur_status status = UR_OK;
    for (const ur_field *f = run->assets.kind->fields; f->name && status == UR_OK; f++) {
        if (f->of_data || !f->flag || *f->flag)
            continue;
        if (f->type == UR_FIELD_TEXT)
            status = take_text(run, f, from, err);
        else
            ur_field_take(f, run->assets.config, from);
    }
    return status;
}

/* Whether the folder's head has the run's labels, one by one. */
static bool same_labels(const ur_run *run, const ur_run *source)
{
    const ur_vocabulary *new = run->assets.labels, *old = source->assets.labels;
    const size_t n = ur_vocabulary_size(new);
    bool same = old && ur_vocabulary_size(old) == n;
    for (size_t i = 0; same && i < n; i++) {
        size_t bytes;
        const char *label = ur_vocabulary_token(new, (int32_t)i, &bytes);
        same = ur_vocabulary_find(old, label, bytes) == (int32_t)i;
    }
    return same;
}

ur_status ur_published_start(ur_run *run, const char *folder, const ur_run *source, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    const bool there = source->start.outputs > 0 && (!kind->has_labels || source->assets.labels);
    const bool head = there && (!kind->has_labels || same_labels(run, source));
    if (!head)
        ur_bert_init_part(run->assets.model, kind->head, run->settings.train.seed);
    if (!source->start.pooler)
        ur_bert_init_part(run->assets.model, "bert.pooler.", run->settings.train.seed);
    const ur_status status = ur_published_load(run->a, run->assets.model->params, folder,
                                               &source->start, kind->head, head, err);
    if (status != UR_OK)
        return status;
    return ur_remark(&run->remarks, err, "%s: a published BERT to start with; %s%s%s", folder,
                     head && kind->has_labels ? "its head has the data's labels"
                     : head                   ? "its head is taken, too"
                     : there                  ? "its head has other labels, so "
                                              : "",
                     head ? "" : kind->head, head ? "" : ".* start anew");
}
