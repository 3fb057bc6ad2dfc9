"""Writes the checkpoints of this folder: what `torch.save` makes, and the same tensors as safetensors.

    pip install torch==2.11.0 safetensors && python make_fixtures.py
"""
import collections

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
base = torch.randn(4, 6)
state = collections.OrderedDict(
    plain=torch.arange(6, dtype=torch.float32).reshape(2, 3),
    parameter=torch.nn.Parameter(torch.randn(3)),
    transposed=base.t(),
    slice=base[1:3, 2:5],
    strided=base[::2, ::3],
    tied=base,
    expanded=torch.randn(3, 1).expand(3, 4),
    scalar=torch.tensor(2.5, dtype=torch.float64),
    empty=torch.zeros(0, 5),
    channels_last=torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last),
    half=torch.randn(5).half(),
    bfloat16=torch.randn(5).bfloat16(),
    int64=torch.tensor([-(2**40), 7]),
    int32=torch.tensor([-5, 6], dtype=torch.int32),
    int16=torch.tensor([-300, 6], dtype=torch.int16),
    int8=torch.tensor([-5, 6], dtype=torch.int8),
    uint8=torch.tensor([200, 6], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
)
state.update((f"module.{k}", v) for k, v in torch.nn.BatchNorm1d(3).state_dict().items())
save_file({k: v.detach().contiguous().clone() for k, v in state.items()}, "state.safetensors")
torch.save(state, "state.bin")
torch.save(state, "legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "lr": 0.1, "state_dict": dict(state)}, "nested.bin")
torch.save(torch.nn.Linear(2, 2), "module.bin")
torch.jit.save(torch.jit.script(torch.nn.ReLU()), "script.bin")
