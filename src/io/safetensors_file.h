/* safetensors_file.h - what an open safetensors file is, for the files that read it: one opens and
 * checks (safetensors_open.c), one converts elements (safetensors_read.c). */
#ifndef UR_IO_SAFETENSORS_FILE_H
#define UR_IO_SAFETENSORS_FILE_H

#include <stdio.h>

#include "unroll/io.h"

struct json_t;

struct ur_st {
    const ur_allocator *allocator;
    char *path;                 /* for messages */
    FILE *file;                 /* where bytes come from: this, */
    const unsigned char *bytes; /* or the caller's memory */
    uint64_t size;              /* of the whole file */
    uint64_t data_start;        /* 8 + the header's length */
    struct json_t *header;      /* owns every string below */
    ur_st_info *tensors;
    size_t count;
    ur_st_pair *metadata;
    size_t metadata_count;
};

/* `n` bytes from `offset`, both inside the file; a file that fails or has shrunk is UR_IO. */
ur_status ur_st_bytes_at(ur_st *st, uint64_t offset, void *out, size_t n, ur_err *err);

#endif
