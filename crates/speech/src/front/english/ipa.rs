//! From the International Phonetic Alphabet to the phonemes of English.

/// Sounds and what they are called; longer ones first.
const SOUNDS: [(&str, &str); 62] = [
    ("t͡ʃ", "CH"),
    ("d͡ʒ", "JH"),
    ("tʃ", "CH"),
    ("dʒ", "JH"),
    ("ɝː", "ER"),
    ("ɜːɹ", "ER"),
    ("ɜːr", "ER"),
    ("ɜː", "ER"),
    ("əɹ", "ER"),
    ("ər", "ER"),
    ("aɪ", "AY"),
    ("aʊ", "AW"),
    ("eɪ", "EY"),
    ("oʊ", "OW"),
    ("əʊ", "OW"),
    ("ɔɪ", "OY"),
    ("iː", "IY"),
    ("uː", "UW"),
    ("ɑː", "AA"),
    ("ɔː", "AO"),
    ("ɒ", "AA"),
    ("ɑ", "AA"),
    ("æ", "AE"),
    ("ʌ", "AH"),
    ("ə", "AH"),
    ("ɐ", "AH"),
    ("ɔ", "AO"),
    ("ɛ", "EH"),
    ("e", "EH"),
    ("ɝ", "ER"),
    ("ɚ", "ER"),
    ("ɜ", "ER"),
    ("ɪ", "IH"),
    ("ɨ", "IH"),
    ("i", "IY"),
    ("ʊ", "UH"),
    ("u", "UW"),
    ("a", "AA"),
    ("o", "OW"),
    ("b", "B"),
    ("d", "D"),
    ("ð", "DH"),
    ("f", "F"),
    ("ɡ", "G"),
    ("g", "G"),
    ("h", "HH"),
    ("k", "K"),
    ("l", "L"),
    ("m", "M"),
    ("n", "N"),
    ("ŋ", "NG"),
    ("p", "P"),
    ("ɹ", "R"),
    ("r", "R"),
    ("s", "S"),
    ("ʃ", "SH"),
    ("t", "T"),
    ("θ", "TH"),
    ("v", "V"),
    ("w", "W"),
    ("j", "Y"),
    ("z", "Z"),
];

/// The phonemes of a word that is written in the International Phonetic Alphabet, with blanks between them.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn arpabet(text: &str) -> Result<String, String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text.trim();
    let mut stress = '0';
    while let Some(letter) = rest.chars().next() {
        match letter {
            'ˈ' | '\'' => stress = '1',
            'ˌ' => stress = '2',
            '.' | ' ' | 'ː' | '‿' | '/' => {}
            'ʒ' => found.push("ZH".to_string()),
            _ => {
                let Some((sound, name)) = SOUNDS.iter().find(|(sound, _)| rest.starts_with(sound)) else {
                    return Err(format!(
                        "with `{letter}`, which is no sound of English that is known"
                    ));
                };
                let vowel = name.starts_with(['A', 'E', 'I', 'O', 'U']);
                found.push(match vowel {
                    true => format!("{name}{}", std::mem::replace(&mut stress, '0')),
                    false => (*name).to_string(),
                });
                rest = &rest[sound.len()..];
                continue;
            }
        }
        rest = &rest[letter.len_utf8()..];
    }
    match found.is_empty() {
        true => Err("with nothing in it".to_string()),
        false => Ok(found.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::is_phoneme;
    use super::*;

    #[test]
    fn words_are_translated() {
        assert_eq!(arpabet("həˈloʊ").as_deref(), Ok("HH AH0 L OW1"));
        assert_eq!(arpabet("ˈtʃɪkɪn").as_deref(), Ok("CH IH1 K IH0 N"));
        assert_eq!(arpabet("/ˈvɪʒən/").as_deref(), Ok("V IH1 ZH AH0 N"));
        assert!(arpabet("x").is_err() && arpabet("").is_err());
        for (sound, name) in SOUNDS {
            let vowel = format!("{name}1");
            assert!(is_phoneme(name) || is_phoneme(&vowel), "{sound}");
            // Longer ones are found first.
            let first = SOUNDS.iter().find(|(other, _)| sound.starts_with(other));
            assert_eq!(first.map(|(_, name)| *name), Some(name), "{sound}");
        }
    }
}
