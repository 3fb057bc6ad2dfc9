//! The metrics beside the reference tools: `expected.json` was made by `make_expected.py`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sensorium_metrics::{Bleu, Chrf, Metric, Rouge, RougeKind, SACREBLEU_VERSION, Smoothing, Ter, Tokenize};
use serde_json::Value;

fn close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    let apart = (found - expected).abs();
    assert!(
        apart <= 1e-9 * expected.abs().max(1.0),
        "{what}: {found} for {expected}"
    );
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_string()).collect()
}

/// The metric that a test's settings describe.
enum Any {
    Bleu(Bleu),
    Chrf(Chrf),
    Ter(Ter),
}

fn metric(settings: &Value) -> Any {
    let yes = |args: &Value, name: &str| args.get(name) == Some(&Value::Bool(true));
    if let Some(args) = settings.get("chrf") {
        return Any::Chrf(Chrf {
            word_order: args.get("word_order").and_then(Value::as_u64).unwrap_or(0) as usize,
            lowercase: yes(args, "lowercase"),
            whitespace: yes(args, "whitespace"),
            ..Chrf::default()
        });
    }
    if let Some(args) = settings.get("ter") {
        return Any::Ter(Ter {
            normalized: yes(args, "normalized"),
            no_punctuation: yes(args, "no_punct"),
            asian: yes(args, "asian_support"),
            case_sensitive: yes(args, "case_sensitive"),
        });
    }
    Any::Bleu(Bleu {
        tokenize: match settings.get("tokenize").and_then(Value::as_str) {
            Some("intl") => Tokenize::International,
            Some("zh") => Tokenize::Chinese,
            Some("char") => Tokenize::Characters,
            Some("none") => Tokenize::None,
            _ => Tokenize::V13a,
        },
        lowercase: yes(settings, "lowercase"),
        smoothing: match settings.get("smooth").and_then(Value::as_str) {
            Some("none") => Smoothing::None,
            Some("floor") => Smoothing::Floor(0.1),
            Some("add-k") => Smoothing::AddK(1.0),
            _ => Smoothing::Exponential,
        },
        effective_order: yes(settings, "effective"),
    })
}

#[test]
fn corpora_and_sentences_score_as_the_reference_says() {
    let expected: Value = serde_json::from_str(include_str!("expected.json")).unwrap();
    assert_eq!(expected["sacrebleu"], SACREBLEU_VERSION);
    let cases = expected["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for (number, case) in cases.iter().enumerate() {
        let hypotheses = texts(&case["hypotheses"]);
        let sets: Vec<Vec<String>> = case["references"].as_array().unwrap().iter().map(texts).collect();
        let references: Vec<&[String]> = sets.iter().map(Vec::as_slice).collect();
        for entry in case["scores"].as_array().unwrap() {
            let what = format!("case {number}, {}", entry["settings"]);
            let (score, signature) = match metric(&entry["settings"]) {
                Any::Bleu(bleu) => {
                    let parts = bleu.corpus_score(&hypotheses, &references).unwrap();
                    assert_eq!(parts.to_string(), entry["text"].as_str().unwrap(), "{what}");
                    (parts.score, bleu.signature(sets.len()))
                }
                Any::Chrf(chrf) => (
                    chrf.corpus(&hypotheses, &references).unwrap(),
                    chrf.signature(sets.len()),
                ),
                Any::Ter(ter) => (
                    ter.corpus(&hypotheses, &references).unwrap(),
                    ter.signature(sets.len()),
                ),
            };
            close(score, &entry["score"], &what);
            assert_eq!(signature, entry["signature"].as_str().unwrap(), "{what}");
        }
        let bleu = Bleu {
            effective_order: true,
            ..Bleu::default()
        };
        for (i, hypothesis) in hypotheses.iter().enumerate() {
            let beside: Vec<&str> = sets.iter().map(|set| set[i].as_str()).collect();
            let score = bleu.sentence(hypothesis, &beside);
            close(
                score,
                &case["sentences"][i],
                &format!("case {number}, sentence {i}"),
            );
        }
    }
}

#[test]
fn rouge_scores_as_the_reference_says() {
    let expected: Value = serde_json::from_str(include_str!("expected.json")).unwrap();
    for (number, pair) in expected["rouge"].as_array().unwrap().iter().enumerate() {
        for (name, kind) in [
            ("rouge1", RougeKind::N(1)),
            ("rouge2", RougeKind::N(2)),
            ("rougeL", RougeKind::L),
            ("rougeLsum", RougeKind::Lsum),
        ] {
            let rouge = Rouge {
                kind,
                stemmer: pair["stem"] == true,
            };
            let score = rouge.pair(
                pair["text"].as_str().unwrap(),
                pair["reference"].as_str().unwrap(),
            );
            for (i, found) in [score.precision, score.recall, score.fmeasure]
                .into_iter()
                .enumerate()
            {
                close(
                    found,
                    &pair["scores"][name][i],
                    &format!("pair {number}, {name} {i}"),
                );
            }
        }
    }
}

/// The sixteen systems of WMT17 English–German, where the data is beside the checkout.
#[test]
fn wmt17_scores_as_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets/metrics");
    let Ok(file) = File::open(folder.join("wmt17.en-de.tsv.gz")) else {
        return;
    };
    let mut table = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut table)
        .unwrap();
    let text = std::fs::read_to_string(folder.join("wmt17.en-de.expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let mut rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let rows: Vec<Vec<&str>> = rows.collect();
    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<&str>>();
    let reference = column(0);
    for (at, name) in header.iter().enumerate().skip(1) {
        let system = column(at);
        let scores = &expected["systems"][*name];
        let references = [reference.as_slice()];
        let parts = Bleu::default().corpus_score(&system, &references).unwrap();
        close(parts.score, &scores["bleu_13a"], name);
        for (found, expected) in parts
            .precisions
            .iter()
            .zip(scores["precisions"].as_array().unwrap())
        {
            close(*found, expected, name);
        }
        let none = Bleu {
            tokenize: Tokenize::None,
            ..Bleu::default()
        };
        close(
            none.corpus(&system, &references).unwrap(),
            &scores["bleu_none"],
            name,
        );
        close(
            Chrf::default().corpus(&system, &references).unwrap(),
            &scores["chrF2"],
            name,
        );
        close(
            Chrf::plus_plus().corpus(&system, &references).unwrap(),
            &scores["chrF2++"],
            name,
        );
        if scores.get("ter").is_some() {
            // Of the first lines only, as the file's note says.
            let ter = Ter::default().corpus(&system[..300], &[&reference[..300]]);
            close(ter.unwrap(), &scores["ter"], name);
            let key = format!("sentence_bleu_first10_{name}");
            let sentence = Bleu {
                effective_order: true,
                ..Bleu::default()
            };
            for (i, expected) in expected[&key].as_array().unwrap().iter().enumerate() {
                close(sentence.sentence(system[i], &[reference[i]]), expected, &key);
            }
        }
        if cfg!(debug_assertions) && at == 2 {
            break; // all of them where the test is compiled for speed
        }
    }
}
