/* main.c - the library as a contestant: bench_unroll. */
#include "works.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    const bench_kind kinds[] = {bench_layer,   bench_language_model, bench_stream, bench_product,
                                bench_date,    bench_flops,          bench_reading};
    return bench_main(argc, argv, "unroll " UR_VERSION, kinds, sizeof kinds / sizeof *kinds);
}
