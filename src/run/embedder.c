/* embedder.c - texts as vectors, as sentence-transformers' modules say: a Transformer, Pooling over its
 * outputs, and perhaps Normalize.
 *
 *   y_0 ... y_n-1 = BERT([CLS] text [SEP])          first: the prompt's pieces, where it does not count
 *   cls  y_0     max  of each feature     mean  sum y_t / n     mean_sqrt_len_tokens  sum y_t / sqrt(n)
 *   weightedmean  sum (t + 1) y_t / sum (t + 1)     lasttoken  y_n-1      t, n from `first` on
 * Several are put one after the other. Sums are over rising t in double. */
#include "unroll/embedder.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "run/published.h"
#include "run/run.h"
#include "tape/runner.h"

enum { MOST_MODES = 16 };

struct ur_embedder {
    ur_context *context;
    const ur_allocator *a;
    ur_published published;
    int mode[MOST_MODES]; /* (n_modes) indices of `modes` */
    size_t n_modes;
    bool normalise;
    bool without_prompt;  /* the prompt's pieces are left out of the pooling */
    char *prompt;         /* or NULL */
    size_t prompt_pieces; /* [CLS] and the prompt's */
    ur_runner *runner;
    ur_remarks remarks;
};

/* ---- pooling --------------------------------------------------------------------------------- */

/* n rows of `width` floats, at least one -> (width); first: the number of the first row. */
typedef void (*pooling)(size_t n, size_t first, size_t width, const float *x, float *y);

static void pool_cls(size_t n, size_t first, size_t width, const float *x, float *y)
{
    (void)n;
    memcpy(y, x - first * width, width * sizeof *y);
}

static void pool_max(size_t n, size_t first, size_t width, const float *x, float *y)
{
    (void)first;
    memcpy(y, x, width * sizeof *y);
    for (size_t t = 1; t < n; t++)
        for (size_t i = 0; i < width; i++)
            y[i] = x[t * width + i] > y[i] ? x[t * width + i] : y[i];
}

static void pool_sum(size_t n, size_t width, const float *x, double divisor, float *y)
{
    for (size_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t t = 0; t < n; t++)
            sum += (double)x[t * width + i];
        y[i] = (float)(sum / divisor);
    }
}

static void pool_mean(size_t n, size_t first, size_t width, const float *x, float *y)
{
    (void)first;
    pool_sum(n, width, x, (double)n, y);
}

static void pool_sqrt(size_t n, size_t first, size_t width, const float *x, float *y)
{
    (void)first;
    pool_sum(n, width, x, sqrt((double)n), y);
}

static void pool_weighted(size_t n, size_t first, size_t width, const float *x, float *y)
{
    double weights = 0;
    for (size_t t = 0; t < n; t++)
        weights += (double)(first + t + 1);
    for (size_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t t = 0; t < n; t++)
            sum += (double)(first + t + 1) * (double)x[t * width + i];
        y[i] = (float)(sum / weights);
    }
}

static void pool_last(size_t n, size_t first, size_t width, const float *x, float *y)
{
    (void)first;
    memcpy(y, x + (n - 1) * width, width * sizeof *y);
}

/* In the order in which several are put together that are keys. */
static const struct pool_mode {
    const char *name, *key; /* in 1_Pooling/config.json */
    pooling pool;
} modes[] = {
    {"cls", "pooling_mode_cls_token", pool_cls},
    {"max", "pooling_mode_max_tokens", pool_max},
    {"mean", "pooling_mode_mean_tokens", pool_mean},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", pool_sqrt},
    {"weightedmean", "pooling_mode_weightedmean_tokens", pool_weighted},
    {"lasttoken", "pooling_mode_lasttoken", pool_last},
};
enum { MODES = sizeof modes / sizeof *modes };

const char *ur_embedder_pool_name(size_t i)
{
    return i < MODES ? modes[i].name : NULL;
}

static void normalise(size_t n, float *x)
{
    double square = 0;
    for (size_t i = 0; i < n; i++)
        square += (double)x[i] * (double)x[i];
    const double length = sqrt(square);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / (length > 1e-12 ? length : 1e-12));
}

/* ---- what the folder says --------------------------------------------------------------------- */

