/* config.h - a run's configuration as JSON, both ways. What tells of the model is the business of
 * its kind (task.h). */
#ifndef UR_TRAIN_CONFIG_H
#define UR_TRAIN_CONFIG_H

#include "io/json.h"
#include "unroll/train.h"

typedef struct ur_task ur_task;

/* config.json: the model, its text processing, and how it is trained; without settings (NULL) what
 * model.safetensors carries. Fresh text from the allocator. */
ur_status ur_config_print(const ur_allocator *a, const ur_task *task, const void *config,
                          const ur_run_settings *settings, char **text, ur_err *err);

/* Reads it back; every value is checked. *config: the kind's struct in fresh memory, which
 * ur_free releases. settings may be NULL (then a part that tells of training is passed over); its
 * strings are fresh memory that ur_settings_free releases. */
ur_status ur_config_parse(const ur_allocator *a, const char *name, const char *text, size_t size,
                          const ur_task **task, void **config, ur_run_settings *settings,
                          ur_err *err);

ur_status ur_settings_copy(const ur_allocator *a, const ur_run_settings *from, ur_run_settings *to,
                           ur_err *err);
void ur_settings_free(const ur_allocator *a, ur_run_settings *settings);

/* The part that tells of training (config_training.c). */
void ur_settings_print(ur_json_writer *w, const ur_run_settings *settings);
ur_status ur_settings_parse(const ur_allocator *a, const ur_json_value *object,
                            ur_run_settings *settings, ur_err *err);

/* ---- reading members one after the other ----------------------------------------------------- */

/* The first failure stays in `status`; after it the functions give the least there can be. */
typedef struct ur_reader {
    ur_json_value object;
    ur_status status;
    ur_err *err;
} ur_reader;

int64_t ur_read_whole(ur_reader *r, const char *key, int64_t least, int64_t most);
double ur_read_real(ur_reader *r, const char *key, double least, double most);
bool ur_read_truth(ur_reader *r, const char *key);
/* The index of one of `n` words. */
int ur_read_choice(ur_reader *r, const char *key, const char *const *words, size_t n);
/* Whether there is such a member. */
bool ur_read_has(const ur_reader *r, const char *key);
/* Insists on no other keys than these `n`. */
void ur_read_only(ur_reader *r, const char *const *keys, size_t n);

#define UR_COUNT(x) (sizeof(x) / sizeof *(x))

#endif
