/* decoding.c - a Transformer translates:
 *     decoding sentences=N steps=T beam=K hidden=D layers=L [heads=H] [ffn=F] vocabulary=V
 *
 * N sentences of T symbols, the last one <eos>, each translated in exactly T steps, with the
 * probability of every symbol. A pass is what a program asks for: encoder, search, and the answers. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>

#include "models/translation.h"
#include "tape/runner.h"

typedef struct decoding_work {
    ur_context *context;
    ur_model *model;
    ur_decoder decoder;
    size_t sentences, steps, beam;
    int32_t *ids; /* (sentences, steps) */
} decoding_work;

static const int32_t never[] = {UR_ID_UNK, UR_ID_BOS};

static size_t length_of(const void *arg, size_t i)
{
    (void)i;
    return ((const decoding_work *)arg)->steps;
}

static void search(void *arg, ur_tape *tape, size_t count, const size_t *which, void *result)
{
    const decoding_work *w = arg;
    ur_ids *sources = ur_take(tape, count, sizeof *sources);
    (void)result;
    for (size_t i = 0; sources && i < count; i++)
        sources[i] = (ur_ids){w->ids + which[i] * w->steps, w->steps};
    ur_search(tape, &w->decoder, &(ur_sources){.count = count, .ids = sources},
              &(ur_search_options){.beam = w->beam,
                                   .least = w->steps,
                                   .most = w->steps,
                                   .never = never,
                                   .never_count = sizeof never / sizeof *never});
}

static double run(void *arg)
{
    decoding_work *w = arg;
    const ur_items_job job = {.count = w->sentences, .length = length_of, .run = search};
    ur_err err;
    if (ur_run_items(w->context, w->model->params, &job, w, &err) != UR_OK) {
        fprintf(stderr, "decoding: %s\n", err.text);
        exit(1);
    }
    return -1.0;
}

static void release(void *arg)
{
    decoding_work *w = arg;
    ur_model_free(w->model);
    ur_context_free(w->context);
    free(w->ids);
    free(w);
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const ur_options options = {.threads = threads};
    const ur_translation_config config = bench_translator(line);
    decoding_work *w = bench_memory(1, sizeof *w);
    ur_err err;
    w->sentences = bench_number(line, "sentences", 1);
    w->steps = bench_number(line, "steps", 20);
    w->beam = bench_number(line, "beam", 1);
    w->ids = bench_memory(w->sentences * w->steps, sizeof *w->ids);
    for (size_t i = 0; i < w->sentences * w->steps; i++)
        w->ids[i] = (int32_t)((i + 1) % w->steps ? 3 + i * i / 7 % (config.vocabulary - 3)
                                                 : (size_t)UR_ID_EOS);
    if (ur_context_new(&options, &w->context, &err) != UR_OK ||
        ur_translation_new(w->context, &config, &w->model, &err) != UR_OK ||
        ur_model_decoder(w->model, &w->decoder, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    ur_model_init(w->model, 1);
    return w;
}

const bench_kind bench_decoding = {"decoding", make, run, release};
