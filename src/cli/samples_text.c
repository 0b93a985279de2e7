/* samples_text.c - text that language models write. */
#include "samples_text.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_TOKENS = 50, PROMPT_CHARACTERS = 14, PROMPT_WORDS = 3 };

static const ur_language_model_config *config_of(ur_run *run)
{
    return ur_language_model_config_of(ur_run_model(run));
}

/* ---- prompts ------------------------------------------------------------------------------- */

/* What an empty prompt stands for. */
static int32_t empty_prompt(const writer *w)
{
    const ur_vocabulary *v = ur_run_vocabulary(w->run);
    int32_t id = ur_vocabulary_find_reserved(v, "eos");
    if (id < 0)
        id = ur_vocabulary_find(v, "\n", 1);
    for (int32_t i = 0; id < 0; i++)
        if (!ur_vocabulary_is_reserved(v, i))
            id = i;
    return id;
}

/* Bytes of the first word of a text, or of its first character. */
static size_t first_part(const char *text, bool character)
{
    size_t n = strcspn(text, " \t\r\n");
    uint32_t unused;
    return character || n == 0 ? ur_utf8_decode(text, strlen(text), &unused) : n;
}

/* The words of a prompt (characters, for a model of characters) that are <unk> to the model. */
static void say_unknown(const writer *w, const char *prompt, size_t count)
{
    char list[200] = "";
    size_t used = 0;
    for (size_t n; *prompt; prompt += n) {
        int32_t ids[UR_TOKEN_LONGEST];
        size_t tokens, unknown = 0;
        n = first_part(prompt, w->text->tokenizer == UR_CHARACTERS);
        if (n == 0)
            break;
        const bool fits = n <= UR_TOKEN_LONGEST && used + n + 8 < sizeof list;
        if (fits && strncmp(prompt, "<unk>", n) != 0 &&
            ur_text_encode(w->text, ur_run_vocabulary(w->run), prompt, n, ids, &tokens, &unknown,
                           NULL) == UR_OK &&
            unknown > 0)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s'%.*s'", used ? ", " : "",
                                     (int)n, prompt);
    }
    if (used)
        say("%zu of the prompt's tokens are unknown to the model and read as <unk>: %s", count,
            list);
}

static int read_ids(writer *w, ur_ids ids, bool print)
{
    const ur_vocabulary *vocabulary = ur_run_vocabulary(w->run);
    ur_err err;
    if (ur_generator_read(w->generator, ids, &err) != UR_OK)
        return say_error(&err);
    for (size_t i = 0; print && i < ids.length; w->previous = ids.ids[i++]) {
        char piece[UR_PIECE_LONGEST];
        ur_text_piece(w->text, vocabulary, w->previous, ids.ids[i], piece, sizeof piece);
        fputs(piece, stdout);
    }
    return print ? flush_output() : CODE_OK;
}

static int read_prompt(writer *w, const char *prompt, bool print)
{
    const size_t bytes = strlen(prompt);
    size_t unknown = 0;
    int32_t *ids = malloc((bytes + 1) * sizeof *ids);
    ur_ids read = {.ids = ids};
    ur_err err;
    int code = CODE_OK;
    if (!ids)
        return say_no_memory();
    if (ur_text_encode(w->text, ur_run_vocabulary(w->run), prompt, bytes, ids, &read.length,
                       &unknown, &err) != UR_OK) {
        say("the prompt: %s", err.text);
        code = exit_code(err.status);
    } else {
        if (unknown)
            say_unknown(w, prompt, unknown);
        print = print && read.length > 0;
        if (read.length == 0)
            ids[read.length++] = empty_prompt(w);
        code = read_ids(w, read, print);
    }
    free(ids);
    return code;
}

int writer_start(ur_context *context, ur_run *run, const char *prompt,
                 const ur_search_options *choice, bool quiet, writer *w)
{
    ur_err err;
    *w = (writer){.run = run, .text = &config_of(run)->text.options, .previous = -1};
    if (ur_generator_new(context, ur_run_model(run), choice, &w->generator, &err) != UR_OK)
        return say_error(&err);
    const int code = read_prompt(w, prompt, !quiet);
    if (code != CODE_OK)
        writer_end(w);
    return code;
}

void writer_end(writer *w)
{
    ur_generator_free(w->generator);
    w->generator = NULL;
}

int writer_next(writer *w, int32_t *id, double *log_probability, char *piece)
{
    ur_err err;
    if (ur_generator_write(w->generator, id, log_probability, &err) != UR_OK)
        return say_error(&err);
    ur_text_piece(w->text, ur_run_vocabulary(w->run), w->previous, *id, piece, UR_PIECE_LONGEST);
    w->previous = *id;
    return CODE_OK;
}

/* ---- after training ------------------------------------------------------------------------- */

/* The beginning of the text that the run learned, in fresh memory; NULL when it cannot be read. */
static char *text_beginning(ur_run *run)
{
    const ur_text_options *text = &config_of(run)->text.options;
    const size_t tokens = text->tokenizer == UR_CHARACTERS ? PROMPT_CHARACTERS : PROMPT_WORDS;
    ur_corpus *corpus;
    if (ur_corpus_open(NULL, ur_run_settings_of(run)->data, text, ur_run_vocabulary(run), tokens,
                       &corpus, NULL) != UR_OK)
        return NULL;
    const ur_ids ids = ur_corpus_ids(corpus);
    const size_t size =
        ur_text_decode(text, ur_run_vocabulary(run), -1, ids.ids, ids.length, NULL, 0) + 1;
    char *beginning = malloc(size);
    if (beginning)
        ur_text_decode(text, ur_run_vocabulary(run), -1, ids.ids, ids.length, beginning, size);
    ur_corpus_free(corpus);
    return beginning;
}

static int print_sample(ur_context *context, ur_run *run, const char *prompt)
{
    writer w;
    char *beginning = prompt ? NULL : text_beginning(run);
    const char *from = prompt ? prompt : beginning ? beginning : "";
    int code = writer_start(context, run, from, NULL, false, &w);
    for (size_t i = 0; code == CODE_OK && i < SAMPLE_TOKENS; i++) {
        char piece[UR_PIECE_LONGEST];
        int32_t id;
        code = writer_next(&w, &id, NULL, piece);
        if (code == CODE_OK)
            fputs(piece, stdout);
    }
    if (code == CODE_OK) {
        putchar('\n');
        code = flush_output();
        writer_end(&w);
    }
    free(beginning);
    return code;
}

int print_sample_text(const settings *s)
{
    int code;
    ur_run *run;
    ur_err err;
    ur_context *context = open_context(s->threads, &code);
    if (!context)
        return code;
    if (ur_run_open(context, s->out, &run, &err) != UR_OK) {
        code = say_error(&err);
    } else {
        if (strcmp(ur_run_kind(run), "language_model") == 0 && !config_of(run)->bidirectional)
            code = print_sample(context, run, s->prompt);
        ur_run_free(run);
    }
    ur_context_free(context);
    return code;
}
