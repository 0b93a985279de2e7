/* published.c - reads a published BERT's folder as Hugging Face's libraries write it: config.json,
 * model.safetensors, vocab.txt, tokenizer_config.json.
 *
 * Weights are known under the names of transformers' BertModel, behind one of the prefixes that the
 * model had inside a larger one; LayerNorm's gamma and beta are those of the first release. What belongs to
 * heads, and buffers, is passed over; anything else that does not fit is an error that names it. */
#include "run/published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "models/bert.h"
#include "models/kinds.h"
#include "run/run.h"
#include "train/weights.h"

/* ---- files ----------------------------------------------------------------------------------- */

static ur_status path_of(const ur_allocator *a, const char *folder, const char *name, char **path,
                         ur_err *err)
{
    *path = ur_path_join(a, folder, name);
    return *path ? UR_OK : ur_no_memory(err, strlen(folder) + strlen(name) + 2);
}

static ur_status look_for(const ur_allocator *a, const char *folder, const char *name, bool *there,
                          ur_err *err)
{
    char *path;
    ur_there what = UR_NOTHING_THERE;
    ur_status status = path_of(a, folder, name, &path, err);
    if (status == UR_OK)
        status = ur_look(path, &what, err);
    *there = what != UR_NOTHING_THERE;
    ur_free(a, path);
    return status;
}

ur_status ur_published_json(const ur_allocator *a, const char *folder, const char *part,
                            const char *name, ur_json **out, ur_err *err)
{
    char *inner, *path = NULL;
    ur_there there;
    *out = NULL;
    ur_status status = path_of(a, folder, part, &inner, err);
    if (status == UR_OK)
        status = path_of(a, *part ? inner : folder, name, &path, err);
    if (status == UR_OK)
        status = ur_look(path, &there, err);
    if (status == UR_OK && there != UR_NOTHING_THERE)
        status = ur_json_load(a, path, out, err);
    ur_free(a, inner);
    ur_free(a, path);
    return status;
}

/* Says that model.safetensors is missing, and what helps where the weights are there in another form. */
static ur_status no_weights(const ur_allocator *a, const char *folder, ur_err *err)
{
    bool sharded, torch = false;
    ur_status status = look_for(a, folder, "model.safetensors.index.json", &sharded, err);
    if (status == UR_OK)
        status = look_for(a, folder, "pytorch_model.bin", &torch, err);
    if (status == UR_OK && sharded)
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: the weights are in several files; one is read. In Python "
                       "model.save_pretrained(folder, max_shard_size=\"100GB\") writes one",
                       folder);
    if (status == UR_OK && torch)
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: the weights are a pytorch_model.bin, which is not read. In Python "
                       "AutoModel.from_pretrained(folder).save_pretrained(folder) of transformers "
                       "writes model.safetensors",
                       folder);
    return status;
}

ur_status ur_published_check_files(const ur_allocator *a, const char *folder, ur_err *err)
{
    static const char *const names[] = {"config.json", "vocab.txt", "model.safetensors"};
    ur_there where;
    bool there;
    ur_status status = ur_look(folder, &where, err);
    if (status == UR_OK && where == UR_NOTHING_THERE)
        return ur_fail(err, UR_BAD_FILE, "%s: there is no such folder", folder);
    for (int i = 0; i < 3 && status == UR_OK; i++) {
        status = look_for(a, folder, names[i], &there, err);
        if (status == UR_OK && !there && i == 2)
            status = no_weights(a, folder, err);
        if (status == UR_OK && !there)
            return ur_fail(err, UR_BAD_FILE,
                           "%s has no %s: a published BERT is a folder with config.json, "
                           "model.safetensors and vocab.txt",
                           folder, names[i]);
    }
    return status;
}

/* ---- settings that may be missing --------------------------------------------------------------- */

static bool is_given(const ur_json_value *value)
{
    return !ur_json_is_missing(value) && !ur_json_is_null(value);
}

