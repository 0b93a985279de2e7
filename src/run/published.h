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
    bool masked_words; /* with the head for them; UR_BAD_FILE: there is none */
    bool inference; /* the weights in the form that inference reads alone (ur_params_seal_packed) */
    bool heads;     /* with those of pretraining, as far as they are there */
    const ur_json *config; /* the folder's config.json where it was read already, or NULL */
} ur_published_options;

/* What tokenizer_config.json calls the special tokens. */
extern const char *const ur_special_keys[UR_SPECIALS];

/* FOLDER/config.json; *out NULL: there is none that can be read, of which who opens the folder says why. */
ur_status ur_published_config(const ur_allocator *a, const char *folder, ur_json **out,
                              ur_err *err);
/* Whether it (or NULL) is one of transformers', and no run's. */
bool ur_published_is(const ur_json *config);

ur_status ur_published_open(ur_context *context, const char *folder,
                            const ur_published_options *options, ur_remarks *remarks,
                            ur_published *out, ur_err *err);
void ur_published_free(ur_published *published);

/* ---- its parts --------------------------------------------------------------------------------- */

/* Whether config.json, vocab.txt and model.safetensors are there. */
ur_status ur_published_check_files(const ur_allocator *a, const char *folder, ur_err *err);

/* How the tokenizer cuts, as tokenizer_config.json says; to be freed whatever it returns. */
typedef struct ur_published_settings {
    ur_wordpiece_options options; /* its strings are the document's */
    size_t longest;               /* 0: it says nothing */
    ur_json *document;            /* NULL: there is no such file */
    const char **more;            /* (options.n_more) */
    size_t capacity;
} ur_published_settings;
ur_status ur_published_read_settings(const ur_allocator *a, const char *folder,
                                     ur_published_settings *out, ur_err *err);
void ur_published_free_settings(const ur_allocator *a, ur_published_settings *settings);
ur_status ur_published_vocabulary(const ur_allocator *a, const char *folder,
                                  const ur_published_settings *settings, ur_wordpiece **out,
                                  ur_err *err);

/* What a file of weights has. */
typedef struct ur_published_weights {
    char prefix[64];          /* before BertModel's names */
    const char *head;         /* before those of heads */
    bool pooler, words, next; /* words, next: the heads of pretraining */
    size_t outputs;           /* rows of HEAD.weight; 0: there is none */
} ur_published_weights;
ur_status ur_published_look(const ur_allocator *a, const char *folder, const char *head,
                            ur_published_weights *out, ur_err *err);
/* Into a model with a linear layer of the name `head`, whose BertModel's names stand behind "bert.". `file` is what
 * ur_published_look found. with: with that layer; else it, and a pooler that is not there, stay as they are. */
ur_status ur_published_load(const ur_allocator *a, ur_params *params, const char *folder,
                            const ur_published_weights *file, const char *head, bool with,
                            ur_err *err);

/* FOLDER/PART/NAME ("" as PART: FOLDER/NAME), where there is such a file: its JSON. *out NULL: there is
 * none. */
ur_status ur_published_json(const ur_allocator *a, const char *folder, const char *part,
                            const char *name, ur_json **out, ur_err *err);

/* A member of an object, which stays as it is where the member is missing or null. */
ur_status ur_published_bool(const ur_json_value *object, const char *key, bool *out, ur_err *err);
ur_status ur_published_string(const ur_json_value *object, const char *key, const char **out,
                              ur_err *err);

#endif
