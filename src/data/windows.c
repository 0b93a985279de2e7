/* windows.c - a long text, cut into windows for truncated back-propagation.
 *
 *   sequential   stream b of s = floor((n - offset - 1) / B) tokens begins at offset + b s;
 *                window k B + b begins at its token k T
 *   random       window w begins at offset + place[w] T, place a permutation
 * An epoch is made from (seed, epoch) alone, so that a resumed one is the same. */
#include "unroll/text.h"

#include "base/alloc.h"
#include "base/philox.h"
#include "base/status.h"
#include "base/streams.h"

enum { MOST_BATCH = 1 << 20, MOST_STEPS = 1 << 20 };

struct ur_windows {
    const ur_allocator *allocator;
    ur_ids text;
    ur_window_options options;
    size_t offset, stream; /* stream: tokens of each, sequential */
    size_t count;
    size_t *place; /* (windows without offset) random */
};

/* Tokens that a batch takes at the least, from the largest offset on. */
static size_t least_tokens(const ur_window_options *o)
{
    if (o->sampling == UR_SAMPLING_RANDOM)
        return (o->keep_tail ? 1 : o->batch) * o->bptt + (o->bptt - 1) + 1;
    return o->batch * (o->keep_tail ? 1 : o->bptt) + o->bptt + 1;
}

static ur_status check(ur_ids text, const ur_window_options *o, ur_err *err)
{
    if ((unsigned)o->sampling > UR_SAMPLING_RANDOM)
        return ur_fail(err, UR_INVALID, "windows: there is no sampling %d", (int)o->sampling);
    if (o->batch < 1 || o->batch > MOST_BATCH)
        return ur_fail(err, UR_INVALID, "windows: a batch of %zu, 1 to %d expected", o->batch,
                       MOST_BATCH);
    if (o->bptt < 1 || o->bptt > MOST_STEPS)
        return ur_fail(err, UR_INVALID, "windows: %zu steps, 1 to %d expected", o->bptt,
                       MOST_STEPS);
    if (text.length < least_tokens(o))
        return ur_fail(err, UR_INVALID,
                       "the text has %zu tokens, but one batch of %zu windows of %zu steps takes "
                       "%zu, its random start included; a smaller batch or shorter windows take "
                       "fewer",
                       text.length, o->batch, o->bptt, least_tokens(o));
    return UR_OK;
}

/* The epoch that begins at `offset`, unshuffled. */
static void cut(ur_windows *w, size_t offset)
{
    const ur_window_options *o = &w->options;
    const size_t tokens = w->text.length - offset - 1;
    w->offset = offset;
    if (o->sampling == UR_SAMPLING_RANDOM) {
        const size_t windows = tokens / o->bptt;
        w->count = o->keep_tail ? windows : windows / o->batch * o->batch;
        for (size_t i = 0; i < windows; i++)
            w->place[i] = i;
        return;
    }
    w->stream = tokens / o->batch;
    const size_t tail = o->keep_tail && w->stream % o->bptt > 0;
    w->count = (w->stream / o->bptt + tail) * o->batch;
}

ur_status ur_windows_new(const ur_allocator *a, ur_ids text, const ur_window_options *options,
                         ur_windows **out, ur_err *err)
{
    *out = NULL;
    const ur_status status = check(text, options, err);
    if (status != UR_OK)
        return status;
    ur_windows *w = ur_alloc_zero(a, 1, sizeof *w);
    if (!w)
        return ur_no_memory(err, sizeof *w);
    *w = (ur_windows){.allocator = a, .text = text, .options = *options};
    if (options->sampling == UR_SAMPLING_RANDOM) {
        const size_t most = (text.length - 1) / options->bptt;
        w->place = ur_alloc(a, most, sizeof *w->place);
        if (!w->place) {
            ur_windows_free(w);
            return ur_no_memory(err, most * sizeof *w->place);
        }
    }
    cut(w, 0);
    *out = w;
    return UR_OK;
}

void ur_windows_free(ur_windows *w)
{
    if (!w)
        return;
    const ur_allocator *a = w->allocator;
    ur_free(a, w->place);
    ur_free(a, w);
}

size_t ur_windows_start(ur_windows *w, uint64_t seed, uint64_t epoch)
{
    const ur_window_options *o = &w->options;
    const bool random = o->sampling == UR_SAMPLING_RANDOM;
    ur_random r = ur_random_start(seed, UR_STREAM_WINDOWS + epoch);
    cut(w, (size_t)ur_random_below(&r, random ? o->bptt : o->bptt + 1));
    if (random) /* all of them, so that another part is dropped every time */
        ur_random_shuffle(&r, w->place, (w->text.length - w->offset - 1) / o->bptt);
    return w->count;
}

size_t ur_windows_count(const ur_windows *w)
{
    return w->count;
}

ur_window ur_windows_at(const ur_windows *w, size_t number)
{
    const ur_window_options *o = &w->options;
    if (number >= w->count)
        return (ur_window){NULL, 0, 0};
    const int32_t *text = w->text.ids + w->offset;
    if (o->sampling == UR_SAMPLING_RANDOM)
        return (ur_window){text + w->place[number] * o->bptt, o->bptt, 0};
    const size_t stream = number % o->batch, begin = number / o->batch * o->bptt;
    const size_t left = w->stream - begin;
    return (ur_window){text + stream * w->stream + begin, left < o->bptt ? left : o->bptt, stream};
}
