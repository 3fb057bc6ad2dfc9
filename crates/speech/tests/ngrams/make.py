"""Writes digits.arpa, the binary models made of it, and expected.json, with KenLM's programs `build_binary` and `query`.

    python3 make.py FOLDER_OF_THE_PROGRAMS FOLDER_TO_WRITE_TO

KenLM's version is 0.3.0 (the source archive of its Python package, SHA-256
c4628bb9fb63c8a6f9240035b8b037385cfc404cb72e933cf48878291edac1e8), built with -DKENLM_MAX_ORDER=6. The text is random
strings of digits, drawn below; its models are of relative frequencies with a discount, and not by `lmplz`, so that n-grams
can be missing and contexts can have nothing behind them, as in pruned models."""

import json
import math
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

DIGITS = "zero one two three four five six seven eight nine".split()
LINES, DISCOUNT = 60, 0.4
KINDS = {
    "probing": ["probing"],
    "rest": ["-r", "one.arpa two.arpa", "probing"],
    "trie": ["trie"],
    "quant": ["-q", "4", "-b", "4", "trie"],
    "array": ["-a", "22", "trie"],
    "quantarray": ["-a", "22", "-q", "4", "-b", "4", "trie"],
}


def text():
    follow = {word: [random.choice(DIGITS) for _ in range(3)] for word in DIGITS}
    for _ in range(LINES):
        words = [random.choice(DIGITS)]
        for _ in range(random.randrange(7)):
            likely = random.random() < 0.8
            words.append(random.choice(follow[words[-1]] if likely else DIGITS))
        yield ["<s>", *words, "</s>"]


def model(order):
    """The counts' logarithms: for each length, of each n-gram the score and the back-off, none if nothing is behind it."""
    random.seed(order)
    lines = list(text())
    counts = [Counter(tuple(s[i : i + n]) for s in lines for i in range(len(s) - n + 1)) for n in range(1, order + 1)]
    if order > 2:
        for gram in [gram for gram, count in counts[-1].items() if count == 1]:
            if random.random() < 0.5:
                del counts[-1][gram]
    behind = [Counter() for _ in range(order)]
    for n in range(1, order):
        for gram, count in counts[n].items():
            behind[n - 1][gram[:-1]] += count
    total = sum(count for gram, count in counts[0].items() if gram != ("<s>",))
    grams = []
    for n, found in enumerate(counts):
        grams.append({})
        for gram, count in sorted(found.items()):
            share = count / (total + 5) if n == 0 else (count - DISCOUNT * 0.9) / behind[n - 1][gram[:-1]]
            score = -99 if gram == ("<s>",) else min(math.log10(share), -1e-4)
            backoff = math.log10(DISCOUNT * random.uniform(0.3, 1.2)) if behind[n][gram] else None
            grams[n][gram] = (score, backoff)
    grams[0][("<unk>",)] = (-2.1, -0.15 if order > 2 else None)
    return grams


def arpa(grams):
    lines = ["\\data\\", *(f"ngram {n}={len(found)}" for n, found in enumerate(grams, 1))]
    for n, found in enumerate(grams, 1):
        lines += ["", f"\\{n}-grams:"]
        for gram, (score, backoff) in found.items():
            lines.append(f"{score:.6g}\t{' '.join(gram)}" + ("" if backoff is None else f"\t{backoff:.6g}"))
    return "\n".join([*lines, "", "\\end\\", ""])


def texts(grams):
    """Texts with words that are not known, at random, and of the model's own n-grams."""
    random.seed(5)
    yield from ["", "one", "unheard", "one unheard two", "unheard unheard two three two"]
    for _ in range(12):
        length = random.randrange(2, 9)
        yield " ".join(random.choice(DIGITS + ["unheard"] * (random.random() < 0.3)) for _ in range(length))
    for gram in grams[2]:
        if random.random() < 0.1:
            yield " ".join(word for word in gram if word not in ("<s>", "</s>"))


def query(programs, path, texts):
    """What KenLM says of each word of each text, and of its end."""
    lines = "".join(text + "\n" for text in texts)
    command = [programs / "query", "-v", "word", path]
    said = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    scores = [[]]
    for word in said.split("\t"):
        if "=" in word:
            scores[-1].append(float(word.split(" ")[2]))
        if word.strip().startswith("</s>="):
            scores.append([])
    return scores[:-1]


def main():
    programs, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    grams, shorter = model(3), model(2)
    # What shorter models say are the rest costs; the one of one word has no back-offs.
    alone = [{gram: (score, None) for gram, (score, _) in shorter[0].items()}]
    for name, found in {"digits": grams, "two": shorter, "one": alone}.items():
        (out / f"{name}.arpa").write_text(arpa(found))
    for kind, flags in KINDS.items():
        subprocess.run([programs / "build_binary", *flags, "digits.arpa", f"digits.{kind}"], cwd=out, check=True)
    for name in ["one", "two"]:
        (out / f"{name}.arpa").unlink()
    asked = list(texts(grams))
    scores = {name: query(programs, out / name, asked) for name in ["digits.arpa", *(f"digits.{kind}" for kind in KINDS)]}
    (out / "expected.json").write_text(json.dumps({"texts": asked, "scores": scores}, separators=(",", ":")))


main()
