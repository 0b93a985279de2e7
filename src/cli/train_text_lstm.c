/* train_text_lstm.c - unroll train lm --context N: next-word models. */
#include "train_text_lstm.h"

static const char *const bias_inits[] = {"uniform", "one", NULL};
static const char *const outputs[] = {"hidden", "gate", NULL};

enum { MEGABYTE = 1000000 };

static const option options[] = {
    {"context", "N", OPTION_SIZE, OPTION_AT(context), 1, 65536,
     .help =
         "Predict each word from the N before it alone (a TextLSTM). Tokens are then words, "
         "unless --tokenizer says otherwise. With several layers each one after the first reads "
         "the logits of the one before beside its output, and starts where the same place of the "
         "text left it the time before.",
     .standard = ""},
    {"bias-init", "uniform|one", OPTION_CHOICE, OPTION_AT(bias_init), .choices = bias_inits,
     .help =
         "With --context: biases start like weights, or all of them, the output layer's too, at "
         "one."},
    {"output-from", "hidden|gate", OPTION_CHOICE, OPTION_AT(output_from), .choices = outputs,
     .help = "With --context: logits come from a layer's output h, or from its output gate."},
    {"state-memory", "MB", OPTION_SIZE, OPTION_AT(state_memory), 1, 1e9,
     .help =
         "With --context and several layers: what the states of all places of the text, layers x "
         "2 x hidden x 4 bytes for each, may take; also of every checkpoint.",
     .standard = "4294"},
};

const option_table next_word_options = OPTION_TABLE(options);

static ur_text_lstm_config config_of(const settings *s, const ur_language_model_config *model)
{
    ur_text_lstm_config config = ur_text_lstm_defaults();
    config.context = s->context;
    config.embed_size = model->embed_size;
    config.hidden_size = model->hidden_size;
    config.layers = model->layers;
    config.bias_init = (ur_bias_init)s->bias_init;
    config.output_from = (ur_output_from)s->output_from;
    if (s->state_memory)
        config.most_state_bytes =
            s->state_memory <= SIZE_MAX / MEGABYTE ? s->state_memory * MEGABYTE : SIZE_MAX;
    config.text = model->text;
    return config;
}

/* The first of these options that was given, or NULL. */
static const char *given_of(const verb *v, const settings *s, const char *const *names)
{
    while (*names && !was_given(v, s, *names))
        names++;
    return *names;
}

bool check_next_words(const verb *v, const settings *s, const ur_language_model_config *model)
{
    static const char *const others[] = {"cell",      "bidirectional", "tied",
                                         "dropout",   "bptt",          "sampling",
                                         "keep-tail", "sample-prompt", NULL};
    static const char *const own[] = {"bias-init", "output-from", "state-memory", NULL};
    const char *name = given_of(v, s, s->context ? others : own);
    const ur_text_lstm_config config = config_of(s, model);
    ur_err err;
    if (name && s->context)
        say_usage(v,
                  "--%s does not go with --context: a model of the next word is an LSTM that "
                  "reads so many words, one way, and starts anew",
                  name);
    else if (name)
        say_usage(v, "--%s goes with --context alone", name);
    else if (s->context && ur_text_lstm_check(&config, &err) != UR_OK)
        say_usage(v, "%s", err.text);
    else
        return true;
    return false;
}

ur_status create_next_words(ur_context *context, const settings *s,
                            const ur_language_model_config *model, const ur_run_settings *how,
                            ur_run **run, ur_err *err)
{
    const ur_text_lstm_config config = config_of(s, model);
    return ur_run_create(context, s->out, how, "text_lstm", &config, run, err);
}
