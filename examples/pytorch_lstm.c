/* pytorch_lstm.c - a PyTorch LSTM's weights in a C program. In Python, once:
 *     safetensors.torch.save_file(model.state_dict(), "model.safetensors")
 * or tools/import_pt.py on a .pt file. Here the program writes such a file itself: a model whose
 * `encoder.rnn` is torch.nn.LSTM(4, 8), among other layers. */
#include "example.h"

static float data[4 * 8 * 8]; /* of every tensor: as many numbers of this as it needs */

static void write_model(const char *path)
{
    const size_t ih[] = {4 * 8, 4}, hh[] = {4 * 8, 8}, bias[] = {4 * 8}, fc[] = {2, 8};
    const ur_st_tensor tensors[] = {
        {"encoder.rnn.weight_ih_l0", UR_ST_F32, 2, ih, data},
        {"encoder.rnn.weight_hh_l0", UR_ST_F32, 2, hh, data},
        {"encoder.rnn.bias_ih_l0", UR_ST_F32, 1, bias, data},
        {"encoder.rnn.bias_hh_l0", UR_ST_F32, 1, bias, data},
        {"decoder.weight", UR_ST_F32, 2, fc, data},
    };
    ur_err err;
    for (int i = 0; i < 4 * 8 * 8; i++)
        data[i] = (float)(i * 37 % 101 - 50) / 100;
    check(ur_st_write(NULL, path, tensors, 5, NULL, 0, &err), err.text);
}

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    ur_rnn_stack lstm;
    char folder[] = "/tmp/unroll-XXXXXX", path[64];
    new_folder(folder);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    write_model(path);
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    const ur_rnn_config config = {
        .cell = "lstm", .input_size = 4, .hidden_size = 8, .num_layers = 1};
    check(ur_rnn_add(params, "", &config, &lstm, &err), err.text);
    check(ur_params_seal(params, &err), err.text);
    check(ur_params_load(params, path, "encoder.rnn.", &err), err.text);
    remove_folder(folder);

    const float x[3 * 4] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f, 1.0f, 1.1f, 1.2f};
    check(ur_tape_new(context, &tape, &err), err.text);
    ur_tape_start(tape, UR_INFER, params, NULL, 0, 0);
    const ur_layout *three_steps = ur_new_layout(tape, UR_STEP_MAJOR, 1, (size_t[]){3}, NULL);
    ur_seq *in = ur_seq_floats(tape, three_steps, 4, x, false);
    const ur_rnn_out out = ur_rnn(tape, &lstm, in, (ur_state){0});
    check(ur_tape_status(tape), ur_error(tape));
    for (int i = 0; i < 8; i++)
        printf("%8.5f%s", (double)ur_floats(out.h_n)[i], i < 7 ? " " : "\n");
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
}
