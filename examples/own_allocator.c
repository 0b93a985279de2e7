/* own_allocator.c - all memory comes through the caller's hooks; here they count it, and refuse
 * more than a limit, which is an error like any other. */
#include "example.h"

#include <stddef.h>

typedef struct budget {
    size_t used, peak, limit;
} budget;

typedef union block { /* stands before each piece of memory */
    size_t bytes;
    max_align_t align;
} block;

static void *take(void *user, size_t bytes)
{
    budget *b = user;
    block *memory = bytes > b->limit - b->used ? NULL : malloc(sizeof *memory + bytes);
    if (!memory)
        return NULL;
    memory->bytes = bytes;
    b->used += bytes;
    if (b->used > b->peak)
        b->peak = b->used;
    return memory + 1;
}

static void give(void *user, void *memory)
{
    if (memory) {
        ((budget *)user)->used -= ((block *)memory - 1)->bytes;
        free((block *)memory - 1);
    }
}

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_model *model = NULL;
    budget b = {.limit = 1 << 20};
    const ur_allocator hooks = {take, give, &b};
    const ur_options options = {.allocator = &hooks, .threads = 1};
    check(ur_context_new(&options, &context, &err), err.text);
    ur_seq2seq_config config = ur_seq2seq_defaults();
    config.vocabulary = 60;
    config.format = (ur_pair_format){.question_width = 29, .answer_steps = 10, .end = -1};
    const size_t sizes[] = {32, 1024};
    ur_status last = UR_OK;
    for (int i = 0; i < 2; i++) {
        config.hidden_size = sizes[i];
        last = ur_seq2seq_new(context, &config, &model, &err);
        printf("hidden size %zu: %s\n", sizes[i], last == UR_OK ? "made" : err.text);
        ur_model_free(last == UR_OK ? model : NULL);
    }
    ur_context_free(context);
    printf("%zu bytes at most, %zu left over\n", b.peak, b.used);
    return last == UR_NO_MEMORY && b.used == 0 ? 0 : 1;
}
