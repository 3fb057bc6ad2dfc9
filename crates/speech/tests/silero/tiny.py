"""Writes tiny.safetensors: a network of Silero's shape with random weights, samples, and how likely a voice is in each
window of them, computed in plain torch as Silero's own `tinygrad_model.py` does (silero-vad 6.2.3)."""

import math
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FFT, WINDOW, CONTEXT = 16, 32, 4
CHANNELS = [8, 6, 6, 8]
BINS, HIDDEN = FFT // 2 + 1, CHANNELS[-1]


def weights():
    time = torch.arange(FFT) * 2 * math.pi / FFT
    turns = torch.arange(BINS)[:, None] * time
    basis = torch.cat([torch.cos(turns), -torch.sin(turns)]) * (0.5 - 0.5 * torch.cos(time))
    w = {"stft_conv.weight": basis[:, None].contiguous()}
    for number, (inputs, outputs) in enumerate(zip([BINS, *CHANNELS], CHANNELS), 1):
        w[f"conv{number}.weight"] = torch.randn(outputs, inputs, 3) / math.sqrt(1.5 * inputs)
        w[f"conv{number}.bias"] = torch.randn(outputs) / 10
    for side in ("ih", "hh"):
        w[f"lstm_cell.weight_{side}"] = torch.randn(4 * HIDDEN, HIDDEN) * 1.5 / math.sqrt(HIDDEN)
        w[f"lstm_cell.bias_{side}"] = torch.randn(4 * HIDDEN) / 10
    w["final_conv.weight"] = torch.randn(1, HIDDEN, 1) * 4
    w["final_conv.bias"] = torch.randn(1) / 10
    return w


def likelihood(w, x, h, c):
    x = F.pad(x[None, None], (0, FFT // 4), mode="reflect")
    x = F.conv1d(x, w["stft_conv.weight"], stride=FFT // 2)
    x = (x[:, :BINS] ** 2 + x[:, BINS:] ** 2).sqrt()
    for number, stride in enumerate([1, 2, 2, 1], 1):
        weight, bias = w[f"conv{number}.weight"], w[f"conv{number}.bias"]
        x = F.conv1d(x, weight, bias, stride=stride, padding=1).relu()
    x = x.squeeze(-1)
    gates = F.linear(x, w["lstm_cell.weight_ih"], w["lstm_cell.bias_ih"])
    gates = gates + F.linear(h, w["lstm_cell.weight_hh"], w["lstm_cell.bias_hh"])
    i, f, g, o = gates.chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    x = F.conv1d(h.relu()[..., None], w["final_conv.weight"], w["final_conv.bias"])
    return x.sigmoid().mean(), h, c


def main():
    torch.manual_seed(2)
    w = weights()
    samples = (torch.randn(70, WINDOW) * torch.rand(70, 1) * 3).flatten()
    padded = F.pad(samples, (CONTEXT, 0))
    h, c = torch.zeros(1, HIDDEN), torch.zeros(1, HIDDEN)
    likelihoods = []
    for at in range(0, len(samples), WINDOW):
        p, h, c = likelihood(w, padded[at : at + CONTEXT + WINDOW], h, c)
        likelihoods.append(p)
    likelihoods = torch.stack(likelihoods)
    print(likelihoods)
    save_file(w | {"samples": samples, "likelihoods": likelihoods}, sys.argv[1])


main()
