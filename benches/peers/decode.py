#!/usr/bin/env python3
"""The peers of the `decode` bench: the same checkpoint, prompt and threads in transformers (eager) or llama.cpp.

    python decode.py transformers MODEL_DIR [--dtype f32|bf16] [--threads 2]
    python decode.py llama.cpp MODEL.gguf [--threads 2]

Prints one JSON line a value, like the bench itself.
"""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("engine", choices=["transformers", "llama.cpp"])
parser.add_argument("model")
parser.add_argument("--dtype", default="f32")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"

PROMPT, PREFILL, NEW = 32, 512, 128
ids = lambda count: [(i * 37 + 11) % 1000 for i in range(count)]


def emit(peer, metric, value):
    print(json.dumps({"peer": peer, "metric": metric, "value": round(value, 4)}), flush=True)


if args.engine == "transformers":
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    start = time.perf_counter()
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype).eval()
    emit("transformers eager", "load s", time.perf_counter() - start)
    short, long = torch.tensor([ids(PROMPT)]), torch.tensor([ids(PREFILL)])

    def write(new):
        start = time.perf_counter()
        mask = torch.ones_like(short)
        model.generate(short, attention_mask=mask, max_new_tokens=new, min_new_tokens=new, do_sample=False, pad_token_id=0)
        return time.perf_counter() - start

    write(8)
    first = write(1)
    emit("transformers eager", "decode tokens/s", (NEW - 1) / (write(NEW) - first))
    model(long, logits_to_keep=1)
    start = time.perf_counter()
    model(long, logits_to_keep=1)
    emit("transformers eager", "prefill tokens/s", PREFILL / (time.perf_counter() - start))
else:
    import llama_cpp
    import numpy as np

    start = time.perf_counter()
    model = llama_cpp.Llama(args.model, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=args.threads,
                            n_threads_batch=args.threads, verbose=False, logits_all=False)
    emit("llama.cpp", "load s", time.perf_counter() - start)

    def best():
        return int(np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),)).argmax())

    for timed in (False, True):
        model.reset()
        model.eval(ids(PROMPT))
        token = best()
        start = time.perf_counter()
        for _ in range(NEW):
            model.eval([token])
            token = best()
        decode = NEW / (time.perf_counter() - start)
        model.reset()
        start = time.perf_counter()
        model.eval(ids(PREFILL))
        best()
        prefill = PREFILL / (time.perf_counter() - start)
        if timed:
            emit("llama.cpp", "decode tokens/s", decode)
            emit("llama.cpp", "prefill tokens/s", prefill)
