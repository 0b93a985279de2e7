/* load_weights.c - weights to a safetensors file and back, under the names that PyTorch's
 * state_dict has for torch.nn.LSTM(4, 8) as `lstm` and torch.nn.Linear(8, 2) as `fc`. In Python:
 *     safetensors.torch.save_file(module.state_dict(), "weights.safetensors") */
#include "example.h"

#include <string.h>

typedef struct net {
    ur_params *params;
    ur_lstm_layer lstm;
    ur_linear_layer fc;
} net;

static net new_net(ur_context *context, size_t classes)
{
    net n;
    ur_err err;
    check(ur_params_new(context, &n.params, &err), err.text);
    n.lstm = ur_lstm_add(n.params, "lstm", 4, 8);
    n.fc = ur_linear_add(n.params, "fc", 8, classes, true);
    check(ur_params_seal(n.params, &err), err.text);
    return n;
}

int main(void)
{
    ur_err err;
    ur_context *context;
    char folder[] = "/tmp/unroll-XXXXXX", path[64];
    new_folder(folder);
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    check(ur_context_new(NULL, &context, &err), err.text);
    net a = new_net(context, 2), b = new_net(context, 2), wider = new_net(context, 3);
    ur_lstm_init(&a.lstm, a.params, 1);
    ur_linear_init(&a.fc, a.params, 1);

    check(ur_params_save(a.params, path, &err), err.text);
    check(ur_params_load(b.params, path, "", &err), err.text);
    const size_t bytes = ur_params_size(a.params) * sizeof(float);
    const bool same = memcmp(ur_params_values(a.params), ur_params_values(b.params), bytes) == 0;
    for (size_t i = 0; i < ur_params_count(b.params); i++)
        printf("%-18s %4zu weights\n", ur_params_entry(b.params, i)->name,
               ur_params_entry(b.params, i)->count);
    printf("loaded what was saved: %s\n", same ? "yes" : "no");

    const bool refused = ur_params_load(wider.params, path, "", &err) == UR_BAD_FILE;
    printf("into a net of other shapes: %s\n", refused ? err.text : "loaded");
    remove_folder(folder);
    ur_params_free(a.params);
    ur_params_free(b.params);
    ur_params_free(wider.params);
    ur_context_free(context);
    return same && refused ? 0 : 1;
}
