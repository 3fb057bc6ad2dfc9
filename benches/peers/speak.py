#!/usr/bin/env python3
"""The peer of the `speak` bench: the same VITS checkpoint, text and threads in transformers (eager).

    python speak.py MODEL_DIR TEXT [--threads 2]

Prints one JSON line a value, like the bench itself.
"""
import argparse
import json
import os
import time

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
for turn in range(4):
    torch.manual_seed(0)
    start = time.perf_counter()
    waveform = model(**tokenizer(args.text, return_tensors="pt")).waveform
    seconds = waveform.shape[-1] / model.config.sampling_rate
    factor = (time.perf_counter() - start) / seconds
    if turn:
        print(json.dumps({"peer": "transformers eager", "metric": "real-time factor", "value": round(factor, 5)}), flush=True)
