"""Prints what `src/recipes/whisper/tests.rs` expects: the loss of a step of a tiny Whisper, and its gradients.

Made with torch 2.11.0 and transformers 5.23.0. Weights and inputs are formulas, so that both sides can make them.
"""

import math

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

CONFIG = dict(
    vocab_size=40, d_model=8, num_mel_bins=6, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=16,
    decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=16, max_source_positions=10, max_target_positions=12,
    pad_token_id=30, bos_token_id=30, eos_token_id=30, decoder_start_token_id=31, suppress_tokens=None,
    begin_suppress_tokens=None,
)  # fmt: skip
LABELS = [[32, 33, 34, 1, 2, 3, 30], [32, 33, 34, 9, 30, -100, -100]]
SHOWN = [
    "model.encoder.conv1.weight",
    "model.encoder.layers.0.self_attn.q_proj.weight",
    "model.encoder.layer_norm.bias",
    "model.decoder.embed_tokens.weight",
    "model.decoder.embed_positions.weight",
    "model.decoder.layers.1.encoder_attn.v_proj.bias",
    "model.decoder.layers.0.fc1.weight",
]


def wave(count, step, shift):
    return torch.tensor([math.sin(step * i + shift) for i in range(count)], dtype=torch.float64)


def weight(name, shape):
    values = wave(math.prod(shape), 0.7, sum(name.encode())).view(shape)
    return (1 + 0.3 * values if name.endswith("norm.weight") else 0.4 * values).float()


model = WhisperForConditionalGeneration(WhisperConfig(**CONFIG, attn_implementation="eager")).train()
with torch.no_grad():
    for name, tensor in model.named_parameters():
        tensor.copy_(weight(name, tensor.shape))
mels = wave(2 * 6 * 20, 0.3, 0.0).float().view(2, 6, 20)
loss = model(input_features=mels, labels=torch.tensor(LABELS)).loss
loss.backward()
print(f"const LOSS: f64 = {loss.item():.7f};")
for name, tensor in model.named_parameters():
    if name in SHOWN:
        print(f'("{name}", {tensor.grad.norm().item():.6e}, {tensor.grad.flatten()[3].item():.6e}),')
print([n for n, t in model.named_parameters() if t.grad is None])
