/* fuzz_metrics.c - bytes as the metrics.jsonl of a run: its curves are drawn, or the file is refused
 * with a sentence. The picture's folder does not exist, so that all is done but the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unroll/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz_metrics_XXXXXX";
static char path[64];

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

static ur_context *start(void)
{
    ur_context *context = NULL;
    if (ur_context_new(&(ur_options){.threads = 1}, &context, NULL) != UR_OK ||
        mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    atexit(remove_folder);
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ur_context *context;
    if (context == NULL)
        context = start();
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
    ur_err err = {0};
    const char *const folders[] = {folder, folder};
    for (size_t count = 1; count <= 2; count++) {
        const ur_status status =
            ur_run_plot_curves(context, count, folders, "no/such/folder/picture.svg", &err);
        if ((status != UR_IO && status != UR_BAD_FILE) || err.text[0] == '\0')
            abort();
    }
    return 0;
}
