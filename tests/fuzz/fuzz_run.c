/* fuzz_run.c - a damaged run's folder, or its file of weights alone: it is refused with a sentence, before more
 * memory is asked for than its files can fill, or it opens and answers a text, is evaluated, and draws. The
 * first byte names the run, the second chooses; the rest is the damage (runs.h). */
#include "runs.h"

#include <string.h>

#include "unroll/decode.h"
#include "unroll/tagger.h"

const fuzz_setup fuzz_frame = {
    .memory = 48 << 20, .per_byte = 4096, .failing = true, .folder = true, .start = fuzz_make_runs};

enum { MAY = FUZZ_MAY(UR_INVALID) | FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_UNSUPPORTED) };

static void answer(ur_context *context, ur_run *run, const char *text)
{
    ur_prediction prediction;
    ur_err err = {0};
    const ur_search_options options = {.beam = 2, .n_best = 2, .most = 6};
    const ur_status status = ur_run_predict(run, 1, &text, &options, &prediction, NULL, &err);
    if (status == UR_OK)
        ur_prediction_free(context, &prediction);
    else
        fuzz_refused(status, &err, MAY | FUZZ_MAY(UR_DIVERGED));
}

static void evaluate(ur_context *context, ur_run *run, const fuzz_run *base)
{
    char data[64];
    ur_measure measure;
    ur_confusion *confusion = NULL;
    ur_err err = {0};
    fuzz_run_data(base, data);
    const ur_vocabulary *labels = ur_run_labels(run);
    if (labels && !fuzz_well(ur_confusion_new(ur_context_allocator(context),
                                              ur_vocabulary_size(labels), true, &confusion, &err),
                             &err))
        return;
    const ur_status status =
        ur_run_evaluate(run, &(ur_pair_source){.data = data}, &measure, confusion, &err);
    if (status != UR_OK)
        fuzz_refused(status, &err, MAY | FUZZ_MAY(UR_DIVERGED));
    ur_confusion_free(ur_context_allocator(context), confusion);
}

static void use(ur_context *context, ur_run *run, const fuzz_run *base, uint8_t how)
{
    ur_err err = {0};
    ur_status status = UR_OK;
    answer(context, run, base->text);
    if (how & 8)
        evaluate(context, run, base);
    if (how & 16)
        status = ur_run_plot_attention(run, base->text, NULL, "picture.svg", &err);
    if (how & 32 && status == UR_OK)
        status = ur_run_average(run, 2, "average.safetensors", &err);
    if (status != UR_OK)
        fuzz_refused(status, &err, MAY | FUZZ_MAY(UR_DIVERGED));
}

static void hear(void *user, const char *fault)
{
    (void)user;
    FUZZ_CHECK(fuzz_printable(fault));
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t which = fuzz_byte(&input), how = fuzz_byte(&input);
    const fuzz_run *base = fuzz_run_at(which);
    const char *path = how & 1 ? "run/model.safetensors" : "run";
    ur_err err = {0};
    ur_run *run;
    fuzz_damage(which, input, "run");
    ur_context *context = fuzz_context(a);
    if (!context)
        return;
    if (how & 4) {
        const ur_status checked = ur_run_check(context, path, hear, NULL, &err);
        if (checked != UR_OK)
            fuzz_refused(checked, &err, MAY);
    }
    const ur_status status = how & 2 ? ur_run_open_last(context, path, &run, &err)
                                     : ur_run_open(context, path, &run, &err);
    if (status == UR_OK) {
        use(context, run, base, how);
        ur_run_free(run);
    } else {
        fuzz_refused(status, &err, MAY);
    }
    ur_context_free(context);
}
