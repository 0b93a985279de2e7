/* safetensors.h - what reading and writing of safetensors files share. */
#ifndef UR_IO_SAFETENSORS_H
#define UR_IO_SAFETENSORS_H

#include "unroll/io.h"

/* Bytes of a header: the limit of the format's own implementation. */
#define UR_ST_HEADER_LIMIT 100000000u

/* ur_st_write; refused also where `spare` more bytes would make the header too long: of a file that others
 * like it, with somewhat longer headers, are to follow. */
ur_status ur_st_write_sparing(const ur_allocator *a, const char *path, const ur_st_tensor *tensors,
                              size_t n_tensors, const ur_st_pair *metadata, size_t n_metadata,
                              size_t spare, ur_err *err);

#endif
