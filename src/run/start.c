/* start.c - weights that a new run starts with, from another run or a file, and those that stay as they
 * started (frozen ones).
 *
 * Tensors go by their names. Where a vocabulary of the new model is another than the source's, dimensions
 * that count its symbols are taken symbol by symbol: which ones these are is seen by building the model
 * once more with a vocabulary of another size. */
#include "run/run.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/alloc.h"
#include "base/status.h"
#include "text/wordpiece.h"
#include "train/weights.h"
#include "unroll/io.h"

/* ---- opening ------------------------------------------------------------------------------ */

static ur_status whole_path(const ur_run *run, const ur_run *source, const char *path, char **out,
                            ur_err *err)
{
    *out = source && source->folder ? ur_path_join(run->a, source->folder, source->weights)
                                    : ur_strdup(run->a, path);
    return *out ? UR_OK : ur_no_memory(err, strlen(path));
}

/* Whether a file says what model its weights are of. */
static ur_status tells_model(const ur_run *run, const char *path, bool *tells, ur_err *err)
{
    ur_st *st;
    const ur_status status = ur_st_open(run->a, path, &st, err);
    if (status != UR_OK)
        return status;
    *tells = ur_st_metadata(st, "unroll.config") != NULL;
    ur_st_close(st);
    return UR_OK;
}

ur_status ur_run_open_start(ur_context *context, const ur_kind *kind, const char *path,
                            ur_run **out, ur_err *err)
{
    UR_FPMODE_HERE;
    ur_json *config = NULL;
    ur_run *run = NULL;
    *out = NULL;
    ur_status status = kind->published
                           ? ur_published_config(ur_context_allocator(context), path, &config, err)
                           : UR_OK;
    const bool starts = ur_published_starts(kind, config);
    if (status == UR_OK && starts)
        status = ur_run_new(context, NULL, &run, err);
    if (status == UR_OK && starts)
        status = ur_published_open_run(run, path, config, kind, err);
    ur_json_free(config);
    if (status == UR_OK && !starts)
        return ur_run_open(context, path, out, err);
    if (status == UR_OK)
        *out = run;
    else
        ur_run_free(run);
    return status;
}

ur_status ur_start_open(const ur_run *run, ur_start *start, ur_err *err)
{
    const char *path = run->settings.init_from;
    ur_there there;
    *start = (ur_start){.path = NULL};
    if (!path)
        return UR_OK;
    ur_status status = ur_look(path, &there, err);
    bool tells = there == UR_FOLDER_THERE;
    if (status == UR_OK && !tells)
        status = tells_model(run, path, &tells, err);
    if (status == UR_OK && tells)
        status = ur_run_open_start(run->context, run->assets.kind, path, &start->source, err);
    return status == UR_OK ? whole_path(run, start->source, path, &start->path, err) : status;
}

void ur_start_close(const ur_run *run, ur_start *start)
{
    ur_run_free(start->source);
    ur_free(run->a, start->path);
    *start = (ur_start){.path = NULL};
}

/* Whether this run's configuration says how the source cuts texts. */
static ur_status same_rules(const ur_run *run, const ur_run *source, const char *path, ur_err *err)
{
    const ur_wordpiece *w = source->assets.wordpiece;
    ur_wordpiece_options own, theirs;
    run->assets.kind->pieces(run->assets.config, &own);
    const bool more = ur_wordpiece_rules(w, &theirs);
    bool same = !more && own.lower == theirs.lower && own.strip_accents == theirs.strip_accents &&
                own.ideographs == theirs.ideographs;
    for (size_t i = 0; same && i < UR_SPECIALS; i++)
        same = theirs.special[i] && strcmp(own.special[i], theirs.special[i]) == 0;
    return same
               ? UR_OK
               : ur_fail(err, UR_UNSUPPORTED,
                         "%s: its texts are cut by other rules (lower case, accents) or have other "
                         "special tokens than this model's",
                         path);
}

ur_status ur_start_take(ur_run *run, ur_start *start, ur_err *err)
{
    const ur_run *source = start->source;
    const ur_stored *stored;
    ur_status status = UR_OK;
    if (!source || run->settings.own_vocabulary || source->assets.kind != run->assets.kind ||
        !(source->assets.vocabulary || source->assets.wordpiece))
        return UR_OK;
    if (run->assets.kind->published)
        status = ur_published_take(run, source->assets.config, err);
    else if (source->assets.wordpiece)
        status = same_rules(run, source, start->path, err);
    for (size_t i = 0; status == UR_OK && (stored = ur_stored_at(i)); i++) {
        char *text;
        size_t size;
        status = ur_stored_print(stored, &source->assets, &text, &size, err);
        if (status == UR_OK && text)
            status = ur_stored_from_text(stored, run, start->path, text, err);
        ur_free(run->a, text);
    }
    run->assets.like = source->assets.config;
    start->same = true;
    return status;
}

