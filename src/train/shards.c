/* shards.c - shards of a batch, and the fixed binary tree that adds their gradients.
 *
 * The cut depends on the batch and the model alone and the tree on the number of shards alone, so the sums are
 * the same whichever thread does what. */
#include "train/shards.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

size_t ur_most_shards(size_t batch)
{
    size_t shards = 1;
    while (shards <= batch / 2)
        shards *= 2;
    return shards;
}

size_t ur_shard_count(size_t batch, size_t steps, size_t parameters)
{
    const size_t most = ur_most_shards(batch);
    const bool small = parameters <= UR_SMALL_PARAMETERS;
    size_t shards = 1;
    while (shards < most &&
           (shards * UR_SHARD_ROWS < batch || shards < steps / UR_SHARD_STEPS ||
            (shards == steps / UR_SHARD_STEPS && steps % UR_SHARD_STEPS) ||
            (small && shards < UR_FEW_SHARDS && shards * UR_SMALL_SHARD_ROWS < batch)))
        shards *= 2;
    return shards;
}

size_t ur_shard_begin(size_t batch, size_t shards, size_t s)
{
    return batch / shards * s + batch % shards * s / shards;
}

void ur_shard_deal(size_t batch, size_t shards, size_t *items, size_t *spare)
{
    if (shards < 2 || shards > UR_FEW_SHARDS)
        return;
    size_t longest = 0, shortest = batch, at = 0;
    for (size_t s = 0; s < shards; s++) {
        const size_t n = ur_shard_begin(batch, shards, s + 1) - ur_shard_begin(batch, shards, s);
        const size_t half = n / 2;
        memcpy(spare + at, items + longest, (n - half) * sizeof *items);
        longest += n - half;
        shortest -= half;
        memcpy(spare + at + n - half, items + shortest, half * sizeof *items);
        at += n;
    }
    memcpy(items, spare, batch * sizeof *items);
}

struct ur_fold {
    ur_context *context;
    size_t size;
    pthread_mutex_t lock;
    size_t most, shards;
    float **waiting; /* (2*most) node i of the level with n nodes stands at n + i, like a heap */
    float **spare;   /* (most) vectors not in use */
    size_t spares;
};

ur_status ur_fold_new(ur_context *context, size_t size, size_t most, ur_fold **out, ur_err *err)
{
    const ur_allocator *a = &context->allocator;
    *out = NULL;
    ur_fold *f = ur_alloc_zero(a, 1, sizeof *f);
    if (!f)
        return ur_no_memory(err, sizeof *f);
    f->context = context;
    f->size = size;
    f->most = most;
    f->waiting = ur_alloc_zero(a, 2 * most, sizeof *f->waiting);
    f->spare = ur_alloc_zero(a, most, sizeof *f->spare);
    if (!f->waiting || !f->spare || pthread_mutex_init(&f->lock, NULL) != 0) {
        ur_free(a, f->waiting);
        ur_free(a, f->spare);
        ur_free(a, f);
        return ur_no_memory(err, 2 * most * sizeof *f->waiting);
    }
    *out = f;
    return UR_OK;
}

void ur_fold_rest(ur_fold *f)
{
    ur_fold_start(f, 1);
    while (f->spares)
        f->context->device.release(f->context->device.user, f->spare[--f->spares]);
}

void ur_fold_free(ur_fold *f)
{
    if (!f)
        return;
    const ur_allocator *a = &f->context->allocator;
    ur_fold_rest(f);
    pthread_mutex_destroy(&f->lock);
    ur_free(a, f->waiting);
    ur_free(a, f->spare);
    ur_free(a, f);
}

void ur_fold_start(ur_fold *f, size_t shards)
{
    for (size_t i = 0; i < 2 * f->most; i++)
        if (f->waiting[i]) {
            f->spare[f->spares++] = f->waiting[i];
            f->waiting[i] = NULL;
        }
    f->shards = shards;
}

/* left += right, by the team (NULL: the caller alone). */
static void add(const ur_fold *f, ur_team *team, const float *right, float *left)
{
    const ur_context *c = f->context;
    c->backend->add(&(ur_executor){c->backend, c->kernels, team, NULL}, f->size, right, left);
}

/* On the device. */
static float *new_vector(const ur_fold *f)
{
    const ur_allocator *device = &f->context->device;
    return device->allocate(device->user, f->size * sizeof(float));
}

float *ur_fold_take(ur_fold *f)
{
    pthread_mutex_lock(&f->lock);
    float *x = f->spares ? f->spare[--f->spares] : new_vector(f);
    pthread_mutex_unlock(&f->lock);
    return x;
}

void ur_fold_give(ur_fold *f, size_t s, float *x)
{
    size_t node = f->shards + s;
    pthread_mutex_lock(&f->lock);
    while (node > 3 && f->waiting[node ^ 1]) {
        float *other = f->waiting[node ^ 1];
        f->waiting[node ^ 1] = NULL;
        pthread_mutex_unlock(&f->lock);
        float *left = node & 1 ? other : x, *right = node & 1 ? x : other;
        add(f, NULL, right, left);
        pthread_mutex_lock(&f->lock);
        f->spare[f->spares++] = right;
        x = left;
        node /= 2;
    }
    f->waiting[node] = x;
    pthread_mutex_unlock(&f->lock);
}

float *ur_fold_sum(ur_fold *f, ur_team *team)
{
    float **node = f->waiting;
    if (f->shards > 1 && !node[1] && node[2] && node[3]) {
        add(f, team, node[3], node[2]);
        f->spare[f->spares++] = node[3];
        node[1] = node[2];
        node[2] = node[3] = NULL;
    }
    return node[1];
}
