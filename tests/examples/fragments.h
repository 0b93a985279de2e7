/* fragments.h - names that pieces of C in README and docs/ use without declaring them (tests/tools/c_examples.sh).
 * Where a page's name is of another type, a comment before the piece declares it:
 *     <!-- c: float *x, *y; -->                                                                    */
#include <stdio.h>
#include <unroll.h>

extern ur_context *context;
extern ur_params *params;
extern ur_tape *tape;
extern ur_model *model;
extern const ur_kind *kind;
extern ur_run *run;
extern ur_run_hooks hooks;
extern ur_generator *generator;
extern ur_stream *stream;
extern ur_carry *carry;
extern ur_rnn_config config;
extern ur_rnn_stack stack;
extern ur_lstm_layer lstm;
extern ur_rnn_out out;
extern ur_seq *x;
extern ur_tensor *padded;
extern ur_prediction answers[2], said[2];
extern const char *const *texts;
extern const float *data;
extern float *gradient;
extern const size_t *lengths;
extern size_t count, bad, batch, features, sequences;
extern int32_t unknown, id;
extern ur_ids prompt;
extern uint64_t seed, step;
extern ur_err err;
