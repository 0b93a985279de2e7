/* kinds.h - what the tool does differently for each kind of model. A kind is a const struct in a file
 * of its own, kind_KIND.c, and a line in kinds.c; how it is trained is in train_KIND.c. */
#ifndef CLI_KINDS_H
#define CLI_KINDS_H

#include "cli.h"

/* Texts that unroll predict hands on together. */
enum { MOST_TEXTS = 256 };

typedef struct model_kind {
    const char *name; /* as ur_run_kind has it */
    /* One line on standard error about the data and the model, before training. */
    void (*say_start)(ur_context *context, ur_run *run);
    /* What a trained model does, on standard output; NULL: nothing is shown. */
    int (*print_samples)(ur_context *context, ur_run *run);
    /* unroll eval: what was measured, in lines for people or as one JSON object. */
    void (*print_measure)(ur_run *run, const ur_measure *measure, bool json);
    /* unroll eval where there is more to say than one measure: evaluates on a file and prints. NULL:
     * what was measured is printed by print_measure. */
    ur_status (*evaluate)(ur_context *context, ur_run *run, const char *data, bool json,
                          ur_err *err);
    /* unroll predict: prints what the model makes of each text, `count` <= MOST_TEXTS, and returns
     * an exit code. UR_BAD_FILE in *err, when one cannot be used, comes before anything is printed,
     * its index in *bad (which may be NULL). NULL: it predicts nothing from texts. */
    int (*predict)(ur_run *run, size_t count, const char *const *texts, bool json, size_t *bad,
                   ur_err *err);
} model_kind;

/* The one of that name; there is one for every kind the library has. */
const model_kind *find_kind(const char *name);

#endif
