"""A Whisper checkpoint as the file that whisper.cpp reads, weights as f16, and that library's functions."""
import ctypes
import glob
import json
import os
import struct

import numpy as np
import transformers

# The parts of a block, first those whose names hold others'.
BLOCK = {
    "encoder_attn_layer_norm": "cross_attn_ln", "self_attn_layer_norm": "attn_ln", "final_layer_norm": "mlp_ln",
    "encoder_attn.": "cross_attn.", "self_attn.": "attn.", "q_proj": "query", "k_proj": "key", "v_proj": "value",
    "out_proj": "out", "fc1": "mlp.0", "fc2": "mlp.2", ".layers.": ".blocks.",
}
OUTSIDE = {
    "embed_positions.weight": "positional_embedding", "embed_tokens.weight": "token_embedding.weight",
    "encoder.layer_norm": "encoder.ln_post", "decoder.layer_norm": "decoder.ln",
}


def converted(folder):
    """The file, made beside the model the first time."""
    path = folder.rstrip("/") + ".ggml"
    if os.path.exists(path):
        return path
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder)
    config = model.config
    vocabulary = json.load(open(os.path.join(folder, "vocab.json"), encoding="utf-8"))
    filters = np.asarray(transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins).mel_filters, np.float32).T
    bytes_of = {symbol: byte for byte, symbol in byte_symbols().items()}
    with open(path + ".part", "wb") as file:
        sizes = (config.vocab_size, config.max_source_positions, config.d_model, config.encoder_attention_heads,
                 config.encoder_layers, config.max_target_positions, config.d_model, config.decoder_attention_heads,
                 config.decoder_layers, config.num_mel_bins, 1)
        file.write(struct.pack("12i", 0x67676d6c, *sizes))
        file.write(struct.pack("2i", *filters.shape) + filters.tobytes())
        tokens = sorted(vocabulary, key=vocabulary.get)
        file.write(struct.pack("i", len(tokens)))
        for token in tokens:
            text = bytes(bytes_of[symbol] for symbol in token)
            file.write(struct.pack("i", len(text)) + text)
        for name, tensor in model.model.state_dict().items():
            name, values = renamed(name), tensor.float().numpy()
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                values = values[:, None]
            half = values.ndim > 1 and not name.endswith(("positional_embedding", "bias"))
            values = np.ascontiguousarray(values, np.float16 if half else np.float32)
            file.write(struct.pack("3i", values.ndim, len(name), int(half)))
            file.write(struct.pack(f"{values.ndim}i", *values.shape[::-1]) + name.encode() + values.tobytes())
    os.rename(path + ".part", path)
    return path


def renamed(name):
    for old, new in (BLOCK if ".layers." in name else OUTSIDE).items():
        name = name.replace(old, new)
    return name


def byte_symbols():
    """The letters that byte-level vocabularies write bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


class Greedy:
    """Greedy search by the library that WHISPER_LIB or the package pywhispercpp brings."""

    def __init__(self, folder, threads):
        path = os.environ.get("WHISPER_LIB")
        if not path:
            import _pywhispercpp
            around = os.path.dirname(_pywhispercpp.__file__)
            path = (glob.glob(f"{around}/libwhisper*.so*") + glob.glob(f"{around}/pywhispercpp.libs/libwhisper*.so*"))[0]
        for needed in ("ggml-base", "ggml-cpu", "ggml"):
            for file in glob.glob(f"{os.path.dirname(path)}/lib{needed}.so.0")[:1]:
                ctypes.CDLL(file, mode=ctypes.RTLD_GLOBAL)
        self.library = library = ctypes.CDLL(path)
        self.silence = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        library.whisper_log_set(self.silence, None)
        library.whisper_init_from_file.restype = ctypes.c_void_p
        library.whisper_get_logits.restype = ctypes.POINTER(ctypes.c_float)
        self.context = ctypes.c_void_p(library.whisper_init_from_file(converted(folder).encode()))
        self.vocabulary, self.threads = library.whisper_n_vocab(self.context), threads

    def listen(self, samples):
        """Makes the spectrogram of a recording."""
        samples = np.ascontiguousarray(samples, np.float32)
        pointer = samples.ctypes.data_as(ctypes.c_void_p)
        assert self.library.whisper_pcm_to_mel(self.context, pointer, len(samples), self.threads) == 0

    def encode(self, window):
        assert self.library.whisper_encode(self.context, 3000 * window, self.threads) == 0

    def hear(self, window, head, new):
        self.encode(window)
        tokens, past = np.array(head, np.int32), 0
        for _ in range(new):
            pointer = tokens.ctypes.data_as(ctypes.c_void_p)
            assert self.library.whisper_decode(self.context, pointer, len(tokens), past, self.threads) == 0
            # There is room for all tokens, and the last one's are filled in.
            room = len(tokens) * self.vocabulary
            logits = np.ctypeslib.as_array(self.library.whisper_get_logits(self.context), (room,))[-self.vocabulary:]
            past += len(tokens)
            tokens = np.array([logits.argmax()], np.int32)
