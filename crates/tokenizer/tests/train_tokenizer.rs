//! Learning tokenizers, saving them and opening them again; vocabulary files; the table of bytes.

use std::fs;
use std::path::{Path, PathBuf};

use sensorium_hub::Model;
use sensorium_tokenizer::{
    Algorithm, DecodeOptions, EncodeOptions, Padding, Tokenizer, TokenizerError, TrainOptions, Truncation,
};
use serde_json::{Value, json};

const TEXTS: [&str; 6] = [
    "The old captain did not sleep.",
    "The captain slept; the sea did not.",
    "\tTwo  blanks and a tab,\nand a new line.",
    "Die Straße über die Mütze: schön & grün!!",
    "東京 is the capital. Привет! 😀🚀",
    "sleep sleeping slept sleeper asleep captain captains the the the",
];

fn learned(algorithm: Algorithm, vocab_size: usize) -> Tokenizer {
    let options = TrainOptions {
        vocab_size,
        ..TrainOptions::new(algorithm)
    };
    Tokenizer::train(TEXTS.iter(), &options).unwrap()
}

fn all() -> [(Algorithm, usize); 4] {
    [
        (Algorithm::ByteLevelBpe, 300),
        (Algorithm::Unigram, 110),
        (Algorithm::WordPiece, 120),
        (Algorithm::Characters, 1000),
    ]
}

fn files(tokenizer: &Tokenizer) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    ["tokenizer.json", "tokenizer_config.json"]
        .map(|file| (file.to_string(), fs::read(folder.path().join(file)).unwrap()))
        .to_vec()
}

#[test]
fn the_same_texts_make_the_same_files() {
    for (algorithm, size) in all() {
        let first = files(&learned(algorithm, size));
        for _ in 0..3 {
            assert!(first == files(&learned(algorithm, size)), "{algorithm:?}");
        }
    }
}

#[test]
fn a_saved_tokenizer_opens_as_the_same() {
    for (algorithm, size) in all() {
        let tokenizer = learned(algorithm, size);
        let folder = tempfile::tempdir().unwrap();
        tokenizer.save(folder.path()).unwrap();
        let opened = Tokenizer::open(&Model::in_folder("saved", folder.path())).unwrap();
        assert_eq!(opened.vocab_size(), tokenizer.vocab_size(), "{algorithm:?}");
        assert_eq!(opened.eos(), tokenizer.eos(), "{algorithm:?}");
        for text in TEXTS {
            let encode = |t: &Tokenizer| t.encode(text, &EncodeOptions::default()).unwrap();
            assert_eq!(encode(&opened), encode(&tokenizer), "{algorithm:?}: {text}");
        }
        assert_eq!(files(&opened), files(&tokenizer), "{algorithm:?}");
    }
}

#[test]
fn sizes_and_special_tokens_are_as_asked() {
    for (algorithm, size) in all() {
        let tokenizer = learned(algorithm, size);
        assert!(
            tokenizer.vocab_size() <= size,
            "{algorithm:?}: {}",
            tokenizer.vocab_size()
        );
        let options = TrainOptions::new(algorithm);
        let (role, token) = &options.special_tokens[0];
        assert_eq!(
            tokenizer.special(role),
            Some((token.as_str(), 0)),
            "{algorithm:?}"
        );
        assert!(tokenizer.is_special(0));
        assert_eq!(tokenizer.ids(token, false).unwrap(), [0], "{algorithm:?}");
    }
}

#[test]
fn text_comes_back() {
    let unseen = "Ünseen ☃ text\r\n  with\u{0} all\u{1F9FF} kinds";
    for (algorithm, size) in all() {
        let tokenizer = learned(algorithm, size);
        let back = |text: &str| {
            let ids = tokenizer.ids(text, true).unwrap();
            tokenizer.decode(&ids, &DecodeOptions::default()).unwrap()
        };
        match algorithm {
            Algorithm::ByteLevelBpe => assert!(TEXTS.iter().chain([&unseen]).all(|text| back(text) == *text)),
            Algorithm::Characters | Algorithm::Unigram => {
                assert!(TEXTS.iter().all(|text| back(text) == *text), "{algorithm:?}");
            }
            Algorithm::WordPiece => assert_eq!(back(TEXTS[1]), "the captain slept ; the sea did not."),
        }
    }
}

#[test]
fn characters_are_tokens_in_their_order() {
    let options = TrainOptions::new(Algorithm::Characters);
    let tokenizer = Tokenizer::train(["bca", "ab\n"].iter(), &options).unwrap();
    assert_eq!(tokenizer.vocab_size(), 6);
    assert_eq!(tokenizer.ids("\nabcx", false).unwrap(), [2, 3, 4, 5, 1]);
    assert_eq!(tokenizer.unk(), Some(("<unk>", 1)));
    let most_frequent = TrainOptions {
        vocab_size: 4,
        ..options
    };
    let tokenizer = Tokenizer::train(["bca", "ab\n"].iter(), &most_frequent).unwrap();
    assert_eq!(tokenizer.ids("abc", false).unwrap(), [2, 3, 1]);
}