ur_status ur_published_bool(const ur_json_value *object, const char *key, bool *out, ur_err *err)
{
    const ur_json_value value = ur_json_member(object, key);
    return is_given(&value) ? ur_json_bool(&value, out, err) : UR_OK;
}

ur_status ur_published_string(const ur_json_value *object, const char *key, const char **out,
                              ur_err *err)
{
    const ur_json_value value = ur_json_member(object, key);
    return is_given(&value) ? ur_json_string(&value, out, err) : UR_OK;
}

/* A token is a string, or an object with one under "content". */
static ur_status get_token(const ur_json_value *value, const char **out, ur_err *err)
{
    if (ur_json_object(value, NULL) == UR_OK)
        return ur_json_get_string(value, "content", out, err);
    return ur_json_string(value, out, err);
}

/* ---- the tokenizer ------------------------------------------------------------------------------ */

enum { MOST_TOKENS = 1 << 16, MOST_ADDED = 1000 };

typedef ur_published_settings settings;

static ur_status refuse(const ur_json_value *root, const char *key, const char *why, ur_err *err)
{
    return ur_fail(err, UR_UNSUPPORTED, "%s: \"%s\" %s", root->file, key, why);
}

/* What would make other tokens of a text. */
static ur_status check_settings(const ur_json_value *root, ur_err *err)
{
    static const char *const classes[] = {"BertTokenizer", "BertTokenizerFast"};
    const char *class = classes[0], *side = "right";
    bool basic = true, clean = true;
    size_t never = 0;
    ur_status status = ur_published_string(root, "tokenizer_class", &class, err);
    if (status == UR_OK)
        status = ur_published_string(root, "truncation_side", &side, err);
    if (status == UR_OK)
        status = ur_published_bool(root, "do_basic_tokenize", &basic, err);
    if (status == UR_OK)
        status = ur_published_bool(root, "clean_text", &clean, err);
    const ur_json_value kept = ur_json_member(root, "never_split");
    if (status == UR_OK && is_given(&kept))
        status = ur_json_list(&kept, MOST_TOKENS, &never, err);
    if (status != UR_OK)
        return status;
    if (strcmp(class, classes[0]) != 0 && strcmp(class, classes[1]) != 0)
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: the tokenizer is a %.80s; BertTokenizer's alone is "
                       "known",
                       root->file, class);
    if (strcmp(side, "right") != 0)
        return refuse(root, "truncation_side", "is not right: texts are cut at their ends", err);
    if (!basic || !clean)
        return refuse(root, basic ? "clean_text" : "do_basic_tokenize",
                      "is false: texts are always cut into words first", err);
    return never ? refuse(root, "never_split", "has tokens: none are kept whole", err) : UR_OK;
}

static ur_status add_token(const ur_allocator *a, settings *s, const char *token, ur_err *err)
{
    if (!ur_reserve(a, &s->more, &s->capacity, s->options.n_more, s->options.n_more + 1,
                    sizeof *s->more))
        return ur_no_memory(err, sizeof *s->more);
    s->more[s->options.n_more++] = token;
    s->options.more = s->more;
    return UR_OK;
}

const char *const ur_special_keys[UR_SPECIALS] = {"unk_token", "cls_token", "sep_token",
                                                  "pad_token", "mask_token"};

static ur_status get_specials(const ur_allocator *a, settings *s, const ur_json_value *root,
                              ur_err *err)
{
    const ur_json_value more = ur_json_member(root, "additional_special_tokens");
    size_t count = 0;
    ur_status status = UR_OK;
    for (int i = 0; i < UR_SPECIALS && status == UR_OK; i++) {
        const ur_json_value value = ur_json_member(root, ur_special_keys[i]);
        if (ur_json_is_null(&value))
            s->options.special[i] = NULL;
        else if (!ur_json_is_missing(&value))
            status = get_token(&value, &s->options.special[i], err);
    }
    if (status == UR_OK && is_given(&more))
        status = ur_json_list(&more, MOST_TOKENS, &count, err);
    for (size_t i = 0; i < count && status == UR_OK; i++) {
        const ur_json_value value = ur_json_item(&more, i);
        const char *token;
        status = get_token(&value, &token, err);
        if (status == UR_OK)
            status = add_token(a, s, token, err);
    }
    return status;
}

