//! A bar chart of class scores for a terminal.

use std::fmt::Write;

use sensorium::Label;

use crate::context::Terminal;

const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One line for each label: its name, a bar, its score in per cent.
pub fn chart(labels: &[Label], terminal: Terminal) -> String {
    const PERCENT: usize = "100.00 %".len();
    let name_width = labels.iter().map(|l| l.label.chars().count()).max().unwrap_or(0);
    let name_width = name_width.min(terminal.width / 2);
    let bar_width = terminal
        .width
        .saturating_sub(name_width + PERCENT + 6)
        .clamp(1, 50);
    let mut chart = String::new();
    for (rank, label) in labels.iter().enumerate() {
        let name: String = label.label.chars().take(name_width).collect();
        let bar = bar(label.score, bar_width, terminal.unicode);
        let percent = format!("{:.2} %", 100.0 * label.score);
        let line = format!("  {name:>name_width$}  {bar}  {percent:>PERCENT$}");
        let _ = if terminal.color && rank == 0 {
            writeln!(chart, "\x1b[1;32m{line}\x1b[0m")
        } else {
            writeln!(chart, "{line}")
        };
    }
    chart
}

/// A bar of `width` columns, `score` of it filled.
fn bar(score: f64, width: usize, unicode: bool) -> String {
    let score = if score.is_finite() {
        score.clamp(0.0, 1.0)
    } else {
        0.0
    };
    if !unicode {
        let filled = (score * width as f64).round() as usize;
        return format!("{}{}", "#".repeat(filled), ".".repeat(width - filled));
    }
    let eighths = (score * (8 * width) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    let filled = eighths.div_ceil(8);
    bar.extend(std::iter::repeat_n(' ', width - filled));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<Label> {
        let label = |label: &str, score| Label {
            label: label.into(),
            score,
        };
        vec![label("7", 0.9), label("ankle boot", 0.1), label("nan", f64::NAN)]
    }

    #[test]
    fn every_line_fits_the_terminal() {
        for width in [20, 30, 80, 200] {
            for unicode in [true, false] {
                let terminal = Terminal {
                    is_terminal: true,
                    width,
                    unicode,
                    color: false,
                };
                let chart = chart(&labels(), terminal);
                let lengths: Vec<_> = chart.lines().map(|line| line.chars().count()).collect();
                assert_eq!(lengths.len(), 3);
                assert!(
                    lengths.iter().all(|l| *l == lengths[0] && *l <= width.max(26)),
                    "{width}: {lengths:?}"
                );
            }
        }
    }

    #[test]
    fn a_bar_fills_in_eighths_or_in_ascii() {
        assert_eq!(bar(0.5, 4, true), "██  ");
        assert_eq!(bar(0.53125, 4, true), "██▏ ");
        assert_eq!(bar(1.0, 4, true), "████");
        assert_eq!(bar(2.0, 4, false), "####");
        assert_eq!(bar(0.25, 4, false), "#...");
    }

    #[test]
    fn colour_only_where_it_is_welcome() {
        let plain = Terminal {
            is_terminal: true,
            width: 80,
            unicode: true,
            color: false,
        };
        assert!(!chart(&labels(), plain).contains('\x1b'));
        assert!(chart(&labels(), Terminal { color: true, ..plain }).starts_with("\x1b[1;32m"));
    }
}
