"""Whisper as three graphs that other engines run: the encoder, the keys and values of its states, and the decoder,
which takes tokens and its caches and gives the last token's logits and the longer caches."""
import os

import numpy as np
import torch
import transformers
from torch import nn
from torch.nn.functional import gelu

PARTS = ("encoder", "cross", "decoder")


class Encoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.encoder = model.model.encoder

    def forward(self, mel):
        return self.encoder(mel, return_dict=False)[0]


class Attending(nn.Module):
    """What both parts of the decoder need to know of its heads."""

    def __init__(self, model):
        super().__init__()
        self.decoder, self.head = model.model.decoder, model.proj_out
        self.heads = model.config.decoder_attention_heads
        self.width = model.config.d_model // self.heads

    def split(self, x):
        return x.unflatten(-1, (self.heads, self.width)).transpose(1, 2)

    def attend(self, block, x, keys, values, bias=None):
        scores = self.split(block.q_proj(x)) @ keys.transpose(2, 3) * self.width ** -0.5
        weights = (scores if bias is None else scores + bias).softmax(-1)
        return block.out_proj((weights @ values).transpose(1, 2).flatten(2))


class Cross(Attending):
    def forward(self, states):
        blocks = [layer.encoder_attn for layer in self.decoder.layers]
        return tuple(self.split(project(states)) for block in blocks for project in (block.k_proj, block.v_proj))


class Decoder(Attending):
    def forward(self, tokens, past, *caches):
        half = len(caches) // 2
        own, cross = caches[:half], caches[half:]
        places = torch.arange(tokens.shape[1]) + past
        seen = torch.arange(tokens.shape[1] + past)[None] <= places[:, None]
        bias = torch.where(seen, 0.0, -1e9)
        x = self.decoder.embed_tokens(tokens) + self.decoder.embed_positions.weight[places]
        longer = []
        for i, layer in enumerate(self.decoder.layers):
            y = layer.self_attn_layer_norm(x)
            new = (layer.self_attn.k_proj(y), layer.self_attn.v_proj(y))
            pair = [torch.cat([old, self.split(more)], 2) for old, more in zip(own[2 * i:2 * i + 2], new)]
            longer += pair
            x = x + self.attend(layer.self_attn, y, *pair, bias)
            x = x + self.attend(layer.encoder_attn, layer.encoder_attn_layer_norm(x), *cross[2 * i:2 * i + 2])
            x = x + layer.fc2(gelu(layer.fc1(layer.final_layer_norm(x))))
        return self.head(self.decoder.layer_norm(x[:, -1:])), *longer


def exported(folder):
    """The graphs' files, made beside the model the first time."""
    target = folder.rstrip("/") + "-onnx"
    files = {part: f"{target}/{part}.onnx" for part in PARTS}
    if os.path.isdir(target):
        return files
    os.makedirs(target + ".part", exist_ok=True)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    config = model.config
    count = 2 * config.decoder_layers
    cache = torch.zeros(1, config.decoder_attention_heads, 3, config.d_model // config.decoder_attention_heads)
    states = torch.zeros(1, config.max_source_positions, config.d_model)
    cross = Cross(model)
    own, other, new = ([f"{name}{i}" for i in range(count)] for name in ("own", "cross", "new"))
    plans = {
        "encoder": (Encoder(model), (torch.zeros(1, config.num_mel_bins, 2 * states.shape[1]),), ["mel"], ["states"], {}),
        "cross": (cross, (states,), ["states"], other, {}),
        "decoder": (Decoder(model), (torch.tensor([[0, 1, 2, 3]]), torch.tensor(3), *[cache] * count, *cross(states)),
                    ["tokens", "past", *own, *other], ["logits", *new],
                    {"tokens": {1: "tokens"}, **{name: {2: "past"} for name in own}, **{name: {2: "all"} for name in new}}),
    }
    with torch.no_grad():
        for part, (module, inputs, names, results, axes) in plans.items():
            torch.onnx.export(module, inputs, f"{target}.part/{part}.onnx", input_names=names, output_names=results,
                              dynamic_axes=axes, opset_version=17, dynamo=False)
    os.rename(target + ".part", target)
    return files


class Greedy:
    """Greedy search with any engine's functions of the three graphs."""

    def __init__(self, folder, load):
        config = transformers.WhisperConfig.from_pretrained(folder)
        self.count, self.heads = 2 * config.decoder_layers, config.decoder_attention_heads
        self.width = config.d_model // self.heads
        files = exported(folder)
        self.encoder, self.cross, self.decoder = (load(files[part]) for part in PARTS)

    def encode(self, mel):
        return self.encoder([np.ascontiguousarray(mel)])[0]

    def hear(self, mel, head, new):
        cross = [np.array(cache) for cache in self.cross([self.encode(mel)])]
        own = [np.zeros((1, self.heads, 0, self.width), dtype=np.float32)] * self.count
        tokens, past = np.array([head]), 0
        for _ in range(new):
            logits, *own = self.decoder([tokens, np.array(past), *own, *cross])
            own = [np.array(cache) for cache in own]
            past += tokens.shape[1]
            tokens = logits[:, -1].argmax(-1)[None]
