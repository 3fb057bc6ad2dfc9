#!/usr/bin/env python3
"""The peer of the bench `train-lm`: the same small GPT on the same characters in PyTorch eager.

    python train_lm.py TEXT [--steps 2000] [--threads 2]

4 layers, 4 heads, 128 wide, blocks of 64 characters, batches of 12. Prints one JSON line a value.
"""
import argparse
import gzip
import json
import math
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("text", type=Path)
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)

LAYERS, HEADS, WIDTH, BLOCK, BATCH, RATE = 4, 4, 128, 64, 12, 4e-3
raw = args.text.read_bytes()
text = (gzip.decompress(raw) if args.text.suffix == ".gz" else raw).decode()
letters = sorted(set(text))
place = {letter: i for i, letter in enumerate(letters)}
ids = torch.tensor([place[letter] for letter in text])
cut = int(len(ids) * 0.9)
train, valid = ids[:cut], ids[cut:]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        rows, tokens, _ = x.shape
        q, k, v = (y.view(rows, tokens, HEADS, -1).transpose(1, 2) for y in self.qkv(self.norm1(x)).split(WIDTH, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(rows, tokens, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(len(letters), WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if deep else 0.02)
            elif "bias" in name:
                nn.init.zeros_(weight)

    def forward(self, x):
        x = self.tokens(x) + self.places.weight[: x.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.tokens.weight)


def loss_of(model, window):
    return F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())


model = Model()
decayed = [p for p in model.parameters() if p.dim() >= 2]
others = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=RATE, betas=(0.9, 0.99))
warmup = args.steps // 20
start = time.perf_counter()
for step in range(args.steps):
    rate = RATE * ((step + 1) / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (args.steps - warmup))))
    for group in optimizer.param_groups:
        group["lr"] = rate
    starts = torch.randint(len(train) - BLOCK, (BATCH,))
    loss = loss_of(model, torch.stack([train[s : s + BLOCK + 1] for s in starts]))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
seconds = time.perf_counter() - start
with torch.no_grad():
    count = (len(valid) - 1) // BLOCK
    windows = torch.stack([valid[i * BLOCK : i * BLOCK + BLOCK + 1] for i in range(count)])
    losses = [loss_of(model, part).item() * len(part) for part in windows.split(64)]
for metric, value in (("train s", seconds), ("validation loss", sum(losses) / count)):
    print(json.dumps({"peer": "PyTorch eager", "metric": metric, "value": round(value, 4)}), flush=True)
