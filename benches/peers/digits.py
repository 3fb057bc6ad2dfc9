"""Lets flite say strings of digits, to hear how a recogniser of digits takes voices that it has not learned.

    python digits.py OUT
    sensorium eval asr --model fsdd-strings --data OUT/digits.jsonl --part all

Writes OUT/VOICE-N.wav and OUT/digits.jsonl: the voices awb, rms and kal16 at many speeds and pitches. Needs flite.
"""

import json
import pathlib
import random
import subprocess
import sys

WORDS = "zero one two three four five six seven eight nine".split()
PITCHES = {"awb": 115, "rms": 100, "kal16": 105}
STRINGS = 160  # of each voice

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
draw = random.Random(0)
rows = []
for voice, pitch in PITCHES.items():
    for i in range(STRINGS):
        words = [draw.choice(WORDS) for _ in range(draw.randint(1, 8))]
        # Commas and stops make pauses.
        text = "".join(word + draw.choice((" ", " ", ", ", ". ")) for word in words)
        stretch, mean = draw.uniform(0.75, 1.35), pitch * draw.uniform(0.75, 1.7)
        path = out / f"{voice}-{i}.wav"
        subprocess.run(["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}",
                        "--setf", f"int_f0_target_mean={mean:.1f}", "-t", text, "-o", path], check=True)
        rows.append({"audio": path.name, "text": " ".join(words)})
lines = (json.dumps(row) + "\n" for row in rows)
(out / "digits.jsonl").write_text("".join(lines), encoding="utf-8")