/* One of the tokens that were added to the vocabulary, or are special in it. */
static ur_status get_added(const ur_allocator *a, settings *s, const ur_json_value *value,
                           ur_err *err)
{
    static const char *const refused[] = {"lstrip", "rstrip", "single_word"};
    const char *token;
    char shown[UR_SHOWN];
    bool special = true, odd = false;
    ur_status status = get_token(value, &token, err);
    if (status == UR_OK)
        status = ur_published_bool(value, "special", &special, err);
    for (int i = 0; i < 3 && status == UR_OK && !odd; i++)
        status = ur_published_bool(value, refused[i], &odd, err);
    if (status == UR_OK && (odd || !special))
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: the added token %s is no special token, or takes the spaces around it: "
                       "such ones are not known",
                       value->file, ur_shown(shown, token));
    return status == UR_OK ? add_token(a, s, token, err) : status;
}

static ur_status get_all_added(const ur_allocator *a, settings *s, const ur_json_value *root,
                               ur_err *err)
{
    const ur_json_value added = ur_json_member(root, "added_tokens_decoder");
    ur_status status = is_given(&added) ? ur_json_object(&added, err) : UR_OK;
    const char *key;
    for (size_t i = 0; status == UR_OK && (key = ur_json_key(&added, i)); i++) {
        const ur_json_value value = ur_json_member(&added, key);
        status = i < MOST_ADDED ? get_added(a, s, &value, err)
                                : ur_json_expected(&added, "at most 1,000 tokens", err);
    }
    return status;
}

ur_status ur_published_read_settings(const ur_allocator *a, const char *folder,
                                     ur_published_settings *s, ur_err *err)
{
    bool lower = true, ideographs = true;
    double longest = 0;
    *s = (settings){.options = ur_wordpiece_defaults()};
    ur_status status = ur_published_json(a, folder, "", "tokenizer_config.json", &s->document, err);
    if (status != UR_OK || !s->document)
        return status;
    const ur_json_value root = ur_json_root(s->document);
    const ur_json_value most = ur_json_member(&root, "model_max_length");
    status = ur_json_object(&root, err);
    if (status == UR_OK)
        status = check_settings(&root, err);
    if (status == UR_OK)
        status = ur_published_bool(&root, "do_lower_case", &lower, err);
    bool strip = lower; /* null follows it */
    if (status == UR_OK)
        status = ur_published_bool(&root, "strip_accents", &strip, err);
    if (status == UR_OK)
        status = ur_published_bool(&root, "tokenize_chinese_chars", &ideographs, err);
    if (status == UR_OK && is_given(&most))
        status = ur_json_real(&most, 1, 1e300, &longest, err);
    s->longest = longest < 1e9 ? (size_t)longest : 0; /* 1e30 stands for none */
    s->options.lower = lower;
    s->options.strip_accents = strip;
    s->options.ideographs = ideographs;
    if (status == UR_OK)
        status = get_specials(a, s, &root, err);
    return status == UR_OK ? get_all_added(a, s, &root, err) : status;
}

void ur_published_free_settings(const ur_allocator *a, ur_published_settings *s)
{
    ur_free(a, (void *)s->more);
    ur_json_free(s->document);
}

ur_status ur_published_vocabulary(const ur_allocator *a, const char *folder,
                                  const ur_published_settings *s, ur_wordpiece **out, ur_err *err)
{
    char *path;
    ur_status status = path_of(a, folder, "vocab.txt", &path, err);
    if (status == UR_OK)
        status = ur_wordpiece_load(a, path, &s->options, out, err);
    ur_free(a, path);
    return status;
}

