/* fuzz_bert.c - a damaged folder of a published BERT: it is refused with a sentence, before more memory is asked
 * for than its files can fill, or opens and makes vectors of texts, tells what stands behind [MASK], gives
 * labels. The first byte names the model, the second chooses; the rest is the damage (runs.h). */
#include "runs.h"

#include <math.h>
#include <string.h>

#include "unroll/embedder.h"
#include "unroll/filler.h"

const fuzz_setup fuzz_frame = {
    .memory = 48 << 20, .per_byte = 4096, .failing = true, .folder = true, .start = fuzz_make_runs};

enum {
    FIRST = 10, /* the runs of kinds that are BERTs: the last three */
    MAY = FUZZ_MAY(UR_INVALID) | FUZZ_MAY(UR_BAD_FILE) | FUZZ_MAY(UR_UNSUPPORTED)
};

static const char *const texts[] = {"the cat [MASK]", "", "a dog, a cat \xc3\xa9", "\xff"};

static void embed(ur_context *context, uint8_t how)
{
    ur_embedder *embedder;
    ur_err err = {0};
    size_t cut, bad;
    const ur_embedder_options options = {.pool = ur_embedder_pool_name(how & 7),
                                         .normalise = how & 8,
                                         .prompt = how & 16 ? "query" : NULL};
    ur_status status = ur_embedder_open(context, "run", &options, &embedder, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, MAY);
        return;
    }
    const size_t count = how & 32 ? 4 : 3, width = ur_embedder_width(embedder);
    float *vectors = malloc(count * width * sizeof *vectors);
    FUZZ_CHECK(vectors != NULL);
    status = ur_embedder_apply(embedder, count, texts, vectors, &cut, &bad, &err);
    if (status != UR_OK)
        fuzz_refused(status, &err, MAY);
    for (size_t i = 0; ur_embedder_remark(embedder, i); i++)
        FUZZ_CHECK(fuzz_printable(ur_embedder_remark(embedder, i)));
    free(vectors);
    ur_embedder_free(embedder);
}

static void fill(ur_context *context)
{
    ur_filler *filler;
    ur_filling best[2];
    ur_err err = {0};
    ur_status status = ur_filler_open(context, "run", &filler, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, MAY);
        return;
    }
    status = ur_filler_apply(filler, texts[0], 2, best, &err);
    if (status != UR_OK)
        fuzz_refused(status, &err, MAY);
    ur_filler_free(filler);
}

static void label(ur_context *context)
{
    ur_run *run;
    ur_prediction prediction;
    ur_err err = {0};
    ur_status status = ur_run_open(context, "run", &run, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, MAY);
        return;
    }
    status = ur_run_predict(run, 1, texts, NULL, &prediction, NULL, &err);
    if (status == UR_OK)
        ur_prediction_free(context, &prediction);
    else
        fuzz_refused(status, &err, MAY);
    ur_run_free(run);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t which = fuzz_byte(&input), how = fuzz_byte(&input);
    fuzz_damage(FIRST + which % 3, input, "run");
    ur_context *context = fuzz_context(a);
    if (!context)
        return;
    if (how >> 6 == 0)
        fill(context);
    else if (how >> 6 == 1)
        label(context);
    else
        embed(context, how);
    ur_context_free(context);
}
