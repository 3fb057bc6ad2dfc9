"""How well a voice is understood, beside its teacher, by a recogniser that knows neither (pocketsphinx, en-us).

    python intelligibility.py teacher.py's-OUT FOLDER

The first folder has metadata.csv and wavs/NAME.wav of the teacher, the second NAME.wav of the voice for the same
sentences. Prints both word error rates, their ratio, and the mean distance of their mel spectrograms in decibels, along
the path that fits best (dynamic time warping).

Needs the Python packages pocketsphinx, jiwer, librosa, scipy and numpy.
"""

import pathlib
import re
import sys

import jiwer
import librosa
import numpy as np
from pocketsphinx import Decoder
from scipy.io import wavfile

RATE = 16_000


def words(text):
    return " ".join(re.findall(r"[a-z']+", text.lower().replace("-", " ")))


def read(path):
    rate, samples = wavfile.read(path)
    assert rate == RATE, f"{path}: {rate} Hz, expected {RATE}"
    # The recogniser wants silence at both ends.
    return np.concatenate([np.zeros(RATE // 4, np.int16), samples, np.zeros(RATE // 4, np.int16)])


def hear(decoder, samples):
    decoder.start_utt()
    decoder.process_raw(samples.astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return words(re.sub(r"\(\d+\)", "", hypothesis.hypstr)) if hypothesis else ""


def mel(samples):
    samples = samples.astype(np.float32) / 32768
    samples /= max(np.sqrt(np.mean(samples**2)), 1e-6) * 10
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=1024, hop_length=256, n_mels=80, fmin=80, fmax=7600)
    return 10 * np.log10(np.maximum(power, 1e-5))


def main():
    teacher, voice = map(pathlib.Path, sys.argv[1:3])
    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    said, heard, distances = [], {"teacher": [], "voice": []}, []
    for line in (teacher / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, *_, text = line.split("|")
        sounds = {"teacher": read(teacher / "wavs" / f"{name}.wav"), "voice": read(voice / f"{name}.wav")}
        said.append(words(text))
        for who, samples in sounds.items():
            heard[who].append(hear(decoder, samples))
        mels = [mel(samples) for samples in sounds.values()]
        _, path = librosa.sequence.dtw(*mels)
        distances.append(np.mean([np.mean(np.abs(mels[0][:, a] - mels[1][:, b])) for a, b in path]))
    rates = {who: jiwer.wer(said, texts) for who, texts in heard.items()}
    print(f"sentences {len(said)}, words {sum(len(text.split()) for text in said)}")
    for who, rate in rates.items():
        print(f"word error rate, {who}: {100 * rate:.2f} %")
    print(f"ratio: {rates['voice'] / rates['teacher']:.3f}")
    print(f"mel distance: {np.mean(distances):.2f} dB")


if __name__ == "__main__":
    main()
