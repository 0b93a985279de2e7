/* file.h - whole files: read with a limit, replaced atomically. */
#ifndef UR_BASE_FILE_H
#define UR_BASE_FILE_H

#include "unroll/core.h"

/* Reads a whole file into fresh memory (*bytes, *size; one zero byte follows). A file that is not
 * there, is no regular file or is larger than `limit` is UR_BAD_FILE; a failing read is UR_IO.
 * "-" is not special. */
ur_status ur_read_file(const ur_allocator *a, const char *path, size_t limit, char **bytes,
                       size_t *size, ur_err *err);

/* A file being replaced: written beside `path` under a temporary name, and renamed over it by
 * ur_replace_commit after fsync of the file, followed by fsync of the folder. Until then, and
 * whenever anything fails, the old file stays as it was and the temporary one is removed. The new
 * file has the old one's permissions. A symbolic link is replaced itself, not what it points to;
 * anything but a regular file is refused. Failures are UR_IO (or UR_NO_MEMORY), naming the path. */
typedef struct ur_replace ur_replace;

ur_status ur_replace_begin(const ur_allocator *a, const char *path, ur_replace **out, ur_err *err);
ur_status ur_replace_write(ur_replace *r, const void *bytes, size_t size, ur_err *err);
ur_status ur_replace_commit(ur_replace *r, ur_err *err); /* releases r, also on failure */
void ur_replace_abort(ur_replace *r);                    /* accepts NULL */

/* begin, write, commit in one. */
ur_status ur_replace_file(const ur_allocator *a, const char *path, const void *bytes, size_t size,
                          ur_err *err);

/* Removes the temporary files that ended processes of this machine, or this one before it was killed and
 * its number given again, left in a folder. Nobody must be replacing files there. */
void ur_remove_temporaries(const ur_allocator *a, const char *folder);

/* Makes a folder and the missing ones above it; finds out whether files can be made inside. */
ur_status ur_make_folder(const ur_allocator *a, const char *path, ur_err *err);

#endif
