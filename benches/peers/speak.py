#!/usr/bin/env python3
"""The peers of the `speak` bench: the same VITS checkpoint, text and threads in transformers (eager) and, where the
packages `onnx` and `onnxruntime` are, in ONNX Runtime, from the graph that PyTorch writes of the same checkpoint.

    python speak.py MODEL_DIR TEXT [--threads 2]

Prints one JSON line a value, like the bench itself.
"""
import argparse
import importlib.util
import json
import os
import tempfile
import time
import warnings

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("text")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers

transformers.logging.set_verbosity_error()
torch.set_num_threads(args.threads)
torch.set_grad_enabled(False)
tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
model = transformers.VitsModel.from_pretrained(args.model).eval()
rate = model.config.sampling_rate


def timed(peer, say):
    for turn in range(4):
        torch.manual_seed(0)
        start = time.perf_counter()
        waveform = say(tokenizer(args.text, return_tensors="pt").input_ids)
        factor = (time.perf_counter() - start) / (waveform.shape[-1] / rate)
        if turn:  # the first one warms up
            print(json.dumps({"peer": peer, "metric": "real-time factor", "value": round(factor, 5)}), flush=True)


class Waveform(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model(input_ids=ids).waveform


timed("transformers eager", lambda ids: model(input_ids=ids).waveform)
if all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))):
    import onnxruntime

    warnings.filterwarnings("ignore")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    with tempfile.TemporaryDirectory() as folder:
        graph = os.path.join(folder, "voice.onnx")
        axes = {"ids": {1: "letters"}, "waveform": {1: "samples"}}
        torch.onnx.export(Waveform(), (torch.randint(1, 30, (1, 80)),), graph, input_names=["ids"],
                          output_names=["waveform"], dynamic_axes=axes, opset_version=17, dynamo=False)
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    timed("ONNX Runtime", lambda ids: session.run(None, {"ids": ids.numpy()})[0])
