/* file.h - files: read whole with a limit or in pieces, replaced atomically, added to; folders.
 *
 * Failures are UR_IO with the path and the system's reason, or UR_NO_MEMORY where the system says that it has
 * none; calls that a signal interrupted are made again. */
#ifndef UR_BASE_FILE_H
#define UR_BASE_FILE_H

#include "unroll/core.h"

/* Reads a whole file into fresh memory (*bytes, *size; one zero byte follows). A file that is not
 * there, is no regular file or is larger than `limit` is UR_BAD_FILE; a failing read is UR_IO.
 * "-" is not special. */
ur_status ur_read_file(const ur_allocator *a, const char *path, size_t limit, char **bytes,
                       size_t *size, ur_err *err);

/* An open file that is read in pieces, at any place, and does not change meanwhile. Errors as ur_read_file's. */
ur_status ur_file_open(const char *path, int *fd, uint64_t *size, ur_err *err);
/* UR_IO also where the file has fewer bytes. */
ur_status ur_file_read(int fd, const char *path, uint64_t offset, void *bytes, size_t size,
                       ur_err *err);
void ur_file_close(int fd);

/* Adds bytes to the end of a file, which is made where it is not there. */
ur_status ur_append_file(const char *path, const void *bytes, size_t size, ur_err *err);

/* What stands at a path. UR_IO: nobody can tell. */
typedef enum ur_there { UR_NOTHING_THERE, UR_FILE_THERE, UR_FOLDER_THERE } ur_there;
ur_status ur_look(const char *path, ur_there *out, ur_err *err);

/* Calls `each` with every name in a folder but . and .. (none where there is no folder), until it returns
 * false. UR_IO: the folder cannot be read. */
ur_status ur_list_folder(const char *folder, bool (*each)(void *user, const char *name), void *user,
                         ur_err *err);

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
