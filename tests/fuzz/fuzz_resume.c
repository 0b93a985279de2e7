/* fuzz_resume.c - a damaged run's folder, configuration and checkpoints above all, that training goes on from,
 * or that a new run starts with: refused with a sentence, or trained for two steps, after which it opens. The
 * first byte names the run, the second chooses; the rest is the damage (runs.h). */
#include "runs.h"

#include <string.h>

const fuzz_setup fuzz_frame = {
    .memory = 48 << 20, .per_byte = 4096, .failing = true, .folder = true, .start = fuzz_make_runs};

enum { MAY = FUZZ_MAY(UR_INVALID) | FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_UNSUPPORTED) };

static void train(ur_context *context, ur_run *run, const char *folder)
{
    fuzz_stop stop;
    ur_err err = {0};
    ur_run *again;
    const ur_run_hooks hooks = fuzz_hooks(&stop);
    const ur_status status = ur_run_train(run, &hooks, &err);
    if (status != UR_OK)
        fuzz_refused(status, &err, MAY | FUZZ_MAY(UR_INTERRUPTED) | FUZZ_MAY(UR_DIVERGED));
    if (status == UR_OK || status == UR_INTERRUPTED) {
        if (fuzz_well(ur_run_open_last(context, folder, &again, &err), &err))
            ur_run_free(again);
    }
}

/* A new run that starts with these weights. */
static ur_status begin(ur_context *context, const fuzz_run *base, const char *from, ur_run **run,
                       ur_err *err)
{
    char data[64];
    const ur_kind *kind = ur_kind_find(context, base->kind);
    ur_run_settings settings = ur_run_defaults(kind);
    void *config = calloc(1, kind->config_size);
    ur_run *source = NULL;
    FUZZ_CHECK(config != NULL);
    fuzz_run_data(base, data);
    settings.data = data;
    settings.valid_split = 0.0;
    settings.train.batch = 2;
    settings.train.epochs = 1;
    settings.init_from = from;
    ur_kind_defaults(kind, config);
    ur_status status = ur_run_open_start(context, kind, from, &source, err);
    if (status == UR_OK)
        ur_fields_take(kind->fields, config, ur_run_assets(source)->config);
    if (status == UR_OK)
        status = ur_run_create(context, "new", &settings, base->kind, config, run, err);
    ur_run_free(source);
    free(config);
    return status;
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t which = fuzz_byte(&input), how = fuzz_byte(&input);
    const fuzz_run *base = fuzz_run_at(which);
    ur_err err = {0};
    ur_run *run = NULL;
    fuzz_damage(which, input, "run");
    fuzz_remove("new");
    ur_context *context = fuzz_context(a);
    if (!context)
        return;
    const char *folder = how & 1 ? "new" : "run";
    const ur_resume_options options = {.epochs = how & 2 ? 9 : 0, .max_steps = 9};
    const ur_status status =
        how & 1 ? begin(context, base, how & 2 ? "run/model.safetensors" : "run", &run, &err)
                : ur_run_resume_as(context, "run", &options, &run, &err);
    if (status == UR_OK)
        train(context, run, folder);
    else
        fuzz_refused(status, &err, MAY | FUZZ_MAY(UR_DIVERGED));
    ur_run_free(run);
    ur_context_free(context);
}
