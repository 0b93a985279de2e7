/* failing_alloc.c - allocator hooks that fail on request and count blocks. */
#include "support/failing_alloc.h"
#include "support/slow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Stands before every block; as large as the strictest alignment asks. */
typedef union header {
    struct {
        size_t bytes;
        uint64_t magic;
    } of;
    max_align_t align;
} header;

/* Sizes that no machine has are refused here: a sanitizer's malloc would end the program. */
static const size_t most = SIZE_MAX >> (sizeof(size_t) > 4 ? 24 : 1);

static const uint64_t alive = 0x616c6c6f63617465, dead = 0x72656c6561736564;

static void *allocate(void *user, size_t bytes)
{
    failing_alloc *f = user;
    size_t call = atomic_fetch_add(&f->calls, 1) + 1;
    bool fails = f->fail_at && (call == f->fail_at || (f->and_later && call > f->fail_at));
    header *block = fails || bytes > most ? NULL : malloc(sizeof *block + bytes);
    if (!block) {
        atomic_fetch_add(&f->failures, 1);
        return NULL;
    }
    block->of.bytes = bytes;
    block->of.magic = alive;
    atomic_fetch_add(&f->outstanding, 1);
    const size_t now = atomic_fetch_add(&f->bytes, bytes) + bytes;
    for (size_t most_yet = f->most; now > most_yet;)
        if (atomic_compare_exchange_weak(&f->most, &most_yet, now))
            break;
    memset(block + 1, 0xa5, bytes); /* what is not initialised shall not look like zero */
    return block + 1;
}

static void release(void *user, void *memory)
{
    failing_alloc *f = user;
    if (!memory)
        return;
    header *block = (header *)memory - 1;
    if (block->of.magic != alive) {
        atomic_fetch_add(&f->bad_frees, 1);
        return;
    }
    block->of.magic = dead;
    atomic_fetch_sub(&f->outstanding, 1);
    atomic_fetch_sub(&f->bytes, block->of.bytes);
    free(block);
}

void failing_alloc_init(failing_alloc *f, size_t fail_at, bool and_later)
{
    memset(f, 0, sizeof *f);
    f->hooks = (ur_allocator){allocate, release, f};
    f->fail_at = fail_at;
    f->and_later = and_later;
}

/* In a hurry: the first of them all, then every so manieth. */
enum { FIRST = 30, EVERY = 5 };

size_t failing_alloc_sweep(failing_alloc_body *body, void *arg)
{
    size_t refused = 0;
    for (int and_later = 0; and_later < 2; and_later++) {
        for (size_t n = 1;; n += hurry() && n > FIRST ? EVERY : 1) {
            failing_alloc f;
            ur_err err = {UR_OK, ""};
            failing_alloc_init(&f, n, and_later);
            ur_status status = body(&f.hooks, &err, arg);
            if (f.outstanding || f.bad_frees)
                fail_msg("with allocation %zu failing, %zu blocks (%zu bytes) were left, %zu bad "
                         "releases",
                         n, f.outstanding, f.bytes, f.bad_frees);
            if (!f.failures) {
                if (status != UR_OK)
                    fail_msg("undisturbed, the body ended with: %s: %s", ur_status_name(status),
                             err.text);
                break;
            }
            if (status == UR_OK)
                continue;
            if (status != UR_NO_MEMORY || err.status != status || !err.text[0])
                fail_msg("with allocation %zu failing, the body ended with: %s, err: %s: %s", n,
                         ur_status_name(status), ur_status_name(err.status), err.text);
            refused += hurry() && n > FIRST ? EVERY : 1; /* for those that were passed over, too */
        }
    }
    return refused;
}
