//! The connected parts of a mask, and which of them are the digit's.

use std::ops::Range;

/// The mask with only its large connected parts: specks go, the separate bar of a 5 stays.
pub(super) fn without_specks(mask: &[bool], width: usize, height: usize) -> Vec<bool> {
    /// Share of the digit's area.
    const SPECK: f32 = 0.04;
    /// A digit has at least this share of the picture's shorter side.
    const SMALLEST: f32 = 0.15;
    /// Strokes of one digit are not farther apart than this share of its size.
    const NEAR: f32 = 0.2;

    let (part_of, parts) = label(mask, width, height);
    let largest = parts.iter().max_by_key(|p| p.area);
    let inside = parts
        .iter()
        .filter(|p| !p.at_border(width, height))
        .max_by_key(|p| p.area);
    let smallest = SMALLEST * width.min(height) as f32;
    let whole = inside.filter(|p| p.longer_side() as f32 >= smallest);
    let Some(main) = whole.or(largest) else {
        return vec![false; mask.len()];
    };

    // What runs out of the picture is the table's edge or a finger, if something within could be the
    // digit, unless it lies so close that the picture may have been cut too tight.
    let is_foreign = |part: &Part| {
        let surrounds = part.x.len() * 10 > width * 9 && part.y.len() * 10 > height * 9;
        let near = part.gap(main) as f32 <= NEAR * main.longer_side() as f32;
        whole.is_some() && part.at_border(width, height) && (surrounds || !near)
    };
    let keep = |part: &Part| part.area as f32 >= SPECK * main.area as f32 && !is_foreign(part);
    let kept: Vec<bool> = parts.iter().map(keep).collect();
    part_of
        .iter()
        .map(|part| part.is_some_and(|part| kept[part]))
        .collect()
}

/// Pixels that touch, corners included.
struct Part {
    area: usize,
    x: Range<usize>,
    y: Range<usize>,
}

impl Part {
    fn longer_side(&self) -> usize {
        self.x.len().max(self.y.len())
    }

    fn at_border(&self, width: usize, height: usize) -> bool {
        self.x.start == 0 || self.y.start == 0 || self.x.end == width || self.y.end == height
    }

    /// Pixels between the boxes of two parts.
    fn gap(&self, other: &Part) -> usize {
        let between =
            |a: &Range<usize>, b: &Range<usize>| a.start.max(b.start).saturating_sub(a.end.min(b.end));
        between(&self.x, &other.x).max(between(&self.y, &other.y))
    }
}

/// Which part each pixel of the mask belongs to.
fn label(mask: &[bool], width: usize, height: usize) -> (Vec<Option<usize>>, Vec<Part>) {
    let mut part_of = vec![None; mask.len()];
    let mut parts: Vec<Part> = Vec::new();
    let mut open = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || part_of[start].is_some() {
            continue;
        }
        let mut part = Part {
            area: 0,
            x: width..0,
            y: height..0,
        };
        part_of[start] = Some(parts.len());
        open.push(start);
        while let Some(i) = open.pop() {
            let (x, y) = (i % width, i / width);
            part.area += 1;
            part.x = part.x.start.min(x)..part.x.end.max(x + 1);
            part.y = part.y.start.min(y)..part.y.end.max(y + 1);
            for near_y in y.saturating_sub(1)..(y + 2).min(height) {
                for near_x in x.saturating_sub(1)..(x + 2).min(width) {
                    let near = near_y * width + near_x;
                    if mask[near] && part_of[near].is_none() {
                        part_of[near] = Some(parts.len());
                        open.push(near);
                    }
                }
            }
        }
        parts.push(part);
    }
    (part_of, parts)
}
