//! Columns of text.

/// Lines of `rows` with their columns aligned, two spaces apart, cut at `width` columns.
pub fn aligned(rows: &[Vec<String>], width: Option<usize>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let column = |i: usize| {
        rows.iter()
            .filter_map(|row| row.get(i))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|i| column(i).unwrap_or(0)).collect();
    let mut lines = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        lines.extend(line.trim_end().chars().take(width.unwrap_or(usize::MAX)));
        lines.push('\n');
    }
    lines
}

/// A number of bytes for people: `1.6 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{n} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A whole number with its thousands apart: `60,000`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "b".into()], vec!["long".into(), "c".into()]];
        assert_eq!(aligned(&rows, None), "a     b\nlong  c\n");
        assert_eq!(aligned(&rows, Some(3)), "a  \nlon\n");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [bytes(999), bytes(1_648_877), bytes(u64::MAX)],
            ["999 B", "1.6 MB", "18446744.1 TB"]
        );
        assert_eq!(
            [thousands(7), thousands(60_000), thousands(1_234_567)],
            ["7", "60,000", "1,234,567"]
        );
    }
}
