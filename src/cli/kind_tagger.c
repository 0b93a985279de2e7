/* kind_tagger.c - taggers and classifiers in the tool: what they are told about, their measure, what
 * they say to texts. */
#include "kinds.h"
#include "label_table.h"

#include <string.h>

static bool is_tagger(const ur_run *run)
{
    return strcmp(ur_run_kind(run), "tagger") == 0;
}

static void say_start(ur_context *context, ur_run *run)
{
    char texts[GROUPED], tokens[GROUPED], valid[GROUPED], words[GROUPED], weights[GROUPED];
    const ur_labelled *train = ur_run_train_data(run), *other = ur_run_valid_data(run);
    const int threads = ur_context_threads(context);
    fprintf(stderr,
            "%s %s (%s tokens) to learn, %s to validate; %s different tokens, %zu labels, "
            "%s weights; %s, %d thread%s\n",
            grouped(ur_labelled_count(train), texts), is_tagger(run) ? "sentences" : "texts",
            grouped(ur_labelled_all_tokens(train), tokens),
            grouped(other ? ur_labelled_count(other) : 0, valid),
            grouped(ur_vocabulary_size(ur_run_vocabulary(run)), words),
            ur_vocabulary_size(ur_run_labels(run)),
            grouped(ur_params_weights(ur_run_model(run)->params), weights), ur_context_isa(context),
            threads, threads == 1 ? "" : "s");
}

/* ---- measure ------------------------------------------------------------------------------- */

static void print_labels(ur_run *run, const ur_measure *m, const ur_confusion *c, bool json)
{
    const label_report r = {.names = ur_run_labels(run),
                            .confusion = c,
                            .measure = m,
                            .unit = is_tagger(run) ? "tokens" : "texts"};
    if (json)
        print_label_json(&r);
    else
        print_label_table(&r);
}

static ur_status evaluate(ur_context *context, ur_run *run, const char *data, bool json,
                          ur_err *err)
{
    ur_measure measure;
    ur_confusion *confusion;
    const ur_status status = ur_run_confusion(run, data, &measure, &confusion, err);
    if (status != UR_OK)
        return status;
    print_labels(run, &measure, confusion, json);
    ur_confusion_free(ur_context_allocator(context), confusion);
    return UR_OK;
}

/* How right the trained model is on the validation data, label by label. */
static int print_samples(ur_context *context, ur_run *run)
{
    ur_measure measure;
    ur_confusion *confusion;
    ur_err err;
    const ur_labelled *valid = ur_run_valid_data(run);
    if (!valid)
        return CODE_OK;
    if (ur_tagger_evaluate(context, ur_run_model(run), valid, &measure, &confusion, &err) != UR_OK)
        return say_error(&err);
    print_labels(run, &measure, confusion, false);
    ur_confusion_free(ur_context_allocator(context), confusion);
    return CODE_OK;
}

/* ---- predict ------------------------------------------------------------------------------- */

/* "label":...,"probability":...,"probabilities":{...} of answer i. */
static void print_answer_json(const ur_vocabulary *names, const ur_text_labels *t, size_t i)
{
    const size_t labels = ur_vocabulary_size(names);
    fputs("\"label\":", stdout);
    json_string(stdout, t->labels[i]);
    fputs(",\"probability\":", stdout);
    json_number(stdout, (double)t->probability[i]);
    fputs(",\"probabilities\":{", stdout);
    for (size_t j = 0; j < labels; j++) {
        if (j)
            putchar(',');
        json_string(stdout, ur_vocabulary_token(names, (int32_t)j, NULL));
        putchar(':');
        json_number(stdout, (double)t->all[i * labels + j]);
    }
    putchar('}');
}

static void print_json(const ur_vocabulary *names, const char *text, const ur_text_labels *t)
{
    fputs("{\"text\":", stdout);
    json_string(stdout, text);
    putchar(',');
    if (!t->tokens) {
        print_answer_json(names, t, 0);
        puts("}");
        return;
    }
    fputs("\"tokens\":[", stdout);
    for (size_t i = 0; i < t->count; i++) {
        fputs(i ? ",{\"token\":" : "{\"token\":", stdout);
        json_string(stdout, t->tokens[i]);
        putchar(',');
        print_answer_json(names, t, i);
        putchar('}');
    }
    puts("]}");
}

/* A line for each token and a blank one after the sentence, or one line for the text. */
static void print_lines(const ur_text_labels *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->tokens)
            printf("%s\t", t->tokens[i]);
        printf("%s\t%.4f\n", t->labels[i], (double)t->probability[i]);
    }
    if (t->tokens)
        putchar('\n');
}

static int predict(ur_run *run, size_t count, const char *const *texts, bool json, size_t *bad,
                   ur_err *err)
{
    ur_text_labels labels[MOST_TEXTS];
    const ur_status status = ur_run_label(run, count, texts, labels, bad, err);
    if (status != UR_OK)
        return exit_code(status);
    for (size_t i = 0; i < count; i++) {
        if (json)
            print_json(ur_run_labels(run), texts[i], &labels[i]);
        else
            print_lines(&labels[i]);
    }
    return flush_output();
}

const model_kind tagger_kind = {
    .name = "tagger",
    .say_start = say_start,
    .print_samples = print_samples,
    .evaluate = evaluate,
    .predict = predict,
};

const model_kind classifier_kind = {
    .name = "classifier",
    .say_start = say_start,
    .print_samples = print_samples,
    .evaluate = evaluate,
    .predict = predict,
};
