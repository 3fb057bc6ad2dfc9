#!/usr/bin/env python3
"""The peers of the bench `mnist`: the same network, data, batch size and threads in PyTorch eager or Keras on TensorFlow.

    python mnist.py torch|keras DATA_DIR [--threads 2] [--reps 2]

DATA_DIR holds the four IDX files. Prints one JSON line a value, like the bench itself.
"""
import argparse
import gzip
import json
import os
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("engine", choices=["torch", "keras"])
parser.add_argument("data", type=Path)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--reps", type=int, default=2)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)

import numpy as np  # noqa: E402  (the thread counts must be set first)


def idx(name, header):
    return np.frombuffer(gzip.open(args.data / f"{name}.gz").read()[header:], np.uint8)


def emit(peer, metric, value):
    print(json.dumps({"peer": peer, "metric": metric, "value": round(value, 4), "threads": args.threads}), flush=True)


TRAIN, TEST, BATCH, EVAL_BATCH = 60_000, 10_000, 128, 1000
images = {
    n: idx(f"{f}-images-idx3-ubyte", 16).reshape(-1, 28, 28).astype(np.float32) / 255
    for n, f in (("train", "train"), ("test", "t10k"))
}
labels = {n: idx(f"{f}-labels-idx1-ubyte", 8) for n, f in (("train", "train"), ("test", "t10k"))}

if args.engine == "torch":
    import torch
    from torch import nn

    torch.set_num_threads(args.threads)
    x, y = torch.from_numpy(images["train"])[:, None], torch.from_numpy(labels["train"]).long()
    x_test, y_test = torch.from_numpy(images["test"])[:, None], torch.from_numpy(labels["test"]).long()
    for _ in range(args.reps):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 13 * 13, 10))
        optimizer = torch.optim.Adam(net.parameters())
        start = time.perf_counter()
        for batch in torch.randperm(TRAIN).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
        emit("PyTorch eager", "epoch s", time.perf_counter() - start)
        with torch.no_grad():
            start = time.perf_counter()
            hits = sum((net(a).argmax(1) == b).sum() for a, b in zip(x_test.split(EVAL_BATCH), y_test.split(EVAL_BATCH)))
            emit("PyTorch eager", "images/s", TEST / (time.perf_counter() - start))
        assert hits > 9000
else:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    x, x_test = images["train"][..., None], images["test"][..., None]
    for rep in range(args.reps + 1):  # the first compiles
        net = keras.Sequential([
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ])
        net.compile("adam", "sparse_categorical_crossentropy")
        start = time.perf_counter()
        net.fit(x, labels["train"], batch_size=BATCH, epochs=1, verbose=0)
        epoch = time.perf_counter() - start
        net.predict(x_test, batch_size=EVAL_BATCH, verbose=0)
        start = time.perf_counter()
        hits = (net.predict(x_test, batch_size=EVAL_BATCH, verbose=0).argmax(1) == labels["test"]).sum()
        infer = TEST / (time.perf_counter() - start)
        assert hits > 9000
        if rep:
            emit("Keras/TensorFlow", "epoch s", epoch)
            emit("Keras/TensorFlow", "images/s", infer)
