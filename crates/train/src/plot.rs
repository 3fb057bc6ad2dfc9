//! Pictures of a run and of a classifier's mistakes, as SVG.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::error::{Result, TrainError};
use crate::history::EpochRecord;
use crate::metrics::ConfusionMatrix;

const TRAIN: RGBColor = RGBColor(31, 119, 180);
const VALIDATION: RGBColor = RGBColor(214, 39, 40);
const INK: RGBColor = RGBColor(40, 40, 40);
const FONT: &str = "sans-serif";

/// Draws loss and accuracy over the epochs, training against validation, to the SVG file `path`.
///
/// # Errors
/// If the file cannot be written.
pub fn plot_history(history: &[EpochRecord], path: &Path) -> Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    let draw = |area: DrawingArea<SVGBackend<'_>, Shift>| -> DrawResult {
        let (left, right) = area.split_horizontally(480);
        let curve = |value: fn(&EpochRecord) -> f64| history.iter().map(value).collect::<Vec<_>>();
        panel(
            &left,
            "loss",
            &curve(|e| e.train.loss),
            &curve(|e| e.validation.loss),
        )?;
        let error = |accuracy: f64| 100.0 * (1.0 - accuracy);
        let train: Vec<f64> = history.iter().map(|e| error(e.train.accuracy)).collect();
        let validation: Vec<f64> = history.iter().map(|e| error(e.validation.accuracy)).collect();
        panel(&right, "errors, %", &train, &validation)
    };
    svg(path, (960, 360), draw)
}

/// Draws the counts of `matrix`, rows the truth and columns the prediction, to the SVG file `path`.
///
/// # Errors
/// If the file cannot be written.
pub fn plot_confusion(matrix: &ConfusionMatrix, labels: &[String], path: &Path) -> Result<()> {
    const CELL: i32 = 46;
    const MARGIN: i32 = 110;
    let classes = matrix.counts().len() as i32;
    let side = (MARGIN + classes * CELL + 20).max(200) as u32;
    let name = |i: i32| labels.get(i as usize).cloned().unwrap_or_else(|| i.to_string());
    let draw = |area: DrawingArea<SVGBackend<'_>, Shift>| -> DrawResult {
        use plotters::style::text_anchor::{HPos, Pos, VPos};
        let style = |size: i32, h: HPos| {
            (FONT, size)
                .into_font()
                .color(&INK)
                .pos(Pos::new(h, VPos::Center))
        };
        let middle = MARGIN + classes * CELL / 2;
        area.draw(&Text::new("predicted", (middle, 16), style(15, HPos::Center)))?;
        area.draw(&Text::new("truth", (10, MARGIN - 14), style(15, HPos::Left)))?;
        for (row, counts) in (0..).zip(matrix.counts()) {
            let top = MARGIN + row * CELL;
            let support: usize = counts.iter().sum();
            area.draw(&Text::new(
                name(row),
                (MARGIN - 8, top + CELL / 2),
                style(13, HPos::Right),
            ))?;
            let heading = (FONT, 13)
                .into_font()
                .transform(FontTransform::Rotate270)
                .color(&INK);
            let heading = heading.pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(
                name(row),
                (MARGIN + row * CELL + CELL / 2, MARGIN - 8),
                heading,
            ))?;
            for (column, &count) in (0..).zip(counts) {
                let left = MARGIN + column * CELL;
                let share = count as f64 / support.max(1) as f64;
                let frame = [(left, top), (left + CELL - 2, top + CELL - 2)];
                area.draw(&Rectangle::new(frame, shade(share, row == column).filled()))?;
                if count > 0 {
                    let color = if share > 0.5 { WHITE } else { INK };
                    let at = (left + CELL / 2 - 1, top + CELL / 2 - 1);
                    area.draw(&Text::new(
                        count.to_string(),
                        at,
                        style(13, HPos::Center).color(&color),
                    ))?;
                }
            }
        }
        Ok(())
    };
    svg(path, (side, side), draw)
}

type DrawResult = std::result::Result<(), Box<dyn std::error::Error>>;

/// Draws into memory first, so that no half-drawn file is left behind.
fn svg(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(DrawingArea<SVGBackend<'_>, Shift>) -> DrawResult,
) -> Result<()> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    let drawn = area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(area));
    drawn.map_err(|e| TrainError::Plot {
        path: path.into(),
        why: e.to_string(),
    })?;
    sensorium_hub::atomic::write_bytes(path, text.as_bytes())?;
    Ok(())
}

/// One chart of two curves over the epochs, from 1, with a logarithmic axis for what falls towards zero.
fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    train: &[f64],
    validation: &[f64],
) -> DrawResult {
    let values = || train.iter().chain(validation).copied().filter(|v| *v > 0.0);
    let low = values().fold(f64::INFINITY, f64::min).min(1.0) * 0.8;
    let high = values().fold(low, f64::max).max(low * 1.5) * 1.2;
    let epochs = train.len().max(2) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1.0..epochs, (low..high).log_scale())?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("epoch")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .x_labels(train.len().clamp(2, 10));
    mesh.y_label_formatter(&|y| {
        format!("{y:.3}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_string()
    });
    mesh.light_line_style(RGBColor(235, 235, 235)).draw()?;
    for (name, color, curve) in [("training", TRAIN, train), ("validation", VALIDATION, validation)] {
        let points = (1..)
            .zip(curve)
            .map(|(epoch, value)| (f64::from(epoch), value.max(low)));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(210, 210, 210))
        .draw()?;
    Ok(())
}

/// White for none; towards blue for what is right, and faster towards red for what is wrong.
fn shade(share: f64, right: bool) -> RGBColor {
    let strength = if right { share } else { share.sqrt() };
    let full = if right { TRAIN } else { VALIDATION };
    let mix = |to: u8| (255.0 + (f64::from(to) - 255.0) * strength).round() as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}
