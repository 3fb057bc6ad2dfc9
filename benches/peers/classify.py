#!/usr/bin/env python3
"""The peers of the bench `classify`: one picture from a cold process, PyTorch eager or Keras on TensorFlow.

    python classify.py torch|keras MODEL_DIR IMAGE

MODEL_DIR is models/mnist-cnn. Prints the digit. The ink is scaled to 20 pixels and centred by its box.
"""
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

engine, model, image = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
weights = load_file(model / "model.safetensors")
grey = np.asarray(Image.open(image).convert("L"), np.float32) / 255
grey = 1 - grey if grey.mean() > 0.5 else grey
rows, columns = (np.flatnonzero(grey.max(axis) > 0.3) for axis in (1, 0))
ink = Image.fromarray(grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
scale = 20 / max(ink.size)
ink = ink.resize([max(1, round(side * scale)) for side in ink.size])
x = np.zeros((28, 28), np.float32)
top, left = (28 - ink.height) // 2, (28 - ink.width) // 2
x[top : top + ink.height, left : left + ink.width] = np.asarray(ink)
dense = weights["dense.weight"].reshape(10, 13, 13, 32)  # stored with the channels innermost

if engine == "torch":
    import torch
    from torch import nn

    torch.set_num_threads(2)
    net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 13 * 13, 10))
    values = [
        weights["conv.weight"],
        weights["conv.bias"],
        dense.transpose(0, 3, 1, 2).reshape(10, -1),
        weights["dense.bias"],
    ]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), values):
            parameter.copy_(torch.from_numpy(value.copy()))
        print(net(torch.from_numpy(x)[None, None]).argmax().item())
else:
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    net = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    net.set_weights(
        [
            weights["conv.weight"].transpose(2, 3, 1, 0),
            weights["conv.bias"],
            dense.reshape(10, -1).T,
            weights["dense.bias"],
        ]
    )
    print(int(np.argmax(net(x[None, :, :, None]))))
