use super::arpa::Arpa;
use super::*;

const ARPA: &str = "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-1.0\t<unk>\n-99\t<s>\t-0.5\n-0.7\t</s>\n\
    -0.5\tyes\t-0.2\n-0.6\tno\t-0.3\n\n\\2-grams:\n-0.1\t<s> yes\n-0.2\tyes no\n\n\\end\\\n";

#[test]
fn longer_grams_come_first_and_shorter_ones_cost_what_the_file_says() {
    let model = NGrams(Arc::new(Arpa::read(ARPA.as_bytes()).unwrap()));
    let tens = |score: f32| score / std::f32::consts::LN_10;
    let mut state = model.begin();
    assert!((tens(model.score(&mut state, "yes")) + 0.1).abs() < 1e-6);
    assert!((tens(model.score(&mut state, "no")) + 0.2).abs() < 1e-6);
    assert!((tens(model.score(&mut state, "yes")) + 0.3 + 0.5).abs() < 1e-6); // back-off of "no"
    assert!((tens(model.score(&mut state, "perhaps")) + 0.2 + 1.0).abs() < 1e-6);
    assert!((tens(model.end(&state)) + 0.7).abs() < 1e-6);
    for (bad, said) in [
        (&b"hello"[..], "neither an ARPA file"),
        (b"\xff\xfe\n", "neither an ARPA file"),
        (b"\\1-grams:\nx yes", "line 2"),
        (b"\\1-grams:\n-1 yes\n-1 \xff", "line 3"),
        (b"\\2-grams:\n-1 yes", "line 2"),
    ] {
        let found = Arpa::read(bad).unwrap_err();
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn numbers_that_are_too_great_are_named_or_score_wrongly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ngrams");
    for kind in ["probing", "rest", "trie", "quant", "array", "quantarray"] {
        let whole = std::fs::read(folder.join(format!("digits.{kind}"))).unwrap();
        // Behind the header's numbers stand how many n-grams of three words there are.
        for lie in [None, Some(124)] {
            for at in 0..whole.len() - 8 {
                let mut bytes = whole.clone();
                for at in lie.into_iter().chain([at]) {
                    bytes[at..at + 8].fill(0xff);
                }
                let Ok(model) = kenlm::KenLm::new(bytes.into()) else {
                    continue;
                };
                let (model, mut state) = (NGrams(Arc::new(model)), Vec::new());
                for word in ["one", "two", "unheard", "three", "four"] {
                    assert!(model.score(&mut state, word).is_finite(), "{kind} {at}");
                }
            }
        }
    }
}
