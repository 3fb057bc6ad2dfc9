//! Numbers between bounds.

use serde_json::Value;

use super::{Compiler, Keywords, problem, unsupported};
use crate::constraint::ConstraintError;
use crate::constraint::grammar::{EMPTY, Grammar, Id, NOTHING};

/// Digits before the point, at most: they fit 64 bits.
const DIGITS: usize = 18;
/// Digits that a double-precision number tells apart.
const PRECISION: usize = 15;

/// A number that is not negative, in decimal.
#[derive(Debug, Clone)]
struct Decimal {
    whole: u64,
    /// Digits after the point, without trailing zeros.
    fraction: Vec<u8>,
}

/// A bound and whether it is excluded.
#[derive(Debug, Clone, Copy)]
struct Bound {
    value: f64,
    excluded: bool,
}

impl Bound {
    fn negated(self) -> Self {
        Self {
            value: -self.value,
            ..self
        }
    }
}

impl Compiler<'_> {
    /// The numbers that fit the keywords; `integer` ones are written without a point.
    pub(super) fn number(
        &mut self,
        keywords: &Keywords,
        path: &str,
        integer: bool,
    ) -> Result<Id, ConstraintError> {
        let mut integer = integer;
        match keywords.get("multipleOf") {
            None => {}
            Some(value) if value.as_f64() == Some(1.) => integer = true,
            Some(_) => return Err(unsupported(path, "multipleOf", " but for 1")),
        }
        let lower = bound(keywords, "minimum", "exclusiveMinimum", path, f64::max)?;
        let upper = bound(keywords, "maximum", "exclusiveMaximum", path, f64::min)?;
        let number = match (lower, upper) {
            (None, None) => return Ok(unbounded(self.grammar, integer)),
            _ if integer => integers(self.grammar, lower, upper),
            _ => decimals(self.grammar, lower, upper),
        };
        if number == NOTHING {
            return Ok(self.impossible(path, "no number lies between the bounds"));
        }
        Ok(number)
    }
}

/// The stricter of a bound that is included and one that is excluded.
fn bound(
    keywords: &Keywords,
    included: &str,
    excluded: &str,
    path: &str,
    stricter: fn(f64, f64) -> f64,
) -> Result<Option<Bound>, ConstraintError> {
    let get = |name: &str| match keywords.get(name) {
        None => Ok(None),
        Some(value) => {
            let number = value.as_f64().filter(|n| n.is_finite());
            let number =
                number.ok_or_else(|| problem(path, format!("`{name}` is {value}, but must be a number")));
            number.map(Some)
        }
    };
    // Draft 4 had a boolean that changed the other bound.
    let (included, excluded) = match keywords.get(excluded) {
        Some(Value::Bool(true)) => (None, get(included)?),
        Some(Value::Bool(false)) => (get(included)?, None),
        _ => (get(included)?, get(excluded)?),
    };
    Ok(match (included, excluded) {
        (None, None) => None,
        (Some(value), None) => Some(Bound {
            value,
            excluded: false,
        }),
        (None, Some(value)) => Some(Bound {
            value,
            excluded: true,
        }),
        (Some(a), Some(b)) => Some(Bound {
            value: stricter(a, b),
            excluded: stricter(a, b) == b,
        }),
    })
}

fn unbounded(g: &mut Grammar, integer: bool) -> Id {
    let (zero, digit) = (g.literal(b"0"), g.byte(b'0', b'9'));
    let first = g.byte(b'1', b'9');
    let more = g.repeat(digit, 0, Some(DIGITS as u32 - 1));
    let positive = g.cat(first, more);
    let minus = g.literal(b"-");
    let sign = g.optional(minus);
    if integer {
        let signed = g.cat(sign, positive);
        return g.any([zero, signed]);
    }
    let whole = g.any([zero, positive]);
    let (point, e) = (g.literal(b"."), g.any_of(b"eE"));
    let digits = g.repeat(digit, 1, Some(PRECISION as u32));
    let fraction = g.cat(point, digits);
    let fraction = g.optional(fraction);
    let sign_of_exponent = g.any_of(b"+-");
    let sign_of_exponent = g.optional(sign_of_exponent);
    let power = g.repeat(digit, 1, Some(2));
    let exponent = g.sequence(&[e, sign_of_exponent, power]);
    let exponent = g.optional(exponent);
    g.sequence(&[sign, whole, fraction, exponent])
}

