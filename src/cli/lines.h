/* lines.h - lines from standard input, and whether another one is there already. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lines {
    char *buffer;
    size_t begin, end, capacity; /* unread bytes: [begin, end) */
    size_t number;               /* of the last line, counted from 1 */
    bool ended;                  /* no more to read */
} lines;

typedef enum line_result {
    LINE_READ,
    LINE_NOT_YET, /* only when not waiting: none is there at the moment */
    LINE_END,
    LINE_FAILED, /* errno tells */
    LINE_TOO_LONG,
    LINE_NO_MEMORY
} line_result;

/* The next line without its line feed or CR LF; *line points into the buffer until the next call
 * and is not closed by a zero byte. wait: block until there is one. */
line_result next_line(lines *in, bool wait, const char **line, size_t *size);
void free_lines(lines *in);

#endif
