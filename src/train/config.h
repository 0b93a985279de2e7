/* config.h - a run's configuration as JSON, both ways. */
#ifndef UR_TRAIN_CONFIG_H
#define UR_TRAIN_CONFIG_H

#include "io/json.h"
#include "unroll/train.h"

/* config.json: the model, its text processing, and how it is trained; without settings (NULL) what
 * model.safetensors carries. Fresh text from the allocator. */
ur_status ur_config_print(const ur_allocator *a, const ur_seq2seq_config *config,
                          const ur_run_settings *settings, char **text, ur_err *err);

/* Reads it back; every value is checked. settings may be NULL (then a part that tells of training
 * is passed over); its strings are fresh memory that ur_settings_free releases. */
ur_status ur_config_parse(const ur_allocator *a, const char *name, const char *text, size_t size,
                          ur_seq2seq_config *config, ur_run_settings *settings, ur_err *err);

ur_status ur_settings_copy(const ur_allocator *a, const ur_run_settings *from, ur_run_settings *to,
                           ur_err *err);
void ur_settings_free(const ur_allocator *a, ur_run_settings *settings);

#endif
