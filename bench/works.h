/* works.h - the works that the library does, one file each. */
#ifndef BENCH_WORKS_H
#define BENCH_WORKS_H

#include "bench.h"
#include "unroll.h"

extern const bench_kind bench_layer, bench_language_model, bench_stream, bench_product, bench_date,
    bench_attention, bench_translation, bench_flops, bench_reading;

#endif
