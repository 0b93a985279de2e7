/* main.c - the library as a contestant: bench_unroll. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The built-in dates as a file for all contestants. */
static int write_dates(const char *path)
{
    ur_err err;
    char *text;
    size_t bytes;
    const ur_pair_source source = {.data = "builtin:dates", .seed = 1};
    if (ur_pairs_generate(NULL, &source, &text, &bytes, &err) != UR_OK) {
        fprintf(stderr, "bench_unroll: %s\n", err.text);
        return 1;
    }
    FILE *file = fopen(path, "w");
    const bool ok = file && fwrite(text, 1, bytes, file) == bytes;
    free(text);
    return file && fclose(file) == 0 && ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write-dates") == 0)
        return write_dates(argv[2]);
    const bench_kind kinds[] = {bench_layer, bench_language_model, bench_stream, bench_product,
                                bench_date,  bench_attention,      bench_flops,  bench_reading};
    return bench_main(argc, argv, "unroll " UR_VERSION, kinds, sizeof kinds / sizeof *kinds);
}
