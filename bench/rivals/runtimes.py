"""How ONNX Runtime and OpenVINO are set up, and one way to call both.

BIND[name](threads) gives bind(model, inputs, outputs), which gives a function that computes: it reads the arrays
`inputs` and writes `outputs` ({name: array}), where they lie. model: the bytes of an ONNX file.
"""


def onnx_session(model, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def openvino_request(core, model, threads):
    """Float32, one stream, latency hint."""
    return core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1}).create_infer_request()


def bind_onnxruntime(threads):
    def bind(model, inputs, outputs):
        session = onnx_session(model, threads)
        binding = session.io_binding()
        for of, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
            for name, x in arrays.items():
                of(name, "cpu", 0, x.dtype.type, x.shape, x.ctypes.data)

        def run():
            session.run_with_iobinding(binding)
        run.arrays = inputs, outputs  # which it knows by their addresses alone
        return run
    return bind


def bind_openvino(threads):
    import openvino
    core = openvino.Core()

    def bind(model, inputs, outputs):
        request = openvino_request(core, core.read_model(model), threads)
        for name, x in {**inputs, **outputs}.items():
            request.set_tensor(name, openvino.Tensor(x, shared_memory=True))

        def run():
            request.infer(share_outputs=True)
        run.arrays = inputs, outputs  # as above
        return run
    return bind


BIND = {"onnxruntime": bind_onnxruntime, "openvino": bind_openvino}
