/* bert.c - texts through a BERT with random weights, and a published folder's vectors:
 *     bert hidden=D layers=N heads=H ffn=F batch=B shortest=S longest=L
 *     embed folder=PATH tokens=N
 *
 * bert: a pass is the last layer's outputs of B texts of S to L pieces, evenly spread, in no order, as
 * ur_embedder_apply computes them. embed: a pass is the vector of one text of N words. */
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tape/runner.h"

/* ---- outputs --------------------------------------------------------------------------------- */

typedef struct bert_work {
    ur_context *context;
    ur_model *model;
    ur_runner *runner;
    size_t batch, *length; /* (batch) */
    int32_t *ids;          /* (longest) */
} bert_work;

static size_t length_of(const void *arg, size_t item)
{
    return ((const bert_work *)arg)->length[item];
}

static void run_shard(void *arg, ur_tape *t, size_t count, const size_t *items, void *result)
{
    const bert_work *w = arg;
    size_t *length = ur_take(t, count, sizeof *length), rows = 0;
    (void)result;
    for (size_t i = 0; length && i < count; i++)
        rows += length[i] = w->length[items[i]];
    int32_t *ids = ur_take(t, rows, sizeof *ids);
    for (size_t i = 0, at = 0; ids && i < count; at += length[i++])
        memcpy(ids + at, w->ids, length[i] * sizeof *ids);
    if (!ids)
        return;
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, count, length, NULL);
    ur_bert_encode(t, w->model, ur_seq_ints(t, layout, ids), NULL, NULL);
}

static double run(void *arg)
{
    bert_work *w = arg;
    const ur_items_job job = {.count = w->batch,
                              .length = length_of,
                              .run = run_shard,
                              .runner = w->runner,
                              .products = true};
    ur_err err;
    if (ur_run_items(w->context, w->model->params, &job, w, &err) != UR_OK) {
        fprintf(stderr, "bert: %s\n", err.text);
        exit(1);
    }
    return -1.0;
}

static void release(void *arg)
{
    bert_work *w = arg;
    ur_runner_free(w->runner);
    ur_model_free(w->model);
    ur_context_free(w->context);
    free(w->length);
    free(w->ids);
    free(w);
}

static ur_bert_config config_of(const char *line)
{
    ur_bert_config c = ur_bert_defaults();
    c.hidden_size = bench_number(line, "hidden", c.hidden_size);
    c.layers = bench_number(line, "layers", c.layers);
    c.heads = bench_number(line, "heads", c.heads);
    c.feed_forward_size = bench_number(line, "ffn", c.feed_forward_size);
    c.no_pooler = true;
    return c;
}

/* Weights that are quicker to make than normal deviates. */
static ur_status random_bert(ur_context *context, const ur_bert_config *config, ur_model **out,
                             ur_err *err)
{
    const ur_status status = ur_bert_new(context, config, out, err);
    if (status != UR_OK)
        return status;
    ur_params *p = (*out)->params;
    bench_fill(ur_params_values(p), ur_params_size(p), 0.05f, 1);
    for (size_t i = 0; i < ur_params_count(p); i++) {
        const ur_param *entry = ur_params_entry(p, i);
        float *w = ur_param_values(p, (int)i);
        for (size_t j = 0; strstr(entry->name, "LayerNorm.weight") && j < entry->count; j++)
            w[j] += 1.0f;
    }
    return UR_OK;
}