/* The modules' paths in the folder. */
typedef struct plan {
    const char *transformer, *pooling; /* pooling: NULL, there is none */
    bool normalise;
} plan;

/* What stands behind the last point: "Pooling" of "sentence_transformers.models.Pooling". */
static const char *class_of(const char *type)
{
    const char *point = strrchr(type, '.');
    return point ? point + 1 : type;
}

static ur_status add_module(plan *p, size_t i, const ur_json_value *module, ur_err *err)
{
    const char *type = NULL, *path = "";
    ur_status status = ur_json_get_string(module, "type", &type, err);
    if (status == UR_OK)
        status = ur_published_string(module, "path", &path, err);
    if (status != UR_OK)
        return status;
    const char *class = class_of(type);
    if (i == 0 && strcmp(class, "Transformer") == 0)
        p->transformer = path;
    else if (i == 1 && strcmp(class, "Pooling") == 0)
        p->pooling = path;
    else if (i == 2 && strcmp(class, "Normalize") == 0)
        p->normalise = true;
    else {
        char shown[UR_SHOWN];
        return ur_fail(err, UR_UNSUPPORTED,
                       "%s: module %zu is a %s; a Transformer, Pooling and perhaps Normalize are "
                       "known, in this order",
                       module->file, i, ur_shown(shown, class));
    }
    return UR_OK;
}

static ur_status read_modules(const ur_json *document, plan *p, ur_err *err)
{
    const ur_json_value list = ur_json_root(document);
    size_t count;
    ur_status status = ur_json_list(&list, 100, &count, err);
    if (status == UR_OK && count == 0)
        status = ur_json_expected(&list, "at least a Transformer", err);
    for (size_t i = 0; i < count && status == UR_OK; i++) {
        const ur_json_value module = ur_json_item(&list, i);
        status = add_module(p, i, &module, err);
    }
    return status;
}

static ur_status check_width(const ur_embedder *e, const ur_json_value *root, ur_err *err)
{
    static const char *const keys[] = {"word_embedding_dimension", "embedding_dimension"};
    const int64_t width = (int64_t)ur_bert_config_of(e->published.model)->hidden_size;
    ur_status status = UR_OK;
    for (int i = 0; i < 2 && status == UR_OK; i++) {
        const ur_json_value value = ur_json_member(root, keys[i]);
        int64_t said;
        if (!ur_json_is_missing(&value))
            status = ur_json_int(&value, width, width, &said, err);
    }
    return status;
}

static ur_status add_mode(ur_embedder *e, const char *name, const char *where, ur_err *err)
{
    char shown[UR_SHOWN];
    int i = 0;
    while (i < MODES && strcmp(modes[i].name, name) != 0)
        i++;
    if (i == MODES)
        return ur_fail(
            err, UR_INVALID,
            "%s: there is no pooling %s; there are cls, max, mean, mean_sqrt_len_tokens, "
            "weightedmean and lasttoken",
            where, ur_shown(shown, name));
    if (e->n_modes == MOST_MODES)
        return ur_fail(err, UR_UNSUPPORTED, "%s: more than %d poolings", where, MOST_MODES);
    e->mode[e->n_modes++] = i;
    return UR_OK;
}

/* A key for each way of pooling, in the order of `modes`; the mean where none is true. */
static ur_status read_mode_keys(ur_embedder *e, const ur_json_value *root, ur_err *err)
{
    ur_status status = UR_OK;
    for (int i = 0; i < MODES && status == UR_OK; i++) {
        bool on = false;
        status = ur_published_bool(root, modes[i].key, &on, err);
        if (status == UR_OK && on)
            status = add_mode(e, modes[i].name, root->file, err);
    }
    return status == UR_OK && e->n_modes == 0 ? add_mode(e, "mean", root->file, err) : status;
}

/* Since version 6 of sentence-transformers "pooling_mode", a name or a list of names in their order. */
static ur_status read_modes(ur_embedder *e, const ur_json_value *root, ur_err *err)
{
    const ur_json_value named = ur_json_member(root, "pooling_mode");
    const char *name;
    size_t count = 0;
    if (ur_json_is_missing(&named))
        return read_mode_keys(e, root, err);
    if (ur_json_string(&named, &name, NULL) == UR_OK)
        return add_mode(e, name, root->file, err);
    ur_status status = ur_json_list(&named, MOST_MODES, &count, err);
    for (size_t i = 0; i < count && status == UR_OK; i++) {
        const ur_json_value one = ur_json_item(&named, i);
        status = ur_json_string(&one, &name, err);
        if (status == UR_OK)
            status = add_mode(e, name, root->file, err);
    }
    return status;
}

