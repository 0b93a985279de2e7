/* fill.c - the words that a published BERT holds most probable behind [MASK].
 *     fill FOLDER TEXT
 * FOLDER has config.json, model.safetensors and vocab.txt of a BertForMaskedLM or BertForPreTraining.
 * Without arguments it takes the small one of the tests, whose weights are random. */
#include "example.h"

enum { BEST = 3 };

int main(int argc, char **argv)
{
    const char *text = argc > 2 ? argv[2] : "the [MASK] sat on the [MASK]";
    const char *root = getenv("UNROLL_SOURCE_DIR");
    char folder[1024];
    size_t masks;
    ur_err err;
    ur_context *context;
    ur_filler *filler;
    snprintf(folder, sizeof folder, "%s/tests/golden/bert_tiny", root ? root : ".");
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_filler_open(context, argc > 1 ? argv[1] : folder, &filler, &err), err.text);
    check(ur_filler_masks(filler, text, &masks, &err), err.text);
    ur_filling *best = malloc(masks * BEST * sizeof *best); /* (masks, BEST) */
    check(best ? UR_OK : UR_NO_MEMORY, "out of memory");
    check(ur_filler_apply(filler, text, BEST, best, &err), err.text);
    printf("%s\n", text);
    for (size_t i = 0; i < masks * BEST; i++)
        printf("%zu  %-12s %.4f\n", i / BEST + 1, best[i].token, (double)best[i].probability);
    free(best);
    ur_filler_free(filler);
    ur_context_free(context);
}