#[test]
fn bytes_of_tokens_make_up_the_text() {
    for (algorithm, size) in all() {
        let tokenizer = learned(algorithm, size);
        let table = tokenizer.token_bytes();
        assert_eq!(table[0], None, "special tokens stand for no text");
        for text in TEXTS {
            let ids = tokenizer.ids(text, false).unwrap();
            let bytes: Vec<u8> = ids
                .iter()
                .flat_map(|id| table[*id as usize].clone().unwrap_or_default())
                .collect();
            let expected = match algorithm {
                Algorithm::ByteLevelBpe | Algorithm::Characters => text.to_string(),
                // The word's blank, which decoding drops at the beginning.
                Algorithm::Unigram => format!(" {text}"),
                Algorithm::WordPiece => continue,
            };
            assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{algorithm:?}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = |options: TrainOptions| match Tokenizer::train(TEXTS.iter(), &options) {
        Err(TokenizerError::TrainSettings(_) | TokenizerError::Train(_)) => {}
        other => panic!("{options:?}: {:?}", other.map(|t| t.vocab_size())),
    };
    for algorithm in [
        Algorithm::ByteLevelBpe,
        Algorithm::Unigram,
        Algorithm::WordPiece,
        Algorithm::Characters,
    ] {
        refused(TrainOptions {
            vocab_size: 2,
            ..TrainOptions::new(algorithm)
        });
    }
    refused(TrainOptions {
        special_tokens: vec![("end".to_string(), "x".to_string())],
        ..TrainOptions::new(Algorithm::ByteLevelBpe)
    });
    refused(TrainOptions {
        special_tokens: Vec::new(),
        ..TrainOptions::new(Algorithm::Unigram)
    });
    // Fewer tokens than characters.
    refused(TrainOptions {
        vocab_size: 10,
        ..TrainOptions::new(Algorithm::Unigram)
    });
}

#[test]
fn no_text_is_no_crash() {
    for (algorithm, _) in all() {
        let nothing: [&str; 0] = [];
        let _ = Tokenizer::train(nothing.iter(), &TrainOptions::new(algorithm));
        let _ = Tokenizer::train(["", "\n"].iter(), &TrainOptions::new(algorithm));
    }
}

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/parity")
        .join(name)
}

/// Writes what older checkpoints have instead of `tokenizer.json`.
fn vocabulary_files(of: &Path, class: &str, into: &Path) {
    let json: Value = serde_json::from_slice(&fs::read(of.join("tokenizer.json")).unwrap()).unwrap();
    let vocab = json["model"]["vocab"].as_object().unwrap();
    if let Some(merges) = json["model"]["merges"].as_array() {
        let line = |pair: &Value| {
            let pair = pair.as_array().unwrap();
            format!("{} {}\n", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())
        };
        let merges: String = merges.iter().map(line).collect();
        fs::write(into.join("vocab.json"), json["model"]["vocab"].to_string()).unwrap();
        fs::write(into.join("merges.txt"), format!("#version: 0.2\n{merges}")).unwrap();
    } else {
        let mut words: Vec<(&String, i64)> = vocab.iter().map(|(w, id)| (w, id.as_i64().unwrap())).collect();
        words.sort_by_key(|(_, id)| *id);
        let words: String = words.iter().map(|(word, _)| format!("{word}\n")).collect();
        fs::write(into.join("vocab.txt"), words).unwrap();
    }
    let config: Value = serde_json::from_slice(&fs::read(of.join("tokenizer_config.json")).unwrap()).unwrap();
    let prefix = config["add_prefix_space"].as_bool().unwrap_or(false);
    let config = json!({"tokenizer_class": class, "model_max_length": 64, "add_prefix_space": prefix});
    fs::write(into.join("tokenizer_config.json"), config.to_string()).unwrap();
}

#[test]
fn vocabulary_files_give_the_same_tokens() {
    for (name, class) in [
        ("bert-question-answering", "BertTokenizer"),
        ("roberta-token-classification", "RobertaTokenizerFast"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        vocabulary_files(&case(name), class, folder.path());
        let plain = Tokenizer::open(&Model::in_folder("plain", folder.path())).unwrap();
        let whole = Tokenizer::open(&Model::in_folder("whole", case(name))).unwrap();
        for text in TEXTS {
            let encode = |t: &Tokenizer| t.encode((text, "A pair."), &EncodeOptions::default()).unwrap();
            assert_eq!(encode(&plain), encode(&whole), "{name}: {text}");
        }
        for role in ["pad_token", "mask_token", "cls_token"] {
            assert_eq!(plain.special(role), whole.special(role), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_an_error() {
    let tokenizer = Tokenizer::open(&Model::in_folder("bert", case("bert-question-answering"))).unwrap();
    let cut = |max_length, stride| EncodeOptions {
        truncation: Some(Truncation {
            max_length: Some(max_length),
            stride,
            ..Truncation::default()
        }),
        ..EncodeOptions::default()
    };
    let text = "The old captain did not sleep, and the sea did not sleep.";
    for max_length in 0..40 {
        for stride in 0..40 {
            let one = tokenizer.encode(text, &cut(max_length, stride));
            let two = tokenizer.encode((text, text), &cut(max_length, stride));
            for found in [one, two].into_iter().flatten() {
                assert!(found.ids.len() <= max_length);
            }
        }
    }
    assert!(matches!(
        tokenizer.encode(text, &cut(1, 0)),
        Err(TokenizerError::MaxLength { special: 2, .. })
    ));
    let gpt = Tokenizer::train(
        TEXTS.iter(),
        &TrainOptions {
            special_tokens: Vec::new(),
            ..TrainOptions::new(Algorithm::ByteLevelBpe)
        },
    )
    .unwrap();
    let padded = EncodeOptions {
        padding: Padding::To(8),
        ..EncodeOptions::default()
    };
    assert!(matches!(
        gpt.encode("x", &padded),
        Err(TokenizerError::NoPadToken)
    ));
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("source.spm"), "x").unwrap();
    let error = Tokenizer::open(&Model::in_folder("empty", empty.path())).unwrap_err();
    assert!(
        error.to_string().ends_with("(source.spm cannot be read here)"),
        "{error}"
    );
    fs::write(empty.path().join("tokenizer.json"), "{}").unwrap();
    let error = Tokenizer::open(&Model::in_folder("empty", empty.path())).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
}
