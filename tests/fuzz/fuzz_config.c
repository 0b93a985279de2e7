/* fuzz_config.c - bytes as a config.json: refused with a sentence, or printed and read back to the same values
 * (what is printed twice is the same); a model of such a configuration is made, saved, and read. */
#include "frame.h"

#include <string.h>

#include "base/alloc.h"
#include "io/fields.h"
#include "run/run.h"

/* A configuration may ask for any memory: it is no file's size. */
const fuzz_setup fuzz_frame = {.memory = 32 << 20, .refuse = true, .failing = true};

static ur_status parse(ur_context *context, const char *text, size_t size, const ur_kind **kind,
                       void **config, ur_run_settings *settings, ur_err *err)
{
    const ur_status status =
        ur_config_parse(context, "config.json", text, size, kind, config, settings, err);
    FUZZ_CHECK(status == UR_OK || *config == NULL);
    return status;
}

static void release(const ur_allocator *a, const ur_kind *kind, void *config,
                    ur_run_settings *settings)
{
    if (config)
        ur_fields_free(a, kind->fields, config);
    ur_free(a, config);
    ur_fields_free(a, ur_run_settings_fields(), settings);
}

static void check_printed(const ur_allocator *a, ur_context *context, const ur_kind *kind,
                          const void *config, const ur_run_settings *settings)
{
    const ur_kind *same;
    void *copy = NULL;
    char *text, *again;
    ur_run_settings more = {0};
    ur_err err = {0};
    if (!fuzz_well(ur_config_print(a, kind, config, settings, NULL, &text, &err), &err))
        return;
    const ur_status status = parse(context, text, strlen(text), &same, &copy, &more, &err);
    if (kind->architecture && status == UR_BAD_FILE) {
        /* without labels such a file lacks what transformers reads */
    } else if (fuzz_well(status, &err)) {
        FUZZ_CHECK(same == kind);
        if (fuzz_well(ur_config_print(a, kind, copy, &more, NULL, &again, &err), &err)) {
            FUZZ_CHECK(strcmp(text, again) == 0);
            ur_free(a, again);
        }
    }
    release(a, kind, copy, &more);
    ur_free(a, text);
}

static void check_model(ur_context *context, const ur_kind *kind, const void *config)
{
    ur_model *model;
    ur_err err = {0};
    const ur_status status = ur_model_new(context, kind, config, &model, &err);
    if (status == UR_OK) {
        if (ur_params_weights(model->params) < 10000)
            ur_model_init(model, 1);
        ur_model_free(model);
    } else {
        fuzz_refused(status, &err,
                     FUZZ_MAY(UR_INVALID) | FUZZ_MAY(UR_UNSUPPORTED) | FUZZ_MAY(UR_NO_MEMORY));
    }
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_context *context;
    const ur_kind *kind = NULL;
    void *config = NULL;
    ur_run_settings settings = {0};
    ur_err err = {0};
    if (!fuzz_well(ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, &err),
                   &err))
        return;
    const ur_status status =
        parse(context, (const char *)data, size, &kind, &config, &settings, &err);
    if (status == UR_OK) {
        check_printed(a, context, kind, config, &settings);
        check_model(context, kind, config);
    } else {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
    }
    release(a, kind, config, &settings);
    ur_context_free(context);
}
