//! Signs and emoji.

use emojis::Emoji;

use super::super::units::{CURRENCIES, SIGNS};
use super::{Rule, alternatives, word};

/// What may stand behind an emoji: the way it is drawn, a colour of skin, letters of a flag.
const BEHIND: &str = r"[\u{FE0F}\u{1F3FB}-\u{1F3FF}\u{E0020}-\u{E007F}]";

/// An emoji, before digits and signs that it may begin with.
pub fn emoji() -> Vec<Rule> {
    const BASE: &str = r"[\u{203C}-\u{3299}\u{1F000}-\u{1FAFF}]";
    let joined = format!(r"\u{{200D}}[\u{{203C}}-\u{{3299}}\u{{1F000}}-\u{{1FAFF}}]{BEHIND}{{0,8}}");
    let pattern = format!(
        r"[\u{{1F1E6}}-\u{{1F1FF}}]{{2}}|[0-9*#]\u{{FE0F}}?\u{{20E3}}|{BASE}{BEHIND}{{0,8}}(?:{joined}){{0,8}}"
    );
    vec![word(pattern, |found| {
        let all = &found.text[found.all.clone()];
        if SIGNS.iter().any(|(sign, _)| all.starts_with(*sign)) {
            return None;
        }
        if let Some(emoji) = emoji_of(all) {
            return Some(emoji.name().to_string());
        }
        // Of those that nobody has given a name to, each one's own.
        let parts: Vec<&str> = all
            .split('\u{200D}')
            .filter_map(emoji_of)
            .map(Emoji::name)
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })]
}

fn emoji_of(text: &str) -> Option<&'static Emoji> {
    let plain = || text.replace('\u{FE0F}', "");
    let drawn = || text.trim_end_matches('\u{FE0F}').to_string() + "\u{FE0F}";
    let base = || text.chars().next().map(String::from);
    emojis::get(text)
        .or_else(|| emojis::get(&plain()))
        .or_else(|| emojis::get(&drawn()))
        .or_else(|| emojis::get(&base()?))
}

pub fn rules() -> Vec<Rule> {
    let signs: Vec<String> = SIGNS
        .iter()
        .map(|(sign, _)| sign)
        .chain(CURRENCIES.iter().map(|(sign, _)| sign))
        .map(char::to_string)
        .collect();
    let sign = alternatives(signs.iter().map(String::as_str));
    vec![
        word(r"\+/[-−–]", |_| Some("plus or minus".to_string())),
        word(sign, |found| {
            let sign = found.text[found.all.clone()].chars().next()?;
            let of_money = || {
                CURRENCIES
                    .iter()
                    .find(|(known, _)| *known == sign)
                    .map(|(_, [one, ..])| *one)
            };
            let found = SIGNS
                .iter()
                .find(|(known, _)| *known == sign)
                .map(|(_, name)| *name);
            found.or_else(of_money).map(str::to_string)
        }),
        word(r"(?:\s)(?<all>[-–—]+)(?:\s)", |_| Some(",".to_string())),
    ]
}