static ur_status open_wordpiece(const ur_allocator *a, const char *folder,
                                const ur_published_options *options, ur_published *out, ur_err *err)
{
    settings s;
    ur_status status = ur_published_read_settings(a, folder, &s, err);
    s.options.lower |= options->lower;
    if (status == UR_OK)
        status = ur_published_vocabulary(a, folder, &s, &out->wordpiece, err);
    out->longest = options->longest ? options->longest : s.longest;
    ur_published_free_settings(a, &s);
    return status;
}

/* ---- the weights --------------------------------------------------------------------------------- */

static const char word_embeddings[] = "embeddings.word_embeddings.weight";

/* Buffers of transformers' modules; heads. The first two are that for masked words, the next two that for
 * the next sentence. */
static const char *const passed_over[] = {"cls.predictions.*",
                                          "*.cls.predictions.*",
                                          "cls.seq_relationship.*",
                                          "*.cls.seq_relationship.*",
                                          "*embeddings.position_ids",
                                          "*embeddings.token_type_ids",
                                          "classifier.*",
                                          "*.classifier.*",
                                          "qa_outputs.*",
                                          "*.qa_outputs.*",
                                          "cls.predictions.bias",
                                          "*.cls.predictions.bias"};
enum {
    PASSED_OVER = sizeof passed_over / sizeof *passed_over,
    WORDS_HEAD = 2,
    BOTH_HEADS = 4,
    OWN_BIAS = 2 /* the last ones: nothing reads it where the output has a bias of its own */
};

/* Of heads that are linear layers alone. */
static const char *const other_heads[] = {"*classifier.*", "*qa_outputs.*"};

static const ur_prefix endings[] = {{"LayerNorm.gamma", "LayerNorm.weight"},
                                    {"LayerNorm.beta", "LayerNorm.bias"}};

enum { PREFIX = sizeof(((ur_published_weights *)NULL)->prefix) };

/* What stands before BertModel's names in the file. */
static ur_status find_prefix(const ur_st *st, const char *path, char prefix[PREFIX], ur_err *err)
{
    static const char *const known[] = {"", "bert.", "module.", "module.bert."};
    const size_t n = strlen(word_embeddings);
    for (size_t i = 0; i < ur_st_count(st); i++) {
        const char *name = ur_st_at(st, i)->name;
        const size_t length = strlen(name);
        if (length < n || strcmp(name + length - n, word_embeddings) != 0)
            continue;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strlen(known[k]) == length - n && strncmp(name, known[k], length - n) == 0) {
                snprintf(prefix, PREFIX, "%s", known[k]);
                return UR_OK;
            }
        char shown[UR_SHOWN];
        return ur_fail(err, UR_BAD_FILE,
                       "%s: BERT's names stand behind a prefix that is not known: %s", path,
                       ur_shown(shown, name));
    }
    return ur_fail(err, UR_BAD_FILE, "%s has no tensor %s: this is no BERT", path, word_embeddings);
}

typedef ur_published_weights contents;

/* The weight of a linear layer of that name; NULL: there is none. */
static const ur_st_info *find_head(const ur_st *st, const char *head)
{
    char name[PREFIX + 64];
    snprintf(name, sizeof name, "module.%s.weight", head);
    const ur_st_info *plain = ur_st_find(st, name + strlen("module."));
    return plain ? plain : ur_st_find(st, name);
}

/* head: the layer whose rows are counted, or NULL. */
static ur_status look_into(const ur_allocator *a, const char *path, const char *head_name,
                           bool words, contents *out, ur_err *err)
{
    char name[PREFIX + 64];
    ur_st *st;
    ur_status status = ur_st_open(a, path, &st, err);
    if (status != UR_OK)
        return status;
    status = find_prefix(st, path, out->prefix, err);
    snprintf(name, sizeof name, "%spooler.dense.weight", out->prefix);
    out->pooler = status == UR_OK && ur_st_find(st, name) != NULL;
    const ur_st_info *head = status == UR_OK && head_name ? find_head(st, head_name) : NULL;
    out->outputs = head && head->ndim == 2 ? head->dims[0] : 0;
    out->head = strncmp(out->prefix, "module.", 7) == 0 ? "module.cls." : "cls.";
    snprintf(name, sizeof name, "%sseq_relationship.weight", out->head);
    out->next = status == UR_OK && ur_st_find(st, name) != NULL;
    snprintf(name, sizeof name, "%spredictions.transform.dense.weight", out->head);
    out->words = status == UR_OK && ur_st_find(st, name) != NULL;
    if (status == UR_OK && words && !out->words)
        status = ur_fail(err, UR_BAD_FILE,
                         "%s has no head for masked words (%s): this BERT was saved without it",
                         path, name);
    ur_st_close(st);
    return status;
}

