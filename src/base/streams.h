/* streams.h - who draws random numbers from where.
 *
 * A number is a function of (key, stream, position); see philox.h. All that is drawn under a
 * caller's seed has a stream of its own here, so that no two uses share numbers. The values decide
 * the bits of every model and of generated data: a new use takes a new one, none is changed.
 *
 *   key                     stream                          who
 *   seed                    index of the parameter, from 0  initial weights (nn/params.c)
 *   seed                    UR_STREAM_SHUFFLE + epoch       order of the examples (train/trainer.c)
 *   seed                    UR_STREAM_WINDOWS + epoch       windows of a long text (data/windows.c)
 *   seed                    UR_STREAM_CHOICE + source       symbols drawn by the search
 *   seed                    UR_STREAM_SENTENCES + epoch     pairs of sentences and what is masked in
 *                                                           them (data/sentences.c)
 *   0                       UR_STREAM_MEASURED              the same to measure with
 *   seed                    UR_STREAM_ADDITIONS + split     builtin:additions
 *   seed                    UR_STREAM_DATES + split         builtin:dates
 *   seed ^ UR_KEY_DROPOUT   (step, which drop-out)          masks and noise (nn/dropout.c,
 *                                                           nn/cell_noise.c)
 *   UR_KEY_SPLIT            number of a question            its split, the same under every seed
 *   seed ^ UR_KEY_VALID     hash of an input                whether it is set apart (data/split.c)
 *                                                           (data/builtin.c) */
#ifndef UR_BASE_STREAMS_H
#define UR_BASE_STREAMS_H

#include <stdint.h>

#define UR_STREAM_SHUFFLE (UINT64_C(1) << 32)
#define UR_STREAM_WINDOWS (UINT64_C(2) << 32)
#define UR_STREAM_CHOICE (UINT64_C(3) << 32)
#define UR_STREAM_SENTENCES (UINT64_C(4) << 32)
#define UR_STREAM_MEASURED (UINT64_C(5) << 32)
#define UR_STREAM_ADDITIONS UINT64_C(0x61646400)
#define UR_STREAM_DATES UINT64_C(0x6461746500)

#define UR_KEY_DROPOUT UINT64_C(0x9E3779B97F4A7C15)
#define UR_KEY_SPLIT UINT64_C(0x73706C6974)
#define UR_KEY_VALID UINT64_C(0x76616C6964)

#endif
