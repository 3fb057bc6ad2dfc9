#!/usr/bin/env python3
"""The peers of the `translate` bench: the same checkpoint, sentences and threads in transformers (eager) or
CTranslate2.

    python translate.py transformers MODEL_DIR SENTENCES.json [--dtype f32|bf16] [--threads 2]
    python translate.py ctranslate2 MODEL_DIR SENTENCES.json [--threads 2]

CTranslate2's own copy of the model is made beside the sentences the first time.
Prints one JSON line a value, like the bench itself.
"""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("engine", choices=["transformers", "ctranslate2"])
parser.add_argument("model")
parser.add_argument("sentences")
parser.add_argument("--dtype", default="f32")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"

BATCH, NEW = 32, 32
texts = json.load(open(args.sentences))


def emit(peer, metric, value):
    print(json.dumps({"peer": peer, "metric": metric, "value": round(value, 4)}), flush=True)


def timed(peer, run):
    for metric, beams in (("greedy sentences/s", 1), ("beam 4 sentences/s", 4)):
        run(beams)
        start = time.perf_counter()
        run(beams)
        emit(peer, metric, len(texts) / (time.perf_counter() - start))


if args.engine == "transformers":
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = transformers.MarianMTModel.from_pretrained(args.model, dtype=dtype).eval()

    def run(beams):
        for i in range(0, len(texts), BATCH):
            batch = tokenizer(texts[i:i + BATCH], return_tensors="pt", padding=True)
            ids = model.generate(**batch, num_beams=beams, do_sample=False, min_new_tokens=NEW, max_new_tokens=NEW)
            tokenizer.batch_decode(ids, skip_special_tokens=True)

    timed("transformers eager", run)
else:
    import ctranslate2
    import sentencepiece

    folder = os.path.join(os.path.dirname(os.path.abspath(args.sentences)), "ctranslate2")
    if not os.path.isdir(folder):
        ctranslate2.converters.TransformersConverter(args.model).convert(folder, quantization="float32")
    source = sentencepiece.SentencePieceProcessor(model_file=f"{args.model}/source.spm")
    target = sentencepiece.SentencePieceProcessor(model_file=f"{args.model}/target.spm")
    model = ctranslate2.Translator(folder, device="cpu", compute_type="float32", intra_threads=args.threads, inter_threads=1)

    def run(beams):
        tokens = [pieces + ["</s>"] for pieces in source.encode(texts, out_type=str)]
        found = model.translate_batch(tokens, beam_size=beams, max_batch_size=BATCH, min_decoding_length=NEW,
                                      max_decoding_length=NEW)
        target.decode([one.hypotheses[0] for one in found])

    timed("CTranslate2", run)
