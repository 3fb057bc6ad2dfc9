//! Times of day.

use super::super::numbers::cardinal;
use super::abbreviations::stop;
use super::{DASH, Rule, amount};

/// Before or after noon.
const HALF: &str = r"(?<half>[aApP])(?:[mM]\b|\.[mM]\.?)";

pub fn rules() -> Vec<Rule> {
    let from = format!("(?:(?<from>1[0-2]|[1-9]){DASH})?");
    vec![
        amount(
            format!(r"\b{from}(?<h>[01]?\d|2[0-3]):(?<m>[0-5]\d)(?::(?<s>[0-5]\d)\b)?(?: ?{HALF})?"),
            |found| {
                let hour = cardinal(&found["h"].parse::<u32>().ok()?.to_string());
                let half = half(found);
                let minute = match &found["m"] {
                    "00" if half.is_empty() && found.get("s").is_none() => " o'clock".to_string(),
                    "00" => String::new(),
                    minute if minute.starts_with('0') => format!(" oh {}", cardinal(&minute[1..])),
                    minute => format!(" {}", cardinal(minute)),
                };
                let seconds = found.get("s").map_or(String::new(), |seconds| {
                    let count = cardinal(seconds.strip_prefix('0').unwrap_or(seconds));
                    format!(" and {count} second{}", if seconds == "01" { "" } else { "s" })
                });
                Some(begin(found) + &hour + &minute + &seconds + &half + stop(found))
            },
        ),
        amount(format!(r"\b{from}(?<h>1[0-2]|[1-9]) ?{HALF}"), |found| {
            Some(begin(found) + &cardinal(&found["h"]) + &half(found) + stop(found))
        }),
    ]
}

fn half(found: &super::Found<'_>) -> String {
    found
        .get("half")
        .map_or(String::new(), |half| format!(" {} m", half.to_lowercase()))
}

/// Where a range begins.
fn begin(found: &super::Found<'_>) -> String {
    found
        .get("from")
        .map_or(String::new(), |from| format!("{} to ", cardinal(from)))
}
