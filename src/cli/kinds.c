/* kinds.c - the kinds of models. */
#include "kinds.h"

#include <string.h>

extern const model_kind seq2seq_kind, language_model_kind, text_lstm_kind, tagger_kind,
    classifier_kind;

const model_kind *find_kind(const char *name)
{
    static const model_kind *const kinds[] = {&seq2seq_kind, &language_model_kind, &text_lstm_kind,
                                              &tagger_kind,  &classifier_kind,     NULL};
    const model_kind *const *k = kinds;
    while (*k && strcmp((*k)->name, name) != 0)
        k++;
    return *k;
}
