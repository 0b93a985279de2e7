/* config_training.c - the part of config.json that tells how a model is trained. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "train/config.h"

enum { MOST = 1 << 30 };

static bool uses(const ur_train_options *o, const char *option)
{
    for (const char *const *name = ur_schedule_options((size_t)o->schedule); *name; name++)
        if (strcmp(*name, option) == 0)
            return true;
    return false;
}

/* Only what there is: a constant rate has none of these keys. */
static void put_schedule(ur_json_writer *w, const ur_train_options *o)
{
    if (o->schedule != UR_LR_CONSTANT)
        ur_json_put_string(w, "schedule", ur_schedule_name((size_t)o->schedule));
    if (uses(o, "lr_epochs"))
        ur_json_put_int(w, "lr_epochs", (int64_t)o->lr_epochs);
    if (uses(o, "lr_factor"))
        ur_json_put_real(w, "lr_factor", o->lr_factor);
    if (uses(o, "lr_patience"))
        ur_json_put_int(w, "lr_patience", (int64_t)o->lr_patience);
    if (uses(o, "lr_min"))
        ur_json_put_real(w, "lr_min", o->lr_min);
    if (o->warmup_steps)
        ur_json_put_int(w, "warmup_steps", (int64_t)o->warmup_steps);
    if (o->early_stop)
        ur_json_put_int(w, "early_stop", (int64_t)o->early_stop);
}

void ur_settings_print(ur_json_writer *w, const ur_run_settings *s)
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
    ur_json_put_string(w, "optimizer", ur_optimizer_name((size_t)o->optimizer));
    ur_json_put_real(w, "lr", o->lr);
    ur_json_put_real(w, "beta1", o->beta1);
    ur_json_put_real(w, "beta2", o->beta2);
    ur_json_put_real(w, "eps", o->eps);
    ur_json_put_real(w, "momentum", o->momentum);
    ur_json_put_bool(w, "nesterov", o->nesterov);
    ur_json_put_real(w, "weight_decay", o->weight_decay);
    ur_json_put_real(w, "clip", o->clip);
    ur_json_put_int(w, "seed", (int64_t)o->seed);
    put_schedule(w, o);
    ur_json_close_object(w);
}

/* The number of one of a list's names. */
static int read_name(ur_reader *r, const char *key, const char *(*name)(size_t index))
{
    enum { MOST_NAMES = 32 };
    const char *words[MOST_NAMES];
    size_t n = 0;
    while (n < MOST_NAMES && (words[n] = name(n)))
        n++;
    return ur_read_choice(r, key, words, n);
}

static void parse_schedule(ur_reader *r, ur_train_options *o)
{
    const ur_train_options usual = ur_train_defaults();
    o->lr_epochs = usual.lr_epochs;
    o->lr_factor = usual.lr_factor;
    o->lr_patience = usual.lr_patience;
    if (ur_read_has(r, "schedule"))
        o->schedule = read_name(r, "schedule", ur_schedule_name);
    if (ur_read_has(r, "lr_epochs"))
        o->lr_epochs = (size_t)ur_read_whole(r, "lr_epochs", 1, MOST);
    if (ur_read_has(r, "lr_factor"))
        o->lr_factor = ur_read_real(r, "lr_factor", 0.0, 1.0);
    if (ur_read_has(r, "lr_patience"))
        o->lr_patience = (size_t)ur_read_whole(r, "lr_patience", 0, MOST);
    if (ur_read_has(r, "lr_min"))
        o->lr_min = ur_read_real(r, "lr_min", 0.0, 1e6);
    if (ur_read_has(r, "warmup_steps"))
        o->warmup_steps = (size_t)ur_read_whole(r, "warmup_steps", 0, MOST);
    if (ur_read_has(r, "early_stop"))
        o->early_stop = (size_t)ur_read_whole(r, "early_stop", 0, MOST);
}

ur_status ur_settings_parse(const ur_allocator *a, const ur_json_value *object, ur_run_settings *s,
                            ur_err *err)
{
    static const char *const keys[] = {
        "data",      "valid",     "size",         "valid_size", "batch",        "epochs",
        "max_steps", "optimizer", "lr",           "beta1",      "beta2",        "eps",
        "momentum",  "nesterov",  "weight_decay", "clip",       "seed",         "schedule",
        "lr_epochs", "lr_factor", "lr_patience",  "lr_min",     "warmup_steps", "early_stop"};
    ur_train_options *o = &s->train;
    ur_reader r = {*object, UR_OK, err};
    ur_read_only(&r, keys, UR_COUNT(keys));
    s->size = (size_t)ur_read_whole(&r, "size", 0, MOST);
    s->valid_size = (size_t)ur_read_whole(&r, "valid_size", 0, MOST);
    o->batch = (size_t)ur_read_whole(&r, "batch", 1, 1 << 20);
    o->epochs = (size_t)ur_read_whole(&r, "epochs", 0, MOST);
    o->max_steps = (size_t)ur_read_whole(&r, "max_steps", 0, MOST);
    o->optimizer = read_name(&r, "optimizer", ur_optimizer_name);
    o->lr = ur_read_real(&r, "lr", 0.0, 1e6);
    o->beta1 = ur_read_real(&r, "beta1", 0.0, 1.0);
    o->beta2 = ur_read_real(&r, "beta2", 0.0, 1.0);
    o->eps = ur_read_real(&r, "eps", 0.0, 1.0);
    o->momentum = ur_read_real(&r, "momentum", 0.0, 1.0);
    o->nesterov = ur_read_truth(&r, "nesterov");
    o->weight_decay = ur_read_real(&r, "weight_decay", 0.0, 1e6);
    o->clip = ur_read_real(&r, "clip", 0.0, 1e30);
    o->seed = (uint64_t)ur_read_whole(&r, "seed", INT64_MIN, INT64_MAX);
    parse_schedule(&r, o);
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
