/* works.h - the works that the library does, one file each. */
#ifndef BENCH_WORKS_H
#define BENCH_WORKS_H

#include "bench.h"
#include "unroll.h"

extern const bench_kind bench_layer, bench_language_model, bench_stream, bench_product, bench_date,
    bench_attention, bench_translation, bench_decoding, bench_transformer_lm, bench_text_lstm,
    bench_bert_pretraining, bench_bert, bench_embed, bench_flops, bench_reading;

/* A step; ends the program where it fails, as the row's `name`. */
ur_step bench_step(ur_trainer *trainer, const char *name);

/* Tokens of a text that nobody wrote: fresh memory. */
int32_t *bench_tokens(size_t count, size_t vocabulary);

/* A training that does not end: Adam with 1e-4, gradients clipped to norm 1. */
ur_train_options bench_training_options(void);

/* A training whose passes are its steps. */
typedef struct bench_training {
    ur_context *context;
    ur_model *model;
    void *data; /* of the model's kind */
    ur_trainer *trainer;
} bench_training;

/* Of bench_kind. */
double bench_training_run(void *training);
void bench_training_release(void *training);
/* Its trainer, behind everything else; where that, or the trainer, fails (ok false, err says it), releases it,
 * says why and gives NULL. */
void *bench_training_begin(bench_training *training, bool ok, const ur_train_options *options,
                           ur_err *err, char why[BENCH_LINE]);

/* The model that a line describes, as bench/translation.c says. */
ur_translation_config bench_translator(const char *line);

/* A folder with config.json, vocab.txt and model.safetensors of a BERT with random weights; the line says
 * its sizes as bench_bert's does. Returns the program's exit status. */
int bench_write_bert(const char *folder, const char *line);

/* A safetensors file with a layer's weights, inputs x (T, B, input) and outputs y (T, B, width), zeros behind the
 * sequences' ends; the line says its sizes as bench_layer's does. Returns the program's exit status. */
int bench_write_layer(const char *path, const char *line);

#endif
