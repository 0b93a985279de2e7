/* lstm_gru.c - one LSTM or GRU layer in one direction under its own name (torch.nn.LSTM, nn.GRU with
 * num_layers = 1). cell.c does the work, rnn.c makes stacks of such layers. */
#include "nn/nn.h"

ur_lstm_layer ur_lstm_add(ur_params *params, const char *prefix, size_t input_size,
                          size_t hidden_size)
{
    return ur_cell_add(params, prefix, "l0", &ur_cell_lstm, input_size, hidden_size, 0, true);
}

void ur_lstm_init(const ur_lstm_layer *layer, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    ur_cell_init(layer, params, seed);
}

ur_lstm_out ur_lstm(ur_tape *tape, const ur_lstm_layer *layer, ur_seq *x, ur_state initial)
{
    return ur_cell_forward(tape, layer, x, initial);
}

ur_lstm_out ur_lstm_embedded(ur_tape *tape, const ur_lstm_layer *layer,
                             const ur_embedding_layer *embedding, const ur_seq *ids,
                             ur_state initial)
{
    return ur_cell_embedded(tape, layer, embedding, ids, initial);
}

ur_state ur_lstm_step(ur_tape *tape, const ur_lstm_layer *layer, ur_tensor *x, ur_state state)
{
    return ur_cell_single_step(tape, layer, x, state);
}

ur_gru_layer ur_gru_add(ur_params *params, const char *prefix, size_t input_size,
                        size_t hidden_size)
{
    return ur_cell_add(params, prefix, "l0", &ur_cell_gru, input_size, hidden_size, 0, true);
}

void ur_gru_init(const ur_gru_layer *layer, ur_params *params, uint64_t seed)
{
    UR_FPMODE_HERE;
    ur_cell_init(layer, params, seed);
}

ur_rnn_out ur_gru(ur_tape *tape, const ur_gru_layer *layer, ur_seq *x, ur_state initial)
{
    return ur_cell_forward(tape, layer, x, initial);
}

ur_rnn_out ur_gru_embedded(ur_tape *tape, const ur_gru_layer *layer,
                           const ur_embedding_layer *embedding, const ur_seq *ids, ur_state initial)
{
    return ur_cell_embedded(tape, layer, embedding, ids, initial);
}

ur_state ur_gru_step(ur_tape *tape, const ur_gru_layer *layer, ur_tensor *x, ur_state state)
{
    return ur_cell_single_step(tape, layer, x, state);
}
