/* train_text_lstm.h - unroll train lm --context N: next-word models, as a part of unroll train lm. */
#ifndef CLI_TRAIN_TEXT_LSTM_H
#define CLI_TRAIN_TEXT_LSTM_H

#include "train.h"

/* Options that only they have. --context, in s->context, is what asks for one. */
extern const option_table next_word_options;

/* Whether the options go together, for a next-word model or (without --context) for another; says
 * what does not. The verb is unroll train lm, `model` what its other options make of a language
 * model. */
bool check_next_words(const verb *v, const settings *s, const ur_language_model_config *model);

ur_status create_next_words(ur_context *context, const settings *s,
                            const ur_language_model_config *model, const ur_run_settings *how,
                            ur_run **run, ur_err *err);

#endif