static ur_status read_pooling(ur_embedder *e, const char *folder, const char *part, ur_err *err)
{
    ur_json *document;
    ur_status status = ur_published_json(e->a, folder, part, "config.json", &document, err);
    if (status != UR_OK)
        return status;
    if (!document)
        return ur_fail(err, UR_BAD_FILE,
                       "%s: modules.json has a Pooling, and %s/config.json is missing", folder,
                       part);
    const ur_json_value root = ur_json_root(document);
    bool with_prompt = true;
    status = ur_json_object(&root, err);
    if (status == UR_OK)
        status = check_width(e, &root, err);
    if (status == UR_OK)
        status = read_modes(e, &root, err);
    if (status == UR_OK)
        status = ur_published_bool(&root, "include_prompt", &with_prompt, err);
    e->without_prompt = !with_prompt;
    ur_json_free(document);
    return status;
}

/* ---- prompts ------------------------------------------------------------------------------------ */

static ur_status take_prompt(ur_embedder *e, const char *prompt, ur_err *err)
{
    ur_pieces pieces = {.allocator = e->a};
    if (!*prompt)
        return UR_OK;
    e->prompt = ur_strdup(e->a, prompt);
    if (!e->prompt)
        return ur_no_memory(err, strlen(prompt) + 1);
    const ur_status status =
        ur_wordpiece_encode(e->published.wordpiece, prompt, strlen(prompt), NULL, 0,
                            e->published.longest, UR_CUT_LONGEST_FIRST, &pieces, err);
    e->prompt_pieces = pieces.count ? pieces.count - 1 : 0; /* without [SEP] */
    ur_pieces_free(&pieces);
    return status;
}

static ur_status read_prompt(ur_embedder *e, const char *folder, const char *name, ur_err *err)
{
    static const char file[] = "config_sentence_transformers.json";
    ur_json *document;
    char shown[UR_SHOWN];
    ur_status status = ur_published_json(e->a, folder, "", file, &document, err);
    if (status != UR_OK)
        return status;
    if (!document)
        return name ? ur_fail(err, UR_INVALID, "%s: there is no prompt %s, since there is no %s",
                              folder, ur_shown(shown, name), file)
                    : UR_OK;
    const ur_json_value root = ur_json_root(document);
    const char *wanted = NULL, *prompt = NULL;
    status = ur_published_string(&root, "default_prompt_name", &wanted, err);
    wanted = name ? name : wanted;
    const ur_json_value prompts = ur_json_member(&root, "prompts");
    if (status == UR_OK && wanted)
        status = ur_published_string(&prompts, wanted, &prompt, err);
    if (status == UR_OK && wanted && !prompt)
        status = ur_fail(err, UR_INVALID, "%s: there is no prompt %s", root.file,
                         ur_shown(shown, wanted));
    if (status == UR_OK && prompt)
        status = take_prompt(e, prompt, err);
    ur_json_free(document);
    return status;
}

/* ---- opening ------------------------------------------------------------------------------------ */

/* What sentence-transformers says of the Transformer. */
static ur_status read_limits(const ur_allocator *a, const char *folder, const char *part,
                             ur_published_options *out, ur_err *err)
{
    ur_json *document;
    int64_t longest = 0;
    ur_status status =
        ur_published_json(a, folder, part, "sentence_bert_config.json", &document, err);
    if (status != UR_OK || !document)
        return status;
    const ur_json_value root = ur_json_root(document);
    const ur_json_value most = ur_json_member(&root, "max_seq_length");
    status = ur_json_object(&root, err);
    if (status == UR_OK && !ur_json_is_missing(&most) && !ur_json_is_null(&most))
        status = ur_json_int(&most, 2, INT32_MAX, &longest, err);
    if (status == UR_OK)
        status = ur_published_bool(&root, "do_lower_case", &out->lower, err);
    out->longest = (size_t)longest;
    ur_json_free(document);
    return status;
}