/* ---- which symbol was which ----------------------------------------------------------------- */

/* Where the rows of one vocabulary's symbols come from. */
typedef struct symbols {
    bool differ;     /* they are not those of the source, one by one */
    size_t count;    /* of the new model */
    int32_t *from;   /* (count) the source's; -1: it has none. NULL: it has no such vocabulary */
    size_t known;    /* in the source */
    const char *key; /* how the field calls their number */
} symbols;

typedef struct loading {
    ur_run *run;
    const ur_start *start;
    ur_st *st;
    symbols symbols[UR_MOST_STORED];
    size_t (*counts)
        [UR_MAX_DIMS]; /* (parameters) which symbols a dimension counts, from 1 on; 0: none */
    size_t taken;
} loading;

static int32_t find_symbol(const ur_vocabulary *in, const ur_vocabulary *of, int32_t id)
{
    size_t bytes;
    const char *token = ur_vocabulary_token(of, id, &bytes);
    char name[64];
    if (!ur_vocabulary_is_reserved(of, id))
        return ur_vocabulary_find(in, token, bytes);
    snprintf(name, sizeof name, "%.*s", (int)(bytes - 2), token + 1); /* without <> */
    return ur_vocabulary_find_reserved(in, name);
}

static ur_status compare(const loading *l, const ur_vocabulary *v, const ur_vocabulary *old,
                         symbols *s, ur_err *err)
{
    s->count = ur_vocabulary_size(v);
    s->differ = !old || ur_vocabulary_size(old) != s->count;
    if (!old)
        return UR_OK;
    s->from = ur_alloc(l->run->a, s->count, sizeof *s->from);
    if (!s->from)
        return ur_no_memory(err, s->count * sizeof *s->from);
    for (size_t i = 0; i < s->count; i++) {
        s->from[i] = find_symbol(old, v, (int32_t)i);
        s->known += s->from[i] >= 0;
        s->differ |= s->from[i] != (int32_t)i;
    }
    return UR_OK;
}

/* The dimensions that change with the number of these symbols. */
static ur_status find_dimensions(loading *l, size_t which, const ur_field *count, ur_err *err)
{
    const ur_assets *a = &l->run->assets;
    const symbols *s = &l->symbols[which];
    const size_t other = (double)s->count < count->most ? s->count + 1 : s->count - 1;
    ur_model *model = NULL;
    void *config = ur_alloc(l->run->a, 1, a->kind->config_size);
    if (!config)
        return ur_no_memory(err, a->kind->config_size);
    memcpy(config, a->model->config, a->kind->config_size);
    memcpy((char *)config + count->offset, &other, sizeof other);
    const ur_status status = ur_model_new(l->run->context, a->kind, config, &model, err);
    ur_free(l->run->a, config);
    for (size_t i = 0; status == UR_OK && i < ur_params_count(a->model->params); i++) {
        const ur_param *p = ur_params_entry(a->model->params, i);
        const ur_param *q = ur_params_entry(model->params, i);
        for (int d = 0; d < p->ndim; d++)
            if (p->dim[d] != q->dim[d])
                l->counts[i][d] = which + 1;
    }
    ur_model_free(model);
    return status;
}

static ur_status compare_all(loading *l, ur_err *err)
{
    const ur_assets *a = &l->run->assets;
    const ur_stored *stored;
    ur_status status = UR_OK;
    if (!l->start->source)
        return UR_OK;
    for (size_t i = 0; status == UR_OK && (stored = ur_stored_at(i)); i++) {
        const ur_vocabulary *v = ur_stored_vocabulary(stored, a);
        const ur_field *count = ur_stored_count(stored, a->kind);
        if (!v || !count)
            continue;
        l->symbols[i].key = count->name;
        status = compare(l, v, ur_stored_vocabulary(stored, &l->start->source->assets),
                         &l->symbols[i], err);
        if (status == UR_OK && l->symbols[i].differ)
            status = find_dimensions(l, i, count, err);
    }
    return status;
}

/* ---- names for messages --------------------------------------------------------------------- */

/* The first few of some names. */
typedef struct names {
    char text[200];
    size_t used, count;
} names;

