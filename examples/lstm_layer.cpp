// lstm_layer.cpp - the library from C++17: owners that release what they hold, errors as exceptions,
// and an LSTM over two sequences of different lengths.
#include <unroll.h>

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

struct release {
    void operator()(ur_context *x) const { ur_context_free(x); }
    void operator()(ur_params *x) const { ur_params_free(x); }
    void operator()(ur_tape *x) const { ur_tape_free(x); }
};
template <typename T> using owner = std::unique_ptr<T, release>;

// Calls a function that makes an object, make(..., &object, &err), and owns what it made.
template <typename T, typename Make, typename... Arguments>
owner<T> made(Make make, Arguments... arguments)
{
    T *object = nullptr;
    ur_err err{};
    if (make(arguments..., &object, &err) != UR_OK)
        throw std::runtime_error(err.text);
    return owner<T>(object);
}

void check(ur_status status, const ur_err &err)
{
    if (status != UR_OK)
        throw std::runtime_error(err.text);
}

void run()
{
    ur_err err{};
    const auto context = made<ur_context>(ur_context_new, static_cast<const ur_options *>(nullptr));
    const auto params = made<ur_params>(ur_params_new, context.get());
    const ur_lstm_layer lstm = ur_lstm_add(params.get(), "lstm", 3, 4);
    check(ur_params_seal(params.get(), &err), err);
    ur_lstm_init(&lstm, params.get(), 1); // a real program loads weights: ur_params_load

    const auto tape = made<ur_tape>(ur_tape_new, context.get());
    ur_tape_start(tape.get(), UR_INFER, params.get(), nullptr, 0, 0);
    const std::array<std::size_t, 2> lengths{3, 1};
    const std::vector<float> x(3 * (3 + 1), 0.5f); // all rows of sequence 0, then of sequence 1
    const ur_layout *layout =
        ur_new_layout(tape.get(), UR_STEP_MAJOR, lengths.size(), lengths.data(), nullptr);
    const ur_lstm_out out =
        ur_lstm(tape.get(), &lstm, ur_seq_floats(tape.get(), layout, 3, x.data(), false), ur_state{});
    if (ur_tape_status(tape.get()) != UR_OK)
        throw std::runtime_error(ur_error(tape.get()));
    const float *last = ur_floats(out.h_n); // (2, 4)
    for (std::size_t i = 0; i < 2; i++)
        std::printf("%zu steps: %8.5f %8.5f %8.5f %8.5f\n", lengths[i], double(last[4 * i]),
                    double(last[4 * i + 1]), double(last[4 * i + 2]), double(last[4 * i + 3]));
}

} // namespace

int main()
{
    try {
        run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "unroll %s: %s\n", ur_version(), error.what());
        return 1;
    }
    return 0;
}
