/* text_source.c - text files as data of models that learn what comes next. */
#include "models/text_source.h"

#include "base/status.h"
#include "models/parts.h"

ur_status ur_text_source_check(const ur_text_source *s, const ur_vocabulary *vocabulary,
                               ur_err *err)
{
    if (!(s->valid_split >= 0.0 && s->valid_split < 1.0))
        return ur_fail(err, UR_INVALID,
                       "a part of %g of the text for validation, it must be in [0, 1)",
                       s->valid_split);
    return ur_text_check(&s->options, vocabulary, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_valid(ur_assets *assets, const ur_text_source *s, ur_text_data *d,
                            ur_err *err)
{
    if (!assets->data->valid) {
        const ur_ids all = d->train;
        const ur_status status = ur_ids_split(all, s->valid_split, &d->train, &d->valid, err);
        if (status == UR_OK && s->valid_split > 0.0 && d->valid.length < 2)
            return ur_fail(err, UR_INVALID,
                           "%s: a part of %g of %zu tokens is not enough to validate with",
                           assets->data->data, s->valid_split, all.length);
        return status;
    }
    const ur_status status =
        ur_corpus_open(ur_context_allocator(assets->context), assets->data->valid, &s->options,
                       assets->vocabulary, 0, &d->valid_corpus, err);
    if (status == UR_OK)
        d->valid = ur_corpus_ids(d->valid_corpus);
    return status;
}

/* A new run's text: its vocabulary is learned. */
static ur_status learn(ur_assets *assets, ur_text_source *s, ur_text_data *d, ur_err *err)
{
    const ur_vocabulary_options choice = {.min_freq = s->min_freq, .max_size = s->max_size};
    if (assets->data->valid && s->valid_split > 0.0)
        return ur_fail(err, UR_INVALID,
                       "a file to validate with and a part of the training text for it "
                       "(valid_split) are two ways to say one thing");
    if (s->options.tokenizer == UR_CHARACTERS || s->options.letters_only)
        s->options.line_ends = false;
    return ur_corpus_learn(ur_context_allocator(assets->context), assets->data->data, &s->options,
                           &choice, s->max_tokens, &d->train_corpus, &assets->vocabulary, err);
}

ur_status ur_text_data_read(ur_assets *assets, ur_text_source *s, ur_text_data *d, ur_err *err)
{
    *d = (ur_text_data){0};
    ur_status status = ur_assets_no_generator(assets, err);
    if (status == UR_OK && assets->vocabulary)
        status =
            ur_corpus_open(ur_context_allocator(assets->context), assets->data->data, &s->options,
                           assets->vocabulary, s->max_tokens, &d->train_corpus, err);
    else if (status == UR_OK)
        status = learn(assets, s, d, err);
    if (status != UR_OK)
        return status;
    d->train = ur_corpus_ids(d->train_corpus);
    return read_valid(assets, s, d, err);
}

void ur_text_data_free(ur_text_data *d)
{
    ur_corpus_free(d->train_corpus);
    ur_corpus_free(d->valid_corpus);
    *d = (ur_text_data){0};
}