static void add_name(names *n, const char *name)
{
    enum { NAMED = 4 };
    if (n->count < NAMED)
        n->used += (size_t)snprintf(n->text + n->used, sizeof n->text - n->used, "%s%.40s",
                                    n->count ? ", " : "", name);
    else if (n->count == NAMED)
        snprintf(n->text + n->used, sizeof n->text - n->used, " ...");
    n->count++;
}

static void shape_of(char text[80], int ndim, const size_t *dim)
{
    size_t used = 0;
    for (int i = 0; i < ndim && used < 60; i++)
        used += (size_t)snprintf(text + used, 80 - used, "%c%zu", i ? ',' : '(', dim[i]);
    snprintf(text + used, 80 - used, ndim ? ")" : "()");
}

/* ---- tensors -------------------------------------------------------------------------------- */

static bool is_root(const ur_param *p)
{
    return p->alias_of < 0;
}

/* The tensor of parameter i, or of a name that shares its weights; the number of tensors: none. */
static size_t tensor_of(const loading *l, size_t i)
{
    const ur_params *params = l->run->assets.model->params;
    size_t tensor = ur_st_index(l->st, ur_params_entry(params, i)->name);
    for (size_t j = 0; tensor == ur_st_count(l->st) && j < ur_params_count(params); j++)
        if (ur_params_entry(params, j)->alias_of == (int)i)
            tensor = ur_st_index(l->st, ur_params_entry(params, j)->name);
    return tensor;
}

/* What dimension d of parameter i counts; NULL: no symbols that differ. */
static const symbols *counted(const loading *l, size_t i, int d)
{
    const size_t which = l->counts[i][d];
    return which ? &l->symbols[which - 1] : NULL;
}

/* Whether none of its numbers can mean the same: the source has no such symbols. */
static bool starts_anew(const loading *l, size_t i)
{
    for (int d = 0; d < UR_MAX_DIMS; d++)
        if (counted(l, i, d) && !counted(l, i, d)->from)
            return true;
    return false;
}

static size_t source_size(const loading *l, size_t which)
{
    return ur_vocabulary_size(ur_stored_vocabulary(ur_stored_at(which), &l->start->source->assets));
}

static ur_status check_shape(const loading *l, size_t i, const ur_st_info *info, ur_err *err)
{
    const ur_param *p = ur_params_entry(l->run->assets.model->params, i);
    size_t dim[UR_MAX_DIMS] = {0};
    bool same = info->ndim == p->ndim;
    for (int d = 0; d < p->ndim; d++) {
        dim[d] = l->counts[i][d] ? source_size(l, l->counts[i][d] - 1) : p->dim[d];
        same = same && info->dims[d] == dim[d];
    }
    if (same)
        return UR_OK;
    char has[80], wants[80];
    shape_of(has, info->ndim, info->dims);
    shape_of(wants, p->ndim, dim);
    return ur_fail(
        err, UR_BAD_FILE,
        "%s: %.100s is %s there, but %s in this model: its options must be those that the "
        "weights were trained with",
        l->start->path, info->name, has, wants);
}

/* Where element `at` of a parameter stands in the source's tensor; false: nowhere. */
static bool place_of(const loading *l, size_t i, const ur_param *p, const ur_st_info *info,
                     size_t at, size_t *place)
{
    size_t stride = 1;
    *place = 0;
    for (int d = p->ndim; d-- > 0;) {
        const symbols *s = counted(l, i, d);
        const size_t index = at % p->dim[d];
        const int32_t from = s ? s->from[index] : 0;
        if (from < 0)
            return false;
        *place += stride * (s ? (size_t)from : index);
        stride *= info->dims[d];
        at /= p->dim[d];
    }
    return true;
}

static ur_status take_tensor(loading *l, size_t i, size_t tensor, ur_err *err)
{
    ur_params *params = l->run->assets.model->params;
    const ur_param *p = ur_params_entry(params, i);
    const ur_st_info *info = ur_st_at(l->st, tensor);
    ur_status status = check_shape(l, i, info, err);
    if (status != UR_OK)
        return status;
    float *read = ur_alloc(l->run->a, info->count, sizeof *read);
    if (!read)
        return ur_no_memory(err, info->count * sizeof *read);
    status = ur_st_read_floats(l->st, tensor, read, err);
    float *w = ur_param_values(params, (int)i);
    for (size_t at = 0; status == UR_OK && at < p->count; at++) {
        size_t place;
        if (place_of(l, i, p, info, at, &place))
            w[at] = read[place];
    }
    ur_free(l->run->a, read);
    l->taken += status == UR_OK;
    return status;
}