static ur_status open_transformer(ur_embedder *e, const char *folder, const char *part, ur_err *err)
{
    ur_published_options options = {.inference = true};
    char *inner = *part ? ur_path_join(e->a, folder, part) : ur_strdup(e->a, folder);
    ur_status status = inner ? UR_OK : ur_no_memory(err, strlen(folder) + strlen(part) + 2);
    if (status == UR_OK)
        status = read_limits(e->a, folder, part, &options, err);
    if (status == UR_OK)
        status = ur_published_open(e->context, inner, &options, &e->remarks, &e->published, err);
    ur_free(e->a, inner);
    return status;
}

static ur_status open_folder(ur_embedder *e, const char *folder, const ur_embedder_options *o,
                             ur_err *err)
{
    ur_json *document;
    plan p = {.transformer = ""};
    ur_status status = ur_published_json(e->a, folder, "", "modules.json", &document, err);
    if (status == UR_OK && document)
        status = read_modules(document, &p, err);
    if (status == UR_OK)
        status = open_transformer(e, folder, p.transformer, err);
    if (status == UR_OK && p.pooling)
        status = read_pooling(e, folder, p.pooling, err);
    if (status == UR_OK && o->pool) {
        e->n_modes = 0;
        status = add_mode(e, o->pool, folder, err);
    }
    if (status == UR_OK && e->n_modes == 0) {
        status = add_mode(e, "mean", folder, err);
        if (status == UR_OK)
            status =
                ur_remark(&e->remarks, err,
                          "%s says nothing of pooling: a vector is the mean over its text", folder);
    }
    if (status == UR_OK)
        status = read_prompt(e, folder, o->prompt, err);
    e->normalise = p.normalise || o->normalise;
    ur_json_free(document);
    return status;
}

ur_status ur_embedder_open(ur_context *context, const char *folder,
                           const ur_embedder_options *options, ur_embedder **out, ur_err *err)
{
    UR_FPMODE_HERE;
    static const ur_embedder_options none = {0};
    const ur_allocator *a = ur_context_allocator(context);
    ur_embedder *e = ur_alloc_zero(a, 1, sizeof *e);
    *out = NULL;
    if (!e)
        return ur_no_memory(err, sizeof *e);
    e->context = context;
    e->a = a;
    e->remarks.a = a;
    ur_status status = open_folder(e, folder, options ? options : &none, err);
    if (status == UR_OK)
        status = ur_runner_new(context, &e->runner, err);
    if (status == UR_OK)
        *out = e;
    else
        ur_embedder_free(e);
    return status;
}

void ur_embedder_free(ur_embedder *e)
{
    if (!e)
        return;
    ur_runner_free(e->runner);
    ur_published_free(&e->published);
    ur_remarks_free(&e->remarks);
    ur_free(e->a, e->prompt);
    ur_free(e->a, e);
}

size_t ur_embedder_width(const ur_embedder *e)
{
    return e->n_modes * ur_bert_config_of(e->published.model)->hidden_size;
}

size_t ur_embedder_longest(const ur_embedder *e)
{
    return e->published.longest;
}

const ur_model *ur_embedder_model(const ur_embedder *e)
{
    return e->published.model;
}

const ur_wordpiece *ur_embedder_wordpiece(const ur_embedder *e)
{
    return e->published.wordpiece;
}

const char *ur_embedder_remark(const ur_embedder *e, size_t i)
{
    return ur_remark_at(&e->remarks, i);
}

/* ---- texts to vectors ------------------------------------------------------------------------------ */

typedef struct applying {
    const ur_embedder *e;
    int32_t *pool; /* the ids of all texts, one after the other */
    size_t used, capacity;
    size_t *begin; /* (count + 1) where those of each begin */
    size_t cut;
    float *vectors;
} applying;

static size_t length_of(const void *arg, size_t item)
{
    const applying *p = arg;
    return p->begin[item + 1] - p->begin[item];
}