static ur_status load_weights(ur_params *params, const char *path, const contents *file,
                              const ur_bert_config *c, bool inference, ur_err *err)
{
    const ur_prefix prefixes[] = {{file->head, "cls."},
                                  {file->prefix, c->pretraining ? "bert." : ""},
                                  {"module.", ""},
                                  {"", ""}};
    const size_t first = c->pretraining ? BOTH_HEADS : c->masked_words ? WORDS_HEAD : 0;
    const ur_load_options options = {
        .prefixes = prefixes,
        .n_prefixes = 4,
        .endings = endings,
        .n_endings = sizeof endings / sizeof *endings,
        .skipped = passed_over + first,
        .n_skipped = PASSED_OVER - (size_t)(c->tie_output ? OWN_BIAS : 0) - first,
    };
    return (inference ? ur_weights_load_packed : ur_weights_load)(params, path, &options, err);
}

/* model.safetensors, or of a run the best weights where these are others. */
static ur_status weights_of(const ur_allocator *a, const char *folder, char **path, ur_err *err)
{
    const char *name;
    *path = NULL;
    const ur_status status = ur_weights_choose(a, folder, &name, err);
    return status == UR_OK ? path_of(a, folder, name, path, err) : status;
}

ur_status ur_published_look(const ur_allocator *a, const char *folder, const char *head,
                            ur_published_weights *out, ur_err *err)
{
    char *path;
    *out = (ur_published_weights){.outputs = 0};
    ur_status status = path_of(a, folder, "model.safetensors", &path, err);
    if (status == UR_OK)
        status = look_into(a, path, head, false, out, err);
    ur_free(a, path);
    return status;
}

ur_status ur_published_load(const ur_allocator *a, ur_params *params, const char *folder,
                            const ur_published_weights *file, const char *head, bool with,
                            ur_err *err)
{
    enum { ROOM = 64 };
    char names[3][ROOM];
    snprintf(names[0], ROOM, "module.%s.", head);
    snprintf(names[1], ROOM, "module.%s.*", head);
    snprintf(names[2], ROOM, "%s.*", head);
    const char *const own = names[0] + strlen("module.");
    const char *const anew[] = {names[2], "bert.pooler.*"};
    const char *skipped[8] = {"*cls.*", "*embeddings.position_ids", "*embeddings.token_type_ids"};
    size_t n = 3;
    char *path;
    for (size_t i = 0; i < sizeof other_heads / sizeof *other_heads; i++)
        if (strncmp(other_heads[i] + 1, head, strlen(head)) != 0)
            skipped[n++] = other_heads[i];
    if (ur_params_find(params, "bert.pooler.dense.weight") < 0)
        skipped[n++] = "*pooler.dense.*";
    if (!with) {
        skipped[n++] = names[1];
        skipped[n++] = names[2];
    }
    const ur_prefix prefixes[] = {
        {own, own}, {names[0], own}, {file->prefix, "bert."}, {"module.", ""}, {"", ""}};
    const ur_load_options options = {.prefixes = prefixes,
                                     .n_prefixes = 5,
                                     .endings = endings,
                                     .n_endings = sizeof endings / sizeof *endings,
                                     .missing = anew,
                                     .n_missing = with ? 0 : 2,
                                     .skipped = skipped,
                                     .n_skipped = n};
    ur_status status = weights_of(a, folder, &path, err);
    if (status == UR_OK)
        status = ur_weights_load(params, path, &options, err);
    ur_free(a, path);
    return status;
}

