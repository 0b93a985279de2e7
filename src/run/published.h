/* published.h - a published BERT's folder: its model and its tokenizer. */
#ifndef UR_RUN_PUBLISHED_H
#define UR_RUN_PUBLISHED_H

#include "io/json.h"
#include "text/remarks.h"
#include "unroll/bert.h"
#include "unroll/wordpiece.h"

typedef struct ur_published {
    ur_model *model;
    ur_wordpiece *wordpiece;
    size_t longest; /* pieces of an input */
} ur_published;

/* What another file than config.json and tokenizer_config.json says; all zero: nothing. */
typedef struct ur_published_options {
    bool lower;     /* in lower case whatever the tokenizer's settings say */
    size_t longest; /* pieces of an input; 0: the tokenizer's model_max_length, or the positions */
} ur_published_options;

ur_status ur_published_open(ur_context *context, const char *folder,
                            const ur_published_options *options, ur_remarks *remarks,
                            ur_published *out, ur_err *err);
void ur_published_free(ur_published *published);

/* FOLDER/PART/NAME ("" as PART: FOLDER/NAME), where there is such a file: its JSON. *out NULL: there is
 * none. */
ur_status ur_published_json(const ur_allocator *a, const char *folder, const char *part,
                            const char *name, ur_json **out, ur_err *err);

/* A member of an object, which stays as it is where the member is missing or null. */
ur_status ur_published_bool(const ur_json_value *object, const char *key, bool *out, ur_err *err);
ur_status ur_published_string(const ur_json_value *object, const char *key, const char **out,
                              ur_err *err);

#endif