impl Grammar {
    fn any_of(&mut self, bytes: &[u8]) -> Id {
        let all: Vec<Id> = bytes.iter().map(|&b| self.byte(b, b)).collect();
        self.any(all)
    }
}

/// Integers between two bounds.
fn integers(g: &mut Grammar, lower: Option<Bound>, upper: Option<Bound>) -> Id {
    let limit = 10i64.pow(DIGITS as u32) - 1;
    let least = lower.map_or(-limit, |bound| {
        let whole = bound.value.ceil() as i64;
        whole
            .saturating_add(i64::from(bound.excluded && bound.value.fract() == 0.))
            .max(-limit)
    });
    let most = upper.map_or(limit, |bound| {
        let whole = bound.value.floor() as i64;
        whole
            .saturating_sub(i64::from(bound.excluded && bound.value.fract() == 0.))
            .min(limit)
    });
    let positive = if most >= 0 {
        whole_range(g, least.max(0) as u64, most as u64)
    } else {
        NOTHING
    };
    let negative = if least < 0 {
        whole_range(g, most.min(-1).unsigned_abs(), least.unsigned_abs())
    } else {
        NOTHING
    };
    let minus = g.literal(b"-");
    let negative = g.cat(minus, negative);
    g.any([positive, negative])
}

/// Whole numbers from `from` to `to`, in decimal without leading zeros.
fn whole_range(g: &mut Grammar, from: u64, to: u64) -> Id {
    if from > to {
        return NOTHING;
    }
    let digits = |n: u64| n.to_string().into_bytes();
    let (short, long) = (digits(from).len(), digits(to).len());
    let mut all = Vec::new();
    for len in short..=long {
        let least = if len == short {
            from
        } else {
            10u64.pow(len as u32 - 1)
        };
        let most = if len == long {
            to
        } else {
            10u64.pow(len as u32) - 1
        };
        all.push(digit_range(g, &digits(least), &digits(most)));
    }
    g.any(all)
}

/// Numbers of as many digits as both bounds have.
fn digit_range(g: &mut Grammar, from: &[u8], to: &[u8]) -> Id {
    let (Some((&a, from)), Some((&b, to))) = (from.split_first(), to.split_first()) else {
        return EMPTY;
    };
    let len = from.len();
    let digit = g.byte(b'0', b'9');
    let any = g.repeat(digit, len as u32, Some(len as u32));
    if (a, b) == (b'0', b'9') && from.iter().all(|&d| d == b'0') && to.iter().all(|&d| d == b'9') {
        return g.cat(digit, any);
    }
    let first = g.byte(a, a);
    if a == b {
        let rest = digit_range(g, from, to);
        return g.cat(first, rest);
    }
    let low = digit_range(g, from, &vec![b'9'; len]);
    let high = digit_range(g, &vec![b'0'; len], to);
    let last = g.byte(b, b);
    let mut all = vec![g.cat(first, low), g.cat(last, high)];
    if a + 1 < b {
        let between = g.byte(a + 1, b - 1);
        all.push(g.cat(between, any));
    }
    g.any(all)
}

/// Numbers between two bounds, written without exponent.
fn decimals(g: &mut Grammar, lower: Option<Bound>, upper: Option<Bound>) -> Id {
    let magnitudes = |g: &mut Grammar, lower: Option<Bound>, upper: Option<Bound>| {
        if upper.is_some_and(|upper| upper.value < 0. || upper.value == 0. && upper.excluded) {
            return NOTHING;
        }
        between(g, lower.filter(|lower| lower.value >= 0.), upper)
    };
    let positive = magnitudes(g, lower, upper);
    let negative = magnitudes(g, upper.map(Bound::negated), lower.map(Bound::negated));
    let minus = g.literal(b"-");
    let negative = g.cat(minus, negative);
    g.any([positive, negative])
}

