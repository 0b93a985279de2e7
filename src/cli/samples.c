/* samples.c - what a trained model does, shown after its training, as its kind can show it. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_TOKENS = 50, PROMPT_CHARACTERS = 14, PROMPT_WORDS = 3 };

/* ---- examples ------------------------------------------------------------------------------ */

/* "Q: text", without the spaces that fill it up; ends of lines as spaces. */
static void print_line(const char *name, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    while (length > 0 && text[length - 1] == ' ')
        length--;
    printf("%s: ", name);
    for (size_t i = 0; i < length; i++)
        putchar(strchr("\t\r\n", text[i]) ? ' ' : text[i]);
    putchar('\n');
}

/* Spread over the data; the last one is its last. */
static int print_examples(ur_run *run)
{
    const size_t all = ur_run_samples(run), wanted = ur_run_kind(run)->samples;
    const size_t count = all < wanted ? all : wanted;
    ur_context *context = ur_run_assets(run)->context;
    for (size_t i = 1; i <= count; i++) {
        ur_prediction p = {.text = NULL};
        ur_err err;
        const size_t index = (size_t)((double)all * (double)i / (double)count) - 1;
        if (ur_run_sample(run, index, &p, &err) != UR_OK)
            return say_error(&err);
        print_line("Q", p.input);
        print_line("T", p.target);
        print_line("A", p.text);
        putchar('\n');
        ur_prediction_free(context, &p);
    }
    return flush_output();
}

/* ---- labels -------------------------------------------------------------------------------- */

static int print_scores(ur_run *run)
{
    const ur_kind *kind = ur_run_kind(run);
    void *valid = ur_run_valid_data(run);
    ur_measure measure = {.examples = 0};
    ur_confusion *confusion = NULL;
    ur_err err;
    if (!valid)
        return CODE_OK;
    ur_status status = count_labels(run, false, &confusion, &err);
    if (status == UR_OK)
        status = ur_evaluate_with(ur_run_model(run), valid, &measure, confusion, &err);
    if (status == UR_OK) {
        print_measure(run, &measure);
        print_label_table(ur_run_labels(run), confusion, kind->measured_name);
    }
    ur_confusion_free(ur_context_allocator(ur_run_assets(run)->context), confusion);
    return status == UR_OK ? flush_output() : say_error(&err);
}

/* ---- text ---------------------------------------------------------------------------------- */

/* The beginning of the text that the run learned, in fresh memory; NULL when it cannot be read. */
static char *text_beginning(const ur_run *run, const ur_text_options *text)
{
    const size_t tokens = text->tokenizer == UR_CHARACTERS ? PROMPT_CHARACTERS : PROMPT_WORDS;
    const ur_vocabulary *words = ur_run_vocabulary(run);
    ur_corpus *corpus;
    if (ur_corpus_open(NULL, ur_run_settings_of(run)->data, text, words, tokens, &corpus, NULL) !=
        UR_OK)
        return NULL;
    const ur_ids ids = ur_corpus_ids(corpus);
    const size_t size = ur_text_decode(text, words, -1, ids.ids, ids.length, NULL, 0) + 1;
    char *beginning = malloc(size);
    if (beginning)
        ur_text_decode(text, words, -1, ids.ids, ids.length, beginning, size);
    ur_corpus_free(corpus);
    return beginning;
}

static int print_text(ur_run *run, const ur_text_options *text, const char *prompt)
{
    ur_writer *writer;
    ur_err err;
    char *beginning = prompt ? NULL : text_beginning(run, text);
    const char *from = prompt ? prompt : beginning ? beginning : "";
    ur_status status = ur_writer_new(run, from, NULL, &writer, &err);
    if (status == UR_OK)
        fputs(ur_writer_prompt(writer), stdout);
    for (size_t i = 0; status == UR_OK && i < SAMPLE_TOKENS; i++) {
        ur_token_written piece;
        status = ur_writer_next(writer, &piece, &err);
        if (status == UR_OK)
            fputs(piece.piece, stdout);
    }
    if (status == UR_OK)
        putchar('\n');
    ur_writer_free(writer);
    free(beginning);
    if (status == UR_OK)
        return flush_output();
    say("%s", err.text); /* a model that cannot write is no failure of its training */
    return status == UR_UNSUPPORTED ? CODE_OK : exit_code(status);
}

int print_samples(ur_run *run, const char *prompt)
{
    const ur_kind *kind = ur_run_kind(run);
    if (kind->writes)
        return print_text(run, kind->writes(ur_run_assets(run)->config), prompt);
    if (kind->has_labels)
        return print_scores(run);
    return kind->sample ? print_examples(run) : CODE_OK;
}