/* Of a published model the parameters of that name, which may lack what stands before BertModel's. */
static ur_status take_published(loading *l, names *missing, ur_err *err)
{
    const ur_params *from = l->start->source->assets.model->params;
    ur_params *params = l->run->assets.model->params;
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        int k = ur_params_find(from, p->name);
        if (k < 0 && strncmp(p->name, "bert.", 5) == 0)
            k = ur_params_find(from, p->name + 5);
        const ur_param *q = k < 0 ? NULL : ur_params_entry(from, (size_t)k);
        if (!is_root(p))
            continue;
        if (!q) {
            add_name(missing, p->name);
            continue;
        }
        if (q->ndim != p->ndim || memcmp(q->dim, p->dim, (size_t)p->ndim * sizeof *p->dim) != 0) {
            char has[80], wants[80];
            shape_of(has, q->ndim, q->dim);
            shape_of(wants, p->ndim, p->dim);
            return ur_fail(
                err, UR_BAD_FILE,
                "%s: %.100s is %s there, but %s in this model: its options must be those "
                "that the weights were trained with",
                l->start->path, q->name, has, wants);
        }
        memcpy(ur_param_values(params, (int)i), ur_param_data(from, k), p->count * sizeof(float));
        l->taken++;
    }
    return UR_OK;
}

static ur_status take_all(loading *l, names *missing, names *anew, ur_err *err)
{
    if (l->start->source && l->start->source->published)
        return take_published(l, missing, err);
    const ur_params *params = l->run->assets.model->params;
    ur_status status = UR_OK;
    for (size_t i = 0; status == UR_OK && i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        if (!is_root(p))
            continue;
        const size_t tensor = tensor_of(l, i);
        if (tensor == ur_st_count(l->st))
            add_name(missing, p->name);
        else if (starts_anew(l, i))
            add_name(anew, p->name);
        else
            status = take_tensor(l, i, tensor, err);
    }
    return status;
}

/* ---- what is said --------------------------------------------------------------------------- */

static ur_status say_names(const loading *l, const names *n, const char *one, const char *many,
                           ur_err *err)
{
    if (n->count == 0)
        return UR_OK;
    return ur_remark(&l->run->remarks, err, "%s: %zu tensor%s: %s", l->start->path, n->count,
                     n->count == 1 ? one : many, n->text);
}

/* "labels" and "symbols" whose rows are not all the source's. */
static ur_status say_symbols(const loading *l, ur_err *err)
{
    ur_status status = UR_OK;
    for (size_t i = 0; status == UR_OK && i < UR_MOST_STORED; i++) {
        const symbols *s = &l->symbols[i];
        if (s->from && s->differ)
            status =
                ur_remark(&l->run->remarks, err,
                          "%s: %zu of the %zu %s are known there, and their rows of weights are "
                          "taken; the others' start anew",
                          l->start->path, s->known, s->count,
                          strcmp(s->key, "labels") == 0 ? "labels" : "symbols");
    }
    return status;
}

static ur_status say_vocabulary(const loading *l, ur_err *err)
{
    ur_remarks *to = &l->run->remarks;
    const ur_assets *a = &l->run->assets;
    if (!l->start->source && a->vocabulary)
        return ur_remark(
            to, err,
            "%s names no symbols: row i of its weights is taken for symbol i of the data's "
            "vocabulary",
            l->start->path);
    if (!a->unknown)
        return UR_OK;
    return ur_remark(to, err,
                     "the vocabulary that came with the weights lacks %zu token%s of the data "
                     "(--own-vocabulary learns the data's)",
                     a->unknown, a->unknown == 1 ? "" : "s");
}

static ur_status say_all(const loading *l, const names *missing, const names *anew, ur_err *err)
{
    names surplus = {.count = 0};
    const ur_params *params = l->run->assets.model->params;
    const bool by_name = !(l->start->source && l->start->source->published);
    for (size_t i = 0; by_name && i < ur_st_count(l->st); i++) {
        const char *name = ur_st_at(l->st, i)->name;
        if (ur_params_find(params, name) < 0 &&
            strncmp(name, UR_CHECKPOINT_PREFIX, strlen(UR_CHECKPOINT_PREFIX)) != 0)
            add_name(&surplus, name);
    }
    ur_status status =
        ur_remark(&l->run->remarks, err, "%s: %zu tensor%s to start with%s", l->start->path,
                  l->taken, l->taken == 1 ? "" : "s",
                  l->start->same && !l->symbols[0].differ ? ", and the vocabulary" : "");
    if (status == UR_OK)
        status = say_names(l, missing, " of the model is not in it and starts anew",
                           "s of the model are not in it and start anew", err);
    if (status == UR_OK)
        status = say_names(l, anew, " counts what it does not know and starts anew",
                           "s count what it does not know and start anew", err);
    if (status == UR_OK)
        status = say_names(l, &surplus, " of it is not in the model",
                           "s of it are not in the model", err);
    if (status == UR_OK)
        status = say_symbols(l, err);
    return status == UR_OK ? say_vocabulary(l, err) : status;
}

