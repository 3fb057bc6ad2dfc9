//! Languages by their codes: ISO 639-1, ISO 639-3, the checkpoints' own.

/// A language: code of two letters, codes of three letters, English name.
struct Language {
    code: &'static str,
    long: &'static [&'static str],
    name: &'static str,
}

const fn language(code: &'static str, long: &'static [&'static str], name: &'static str) -> Language {
    Language { code, long, name }
}

/// The languages of M2M-100 with codes of three letters that other checkpoints write.
const LANGUAGES: &[Language] = &[
    language("af", &["afr"], "Afrikaans"),
    language("am", &["amh"], "Amharic"),
    language("ar", &["ara", "arb"], "Arabic"),
    language("az", &["aze", "azj"], "Azerbaijani"),
    language("be", &["bel"], "Belarusian"),
    language("bg", &["bul"], "Bulgarian"),
    language("bn", &["ben"], "Bengali"),
    language("bs", &["bos"], "Bosnian"),
    language("ca", &["cat"], "Catalan"),
    language("cs", &["ces", "cze"], "Czech"),
    language("cy", &["cym", "wel"], "Welsh"),
    language("da", &["dan"], "Danish"),
    language("de", &["deu", "ger"], "German"),
    language("el", &["ell", "gre"], "Greek"),
    language("en", &["eng"], "English"),
    language("es", &["spa"], "Spanish"),
    language("et", &["est", "ekk"], "Estonian"),
    language("eu", &["eus"], "Basque"),
    language("fa", &["fas", "pes", "per"], "Persian"),
    language("fi", &["fin"], "Finnish"),
    language("fr", &["fra", "fre"], "French"),
    language("ga", &["gle"], "Irish"),
    language("gl", &["glg"], "Galician"),
    language("gu", &["guj"], "Gujarati"),
    language("ha", &["hau"], "Hausa"),
    language("he", &["heb"], "Hebrew"),
    language("hi", &["hin"], "Hindi"),
    language("hr", &["hrv"], "Croatian"),
    language("hu", &["hun"], "Hungarian"),
    language("hy", &["hye", "arm"], "Armenian"),
    language("id", &["ind"], "Indonesian"),
    language("is", &["isl", "ice"], "Icelandic"),
    language("it", &["ita"], "Italian"),
    language("ja", &["jpn"], "Japanese"),
    language("ka", &["kat", "geo"], "Georgian"),
    language("kk", &["kaz"], "Kazakh"),
    language("km", &["khm"], "Khmer"),
    language("kn", &["kan"], "Kannada"),
    language("ko", &["kor"], "Korean"),
    language("lb", &["ltz"], "Luxembourgish"),
    language("lo", &["lao"], "Lao"),
    language("lt", &["lit"], "Lithuanian"),
    language("lv", &["lav", "lvs"], "Latvian"),
    language("mk", &["mkd", "mac"], "Macedonian"),
    language("ml", &["mal"], "Malayalam"),
    language("mn", &["mon", "khk"], "Mongolian"),
    language("mr", &["mar"], "Marathi"),
    language("ms", &["msa", "zsm", "may"], "Malay"),
    language("my", &["mya", "bur"], "Burmese"),
    language("ne", &["nep", "npi"], "Nepali"),
    language("nl", &["nld", "dut"], "Dutch"),
    language("no", &["nor", "nob"], "Norwegian"),
    language("pa", &["pan"], "Punjabi"),
    language("pl", &["pol"], "Polish"),
    language("ps", &["pus", "pbt"], "Pashto"),
    language("pt", &["por"], "Portuguese"),
    language("ro", &["ron", "rum"], "Romanian"),
    language("ru", &["rus"], "Russian"),
    language("si", &["sin"], "Sinhala"),
    language("sk", &["slk", "slo"], "Slovak"),
    language("sl", &["slv"], "Slovenian"),
    language("so", &["som"], "Somali"),
    language("sq", &["sqi", "als", "alb"], "Albanian"),
    language("sr", &["srp"], "Serbian"),
    language("sv", &["swe"], "Swedish"),
    language("sw", &["swa", "swh"], "Swahili"),
    language("ta", &["tam"], "Tamil"),
    language("te", &["tel"], "Telugu"),
    language("th", &["tha"], "Thai"),
    language("tl", &["tgl"], "Tagalog"),
    language("tr", &["tur"], "Turkish"),
    language("uk", &["ukr"], "Ukrainian"),
    language("ur", &["urd"], "Urdu"),
    language("uz", &["uzb", "uzn"], "Uzbek"),
    language("vi", &["vie"], "Vietnamese"),
    language("xh", &["xho"], "Xhosa"),
    language("yo", &["yor"], "Yoruba"),
    language("zh", &["zho", "chi", "cmn"], "Chinese"),
    language("zu", &["zul"], "Zulu"),
];

fn find(code: &str) -> Option<&'static Language> {
    let code = code.to_ascii_lowercase();
    LANGUAGES.iter().find(|language| {
        language.code == code
            || language.long.contains(&code.as_str())
            || language.name.eq_ignore_ascii_case(&code)
    })
}

/// The English name of a language, which T5 is asked in.
pub(crate) fn name(code: &str) -> Option<&'static str> {
    find(code).map(|language| language.name)
}

/// Whether two codes mean one language: `de`, `deu`, `ger`, `de_DE`, `deu_Latn`, `German`. A code without a
/// country or script means all of its language's.
pub fn same(wanted: &str, there: &str) -> bool {
    if wanted.eq_ignore_ascii_case(there) {
        return true;
    }
    let language = |code: &str| {
        code.split(['_', '-'])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let detailed = |code: &str| code.contains(['_', '-']);
    if detailed(wanted) && detailed(there) && !wanted.replace('-', "_").eq_ignore_ascii_case(there) {
        return false;
    }
    let (wanted, there) = (language(wanted), language(there));
    match (find(&wanted), find(&there)) {
        (Some(wanted), Some(there)) => wanted.code == there.code,
        _ => wanted == there,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_all_kinds_are_understood() {
        for there in ["de", "deu", "de_DE", "deu_Latn", "ger", "DE"] {
            assert!(
                same("de", there) && same("German", there) && same("deu", there),
                "{there}"
            );
            assert!(!same("en", there));
        }
        assert!(same("xx", "xx") && !same("xx", "xy"));
        assert!(same("zho_Hans", "zho_Hans") && !same("zho_Hans", "zho_Hant") && same("zh", "zho_Hant"));
        assert_eq!((name("fra"), name("tlh")), (Some("French"), None));
    }
}
