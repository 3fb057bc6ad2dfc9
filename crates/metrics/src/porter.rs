//! Porter's stemmer (1980) with the extensions of NLTK, which `rouge-score` uses.

/// Words with stems of their own.
const IRREGULAR: &[(&str, &str)] = &[
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// The stem of a word of lower-case ASCII letters and digits.
pub(crate) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_string();
    }
    if word.len() <= 2 {
        return word.to_string();
    }
    let word = plural(word);
    let word = past(&word);
    let word = final_y(&word);
    let word = double_suffix(&word);
    let word = full_suffix(&word);
    let word = last_suffix(&word);
    let word = final_e(&word);
    match word.strip_suffix("ll") {
        Some(_) if measure(&word[..word.len() - 1]) > 1 => word[..word.len() - 1].to_string(),
        _ => word,
    }
}

/// Which letters are consonants; a y after a consonant is a vowel.
fn consonants(word: &str) -> Vec<bool> {
    let mut flags: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word.bytes() {
        let flag = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => flags.last().is_none_or(|before| !before),
            _ => true,
        };
        flags.push(flag);
    }
    flags
}

/// How often a vowel is followed by a consonant.
fn measure(word: &str) -> usize {
    consonants(word)
        .windows(2)
        .filter(|pair| !pair[0] && pair[1])
        .count()
}

fn has_vowel(word: &str) -> bool {
    consonants(word).contains(&false)
}

fn ends_in_consonant(word: &str) -> bool {
    consonants(word).last() == Some(&true)
}

/// Consonant, vowel, consonant but w, x, y; of two letters a vowel and a consonant.
fn ends_short(word: &str) -> bool {
    let flags = consonants(word);
    match flags[..] {
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        [false, true] => true,
        _ => false,
    }
}

/// The first rule whose ending fits decides: it replaces the ending if its stem is long enough.
fn replace(word: &str, rules: &[(&str, &str)], least: usize) -> String {
    for (suffix, new) in rules {
        if let Some(stem) = word.strip_suffix(suffix) {
            return match measure(stem) >= least {
                true => format!("{stem}{new}"),
                false => word.to_string(),
            };
        }
    }
    word.to_string()
}

fn plural(word: &str) -> String {
    if word.len() == 4 && word.ends_with("ies") {
        return word[..3].to_string();
    }
    replace(word, &[("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")], 0)
}

fn past(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        return format!("{stem}{}", if word.len() == 4 { "ie" } else { "i" });
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return match measure(stem) > 0 {
            true => format!("{stem}ee"),
            false => word.to_string(),
        };
    }
    let stems = ["ed", "ing"]
        .into_iter()
        .filter_map(|suffix| word.strip_suffix(suffix));
    let Some(stem) = stems.into_iter().find(|stem| has_vowel(stem)) else {
        return word.to_string();
    };
    if ["at", "bl", "iz"].iter().any(|end| stem.ends_with(end)) {
        return format!("{stem}e");
    }
    let bytes = stem.as_bytes();
    if let [.., a, b] = bytes
        && a == b
        && ends_in_consonant(stem)
    {
        return match b {
            b'l' | b's' | b'z' => stem.to_string(),
            _ => stem[..stem.len() - 1].to_string(),
        };
    }
    match measure(stem) == 1 && ends_short(stem) {
        true => format!("{stem}e"),
        false => stem.to_string(),
    }
}

fn final_y(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) if stem.len() > 1 && ends_in_consonant(stem) => format!("{stem}i"),
        _ => word.to_string(),
    }
}

fn double_suffix(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("alli")
        && measure(stem) > 0
    {
        return double_suffix(&format!("{stem}al"));
    }
    const RULES: &[(&str, &str)] = &[
        ("ational", "ate"),
        ("tional", "tion"),
        ("enci", "ence"),
        ("anci", "ance"),
        ("izer", "ize"),
        ("bli", "ble"),
        ("alli", "al"),
        ("entli", "ent"),
        ("eli", "e"),
        ("ousli", "ous"),
        ("ization", "ize"),
        ("ation", "ate"),
        ("ator", "ate"),
        ("alism", "al"),
        ("iveness", "ive"),
        ("fulness", "ful"),
        ("ousness", "ous"),
        ("aliti", "al"),
        ("iviti", "ive"),
        ("biliti", "ble"),
        ("fulli", "ful"),
    ];
    if let Some(stem) = word.strip_suffix("logi") {
        // The measure of the stem with its l.
        return match measure(&word[..word.len() - 3]) > 0 {
            true => format!("{stem}log"),
            false => word.to_string(),
        };
    }
    replace(word, RULES, 1)
}

fn full_suffix(word: &str) -> String {
    const RULES: &[(&str, &str)] = &[
        ("icate", "ic"),
        ("ative", ""),
        ("alize", "al"),
        ("iciti", "ic"),
        ("ical", "ic"),
        ("ful", ""),
        ("ness", ""),
    ];
    replace(word, RULES, 1)
}

fn last_suffix(word: &str) -> String {
    const SUFFIXES: &[&str] = &[
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism",
        "ate", "iti", "ous", "ive", "ize",
    ];
    let Some((suffix, stem)) = SUFFIXES
        .iter()
        .find_map(|suffix| Some((suffix, word.strip_suffix(suffix)?)))
    else {
        return word.to_string();
    };
    let fits = *suffix != "ion" || stem.ends_with(['s', 't']);
    match measure(stem) > 1 && fits {
        true => stem.to_string(),
        false => word.to_string(),
    }
}

fn final_e(word: &str) -> String {
    match word.strip_suffix('e') {
        Some(stem) if measure(stem) > 1 || measure(stem) == 1 && !ends_short(stem) => stem.to_string(),
        _ => word.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn stems_of_the_paper() {
        for (word, expected) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("ties", "tie"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("relational", "relat"),
            ("probate", "probat"),
            ("controlling", "control"),
            ("generalizations", "gener"),
            ("oscillators", "oscil"),
            ("dying", "die"),
            ("geology", "geolog"),
        ] {
            assert_eq!(stem(word), expected);
        }
    }
}
