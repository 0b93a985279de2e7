/* weights.c - saving and strictly loading parameters under their names. */
#include "train/weights.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "tape/params.h"

ur_status ur_weights_write(const ur_allocator *a, const ur_params *params, const char *path,
                           const ur_st_tensor *more, size_t n_more, const ur_st_pair *metadata,
                           size_t n_metadata, ur_err *err)
{
    const size_t count = ur_params_count(params);
    ur_st_tensor *tensors = ur_alloc(a, count + n_more, sizeof *tensors);
    if (!tensors)
        return ur_no_memory(err, (count + n_more) * sizeof *tensors);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const ur_param *p = ur_params_entry(params, i);
        if (p->alias_of < 0)
            tensors[n++] = (ur_st_tensor){p->name, UR_ST_F32, p->ndim, p->dim,
                                          ur_params_data(params) + p->offset};
    }
    if (n_more)
        memcpy(tensors + n, more, n_more * sizeof *more);
    const ur_status status = ur_st_write(a, path, tensors, n + n_more, metadata, n_metadata, err);
    ur_free(a, tensors);
    return status;
}

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
        snprintf(one, sizeof one, "%s %s%s", what, name, detail);
        c->tell(c->user, one);
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

/* The entry `p` in the file; NULL, with a complaint, when it is missing or unfit. */
static const ur_st_info *expected(ur_st *st, const ur_param *p, const char *prefix, complaints *c)
{
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    const ur_st_info *info = ur_st_find(st, name);
    if (!info) {
        if (p->alias_of < 0)
            complain(c, "missing", name, "");
        return NULL;
    }
    if (!same_shape(info, p)) {
        char has[80], wants[80], detail[180];
        shape_text(has, sizeof has, info->ndim, info->dims);
        shape_text(wants, sizeof wants, p->ndim, p->dim);
        snprintf(detail, sizeof detail, " is %s, %s expected", has, wants);
        complain(c, "ill-shaped:", name, detail);
        return NULL;
    }
    if (info->dtype > UR_ST_BF16) {
        complain(c, "not floating point:", name, "");
        return NULL;
    }
    return info;
}

static void check_names(const ur_params *params, ur_st *st, const char *prefix, complaints *c)
{
    for (size_t i = 0; i < ur_params_count(params); i++)
        expected(st, ur_params_entry(params, i), prefix, c);
    for (size_t i = 0; i < ur_st_count(st); i++) {
        const char *name = ur_st_at(st, i)->name;
        if (strncmp(name, prefix, strlen(prefix)) != 0 ||
            strncmp(name, UR_CHECKPOINT_PREFIX, strlen(UR_CHECKPOINT_PREFIX)) == 0)
            continue;
        if (ur_params_find(params, name + strlen(prefix)) < 0)
            complain(c, "surplus", name, "");
    }
}

static ur_status check_file(const ur_params *params, ur_st *st, const char *path,
                            const char *prefix, complaints *c, ur_err *err)
{
    check_names(params, st, prefix, c);
    if (c->count)
        return ur_fail(err, UR_BAD_FILE, "%s does not fit the model, %zu tensors at fault: %s",
                       path, c->count, c->text);
    return UR_OK;
}

ur_status ur_weights_read(ur_params *params, ur_st *st, const char *path, const char *prefix,
                          ur_err *err)
{
    complaints c = {.used = 0};
    const ur_status fits = check_file(params, st, path, prefix, &c, err);
    if (fits != UR_OK)
        return fits;
    const ur_allocator *a = &ur_params_context(params)->allocator;
    float *fresh = ur_alloc_zero(a, ur_params_size(params), sizeof *fresh);
    if (!fresh)
        return ur_no_memory(err, ur_params_size(params) * sizeof *fresh);
    ur_status status = UR_OK;
    for (size_t i = 0; i < ur_params_count(params) && status == UR_OK; i++) {
        const ur_param *p = ur_params_entry(params, i);
        const ur_st_info *info = expected(st, p, prefix, &c);
        if (info && p->alias_of < 0)
            status = ur_st_read_floats(st, ur_st_index(st, info->name), fresh + p->offset, err);
    }
    if (status == UR_OK) {
        memcpy(ur_params_values(params), fresh, ur_params_size(params) * sizeof *fresh);
        ur_params_changed(params);
    }
    ur_free(a, fresh);
    return status;
}

ur_status ur_params_load(ur_params *params, const char *path, const char *prefix, ur_err *err)
{
    ur_st *st;
    ur_status status = ur_st_open(&ur_params_context(params)->allocator, path, &st, err);
    if (status != UR_OK)
        return status;
    status = ur_weights_read(params, st, path, prefix, err);
    ur_st_close(st);
    return status;
}

ur_status ur_weights_check(const ur_params *params, ur_st *st, const char *path, const char *prefix,
                           void (*tell)(void *user, const char *fault), void *user, ur_err *err)
{
    complaints c = {.tell = tell, .user = user};
    return check_file(params, st, path, prefix, &c, err);
}

ur_status ur_params_check(const ur_params *params, const char *path, const char *prefix,
                          void (*tell)(void *user, const char *fault), void *user, ur_err *err)
{
    ur_st *st;
    ur_status status = ur_st_open(&ur_params_context(params)->allocator, path, &st, err);
    if (status != UR_OK)
        return status;
    status = ur_weights_check(params, st, path, prefix, tell, user, err);
    ur_st_close(st);
    return status;
}
