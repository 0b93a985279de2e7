/* embed.c - how alike texts are: their vectors by a published BERT, compared.
 *     embed FOLDER TEXT ...
 * FOLDER has config.json, model.safetensors and vocab.txt, as Hugging Face's libraries write them.
 * Without arguments it takes the small one of the tests, whose weights are random. */
#include "example.h"

/* The cosine of two vectors of length 1. */
static double similarity(size_t width, const float *x, const float *y)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

static void compare(ur_embedder *embedder, size_t count, const char *const *texts)
{
    ur_err err;
    const size_t width = ur_embedder_width(embedder);
    float *x = malloc(count * width * sizeof *x); /* (count, width) */
    check(x ? UR_OK : UR_NO_MEMORY, "out of memory");
    check(ur_embedder_apply(embedder, count, texts, x, NULL, NULL, &err), err.text);
    for (size_t i = 1; i < count; i++)
        printf("%6.3f  %s | %s\n", similarity(width, x, x + i * width), texts[0], texts[i]);
    free(x);
}

int main(int argc, char **argv)
{
    static const char *const some[] = {"the cat sat on the mat", "a cat sat", "hello world"};
    const ur_embedder_options options = {.normalise = true};
    const char *root = getenv("UNROLL_SOURCE_DIR");
    char folder[1024];
    ur_err err;
    ur_context *context;
    ur_embedder *embedder;
    snprintf(folder, sizeof folder, "%s/tests/golden/bert_tiny", root ? root : ".");
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_embedder_open(context, argc > 1 ? argv[1] : folder, &options, &embedder, &err),
          err.text);
    if (argc > 2)
        compare(embedder, (size_t)argc - 2, (const char *const *)argv + 2);
    else
        compare(embedder, sizeof some / sizeof *some, some);
    ur_embedder_free(embedder);
    ur_context_free(context);
}
