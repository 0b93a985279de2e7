/* text_data.c - text files as data of a run. */
#include "train/text_data.h"

#include "base/status.h"

static const char *const tokenizer_words[] = {"characters", "words", "words-punctuation"};

enum { MOST = 1 << 30 };

/* ---- configuration ------------------------------------------------------------------------ */

void ur_text_source_print(ur_json_writer *w, const ur_text_source *s)
{
    ur_json_open_object(w, "text");
    ur_json_put_string(w, "tokenizer", tokenizer_words[s->options.tokenizer]);
    ur_json_put_bool(w, "letters_only", s->options.letters_only);
    ur_json_put_bool(w, "lower", s->options.lower);
    ur_json_put_bool(w, "line_ends", s->options.line_ends);
    ur_json_put_int(w, "min_freq", (int64_t)s->min_freq);
    ur_json_put_int(w, "max_size", (int64_t)s->max_size);
    ur_json_put_int(w, "max_tokens", (int64_t)s->max_tokens);
    ur_json_put_real(w, "valid_split", s->valid_split);
    ur_json_close_object(w);
}

ur_status ur_text_source_parse(const ur_json_value *root, ur_text_source *s, ur_err *err)
{
    static const char *const keys[] = {"tokenizer", "letters_only", "lower",      "line_ends",
                                       "min_freq",  "max_size",     "max_tokens", "valid_split"};
    ur_reader r = {ur_json_member(root, "text"), UR_OK, err};
    ur_read_only(&r, keys, UR_COUNT(keys));
    s->options.tokenizer =
        (ur_tokenizer)ur_read_choice(&r, "tokenizer", tokenizer_words, UR_COUNT(tokenizer_words));
    s->options.letters_only = ur_read_truth(&r, "letters_only");
    s->options.lower = ur_read_truth(&r, "lower");
    s->options.line_ends = ur_read_truth(&r, "line_ends");
    s->min_freq = (size_t)ur_read_whole(&r, "min_freq", 0, MOST);
    s->max_size = (size_t)ur_read_whole(&r, "max_size", 0, MOST);
    s->max_tokens = (size_t)ur_read_whole(&r, "max_tokens", 0, INT64_MAX);
    s->valid_split = ur_read_real(&r, "valid_split", 0.0, 0.999999999);
    return r.status;
}

/* ---- reading ------------------------------------------------------------------------------ */

static ur_status read_valid(ur_run *run, const ur_text_source *s, ur_text_data *d, ur_err *err)
{
    const char *path = run->settings.data;
    if (!run->settings.valid) {
        const ur_ids all = d->train;
        const ur_status status = ur_ids_split(all, s->valid_split, &d->train, &d->valid, err);
        if (status == UR_OK && s->valid_split > 0.0 && d->valid.length < 2)
            return ur_fail(err, UR_INVALID,
                           "%s: a part of %g of %zu tokens is not enough to validate with", path,
                           s->valid_split, all.length);
        return status;
    }
    const ur_status status = ur_corpus_open(run->a, run->settings.valid, &s->options,
                                            run->vocabulary, 0, &d->valid_corpus, err);
    if (status == UR_OK)
        d->valid = ur_corpus_ids(d->valid_corpus);
    return status;
}

ur_status ur_text_data_read(ur_run *run, const ur_text_source *s, ur_text_data *d, ur_err *err)
{
    const char *path = run->settings.data;
    const ur_vocabulary_options choice = {.min_freq = s->min_freq, .max_size = s->max_size};
    *d = (ur_text_data){0};
    const ur_status status =
        run->vocabulary ? ur_corpus_open(run->a, path, &s->options, run->vocabulary, s->max_tokens,
                                         &d->train_corpus, err)
                        : ur_corpus_learn(run->a, path, &s->options, &choice, s->max_tokens,
                                          &d->train_corpus, &run->vocabulary, err);
    if (status != UR_OK)
        return status;
    d->train = ur_corpus_ids(d->train_corpus);
    return read_valid(run, s, d, err);
}

void ur_text_data_free(ur_text_data *d)
{
    ur_corpus_free(d->train_corpus);
    ur_corpus_free(d->valid_corpus);
    *d = (ur_text_data){0};
}
