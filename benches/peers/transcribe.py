#!/usr/bin/env python3
"""The peers of the `transcribe` bench: the same Whisper checkpoint, recording and threads in transformers (eager),
CTranslate2 (the engine of faster-whisper), ONNX Runtime, OpenVINO, or whisper.cpp with weights of f16.

    python transcribe.py ENGINE MODEL_DIR RECORDING.wav [--dtype f32|bf16] [--threads 2]

bf16 is for transformers and OpenVINO. An engine's own copy of the model is made beside the first the first time.
Prints one JSON line a value, like the bench itself.
"""
import argparse
import json
import os
import time
import wave

parser = argparse.ArgumentParser()
parser.add_argument("engine", choices=["transformers", "ctranslate2", "onnxruntime", "openvino", "whisper.cpp"])
parser.add_argument("model")
parser.add_argument("recording")
parser.add_argument("--dtype", default="f32")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import transformers

NEW, WINDOW = 100, 480000
with wave.open(args.recording) as file:
    assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2), "16 kHz, mono, 16 bit"
    samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(np.float32) / 32768
windows = [samples[i:i + WINDOW] for i in range(0, len(samples) - WINDOW + 1, WINDOW)]
extractor = transformers.WhisperFeatureExtractor.from_pretrained(args.model)
HEAD = [50258, 50259, 50359, 50363]


def features():
    if args.engine == "whisper.cpp":  # has its own
        model.listen(samples)
        return list(range(len(windows)))
    return extractor(windows, sampling_rate=16000, return_tensors="np").input_features


def timed(peer, hear, encode):
    for turn in range(3):
        start = time.perf_counter()
        mels = features()
        begin = time.perf_counter()
        for mel in mels:
            hear(mel if args.engine == "whisper.cpp" else mel[None])
        heard, total = time.perf_counter() - begin, time.perf_counter() - start
        begin = time.perf_counter()
        for mel in mels:
            encode(mel if args.engine == "whisper.cpp" else mel[None])
        encoded = time.perf_counter() - begin
        if not turn:
            continue
        for metric, value in (("total s", total), ("encoder ms/window", encoded / len(windows) * 1e3),
                              ("decoder ms/token", (heard - encoded) / len(windows) / NEW * 1e3)):
            print(json.dumps({"peer": peer, "metric": metric, "value": round(value, 4)}), flush=True)


if args.engine == "transformers":
    import torch
    from transformers.generation import GenerationMixin

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    model = transformers.WhisperForConditionalGeneration.from_pretrained(args.model, dtype=dtype).eval()
    for config in (model.generation_config, model.config):
        config.forced_decoder_ids = config.suppress_tokens = config.begin_suppress_tokens = None

    def tensor(mel):
        return torch.from_numpy(np.ascontiguousarray(mel)).to(dtype)

    def hear(mel):
        # The general loop: Whisper's own one around it may hear a window twice when the text is nonsense.
        ids = GenerationMixin.generate(model, input_features=tensor(mel), decoder_input_ids=torch.tensor([HEAD]),
                                       do_sample=False, num_beams=1, min_new_tokens=NEW, max_new_tokens=NEW)
        assert ids.shape[1] == NEW + len(HEAD), ids.shape

    timed("transformers eager", hear, lambda mel: model.model.encoder(tensor(mel)))
elif args.engine == "whisper.cpp":
    import whisper_ggml

    model = whisper_ggml.Greedy(args.model, args.threads)
    timed("whisper.cpp f16", lambda window: model.hear(window, HEAD, NEW), model.encode)
elif args.engine == "onnxruntime":
    import onnxruntime
    import whisper_graph

    def load(path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        return lambda inputs: session.run(None, dict(zip(names, inputs)))

    model = whisper_graph.Greedy(args.model, load)
    timed("ONNX Runtime", lambda mel: model.hear(mel, HEAD, NEW), model.encode)
elif args.engine == "openvino":
    import openvino
    import whisper_graph

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": args.dtype}

    def load(path):
        network = core.compile_model(core.read_model(path), "CPU", settings)
        request = network.create_infer_request()

        def run(inputs):
            results = request.infer(inputs, share_inputs=True, share_outputs=True)
            return [results[i] for i in range(len(network.outputs))]
        return run

    model = whisper_graph.Greedy(args.model, load)
    timed("OpenVINO", lambda mel: model.hear(mel, HEAD, NEW), model.encode)
else:
    import ctranslate2

    copy = args.model.rstrip("/") + "-ct2"
    if not os.path.isdir(copy):
        ctranslate2.converters.TransformersConverter(args.model).convert(copy)
    model = ctranslate2.models.Whisper(copy, compute_type="float32", inter_threads=1, intra_threads=args.threads)

    def view(mel):
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(mel, dtype=np.float32))

    def hear(mel):
        # This library halves max_length for the new tokens, as the original code does.
        found = model.generate(model.encode(view(mel)), [HEAD], beam_size=1, sampling_topk=1, max_length=2 * NEW,
                               suppress_blank=False, suppress_tokens=[50257])
        assert len(found[0].sequences_ids[0]) == NEW, len(found[0].sequences_ids[0])

    timed("CTranslate2", hear, lambda mel: model.encode(view(mel)))
