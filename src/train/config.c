/* config.c - config.json: everything needed to rebuild a model, its text processing and its
 * training. Reading checks every value and refuses keys it does not know. */
#include "train/config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "train/task.h"

/* Still 1: a key that came later means, when it is missing, what was so before it came. */
enum { CONFIG_VERSION = 1, MOST_KEYS = 64 };

/* ---- writing ------------------------------------------------------------------------------ */

ur_status ur_config_print(const ur_allocator *a, const ur_task *task, const void *config,
                          const ur_run_settings *settings, char **text, ur_err *err)
{
    ur_json_writer *w;
    *text = NULL;
    ur_status status = ur_json_writer_new(a, settings ? 2 : 0, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_int(w, "version", CONFIG_VERSION);
    ur_json_put_string(w, "model", task->kind);
    task->print(w, config);
    if (settings)
        ur_settings_print(w, settings);
    ur_json_close_object(w);
    const char *written = ur_json_text(w, NULL, err);
    *text = written ? ur_strdup(a, written) : NULL;
    ur_json_writer_free(w);
    return *text ? UR_OK : ur_no_memory(err, 4096);
}

/* ---- reading ------------------------------------------------------------------------------ */

int64_t ur_read_whole(ur_reader *r, const char *key, int64_t least, int64_t most)
{
    int64_t x = least;
    if (r->status == UR_OK)
        r->status = ur_json_get_int(&r->object, key, least, most, &x, r->err);
    return x;
}

double ur_read_real(ur_reader *r, const char *key, double least, double most)
{
    double x = least;
    if (r->status == UR_OK)
        r->status = ur_json_get_real(&r->object, key, least, most, &x, r->err);
    return x;
}

bool ur_read_truth(ur_reader *r, const char *key)
{
    bool x = false;
    if (r->status == UR_OK)
        r->status = ur_json_get_bool(&r->object, key, &x, r->err);
    return x;
}

int ur_read_choice(ur_reader *r, const char *key, const char *const *words, size_t n)
{
    int x = 0;
    if (r->status == UR_OK)
        r->status = ur_json_get_choice(&r->object, key, words, n, &x, r->err);
    return x;
}

bool ur_read_has(const ur_reader *r, const char *key)
{
    const ur_json_value member = ur_json_member(&r->object, key);
    return !ur_json_is_missing(&member);
}

void ur_read_only(ur_reader *r, const char *const *keys, size_t n)
{
    if (r->status == UR_OK)
        r->status = ur_json_only(&r->object, keys, n, r->err);
}

/* The kind that "model" names. */
static const ur_task *read_task(ur_reader *r)
{
    const char *words[MOST_KEYS];
    size_t n = 0;
    for (const ur_task *const *t = ur_tasks(); *t && n < MOST_KEYS; t++)
        words[n++] = (*t)->kind;
    return ur_tasks()[ur_read_choice(r, "model", words, n)];
}

static void check_keys(ur_reader *r, const ur_task *task)
{
    const char *keys[MOST_KEYS] = {"version", "model", "training"};
    size_t n = 3;
    for (size_t i = 0; i < task->n_keys && n < MOST_KEYS; i++)
        keys[n++] = task->keys[i];
    ur_read_only(r, keys, n);
}

static ur_status parse_root(const ur_allocator *a, const ur_json_value *root, const ur_task **task,
                            void **config, ur_run_settings *settings, ur_err *err)
{
    ur_reader r = {*root, UR_OK, err};
    ur_read_whole(&r, "version", CONFIG_VERSION, CONFIG_VERSION);
    *task = read_task(&r);
    check_keys(&r, *task);
    if (r.status != UR_OK)
        return r.status;
    *config = ur_alloc_zero(a, 1, (*task)->config_size);
    if (!*config)
        return ur_no_memory(err, (*task)->config_size);
    const ur_status status = (*task)->parse(root, *config, err);
    if (status != UR_OK || !settings)
        return status;
    const ur_json_value training = ur_json_member(root, "training");
    return ur_settings_parse(a, &training, settings, err);
}

ur_status ur_config_parse(const ur_allocator *a, const char *name, const char *text, size_t size,
                          const ur_task **task, void **config, ur_run_settings *settings,
                          ur_err *err)
{
    ur_json *document;
    *config = NULL;
    if (settings)
        *settings = (ur_run_settings){0};
    ur_status status = ur_json_parse(a, name, text, size, &document, err);
    if (status != UR_OK)
        return status;
    const ur_json_value root = ur_json_root(document);
    status = parse_root(a, &root, task, config, settings, err);
    ur_json_free(document);
    if (status != UR_OK) {
        ur_free(a, *config);
        *config = NULL;
    }
    return status;
}