/* ---- loading -------------------------------------------------------------------------------- */

static ur_status no_tensor(const loading *l, const names *missing, ur_err *err)
{
    const ur_run *source = l->start->source;
    return ur_fail(err, UR_BAD_FILE,
                   "%s%s%s has no tensor of this model, a %s, which has %s; it has %.60s",
                   l->start->path, source ? " of a " : "", source ? source->assets.kind->name : "",
                   l->run->assets.kind->name, missing->text,
                   ur_st_count(l->st) ? ur_st_at(l->st, 0)->name : "none");
}

static ur_status load(loading *l, ur_err *err)
{
    names missing = {.count = 0}, anew = {.count = 0};
    const ur_params *params = l->run->assets.model->params;
    l->counts = ur_alloc_zero(l->run->a, ur_params_count(params), sizeof *l->counts);
    if (!l->counts)
        return ur_no_memory(err, ur_params_count(params) * sizeof *l->counts);
    ur_status status = compare_all(l, err);
    if (status == UR_OK)
        status = take_all(l, &missing, &anew, err);
    if (status == UR_OK && l->taken == 0)
        status = no_tensor(l, &missing, err);
    if (status == UR_OK)
        status = ur_run_check_finite(l->run, l->start->path, err);
    return status == UR_OK ? say_all(l, &missing, &anew, err) : status;
}

bool ur_start_is_whole(const ur_start *start)
{
    return start->source && !start->source->assets.model;
}

ur_status ur_start_load(ur_run *run, const ur_start *start, ur_err *err)
{
    loading l = {.run = run, .start = start};
    run->assets.like = NULL; /* which the source's configuration was */
    if (!start->path)
        return UR_OK;
    if (ur_start_is_whole(start))
        return ur_published_start(run, run->settings.init_from, start->source, err);
    ur_status status = ur_st_open(run->a, start->path, &l.st, err);
    if (status != UR_OK)
        return status;
    status = load(&l, err);
    for (size_t i = 0; i < UR_MOST_STORED; i++)
        ur_free(run->a, l.symbols[i].from);
    ur_free(run->a, l.counts);
    ur_st_close(l.st);
    return status;
}

/* ---- frozen parameters ---------------------------------------------------------------------- */

static ur_status no_match(const ur_params *params, const char *pattern, ur_err *err)
{
    names some = {.count = 0};
    for (size_t i = 0; i < ur_params_count(params); i++)
        add_name(&some, ur_params_entry(params, i)->name);
    return ur_fail(err, UR_INVALID,
                   "freeze: no parameter's name matches '%.60s'; this model has %zu: %s", pattern,
                   some.count, some.text);
}

static ur_status say_frozen(ur_run *run, ur_err *err)
{
    const ur_params *params = run->assets.model->params;
    size_t frozen = 0, all = 0;
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        all += is_root(p);
        frozen += is_root(p) && !(p->flags & UR_TRAINABLE);
    }
    if (frozen == all)
        return ur_fail(err, UR_INVALID, "freeze: '%.60s' leaves nothing to be trained",
                       run->settings.freeze);
    return ur_remark(&run->remarks, err, "%zu of %zu parameters are frozen", frozen, all);
}

ur_status ur_run_freeze(ur_run *run, ur_err *err)
{
    ur_params *params = run->assets.model->params;
    for (const char *at = run->settings.freeze; at && *at;) {
        char pattern[256];
        const size_t size = strcspn(at, ",");
        if (size >= sizeof pattern)
            return ur_fail(err, UR_INVALID, "freeze: a pattern of %zu bytes, at most %zu expected",
                           size, sizeof pattern - 1);
        memcpy(pattern, at, size);
        pattern[size] = '\0';
        if (ur_params_set_flags(params, pattern, UR_TRAINABLE, false) == 0)
            return no_match(params, pattern, err);
        at += size + (at[size] == ',');
    }
    return run->settings.freeze ? say_frozen(run, err) : UR_OK;
}
