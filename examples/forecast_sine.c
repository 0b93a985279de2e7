/* forecast_sine.c - the next value of a sine wave by a GRU: a loss of one's own (the mean square error),
 * Adam along half a cosine, early stopping by other waves, the best weights saved and loaded. */
#include "example.h"
#include <math.h>
enum { WAVES = 16, STEPS = 40, MOST_WEIGHTS = 2048 };

/* Waves that begin elsewhere in another set; values 0 .. STEPS - 1 are to predict 1 .. STEPS. */
static ur_tensor *mean_square_error(ur_tape *tape, const ur_gru_layer *gru,
                                    const ur_linear_layer *fc, double set)
{
    float x[WAVES * STEPS], y[WAVES * STEPS];
    size_t length[WAVES];
    for (size_t i = 0; i < WAVES * STEPS; i++) {
        const size_t wave = i / STEPS;
        const double at = 0.3 * (double)(i % STEPS) + (double)wave + set;
        x[i] = (float)sin(at);
        y[i] = (float)sin(at + 0.3);
        length[wave] = STEPS;
    }
    const ur_layout *waves = ur_new_layout(tape, UR_STEP_MAJOR, WAVES, length, NULL);
    ur_rnn_out h = ur_gru(tape, gru, ur_seq_floats(tape, waves, 1, x, false), (ur_state){0});
    ur_seq *guess = ur_linear_seq(tape, fc, h.y), *out = ur_seq_floats(tape, waves, 1, y, false);
    ur_tensor *error = ur_sub(tape, ur_values(guess), ur_values(out));
    return ur_mean(tape, ur_mul(tape, error, error));
}

int main(void)
{
    ur_err err;
    ur_params *params;
    ur_tape *tape;
    ur_optimizer *adam;
    ur_context *context = open_all(&params, &tape);
    const ur_gru_layer gru = ur_gru_add(params, "gru", 1, 16);
    const ur_linear_layer fc = ur_linear_add(params, "fc", 16, 1, true);
    check(ur_params_seal(params, &err), err.text); /* 1,008 floats */
    ur_gru_init(&gru, params, 1);
    ur_linear_init(&fc, params, 1);
    ur_train_options o = ur_train_defaults();
    o.epochs = 400, o.lr = 3e-2, o.schedule = UR_LR_COSINE, o.early_stop = 20;
    check(ur_optimizer_new(params, &o, &adam, &err), err.text);
    ur_schedule_state s = ur_schedule_start(&o);
    for (size_t epoch = 0; epoch < o.epochs && !ur_schedule_ended(&o, &s); epoch++) {
        float gradient[MOST_WEIGHTS] = {0}; /* backward adds to it */
        ur_tape_start(tape, UR_TRAIN, params, gradient, 1, epoch);
        check(ur_backward(tape, mean_square_error(tape, &gru, &fc, 0.0)), ur_error(tape));
        ur_optimizer_step(adam, gradient, ur_schedule_lr(&o, &s, epoch, epoch, 0, 1), 1.0);
        ur_tape_start(tape, UR_INFER, params, NULL, 0, 0);
        const ur_tensor *loss = mean_square_error(tape, &gru, &fc, 0.5);
        check(ur_tape_status(tape), ur_error(tape));
        if (ur_schedule_validated(&o, &s, (double)ur_floats(loss)[0]))
            check(ur_params_save(params, "sine.safetensors", &err), err.text);
    }
    check(ur_params_load(params, "sine.safetensors", "", &err), err.text);
    ur_optimizer_free(adam);
    free_all(context, params, tape);
    printf("mean square error of other waves: %.6f\n", s.least);
    return s.least < 2e-3 ? 0 : 1; /* the first value says little of the second */
}
