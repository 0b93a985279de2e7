/* weights.c - loading parameters from safetensors files, strictly or in part.
 *
 * First every tensor of the file finds its parameter, then everything that does not fit is collected,
 * and only a file without a fault is read, into fresh memory, so that a failure changes nothing, or for
 * inference into packed copies. */
#include "train/weights.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/threads.h"
#include "tape/params.h"

/* Collects what is wrong: the sentence as far as it has room, and all of it to whoever listens. */
typedef struct complaints {
    char text[400];
    size_t used, count;
    void (*tell)(void *user, const char *fault); /* or NULL */
    void *user;
} complaints;

static void complain(complaints *c, const char *what, const char *name, const char *detail)
{
    char one[800];
    if (c->tell) {
        char shown[sizeof one];
        const int n = snprintf(one, sizeof one, "%s %s%s", what, name, detail);
        ur_printable(one, (size_t)n < sizeof one ? (size_t)n : sizeof one - 1, shown, sizeof shown);
        c->tell(c->user, shown);
    }
    const int n =
        snprintf(one, sizeof one, "%s%s %.96s%s", c->count ? "; " : "", what, name, detail);
    c->count++;
    if (n > 0 && c->used + (size_t)n + 1 < sizeof c->text) {
        memcpy(c->text + c->used, one, (size_t)n + 1);
        c->used += (size_t)n;
    }
}

static bool same_shape(const ur_st_info *info, const ur_param *p)
{
    if (info->ndim != p->ndim)
        return false;
    for (int i = 0; i < p->ndim; i++)
        if (info->dims[i] != p->dim[i])
            return false;
    return true;
}