/* A text's outputs -> its vector. */
static void make_vector(const ur_embedder *e, size_t n, const float *x, float *y)
{
    const size_t width = ur_bert_config_of(e->published.model)->hidden_size;
    size_t first = e->without_prompt ? e->prompt_pieces : 0;
    first = first < n ? first : n - 1;
    float *to = y;
    for (size_t i = 0; i < e->n_modes; i++, to += width)
        modes[e->mode[i]].pool(n - first, first, width, x + first * width, to);
    if (e->normalise)
        normalise((size_t)(to - y), y);
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *items, void *result)
{
    const applying *p = arg;
    const ur_embedder *e = p->e;
    size_t *length = ur_take(t, count, sizeof *length), rows = 0;
    (void)result;
    for (size_t i = 0; length && i < count; i++)
        rows += length[i] = length_of(p, items[i]);
    int32_t *ids = ur_take(t, rows, sizeof *ids);
    if (!length || !ids)
        return;
    for (size_t i = 0, at = 0; i < count; at += length[i++])
        memcpy(ids + at, p->pool + p->begin[items[i]], length[i] * sizeof *ids);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, count, length, NULL);
    const ur_seq *y =
        ur_bert_encode(t, e->published.model, ur_seq_ints(t, layout, ids), NULL, NULL);
    const float *x = ur_read(t, ur_values(y));
    const size_t width = ur_bert_config_of(e->published.model)->hidden_size;
    for (size_t i = 0; x && i < count; i++)
        make_vector(e, length[i], x + ur_row(layout, i, 0) * width,
                    p->vectors + items[i] * ur_embedder_width(e));
}

/* Appends a text's ids; `joined` is where a prompt and the text are put together. */
static ur_status add_text(applying *p, const char *text, ur_pieces *pieces, char **joined,
                          size_t *room, ur_err *err)
{
    const ur_embedder *e = p->e;
    size_t bytes = strlen(text);
    if (e->prompt) {
        const size_t before = strlen(e->prompt);
        if (!ur_reserve(e->a, joined, room, 0, before + bytes + 1, 1))
            return ur_no_memory(err, before + bytes + 1);
        memcpy(*joined, e->prompt, before);
        memcpy(*joined + before, text, bytes + 1);
        text = *joined;
        bytes += before;
    }
    const ur_status status =
        ur_wordpiece_encode(e->published.wordpiece, text, bytes, NULL, 0, e->published.longest,
                            UR_CUT_LONGEST_FIRST, pieces, err);
    if (status != UR_OK)
        return status;
    if (!ur_reserve(e->a, &p->pool, &p->capacity, p->used, p->used + pieces->count,
                    sizeof *p->pool))
        return ur_no_memory(err, pieces->count * sizeof *p->pool);
    for (size_t i = 0; i < pieces->count; i++)
        p->pool[p->used++] = pieces->piece[i].id;
    p->cut += pieces->cut > 0;
    return UR_OK;
}

static ur_status add_texts(applying *p, size_t count, const char *const *texts, size_t *bad,
                           ur_err *err)
{
    ur_pieces pieces = {.allocator = p->e->a};
    char *joined = NULL;
    size_t room = 0;
    ur_status status = UR_OK;
    p->begin[0] = 0;
    for (size_t i = 0; i < count && status == UR_OK; i++) {
        status = add_text(p, texts[i], &pieces, &joined, &room, err);
        p->begin[i + 1] = p->used;
        if (status != UR_OK && bad)
            *bad = i;
    }
    ur_pieces_free(&pieces);
    ur_free(p->e->a, joined);
    return status;
}

ur_status ur_embedder_apply(ur_embedder *e, size_t count, const char *const *texts, float *vectors,
                            size_t *cut, size_t *bad, ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_items_job job = {.count = count,
                              .length = length_of,
                              .run = run_shard,
                              .runner = e->runner,
                              .products = true};
    applying p = {.e = e, .vectors = vectors};
    if (bad)
        *bad = SIZE_MAX;
    if (cut)
        *cut = 0;
    if (count == 0)
        return UR_OK;
    p.begin = ur_alloc(e->a, count + 1, sizeof *p.begin);
    ur_status status = p.begin ? add_texts(&p, count, texts, bad, err)
                               : ur_no_memory(err, (count + 1) * sizeof *p.begin);
    if (status == UR_OK)
        status = ur_run_items(e->context, e->published.model->params, &job, &p, err);
    if (cut)
        *cut = p.cut;
    ur_free(e->a, p.pool);
    ur_free(e->a, p.begin);
    return status;
}
