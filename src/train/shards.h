/* shards.h - cutting a batch into shards, and adding their gradients in a fixed tree. */
#ifndef UR_TRAIN_SHARDS_H
#define UR_TRAIN_SHARDS_H

#include "base/threads.h"
#include "base/tiny.h"
#include "tape/runner.h"
#include "unroll/core.h"

enum { UR_SMALL_SHARD_ROWS = UR_SIZE(16, 2) };
enum { UR_SMALL_PARAMETERS = UR_SIZE(1 << 20, 500), UR_FEW_SHARDS = UR_SIZE(8, 4) };

/* Shards of a batch whose lengths add up to `steps`: the smallest power of two that leaves at most
 * UR_SHARD_ROWS sequences and, on the average, UR_SHARD_STEPS steps in each; but a shard has at least one
 * sequence, which is never cut. For a model of up to UR_SMALL_PARAMETERS parameters up to UR_FEW_SHARDS,
 * if need be with at most UR_SMALL_SHARD_ROWS in each: more gradients to add cost little there, and a
 * batch of 32 is two shards that two threads train without ever waiting for each other. */
size_t ur_shard_count(size_t batch, size_t steps, size_t parameters);

/* The most that there can be of batches up to this size. */
size_t ur_most_shards(size_t batch);

/* Sequences [begin, end) of a sorted batch that shard `s` of `shards` gets. */
size_t ur_shard_begin(size_t batch, size_t shards, size_t s);

/* Sequences sorted by falling length are put into the order of their shards. Each shard takes its
 * part as it stands; where there are few shards of unequal length, the longest and the shortest go
 * together, half and half, so that threads with one shard each are through at the same time. `spare`
 * has room for `batch`. */
void ur_shard_deal(size_t batch, size_t shards, size_t *items, size_t *spare);

/* Gradient vectors being added up as their shards finish: node i of a level is node 2i plus node
 * 2i+1 of the level below, whoever comes last does the addition; the last of all is left to
 * ur_fold_sum. Few vectors are alive at a time. */
typedef struct ur_fold ur_fold;

/* For vectors of `size` floats and at most `most` shards, a power of two. */
ur_status ur_fold_new(ur_context *context, size_t size, size_t most, ur_fold **out, ur_err *err);
/* Gives back the vectors that no shard uses. */
void ur_fold_rest(ur_fold *fold);
void ur_fold_free(ur_fold *fold);
void ur_fold_start(ur_fold *fold, size_t shards);

/* A vector for a shard's gradient, with anything in it; NULL when memory ran out. Any thread. */
float *ur_fold_take(ur_fold *fold);
/* Shard s is done; `gradient` came from ur_fold_take. Any thread. */
void ur_fold_give(ur_fold *fold, size_t s, float *gradient);

/* The sum over all shards, its last addition shared by the team (NULL: the caller alone); NULL before all
 * are done. Valid until ur_fold_start. */
float *ur_fold_sum(ur_fold *fold, ur_team *team);

#endif
