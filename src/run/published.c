/* published.c - reads a published BERT's folder as Hugging Face's libraries write it: config.json,
 * model.safetensors, vocab.txt, tokenizer_config.json.
 *
 * Weights are known under the names of transformers' BertModel, behind one of the prefixes that the
 * model had inside a larger one; LayerNorm's gamma and beta are those of the first release. What belongs to
 * heads, and buffers, is passed over; anything else that does not fit is an error that names it. */
#include "run/published.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
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
    const ur_status status = path_of(a, folder, name, &path, err);
    *there = status == UR_OK && access(path, F_OK) == 0;
    ur_free(a, path);
    return status;
}

ur_status ur_published_json(const ur_allocator *a, const char *folder, const char *part,
                            const char *name, ur_json **out, ur_err *err)
{
    char *inner, *path = NULL;
    *out = NULL;
    ur_status status = path_of(a, folder, part, &inner, err);
    if (status == UR_OK)
        status = path_of(a, *part ? inner : folder, name, &path, err);
    if (status == UR_OK && access(path, F_OK) == 0)
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

static ur_status check_files(const ur_allocator *a, const char *folder, ur_err *err)
{
    static const char *const names[] = {"config.json", "vocab.txt", "model.safetensors"};
    bool there = access(folder, F_OK) == 0;
    ur_status status = UR_OK;
    if (!there)
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

/* The settings, and the document that their strings are in. */
typedef struct settings {
    const ur_allocator *a;
    ur_json *document; /* NULL: there is no tokenizer_config.json */
    ur_wordpiece_options options;
    const char **more; /* (options.n_more) */
    size_t capacity;
    size_t longest; /* 0: it says nothing */
} settings;

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

static ur_status add_token(settings *s, const char *token, ur_err *err)
{
    if (!ur_reserve(s->a, &s->more, &s->capacity, s->options.n_more, s->options.n_more + 1,
                    sizeof *s->more))
        return ur_no_memory(err, sizeof *s->more);
    s->more[s->options.n_more++] = token;
    s->options.more = s->more;
    return UR_OK;
}

static ur_status get_specials(settings *s, const ur_json_value *root, ur_err *err)
{
    static const char *const keys[UR_SPECIALS] = {"unk_token", "cls_token", "sep_token",
                                                  "pad_token", "mask_token"};
    const ur_json_value more = ur_json_member(root, "additional_special_tokens");
    size_t count = 0;
    ur_status status = UR_OK;
    for (int i = 0; i < UR_SPECIALS && status == UR_OK; i++) {
        const ur_json_value value = ur_json_member(root, keys[i]);
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
            status = add_token(s, token, err);
    }
    return status;
}

/* One of the tokens that were added to the vocabulary, or are special in it. */
static ur_status get_added(settings *s, const ur_json_value *value, ur_err *err)
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
    return status == UR_OK ? add_token(s, token, err) : status;
}

static ur_status get_all_added(settings *s, const ur_json_value *root, ur_err *err)
{
    const ur_json_value added = ur_json_member(root, "added_tokens_decoder");
    ur_status status = is_given(&added) ? ur_json_object(&added, err) : UR_OK;
    const char *key;
    for (size_t i = 0; status == UR_OK && (key = ur_json_key(&added, i)); i++) {
        const ur_json_value value = ur_json_member(&added, key);
        status = i < MOST_ADDED ? get_added(s, &value, err)
                                : ur_json_expected(&added, "at most 1,000 tokens", err);
    }
    return status;
}

static ur_status read_settings(settings *s, const char *folder, ur_err *err)
{
    bool lower = true, ideographs = true;
    double longest = 0;
    s->options = ur_wordpiece_defaults();
    ur_status status =
        ur_published_json(s->a, folder, "", "tokenizer_config.json", &s->document, err);
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
        status = get_specials(s, &root, err);
    return status == UR_OK ? get_all_added(s, &root, err) : status;
}

static ur_status open_wordpiece(const ur_allocator *a, const char *folder,
                                const ur_published_options *options, ur_published *out, ur_err *err)
{
    settings s = {.a = a};
    char *path = NULL;
    ur_status status = read_settings(&s, folder, err);
    if (status == UR_OK)
        status = path_of(a, folder, "vocab.txt", &path, err);
    s.options.lower |= options->lower;
    if (status == UR_OK)
        status = ur_wordpiece_load(a, path, &s.options, &out->wordpiece, err);
    out->longest = options->longest ? options->longest : s.longest;
    ur_free(a, path);
    ur_free(a, (void *)s.more);
    ur_json_free(s.document);
    return status;
}

/* ---- the weights --------------------------------------------------------------------------------- */

static const char word_embeddings[] = "embeddings.word_embeddings.weight";

/* Buffers of transformers' modules; heads. The first two are that for masked words. */
static const char *const passed_over[] = {"cls.predictions.*",
                                          "*.cls.predictions.*",
                                          "*embeddings.position_ids",
                                          "*embeddings.token_type_ids",
                                          "cls.seq_relationship.*",
                                          "*.cls.seq_relationship.*",
                                          "classifier.*",
                                          "*.classifier.*",
                                          "qa_outputs.*",
                                          "*.qa_outputs.*"};
enum { PASSED_OVER = sizeof passed_over / sizeof *passed_over, WORDS_HEAD = 2 };

static const ur_prefix endings[] = {{"LayerNorm.gamma", "LayerNorm.weight"},
                                    {"LayerNorm.beta", "LayerNorm.bias"}};

enum { PREFIX = 64 };

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

/* What a file of weights has. */
typedef struct contents {
    char prefix[PREFIX]; /* before BertModel's names */
    const char *head;    /* before those of heads, cls and a point included */
    bool pooler;
} contents;

static ur_status look_into(const ur_allocator *a, const char *path, bool words, contents *out,
                           ur_err *err)
{
    char name[PREFIX + 64];
    ur_st *st;
    ur_status status = ur_st_open(a, path, &st, err);
    if (status != UR_OK)
        return status;
    status = find_prefix(st, path, out->prefix, err);
    snprintf(name, sizeof name, "%spooler.dense.weight", out->prefix);
    out->pooler = status == UR_OK && ur_st_find(st, name) != NULL;
    out->head = strncmp(out->prefix, "module.", 7) == 0 ? "module.cls." : "cls.";
    snprintf(name, sizeof name, "%spredictions.transform.dense.weight", out->head);
    if (status == UR_OK && words && !ur_st_find(st, name))
        status = ur_fail(err, UR_BAD_FILE,
                         "%s has no head for masked words (%s): this BERT was saved without it",
                         path, name);
    ur_st_close(st);
    return status;
}

static ur_status load_weights(ur_params *params, const char *path, const contents *file, bool words,
                              ur_err *err)
{
    const ur_prefix prefixes[] = {
        {file->head, "cls."}, {file->prefix, ""}, {"module.", ""}, {"", ""}};
    const size_t first = words ? WORDS_HEAD : 0;
    const ur_load_options options = {
        .prefixes = prefixes,
        .n_prefixes = 4,
        .endings = endings,
        .n_endings = sizeof endings / sizeof *endings,
        .skipped = passed_over + first,
        .n_skipped = PASSED_OVER - first,
    };
    return ur_weights_load(params, path, &options, err);
}

static ur_status open_model(ur_context *context, const char *folder, bool words, ur_published *out,
                            ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    char *config = NULL, *path = NULL;
    contents file = {.head = NULL};
    ur_bert_config c;
    ur_status status = path_of(a, folder, "config.json", &config, err);
    if (status == UR_OK)
        status = path_of(a, folder, "model.safetensors", &path, err);
    if (status == UR_OK)
        status = ur_bert_config_load(a, config, &c, err);
    if (status == UR_OK)
        status = look_into(a, path, words, &file, err);
    if (status == UR_OK) {
        c.no_pooler = !file.pooler;
        c.masked_words = words;
        status = ur_bert_outline(context, &c, &out->model, err);
    }
    if (status == UR_OK)
        status = load_weights(out->model->params, path, &file, words, err);
    ur_free(a, config);
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

ur_status ur_published_open(ur_context *context, const char *folder,
                            const ur_published_options *options, ur_remarks *remarks,
                            ur_published *out, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    *out = (ur_published){0};
    ur_status status = check_files(a, folder, err);
    if (status == UR_OK)
        status = open_wordpiece(a, folder, options, out, err);
    if (status == UR_OK)
        status = open_model(context, folder, options->masked_words, out, err);
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
