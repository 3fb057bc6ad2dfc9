"""Writes expected.json: what sacreBLEU and rouge-score make of generated texts.

    pip install sacrebleu==2.6.0 rouge-score
    python make_expected.py > expected.json
"""

import json
import random
import sys

import sacrebleu
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF, TER

WORDS = {
    "latin": "the a dog cat runs over green hill's it's and/or 3.5 1,000 well-known U.S. (yes) \"no\" what? stop! co-op "
             "e-mail a.b,c 5% $7 naïve café Straße œuvre running generalizations relational happily geology ponies".split(),
    "cyrillic": "Привет мир это тест, собака бежит; «да» — нет. ёж 12,5".split(),
    "cjk": "今日は 良い 天気 です。 我们 去 公园, 东京 タワー！ 「はい」 ﾊﾝｶｸ １２３ 한국어 문장입니다.".split(),
    "odd": ["😀", "👩‍👩‍👧", "e\u0301", "\u200b", "\u00a0", "&quot;x&quot;", "&amp;", "<b>", "-", "--", "...", "a\u2028b", "\x1f",
            "ß", "İstanbul", "ΣΑΣ", "½", "x²", "…", "’s", "'s", "<skipped>", "٣٤", "₿"],
}


def text(rng, kind, length):
    pool = WORDS[kind] if kind != "mixed" else sum(WORDS.values(), [])
    return " ".join(rng.choice(pool) for _ in range(length))


def spoiled(rng, line, kind):
    words = line.split(" ")
    for _ in range(rng.randrange(0, 5)):
        act, at = rng.randrange(5), rng.randrange(max(1, len(words)))
        if act == 0 and words:
            del words[at:at + 1]
        elif act == 1:
            words.insert(at, text(rng, kind, 1))
        elif act == 2 and len(words) > 3:
            end = at + rng.randrange(1, 4)
            moved, words = words[at:end], words[:at] + words[end:]
            to = rng.randrange(len(words) + 1)
            words[to:to] = moved
        elif act == 3 and words:
            words[at % len(words)] = text(rng, kind, 1)
        elif words:
            words[at % len(words)] = words[at % len(words)].upper()
    return " ".join(words)


def case(rng, number):
    kind = ["latin", "cyrillic", "cjk", "odd", "mixed"][number % 5]
    lines, sets = rng.randrange(1, 8), 1 + number % 3
    longest = 60 if number % 7 == 3 else 14
    refs = [text(rng, kind, rng.randrange(0, longest)) for _ in range(lines)]
    hyps = [spoiled(rng, line, kind) for line in refs]
    if number % 4 == 1:
        hyps[0] = ""
    if number % 4 == 2:
        refs[-1] = ""
    references = [refs] + [[spoiled(rng, line, kind) for line in refs] for _ in range(sets - 1)]
    return hyps, references


def metrics():
    for tok in ["13a", "intl", "zh", "char", "none"]:
        yield {"tokenize": tok}, BLEU(tokenize=tok)
    yield {"lowercase": True}, BLEU(lowercase=True)
    for smooth in ["none", "floor", "add-k"]:
        yield {"smooth": smooth}, BLEU(smooth_method=smooth)
    yield {"effective": True}, BLEU(effective_order=True)
    for args in [{}, {"word_order": 2}, {"lowercase": True}, {"whitespace": True}]:
        yield {"chrf": args}, CHRF(**args)
    for args in [{}, {"normalized": True}, {"no_punct": True}, {"case_sensitive": True},
                 {"normalized": True, "asian_support": True}, {"no_punct": True, "asian_support": True}]:
        yield {"ter": args}, TER(**args)


def main():
    rng, cases = random.Random(7), []
    for number in range(30):
        hyps, refs = case(rng, number)
        scores = []
        for settings, metric in metrics():
            score = metric.corpus_score(hyps, refs)
            entry = {"settings": settings, "score": score.score, "signature": str(metric.get_signature())}
            if isinstance(metric, BLEU):
                entry["text"] = str(score)
            scores.append(entry)
        sentence = BLEU(effective_order=True)
        sentences = [sentence.sentence_score(h, [r[i] for r in refs]).score for i, h in enumerate(hyps)]
        cases.append({"hypotheses": hyps, "references": refs, "scores": scores, "sentences": sentences})
    rouge, kinds = [], ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    for number in range(24):
        kind = ["latin", "mixed", "odd"][number % 3]
        lines = lambda: "\n".join(text(rng, kind, rng.randrange(0, 12)) for _ in range(rng.randrange(1, 4)))
        reference = lines()
        written = spoiled(rng, reference, kind) if number % 2 else lines()
        for stem in [False, True]:
            found = rouge_scorer.RougeScorer(kinds, use_stemmer=stem).score(reference, written)
            rouge.append({"reference": reference, "text": written, "stem": stem,
                          "scores": {k: list(found[k]) for k in kinds}})
    json.dump({"sacrebleu": sacrebleu.__version__, "cases": cases, "rouge": rouge}, sys.stdout, ensure_ascii=False)


main()
