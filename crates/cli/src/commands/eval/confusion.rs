//! Tables of what was taken for what.

use sensorium::train::ConfusionMatrix;

use crate::table;

/// Precision, recall and F1 of each class, and how many `examples` it has.
pub fn class_table(matrix: &ConfusionMatrix, examples: &str, name: impl Fn(usize) -> String) -> String {
    let mut rows = vec![
        ["class", "precision", "recall", "F1", examples]
            .map(String::from)
            .to_vec(),
    ];
    for (i, class) in matrix.per_class().into_iter().enumerate() {
        let scores = [class.precision, class.recall, class.f1].map(|x| format!("{x:.4}"));
        rows.push([vec![name(i)], scores.to_vec(), vec![class.support.to_string()]].concat());
    }
    table::aligned(&rows, None)
}

/// Rows are the truth, columns the prediction; zeros are dots, so that mistakes stand out.
pub fn confusion_table(matrix: &ConfusionMatrix, name: impl Fn(usize) -> String) -> String {
    let counts = matrix.counts();
    let cell = |&count: &usize| {
        if count == 0 {
            "·".to_string()
        } else {
            count.to_string()
        }
    };
    let mut rows = vec![
        [
            vec!["truth \\ predicted".to_string()],
            (0..counts.len()).map(&name).collect(),
        ]
        .concat(),
    ];
    for (i, row) in counts.iter().enumerate() {
        rows.push([vec![name(i)], row.iter().map(cell).collect()].concat());
    }
    table::aligned(&rows, None)
}
