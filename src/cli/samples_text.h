/* samples_text.h - text that language models write: prompts as ids, and pieces as they come. */
#ifndef CLI_SAMPLES_TEXT_H
#define CLI_SAMPLES_TEXT_H

#include "cli.h"

/* A model that writes, and what was written last. */
typedef struct writer {
    ur_run *run;
    const ur_text_options *text;
    ur_generator *generator;
    int32_t previous; /* -1: nothing was printed yet */
} writer;

/* Begins with a prompt, which is printed as the model reads it (not where `quiet`). An empty one stands
 * for the end of a line, or where the model knows none for its most frequent token; that is not
 * printed. Says what is wrong, and which words the model does not know; returns an exit code. */
int writer_start(ur_context *context, ur_run *run, const char *prompt,
                 const ur_search_options *choice, bool quiet, writer *out);
void writer_end(writer *w);

/* The next token: its text as it is to be printed, which needs UR_PIECE_LONGEST bytes. */
int writer_next(writer *w, int32_t *id, double *log_probability, char *piece);

/* After unroll train lm: what the model in s->out writes by itself. */
int print_sample_text(const settings *s);

#endif
