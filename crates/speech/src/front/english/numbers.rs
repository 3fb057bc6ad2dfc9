//! Numbers in words.

use num2words::Num2Words;

/// A whole number of any length: “one thousand two hundred”; digit by digit where it begins with a zero or is longer
/// than a name reaches.
pub fn cardinal(digits: &str) -> String {
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let named = match digits.len() > 1 && digits.starts_with('0') {
        true => None,
        false => digits
            .parse::<i64>()
            .ok()
            .and_then(|number| Num2Words::new(number).to_words().ok())
            // As Americans say it, and `num2words` itself below a thousand.
            .map(|named| named.replace(" and ", " ")),
    };
    named.unwrap_or_else(|| spelt(&digits))
}

/// “twenty-second”.
pub fn ordinal(digits: &str) -> String {
    let number = digits.replace(',', "").parse::<i64>().ok();
    let named = number.and_then(|number| Num2Words::new(number).ordinal().to_words().ok());
    named.unwrap_or_else(|| spelt(digits))
}

/// Digit by digit: “zero seven”.
pub fn spelt(digits: &str) -> String {
    let names: Vec<&str> = digits.chars().filter_map(digit).collect();
    names.join(" ")
}

fn digit(digit: char) -> Option<&'static str> {
    const NAMES: [&str; 10] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    NAMES.get(digit.to_digit(10)? as usize).copied()
}

/// A number with a fraction, `3.14`: “three point one four”.
pub fn decimal(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, part)) => {
            let whole = if whole.is_empty() {
                "zero".to_string()
            } else {
                cardinal(whole)
            };
            format!("{whole} point {}", spelt(part))
        }
        None => cardinal(text),
    }
}

/// A year: “nineteen eighty-seven”, “two thousand five”, “nineteen oh five”.
pub fn year(digits: &str) -> String {
    let Ok(number) = digits.parse::<u32>() else {
        return cardinal(digits);
    };
    let (century, rest) = (number / 100, number % 100);
    match (century, rest) {
        _ if !(1100..=2099).contains(&number) => cardinal(digits),
        (20, 0) => cardinal(digits),
        (20, 1..10) => format!("two thousand {}", cardinal(&rest.to_string())),
        (_, 0) => format!("{} hundred", cardinal(&century.to_string())),
        (_, 1..10) => format!(
            "{} oh {}",
            cardinal(&century.to_string()),
            cardinal(&rest.to_string())
        ),
        _ => format!(
            "{} {}",
            cardinal(&century.to_string()),
            cardinal(&rest.to_string())
        ),
    }
}

/// A year long ago, before or after Christ: “twenty-two fifty”, “six twenty-six”.
pub fn old_year(digits: &str) -> String {
    match digits.parse::<u32>() {
        Ok(number) if number > 100 && number % 100 >= 10 => format!(
            "{} {}",
            cardinal(&(number / 100).to_string()),
            cardinal(&(number % 100).to_string())
        ),
        _ => cardinal(digits),
    }
}

/// The years from `digits` on: “nineteen nineties”.
pub fn decade(digits: &str) -> String {
    let said = match digits {
        "00" => "two thousand".to_string(),
        "100" => "hundred".to_string(),
        "1000" => "thousand".to_string(),
        _ if digits.len() == 4 => year(digits),
        _ => cardinal(digits),
    };
    match said.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if said.ends_with("six") => format!("{said}es"),
        None => format!("{said}s"),
    }
}

/// `1/2`: “one half”.
pub fn fraction(above: &str, below: &str) -> String {
    let one = above == "1";
    let part = match below {
        "1" => return cardinal(above),
        "2" if one => "half".to_string(),
        "2" => "halves".to_string(),
        "4" if one => "quarter".to_string(),
        "4" => "quarters".to_string(),
        _ if one => ordinal(below),
        _ => ordinal(below) + "s",
    };
    format!("{} {part}", cardinal(above))
}
