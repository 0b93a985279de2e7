/* bpe.h - a file of merges as bytes in memory. */
#ifndef UR_TEXT_BPE_H
#define UR_TEXT_BPE_H

#include "unroll/bpe.h"

/* What a file's bytes hold; `name` names the file in messages. */
ur_status ur_bpe_parse(const ur_allocator *a, const char *name, const char *bytes, size_t size,
                       ur_bpe **out, ur_err *err);

/* The bytes that its file holds, in fresh memory, and a zero byte after them. */
ur_status ur_bpe_print(const ur_bpe *bpe, char **bytes, size_t *size, ur_err *err);

/* What merge number i makes: bytes of the symbol, which has </w> behind it where it ends words. */
const char *ur_bpe_made(const ur_bpe *bpe, size_t i, size_t *bytes);

#endif