/// Numbers between two bounds that are not negative.
fn between(g: &mut Grammar, lower: Option<Bound>, upper: Option<Bound>) -> Id {
    let greatest = 10u64.pow(DIGITS as u32) - 1;
    let lower = lower.unwrap_or(Bound {
        value: 0.,
        excluded: false,
    });
    let Some(from) = decimal(lower.value) else {
        return NOTHING; // greater than what is written
    };
    let upper = upper.and_then(|upper| Some((decimal(upper.value)?, upper.excluded)));
    let longest = upper
        .as_ref()
        .map_or(from.whole, |(to, _)| to.whole.max(from.whole));
    let places = PRECISION.saturating_sub(longest.to_string().len()).max(1);
    let low = Edge::new(&from.fraction, lower.excluded);
    let high = upper
        .as_ref()
        .map(|(to, excluded)| Edge::new(&to.fraction, *excluded));

    let mut all = Vec::new();
    let mut exactly = |g: &mut Grammar, whole: u64, low: Option<Edge<'_>>, high: Option<Edge<'_>>| {
        let number = whole_range(g, whole, whole);
        let fraction = fraction(g, low, high, places);
        all.push(g.cat(number, fraction));
    };
    match &upper {
        Some((to, _)) if to.whole < from.whole => return NOTHING,
        Some((to, _)) if to.whole == from.whole => {
            exactly(g, to.whole, Some(low), high);
            return g.any(all);
        }
        Some((to, _)) => {
            exactly(g, from.whole, Some(low), None);
            exactly(g, to.whole, None, high);
        }
        None => exactly(g, from.whole, Some(low), None),
    }
    let last = upper.as_ref().map_or(greatest, |(to, _)| to.whole - 1);
    let number = whole_range(g, from.whole + 1, last);
    let any = fraction(g, None, None, places);
    all.push(g.cat(number, any));
    g.any(all)
}

/// A bound on digits after the point; `None` once they are off it.
#[derive(Debug, Clone, Copy)]
struct Edge<'a> {
    digits: &'a [u8],
    excluded: bool,
}

impl<'a> Edge<'a> {
    fn new(digits: &'a [u8], excluded: bool) -> Self {
        Self { digits, excluded }
    }

    /// The next digit.
    fn digit(self) -> u8 {
        self.digits.first().copied().unwrap_or(b'0')
    }

    fn rest(self) -> Self {
        Self::new(self.digits.get(1..).unwrap_or_default(), self.excluded)
    }
}

/// A fraction with its point, or none; at most `places` digits.
fn fraction(g: &mut Grammar, low: Option<Edge<'_>>, high: Option<Edge<'_>>, places: usize) -> Id {
    let point = g.literal(b".");
    let digits = some_digits(g, low, high, places);
    let fraction = g.cat(point, digits);
    if may_end(low, high) {
        g.optional(fraction)
    } else {
        fraction
    }
}

/// Whether no further digits are needed.
fn may_end(low: Option<Edge<'_>>, high: Option<Edge<'_>>) -> bool {
    let above = low.is_none_or(|low| low.digits.is_empty() && !low.excluded);
    let below = high.is_none_or(|high| !high.digits.is_empty() || !high.excluded);
    above && below
}

/// At least one digit.
fn some_digits(g: &mut Grammar, low: Option<Edge<'_>>, high: Option<Edge<'_>>, places: usize) -> Id {
    if places == 0 {
        return NOTHING;
    }
    if low.is_none() && high.is_none() {
        let digit = g.byte(b'0', b'9');
        return g.repeat(digit, 1, Some(places as u32));
    }
    let from = low.map_or(b'0', Edge::digit);
    let to = high.map_or(b'9', Edge::digit);
    let mut all = Vec::new();
    for digit in from..=to {
        let low = low.filter(|low| low.digit() == digit).map(Edge::rest);
        let high = high.filter(|high| high.digit() == digit).map(Edge::rest);
        let more = some_digits(g, low, high, places - 1);
        let more = if may_end(low, high) {
            g.optional(more)
        } else {
            more
        };
        let digit = g.byte(digit, digit);
        all.push(g.cat(digit, more));
    }
    g.any(all)
}

/// A number that is not negative in decimal, if it is not too great.
fn decimal(value: f64) -> Option<Decimal> {
    let text = value.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    Some(Decimal {
        whole: whole
            .parse()
            .ok()
            .filter(|&whole| whole < 10u64.pow(DIGITS as u32))?,
        fraction: fraction.trim_end_matches('0').as_bytes().to_vec(),
    })
}
