//! Texts before they are compared: what Whisper's authors take away before they count errors (arXiv 2212.04356,
//! appendix C), exact to the reference for numbers of up to 38 digits.

mod numbers;

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use numbers::standard_numbers;

/// Texts of any language: small letters, without brackets and marks, all blanks alike.
pub fn basic(text: &str) -> String {
    static MARKS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{M}\p{S}\p{P}]"));
    let text: String = without_brackets(&text.to_lowercase()).nfkc().collect();
    one_blank(&MARKS.replace_all(&text, " ").to_lowercase())
}

/// English texts: contractions and titles in full, numbers as figures, spellings of one country.
#[derive(Debug, Clone, Default)]
pub struct English {
    spellings: HashMap<String, String>,
}

impl English {
    /// With the words that are spelled otherwise: a checkpoint's `normalizer.json`. Without any, spellings are kept.
    pub fn new(spellings: HashMap<String, String>) -> Self {
        Self { spellings }
    }

    /// The text as it is compared.
    pub fn normalize(&self, text: &str) -> String {
        static IGNORED: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(hmm|mm|mhm|mmm|uh|um)\b"));
        static APOSTROPHE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+'"));
        static REPLACED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
            let one = |(from, to): &(&str, &'static str)| (pattern(from), *to);
            REPLACEMENTS.iter().map(one).collect()
        });
        static COMMA: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d),(\d)"));
        static POINT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\.([^0-9]|$)"));
        static SIGN: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.$¢€£]([^0-9])"));
        static PERCENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"([^0-9])%"));
        let text = without_brackets(&text.to_lowercase());
        let text = IGNORED.replace_all(&text, "");
        let mut text = APOSTROPHE.replace_all(&text, "'").into_owned();
        for (from, to) in REPLACED.iter() {
            text = from.replace_all(&text, *to).into_owned();
        }
        let text = COMMA.replace_all(&text, "$1$2");
        let text = POINT.replace_all(&text, " $1");
        let text = standard_numbers(&plain(&text));
        let spelled = |word| self.spellings.get(word).map_or(word, String::as_str);
        let text: Vec<&str> = text.split_whitespace().map(spelled).collect();
        let text = text.join(" ");
        let text = SIGN.replace_all(&text, " $1");
        one_blank(&PERCENT.replace_all(&text, "$1 "))
    }
}

/// All patterns are of this crate: they are right.
fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"))
}

fn without_brackets(text: &str) -> String {
    static BRACKETS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[<\[][^>\]]*[>\]]"));
    static ROUND: LazyLock<Regex> = LazyLock::new(|| pattern(r"\(([^)]+?)\)"));
    ROUND
        .replace_all(&BRACKETS.replace_all(text, ""), "")
        .into_owned()
}

fn one_blank(text: &str) -> String {
    static BLANKS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+"));
    BLANKS.replace_all(text, " ").into_owned()
}

/// Without accents and marks, but with those that belong to numbers.
fn plain(text: &str) -> String {
    static ACCENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\p{Mn}$"));
    static MARK: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[\p{M}\p{S}\p{P}]$"));
    let mut result = String::new();
    for letter in text.nfkd() {
        if letter.is_ascii_alphanumeric() || ".%$¢€£".contains(letter) {
            result.push(letter);
            continue;
        }
        // Letters that do not come apart.
        let named = match letter {
            'œ' => Some("oe"),
            'Œ' => Some("OE"),
            'ø' => Some("o"),
            'Ø' => Some("O"),
            'æ' => Some("ae"),
            'Æ' => Some("AE"),
            'ß' => Some("ss"),
            'ẞ' => Some("SS"),
            'đ' | 'ð' => Some("d"),
            'Đ' | 'Ð' => Some("D"),
            'þ' | 'Þ' => Some("th"),
            'ł' => Some("l"),
            'Ł' => Some("L"),
            _ => None,
        };
        let mut buffer = [0; 4];
        let one: &str = letter.encode_utf8(&mut buffer);
        match named {
            Some(named) => result.push_str(named),
            None if ACCENT.is_match(one) => {}
            None if MARK.is_match(one) => result.push(' '),
            None => result.push(letter),
        }
    }
    result
}

/// Patterns and what they become, in their order.
const REPLACEMENTS: [(&str, &str); 49] = [
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b", "can not"),
    (r"\blet's\b", "let us"),
    (r"\bain't\b", "aint"),
    (r"\by'all\b", "you all"),
    (r"\bwanna\b", "want to"),
    (r"\bgotta\b", "got to"),
    (r"\bgonna\b", "going to"),
    (r"\bi'ma\b", "i am going to"),
    (r"\bimma\b", "i am going to"),
    (r"\bwoulda\b", "would have"),
    (r"\bcoulda\b", "could have"),
    (r"\bshoulda\b", "should have"),
    (r"\bma'am\b", "madam"),
    (r"\bmr\b", "mister "),
    (r"\bmrs\b", "missus "),
    (r"\bst\b", "saint "),
    (r"\bdr\b", "doctor "),
    (r"\bprof\b", "professor "),
    (r"\bcapt\b", "captain "),
    (r"\bgov\b", "governor "),
    (r"\bald\b", "alderman "),
    (r"\bgen\b", "general "),
    (r"\bsen\b", "senator "),
    (r"\brep\b", "representative "),
    (r"\bpres\b", "president "),
    (r"\brev\b", "reverend "),
    (r"\bhon\b", "honorable "),
    (r"\basst\b", "assistant "),
    (r"\bassoc\b", "associate "),
    (r"\blt\b", "lieutenant "),
    (r"\bcol\b", "colonel "),
    (r"\bjr\b", "junior "),
    (r"\bsr\b", "senior "),
    (r"\besq\b", "esquire "),
    (r"'d been\b", " had been"),
    (r"'s been\b", " has been"),
    (r"'d gone\b", " had gone"),
    (r"'s gone\b", " has gone"),
    (r"'d done\b", " had done"),
    (r"'s got\b", " has got"),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"'s\b", " is"),
    (r"'d\b", " would"),
    (r"'ll\b", " will"),
    (r"'t\b", " not"),
    (r"'ve\b", " have"),
    (r"'m\b", " am"),
];
