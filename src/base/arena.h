/* arena.h - memory that is given back all at once.
 *
 * An arena hands out 64-byte aligned pieces of large chunks. A mark remembers a place; rewinding
 * to it releases everything handed out since. Reset releases all; if the last round needed several
 * chunks they are replaced by one that holds them all, so that a loop whose rounds need the same
 * memory stops calling the allocator after its second round. */
#ifndef UR_BASE_ARENA_H
#define UR_BASE_ARENA_H

#include "unroll/core.h"

typedef struct ur_arena ur_arena;

/* A place in an arena. */
typedef struct ur_mark {
    void *chunk;
    size_t used;
} ur_mark;

ur_status ur_arena_new(const ur_allocator *a, ur_arena **out, ur_err *err);
/* One whose pieces are memory of a device, which the host cannot look at (nor take_zero clear). */
ur_status ur_arena_new_on(const ur_allocator *a, const ur_allocator *device, ur_arena **out,
                          ur_err *err);
void ur_arena_free(ur_arena *arena);

/* `count` elements of `size` bytes, 64-byte aligned, uninitialised; NULL when memory ran out or
 * the product overflows. */
void *ur_arena_take(ur_arena *arena, size_t count, size_t size);
void *ur_arena_take_zero(ur_arena *arena, size_t count, size_t size);

/* Rewinding keeps the chunks for what is taken next. A mark is void after a reset, and after a
 * rewind to an earlier mark. */
ur_mark ur_arena_mark(const ur_arena *arena);
void ur_arena_rewind(ur_arena *arena, ur_mark mark);
void ur_arena_reset(ur_arena *arena);
/* A reset that gives all memory back; the next take asks for as much again, at once. */
void ur_arena_rest(ur_arena *arena);

/* Bytes held from the allocator. */
size_t ur_arena_held(const ur_arena *arena);

#endif
