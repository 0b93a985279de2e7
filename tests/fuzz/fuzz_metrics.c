/* fuzz_metrics.c - bytes as the metrics.jsonl of a run of the kind that the first byte names: its numbers are
 * loaded and its curves drawn, beside another run's, or the file is refused with a sentence. */
#include "frame.h"

#include <stdio.h>
#include <string.h>

#include "unroll/run.h"

static void start(const ur_allocator *a)
{
    (void)a;
    static const char other[] =
        "{\"epoch\": 1, \"step\": 3, \"train_loss\": 2, \"valid_loss\": 3}\n"
        "{\"epoch\": 2, \"step\": 6, \"train_loss\": 1, \"valid_loss\": 2}\n";
    fuzz_put("other/config.json", "{\"model\": \"seq2seq\"}", 20);
    fuzz_put("other/metrics.jsonl", other, strlen(other));
}

const fuzz_setup fuzz_frame = {
    .memory = 8 << 20, .per_byte = 512, .failing = true, .folder = true, .start = start};

static void check_picture(const char *path)
{
    size_t size, characters;
    char *picture = (char *)fuzz_get(path, &size);
    FUZZ_CHECK(size > 4 && memcmp(picture, "<svg", 4) == 0);
    FUZZ_CHECK(ur_utf8_count(picture, size, &characters));
    free(picture);
}

static void draw(ur_context *context, ur_curves_over over)
{
    static const char *const folders[] = {"one", "other"};
    ur_err err = {0};
    for (size_t count = 1; count <= 2; count++) {
        const ur_status status =
            ur_run_plot_curves(context, count, folders, over, "picture.svg", &err);
        if (status == UR_OK)
            check_picture("picture.svg");
        else
            fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
    }
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_context *context;
    ur_metrics *metrics;
    ur_err err = {0};
    size_t count, kinds = 0;
    if (size == 0 ||
        !fuzz_well(ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, &err),
                   &err))
        return;
    while (ur_kind_at(context, kinds))
        kinds++;
    const ur_kind *kind = ur_kind_at(context, data[0] % 64 % kinds), *found;
    char config[64];
    snprintf(config, sizeof config, "{\"model\": \"%s\"}", kind->name);
    fuzz_put("one/config.json", config, strlen(config));
    fuzz_put("one/metrics.jsonl", data + 1, size - 1);
    const ur_status status = ur_metrics_load(context, "one", &metrics, &count, &found, &err);
    if (status == UR_OK) {
        FUZZ_CHECK(found == kind);
        ur_metrics_free(context, metrics);
    } else {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
    }
    draw(context, (ur_curves_over)(data[0] / 64 % 3));
    ur_context_free(context);
}