static ur_status read_config(const ur_allocator *a, const char *folder, const ur_json *read,
                             ur_bert_config *out, ur_err *err)
{
    char *path;
    if (read)
        return ur_bert_config_read(a, read, out, err);
    ur_status status = path_of(a, folder, "config.json", &path, err);
    if (status == UR_OK)
        status = ur_bert_config_load(a, path, out, err);
    ur_free(a, path);
    return status;
}

static ur_status open_model(ur_context *context, const char *folder,
                            const ur_published_options *options, ur_published *out, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    char *path = NULL;
    contents file = {.head = NULL};
    ur_bert_config c;
    ur_status status = weights_of(a, folder, &path, err);
    if (status == UR_OK)
        status = read_config(a, folder, options->config, &c, err);
    if (status == UR_OK)
        status = look_into(a, path, NULL, options->masked_words, &file, err);
    if (status == UR_OK) {
        c.no_pooler = !file.pooler;
        c.pretraining = options->heads && file.pooler && file.words && file.next;
        c.masked_words = options->masked_words || (options->heads && file.words);
        status = ur_bert_outline(context, &c, &out->model, err);
    }
    if (status == UR_OK)
        status = load_weights(out->model->params, path, &file, &c, options->inference, err);
    ur_free(a, path);
    return status;
}

/* ---- both ---------------------------------------------------------------------------------------- */

/* Whether they belong together; how long an input may be. */
static ur_status fit(const char *folder, ur_remarks *remarks, ur_published *p, ur_err *err)
{
    const ur_bert_config *c = ur_bert_config_of(p->model);
    const size_t size = ur_wordpiece_size(p->wordpiece);
    if (p->longest == 0 || p->longest > c->positions)
        p->longest = c->positions;
    if (p->longest < 2)
        return ur_fail(err, UR_BAD_FILE, "%s: inputs of at most %zu pieces, [CLS] and [SEP] are 2",
                       folder, p->longest);
    if (size > c->vocabulary)
        return ur_fail(err, UR_BAD_FILE,
                       "%s: vocab.txt has %zu tokens, the embedding of config.json %zu", folder,
                       size, c->vocabulary);
    if (size < c->vocabulary)
        return ur_remark(remarks, err,
                         "%s: vocab.txt has %zu tokens, the embedding %zu: the rest of it is not "
                         "used",
                         folder, size, c->vocabulary);
    return UR_OK;
}

ur_status ur_published_config(const ur_allocator *a, const char *folder, ur_json **out, ur_err *err)
{
    const ur_status status = ur_published_json(a, folder, "", "config.json", out, err);
    return status == UR_BAD_FILE ? UR_OK : status;
}

bool ur_published_is(const ur_json *config)
{
    if (!config)
        return false;
    const ur_json_value root = ur_json_root(config);
    const ur_json_value own = ur_json_member(&root, "model");
    const ur_json_value type = ur_json_member(&root, "model_type");
    const ur_json_value classes = ur_json_member(&root, "architectures");
    const ur_json_value saved = ur_json_member(&root, "transformers_version");
    /* transformers keeps the keys of a run that it read, and saves as its own */
    return (ur_json_is_missing(&own) || !ur_json_is_missing(&saved)) &&
           !(ur_json_is_missing(&type) && ur_json_is_missing(&classes));
}

ur_status ur_published_open(ur_context *context, const char *folder,
                            const ur_published_options *options, ur_remarks *remarks,
                            ur_published *out, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    *out = (ur_published){0};
    ur_status status = ur_published_check_files(a, folder, err);
    if (status == UR_OK)
        status = open_model(context, folder, options, out, err);
    if (status == UR_OK)
        status = open_wordpiece(a, folder, options, out, err);
    if (status == UR_OK)
        status = fit(folder, remarks, out, err);
    if (status != UR_OK)
        ur_published_free(out);
    return status;
}

void ur_published_free(ur_published *p)
{
    ur_model_free(p->model);
    ur_wordpiece_free(p->wordpiece);
    *p = (ur_published){0};
}