static void *make(const char *line, int threads, char why[BENCH_LINE])
{
    const ur_bert_config config = config_of(line);
    const size_t shortest = bench_number(line, "shortest", 128);
    const size_t longest = bench_number(line, "longest", shortest);
    bert_work *w = bench_memory(1, sizeof *w);
    ur_err err = {0};
    if (ur_context_new(&(ur_options){.threads = threads}, &w->context, &err) != UR_OK ||
        random_bert(w->context, &config, &w->model, &err) != UR_OK ||
        ur_runner_new(w->context, &w->runner, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        release(w);
        return NULL;
    }
    w->batch = bench_number(line, "batch", 1);
    w->length = bench_memory(w->batch, sizeof *w->length);
    bench_spread(w->batch, shortest, longest, w->length);
    w->ids = bench_memory(longest, sizeof *w->ids);
    for (size_t i = 0; i < longest; i++)
        w->ids[i] = (int32_t)(i * 7919 % config.vocabulary);
    return w;
}

const bench_kind bench_bert = {"bert", make, run, release};

/* ---- vectors --------------------------------------------------------------------------------- */

typedef struct embed_work {
    ur_context *context;
    ur_embedder *embedder;
    char *text;
    float *vector;
} embed_work;

static double embed_run(void *arg)
{
    embed_work *w = arg;
    const char *const texts[] = {w->text};
    ur_err err;
    if (ur_embedder_apply(w->embedder, 1, texts, w->vector, NULL, NULL, &err) != UR_OK) {
        fprintf(stderr, "embed: %s\n", err.text);
        exit(1);
    }
    return -1.0;
}

static void embed_release(void *arg)
{
    embed_work *w = arg;
    ur_embedder_free(w->embedder);
    ur_context_free(w->context);
    free(w->text);
    free(w->vector);
    free(w);
}

static void *embed_make(const char *line, int threads, char why[BENCH_LINE])
{
    embed_work *w = bench_memory(1, sizeof *w);
    char folder[BENCH_LINE];
    ur_err err = {.text = "which folder?"};
    if (!bench_text(line, "folder", folder, sizeof folder) ||
        ur_context_new(&(ur_options){.threads = threads}, &w->context, &err) != UR_OK ||
        ur_embedder_open(w->context, folder, NULL, &w->embedder, &err) != UR_OK) {
        snprintf(why, BENCH_LINE, "%s", err.text);
        embed_release(w);
        return NULL;
    }
    const size_t words = bench_number(line, "tokens", 16) - 2; /* [CLS] and [SEP] beside them */
    w->text = bench_memory(2 * words + 1, 1);
    for (size_t i = 0; i < words; i++)
        memcpy(w->text + 2 * i, "a ", 2);
    w->vector = bench_memory(ur_embedder_width(w->embedder), sizeof *w->vector);
    return w;
}

const bench_kind bench_embed = {"embed", embed_make, embed_run, embed_release};

/* ---- a folder -------------------------------------------------------------------------------- */

static bool write_vocabulary(const char *folder, size_t size)
{
    static const char *const first[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"};
    char path[BENCH_LINE];
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    FILE *file = fopen(path, "w");
    for (size_t i = 0; file && i < size; i++)
        if (i < sizeof first / sizeof *first)
            fprintf(file, "%s\n", first[i]);
        else
            fprintf(file, "w%zu\n", i);
    return file && fclose(file) == 0;
}

static bool write_config(const char *folder, const ur_bert_config *c)
{
    char path[BENCH_LINE];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fprintf(
        file,
        "{\"model_type\": \"bert\", \"vocab_size\": %zu, \"hidden_size\": %zu, "
        "\"num_hidden_layers\": %zu,\n \"num_attention_heads\": %zu, \"intermediate_size\": %zu}\n",
        c->vocabulary, c->hidden_size, c->layers, c->heads, c->feed_forward_size);
    return fclose(file) == 0;
}

int bench_write_bert(const char *folder, const char *line)
{
    const ur_bert_config config = config_of(line);
    ur_context *context = NULL;
    ur_model *model = NULL;
    ur_err err = {.text = "cannot be written"};
    char path[BENCH_LINE];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    const bool ok = ur_context_new(NULL, &context, &err) == UR_OK &&
                    random_bert(context, &config, &model, &err) == UR_OK &&
                    ur_params_save(model->params, path, &err) == UR_OK &&
                    write_vocabulary(folder, config.vocabulary) && write_config(folder, &config);
    if (!ok)
        fprintf(stderr, "bench_unroll: %s: %s\n", folder, err.text);
    ur_model_free(model);
    ur_context_free(context);
    return ok ? 0 : 1;
}
