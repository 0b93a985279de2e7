/* parts.c - what kinds of models have in common. */
#include "models/parts.h"

#include <stdio.h>
#include <string.h>

#include "backend/cell.h"
#include "base/status.h"
#include "data/builtin.h"
#include "tape/tape.h"

/* ---- recurrent stacks --------------------------------------------------------------------- */

const char *const ur_cell_synonyms[] = {"rnn", "rnn_tanh", NULL};
const char *const ur_direction_words[] = {"no|one", "concat", "average", NULL};
const char *const ur_activation_words[] = {"none", "relu", "gelu", "gelu-tanh", NULL};
const char *const ur_tie_words[] = {"none", "output", "all", NULL};

const ur_cell *ur_configured_cell(const char *name)
{
    return ur_cell_find(strcmp(name, "rnn") == 0 ? "rnn_tanh" : name);
}

void ur_rnn_prefix(const char *part, const char *cell, char name[64])
{
    snprintf(name, 64, "%s%s%.*s", part ? part : "", part ? "." : "", (int)strcspn(cell, "_"),
             cell);
}

ur_tensor *ur_join_directions(ur_tape *t, ur_directions how, ur_tensor *states, size_t layer)
{
    if (how == UR_ONE_WAY)
        return ur_pick(t, states, layer);
    ur_tensor *forward = ur_pick(t, states, 2 * layer);
    ur_tensor *backward = ur_pick(t, states, 2 * layer + 1);
    if (how == UR_BOTH_CONCAT)
        return ur_concat(t, forward, backward);
    return ur_scale(t, ur_add(t, forward, backward), 0.5f);
}

/* ---- models and what stands around them --------------------------------------------------- */

bool ur_tape_takes(ur_tape *t, const ur_model *model, const ur_kind *kind)
{
    ur_err why;
    if (!ur_tape_ok(t))
        return false;
    if (ur_model_check(model, kind, &why) == UR_OK)
        return true;
    ur_tape_fail(t, why.status, "%s", why.text);
    return false;
}

bool ur_examples_exist(ur_tape *t, size_t count, const size_t *which, size_t examples)
{
    for (size_t i = 0; i < count; i++) {
        if (which[i] < examples)
            continue;
        ur_tape_fail(t, UR_INVALID, "there is no example %zu among %zu", which[i], examples);
        return false;
    }
    return true;
}

int32_t *ur_join_ids(ur_tape *t, size_t count, const ur_ids *items, size_t *steps)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += steps[i] = items[i].length;
    int32_t *ids = ur_take(t, rows, sizeof *ids);
    for (size_t i = 0, at = 0; ids && i < count; at += items[i++].length)
        if (items[i].length)
            memcpy(ids + at, items[i].ids, items[i].length * sizeof *ids);
    return ids;
}

ur_seq *ur_joined(ur_tape *t, ur_order order, size_t count, const ur_ids *items, const uint64_t *id)
{
    size_t *steps = ur_take(t, count, sizeof *steps);
    const int32_t *ids = steps ? ur_join_ids(t, count, items, steps) : NULL;
    return ids ? ur_seq_ints(t, ur_new_layout(t, order, count, steps, id), ids) : NULL;
}

const float *ur_row_losses(ur_tape *t, const ur_seq *logits, const ur_seq *targets)
{
    const size_t rows = logits->values->dim[0];
    ur_tensor *losses = ur_tensor_new(t, UR_F32, 1, &rows);
    if (!losses)
        return NULL;
    const ur_cross_entropy_pass pass = {.rows = rows,
                                        .classes = logits->values->dim[1],
                                        .x = logits->values->data,
                                        .target = ur_ints(targets->values),
                                        .ignore = UR_IGNORE,
                                        .scale = 1.0f,
                                        .row_loss = losses->data};
    t->backend->cross_entropy(&t->on, &pass);
    return ur_read(t, losses);
}

ur_status ur_check_vocabulary(const ur_kind *kind, size_t vocabulary, size_t least, ur_err *err)
{
    if (vocabulary >= least && vocabulary <= UR_MOST_VOCABULARY)
        return UR_OK;
    return ur_fail(err, UR_INVALID, "%s: a vocabulary of %zu %s, %zu to %d expected", kind->name,
                   vocabulary, kind->symbols_name, least, UR_MOST_VOCABULARY);
}

ur_status ur_assets_make_model(ur_assets *assets, ur_err *err)
{
    const ur_status status =
        ur_model_new(assets->context, assets->kind, assets->config, &assets->model, err);
    if (status == UR_OK)
        memcpy(assets->config, assets->model->config, assets->kind->config_size);
    return status;
}

ur_status ur_assets_check_vocabulary(const ur_assets *assets, size_t vocabulary, ur_err *err)
{
    const size_t size = ur_vocabulary_size(assets->vocabulary);
    if (vocabulary == size)
        return UR_OK;
    return ur_fail(err, UR_INVALID, "\"vocabulary_size\" is %zu, but the vocabulary has %zu",
                   vocabulary, size);
}

ur_pair_source ur_assets_source(const ur_assets *assets, ur_split split, const ur_reading *reading)
{
    const ur_data_options *d = assets->data;
    const bool training = split == UR_SPLIT_TRAIN;
    return (ur_pair_source){.data = training || !d->valid ? d->data : d->valid,
                            .size = training ? d->size : d->valid_size,
                            .seed = d->seed,
                            .split = split,
                            .reading = reading};
}

ur_status ur_assets_no_generator(const ur_assets *assets, ur_err *err)
{
    const char *const names[] = {assets->data->data, assets->data->valid};
    for (size_t i = 0; i < 2; i++)
        if (ur_is_builtin(names[i]))
            return ur_fail(err, UR_INVALID, "%s: a %s learns from %s", names[i], assets->kind->name,
                           assets->kind->data_help);
    return UR_OK;
}