static void shape_text(char *out, size_t size, int ndim, const size_t *dim)
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < ndim && at + 1 < size; i++) {
        const int n = snprintf(out + at, size - at, "%c%zu", i ? ',' : '(', dim[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    if (at + 1 < size)
        memcpy(out + at, ")", 2);
}

/* ---- which tensor is which parameter ------------------------------------------------------ */

typedef struct reading {
    const ur_params *params;
    ur_st *st;
    const ur_load_options *options;
    size_t *tensor; /* (parameters) its place in the file; NONE */
    bool *there;    /* (parameters) of roots: one of its names is in the file, or may be missing */
    complaints *c;
} reading;

static const size_t NONE = SIZE_MAX;

/* What begins with `from`, behind that; else NULL. */
static const char *behind(const char *name, const char *from)
{
    const size_t n = strlen(from);
    return strncmp(name, from, n) == 0 ? name + n : NULL;
}

/* A prefix's name for what is called `rest` behind it; without room, cut off. */
typedef struct full_name {
    char text[512];
} full_name;

static full_name join(const char *prefix, const char *rest)
{
    full_name name;
    snprintf(name.text, sizeof name.text, "%s%s", prefix, rest);
    return name;
}

static bool matches(const char *name, const char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static void change_ending(const ur_load_options *o, full_name *name)
{
    const size_t length = strlen(name->text);
    for (size_t i = 0; i < o->n_endings; i++) {
        const size_t n = strlen(o->endings[i].from);
        if (n <= length && strcmp(name->text + length - n, o->endings[i].from) == 0) {
            snprintf(name->text + length - n, sizeof name->text - (length - n), "%s",
                     o->endings[i].to);
            return;
        }
    }
}

/* The parameter that tensor `name` is; false where the options do not ask for it. */
static bool wanted(const reading *r, const char *name, full_name *out)
{
    const ur_load_options *o = r->options;
    if (behind(name, UR_CHECKPOINT_PREFIX) || matches(name, o->skipped, o->n_skipped))
        return false;
    bool found = o->n_prefixes == 0;
    *out = join("", name);
    for (size_t i = 0; i < o->n_prefixes && !found; i++) {
        const char *rest = behind(name, o->prefixes[i].from);
        found = rest != NULL;
        if (rest)
            *out = join(o->prefixes[i].to, rest);
    }
    change_ending(o, out);
    return found;
}

/* What the file should call parameter `name`. */
static full_name name_in_file(const reading *r, const char *name)
{
    const ur_load_options *o = r->options;
    for (size_t i = 0; i < o->n_prefixes; i++) {
        const char *rest = behind(name, o->prefixes[i].to);
        if (rest)
            return join(o->prefixes[i].from, rest);
    }
    return join("", name);
}

static void find_all(reading *r, void (*surplus)(reading *r, const char *name, bool twice))
{
    for (size_t i = 0; i < ur_params_count(r->params); i++)
        r->tensor[i] = NONE;
    for (size_t i = 0; i < ur_st_count(r->st); i++) {
        full_name name;
        if (!wanted(r, ur_st_at(r->st, i)->name, &name))
            continue;
        const int index = ur_params_find(r->params, name.text);
        const bool twice = index >= 0 && r->tensor[index] != NONE;
        if (index >= 0 && !twice)
            r->tensor[index] = i;
        else if (surplus)
            surplus(r, ur_st_at(r->st, i)->name, twice);
    }
}

static size_t root_of(const ur_params *params, size_t i)
{
    const int root = ur_params_entry(params, i)->alias_of;
    return root < 0 ? i : (size_t)root;
}

/* ---- what is wrong ------------------------------------------------------------------------ */

static void complain_surplus(reading *r, const char *name, bool twice)
{
    complain(r->c, twice ? "twice, under two prefixes:" : "surplus", name, "");
}

static bool may_be_missing(const reading *r, size_t i)
{
    const ur_load_options *o = r->options;
    return matches(ur_params_entry(r->params, i)->name, o->missing, o->n_missing);
}

/* Of weights with several names one is enough. */
static void find_roots(reading *r)
{
    for (size_t i = 0; i < ur_params_count(r->params); i++)
        r->there[i] = false;
    for (size_t i = 0; i < ur_params_count(r->params); i++)
        if (r->tensor[i] != NONE || may_be_missing(r, i))
            r->there[root_of(r->params, i)] = true;
}

static void check_tensor(reading *r, size_t i)
{
    const ur_st_info *info = ur_st_at(r->st, r->tensor[i]);
    const ur_param *p = ur_params_entry(r->params, i);
    if (!same_shape(info, p)) {
        char has[80], wants[80], detail[180];
        shape_text(has, sizeof has, info->ndim, info->dims);
        shape_text(wants, sizeof wants, p->ndim, p->dim);
        snprintf(detail, sizeof detail, " is %s, %s expected", has, wants);
        complain(r->c, "ill-shaped:", info->name, detail);
    } else if (info->dtype > UR_ST_BF16) {
        char detail[60];
        snprintf(detail, sizeof detail, " is %s, F32, F16, BF16 or F64 expected", info->dtype_name);
        complain(r->c, "not floating point:", info->name, detail);
    }
}

/* Tied weights that the file has under both names: they must be the same. */
static ur_status check_tied(reading *r, const char *path, ur_err *err)
{
    const ur_allocator *a = &ur_params_context(r->params)->allocator;
    ur_status status = UR_OK;
    for (size_t i = 0; i < ur_params_count(r->params) && status == UR_OK; i++) {
        size_t first = root_of(r->params, i);
        while (first < i &&
               (root_of(r->params, first) != root_of(r->params, i) || r->tensor[first] == NONE))
            first++;
        if (first >= i || r->tensor[i] == NONE)
            continue;
        const size_t n = ur_params_entry(r->params, i)->count;
        float *x = ur_alloc(a, 2 * n, sizeof *x);
        if (!x)
            return ur_no_memory(err, 2 * n * sizeof *x);
        status = ur_st_read_floats(r->st, r->tensor[first], x, err);
        if (status == UR_OK)
            status = ur_st_read_floats(r->st, r->tensor[i], x + n, err);
        if (status == UR_OK && memcmp(x, x + n, n * sizeof *x) != 0)
            status = ur_fail(
                err, UR_BAD_FILE, "%s: %.96s and %.96s are one weight in the model, but differ",
                path, ur_st_at(r->st, r->tensor[first])->name, ur_st_at(r->st, r->tensor[i])->name);
        ur_free(a, x);
    }
    return status;
}

static ur_status check_file(reading *r, const char *path, ur_err *err)
{
    find_roots(r);
    for (size_t i = 0; i < ur_params_count(r->params); i++) {
        if (root_of(r->params, i) == i && !r->there[i])
            complain(r->c, "missing", name_in_file(r, ur_params_entry(r->params, i)->name).text,
                     "");
        if (r->tensor[i] != NONE)
            check_tensor(r, i);
    }
    find_all(r, complain_surplus);
    if (r->c->count)
        return ur_fail(err, UR_BAD_FILE, "%s does not fit the model, %zu tensors at fault: %s",
                       path, r->c->count, r->c->text);
    return check_tied(r, path, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_all(const reading *r, float *out, ur_err *err)
{
    ur_status status = UR_OK;
    for (size_t i = 0; i < ur_params_count(r->params) && status == UR_OK; i++)
        if (r->tensor[i] != NONE)
            status = ur_st_read_floats(r->st, r->tensor[i],
                                       out + ur_params_entry(r->params, i)->offset, err);
    return status;
}

/* ---- reading into packed copies ------------------------------------------------------------ */

/* Of a thread: room for the largest weight without values, and the first entry that it failed at. */
typedef struct loader {
    float *room;
    size_t failed; /* NONE */
    ur_err error;
} loader;

typedef struct filling {
    const reading *r;
    ur_params *out;
    loader *by; /* (threads) */
} filling;

/* Where in the file the values of a root stand, under one of its names; NONE: it may be missing. */
static size_t tensor_of(const reading *r, size_t root)
{
    for (size_t i = root; i < ur_params_count(r->params); i++)
        if (root_of(r->params, i) == root && r->tensor[i] != NONE)
            return r->tensor[i];
    return NONE;
}

static void fill_one(void *arg, size_t i, int worker)
{
    const filling *f = arg;
    loader *me = &f->by[worker];
    const ur_param *p = ur_params_entry(f->out, i);
    if (p->alias_of >= 0 || me->failed != NONE)
        return;
    float *here = ur_params_fill_here(f->out, (int)i), *values = here ? here : me->room;
    const size_t tensor = tensor_of(f->r, i);
    if (tensor == NONE)
        memset(values, 0, p->count * sizeof *values);
    else if (ur_st_read_floats(f->r->st, tensor, values, &me->error) != UR_OK)
        me->failed = i;
    if (me->failed == NONE)
        ur_params_fill(f->out, (int)i, values);
}

static size_t largest_without_values(ur_params *params)
{
    size_t largest = 0;
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const size_t n = ur_params_entry(params, i)->count;
        if (!ur_params_fill_here(params, (int)i) && n > largest)
            largest = n;
    }
    return largest;
}

/* Seals them, and fills all. */
static ur_status fill_packed(const reading *r, ur_params *out, ur_err *err)
{
    const ur_context *context = ur_params_context(out);
    const ur_allocator *a = &context->allocator;
    const size_t threads = (size_t)ur_pool_threads(context->pool);
    filling f = {r, out, ur_alloc_zero(a, threads, sizeof *f.by)};
    ur_status status =
        f.by ? ur_params_seal_packed(out, err) : ur_no_memory(err, threads * sizeof *f.by);
    const size_t room = status == UR_OK ? largest_without_values(out) : 0;
    for (size_t i = 0; i < threads && status == UR_OK; i++) {
        f.by[i].failed = NONE;
        f.by[i].room = ur_alloc(a, room, sizeof(float));
        if (!f.by[i].room)
            status = ur_no_memory(err, room * sizeof(float));
    }
    if (status == UR_OK)
        ur_pool_for(context->pool, ur_params_count(out), fill_one, &f);
    const loader *first = NULL;
    for (size_t i = 0; i < threads && status == UR_OK; i++)
        if (f.by[i].failed != NONE && (!first || f.by[i].failed < first->failed))
            first = &f.by[i];
    if (first)
        status = ur_fail(err, first->error.status, "%s", first->error.text);
    for (size_t i = 0; f.by && i < threads; i++)
        ur_free(a, f.by[i].room);
    ur_free(a, f.by);
    return status;
}

/* Checks the file; reads it where `out`, the parameters to fill, is not NULL. Those that are not sealed yet get
 * their memory in between, once the shapes fit. */
static ur_status load(const ur_params *params, ur_params *out, ur_st *st, const char *path,
                      const ur_load_options *options, bool packed, complaints *c, ur_err *err)
{
    static const ur_load_options strict = {0};
    const ur_allocator *a = &ur_params_context(params)->allocator;
    const size_t size = ur_params_size(params);
    reading r = {.params = params, .st = st, .options = options ? options : &strict, .c = c};
    r.tensor = ur_alloc(a, ur_params_count(params), sizeof *r.tensor);
    r.there = ur_alloc(a, ur_params_count(params), sizeof *r.there);
    if (!r.tensor || !r.there) {
        ur_free(a, r.tensor);
        ur_free(a, r.there);
        return ur_no_memory(err, ur_params_count(params) * sizeof *r.tensor);
    }
    find_all(&r, NULL);
    ur_status status = check_file(&r, path, err);
    float *fresh = NULL;
    if (status == UR_OK && packed) {
        status = fill_packed(&r, out, err);
        out = NULL;
    }
    if (status == UR_OK && out && !ur_params_sealed(out))
        status = ur_params_seal(out, err);
    if (status == UR_OK && out && !(fresh = ur_alloc(a, size, sizeof *fresh)))
        status = ur_no_memory(err, size * sizeof *fresh);
    if (fresh) {
        memcpy(fresh, ur_params_data(params), size * sizeof *fresh);
        status = read_all(&r, fresh, err);
    }
    if (fresh && status == UR_OK)
        memcpy(ur_params_values(out), fresh, size * sizeof *fresh);
    ur_free(a, fresh);
    ur_free(a, r.tensor);
    ur_free(a, r.there);
    return status;
}

ur_status ur_weights_read(ur_params *params, ur_st *st, const char *path, const char *prefix,
                          ur_err *err)
{
    const ur_prefix under = {prefix, ""};
    complaints c = {.used = 0};
    return load(params, params, st, path, &(ur_load_options){.prefixes = &under, .n_prefixes = 1},
                false, &c, err);
}

ur_status ur_weights_check(const ur_params *params, ur_st *st, const char *path, const char *prefix,
                           void (*tell)(void *user, const char *fault), void *user, ur_err *err)
{
    const ur_prefix under = {prefix, ""};
    complaints c = {.tell = tell, .user = user};
    return load(params, NULL, st, path, &(ur_load_options){.prefixes = &under, .n_prefixes = 1},
                false, &c, err);
}

static ur_status open_and_load(ur_params *params, const char *path, const ur_load_options *options,
                               bool packed, ur_err *err)
{
    complaints c = {.used = 0};
    ur_st *st;
    ur_status status = ur_st_open(&ur_params_context(params)->allocator, path, &st, err);
    if (status != UR_OK)
        return status;
    status = load(params, params, st, path, options, packed, &c, err);
    ur_st_close(st);
    return status;
}

ur_status ur_weights_load(ur_params *params, const char *path, const ur_load_options *options,
                          ur_err *err)
{
    return open_and_load(params, path, options, false, err);
}

ur_status ur_weights_load_packed(ur_params *params, const char *path,
                                 const ur_load_options *options, ur_err *err)
{
    const bool host = ur_params_context(params)->backend->host_memory;
    return open_and_load(params, path, options, host, err);
}

/* A program seals its parameters itself. */
static ur_status check_sealed(const ur_params *params, ur_err *err)
{
    return ur_params_sealed(params)
               ? UR_OK
               : ur_fail(err, UR_INVALID, "the parameters are not sealed yet (ur_params_seal)");
}

ur_status ur_params_load_part(ur_params *params, const char *path, const ur_load_options *options,
                              ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_status status = check_sealed(params, err);
    return status == UR_OK ? ur_weights_load(params, path, options, err) : status;
}

ur_status ur_params_load(ur_params *params, const char *path, const char *prefix, ur_err *err)
{
    const ur_prefix under = {prefix, ""};
    return ur_params_load_part(params, path,
                               &(ur_load_options){.prefixes = &under, .n_prefixes = 1}, err);
}

ur_status ur_params_load_memory(ur_params *params, const char *name, const void *bytes, size_t size,
                                const ur_load_options *options, ur_err *err)
{
    UR_FPMODE_HERE;
    complaints c = {.used = 0};
    ur_st *st;
    ur_status status = check_sealed(params, err);
    if (status == UR_OK)
        status =
            ur_st_open_bytes(&ur_params_context(params)->allocator, name, bytes, size, &st, err);
    if (status != UR_OK)
        return status;
    status = load(params, params, st, name, options, false, &c, err);
    ur_st_close(st);
    return status;
}

ur_status ur_params_check(const ur_params *params, const char *path, const char *prefix,
                          void (*tell)(void *user, const char *fault), void *user, ur_err *err)
{
    ur_st *st;
    ur_status status = check_sealed(params, err);
    if (status == UR_OK)
        status = ur_st_open(&ur_params_context(params)->allocator, path, &st, err);
    if (status != UR_OK)
        return status;
    status = ur_weights_check(params, st, path, prefix, tell, user, err);
    ur_st_close(st);
    return status;
}
