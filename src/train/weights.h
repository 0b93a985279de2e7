/* weights.h - parameters in safetensors files, with what travels beside them. */
#ifndef UR_TRAIN_WEIGHTS_H
#define UR_TRAIN_WEIGHTS_H

#include "unroll/io.h"
#include "unroll/train.h"

/* Names that begin so are a checkpoint's own and no weights. */
#define UR_CHECKPOINT_PREFIX "trainer."

/* All parameters, then `more` tensors, with metadata. values: a vector in place of the parameters' own
 * (NULL). spare: see ur_st_write_sparing. */
ur_status ur_weights_write(const ur_allocator *a, const ur_params *params, const float *values,
                           const char *path, const ur_st_tensor *more, size_t n_more,
                           const ur_st_pair *metadata, size_t n_metadata, size_t spare,
                           ur_err *err);

/* Fills the parameters from an open file, strictly, under a prefix (see ur_params_load); tensors
 * of a checkpoint's own are passed over. Parameters that are not sealed yet get their memory once the file's
 * shapes fit. */
ur_status ur_weights_read(ur_params *params, ur_st *st, const char *path, const char *prefix,
                          ur_err *err);
/* Likewise as ur_params_load_part. */
ur_status ur_weights_load(ur_params *params, const char *path, const ur_load_options *options,
                          ur_err *err);

/* The same for inference alone, into parameters that are not sealed yet: they become what
 * ur_params_seal_packed makes of them (on a device apart: what ur_params_seal does), each weight being packed
 * from the file, by all threads. At no time is there more in memory than the model and a matrix for each
 * thread. Nothing of the file is needed afterwards; it is read, not mapped, since a mapped file that somebody
 * shortens ends the process. After an error while reading they are good for ur_params_free alone. */
ur_status ur_weights_load_packed(ur_params *params, const char *path,
                                 const ur_load_options *options, ur_err *err);

/* Whether ur_weights_read would; tell (or NULL) hears of every fault. */
ur_status ur_weights_check(const ur_params *params, ur_st *st, const char *path, const char *prefix,
                           void (*tell)(void *user, const char *fault), void *user, ur_err *err);

#endif
