//! Tables: cells in columns, cut where the screen is narrow.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::styled;

/// Cells in columns as wide as their widest cell.
#[derive(Default)]
pub(in crate::cli) struct Table {
    rows: Vec<Vec<(String, Style)>>,
    /// Lines below rows, by how many rows there were before.
    below: Vec<(usize, String, Style)>,
}

impl Table {
    /// What stands between columns.
    const GAP: usize = 2;

    pub(in crate::cli) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = (S, Style)>) {
        self.rows.push(cells.into_iter().map(|(cell, style)| (cell.into(), style)).collect());
    }

    /// Adds a line below the last row, which is in no column; an empty one is left out.
    pub(in crate::cli) fn below(&mut self, text: String, style: Style) {
        if !text.is_empty() {
            self.below.push((self.rows.len(), text, style));
        }
    }

    /// Returns the lines, without spaces at their ends.
    pub(in crate::cli) fn lines(&self) -> Vec<String> {
        self.lines_within(None)
    }

    /// Returns the lines, whose cells are cut as far as it takes to fit into `columns`.
    pub(super) fn lines_within(&self, columns: Option<usize>) -> Vec<String> {
        let mut widths = self.widths();
        if let Some(columns) = columns {
            squeeze(&mut widths, columns);
        }
        let line = |row: &Vec<(String, Style)>| {
            // Empty cells at the end would only leave spaces behind.
            let n_cells = row.iter().rposition(|(cell, _)| !cell.is_empty()).map_or(0, |idx| idx + 1);
            let cells = row.iter().take(n_cells).enumerate().map(|(idx, (cell, style))| {
                let cell = cut(cell, widths[idx]);
                let is_last = idx + 1 == n_cells || widths[idx] == 0;
                let gap = if is_last { 0 } else { widths[idx] - cell.width() + Self::GAP };
                styled(*style, cell) + &" ".repeat(gap)
            });
            cells.collect()
        };
        let below = |n_rows: usize| {
            let lines = self.below.iter().filter(move |(after, ..)| *after == n_rows);
            lines.map(|(_, text, style)| {
                let text = columns.map_or_else(|| text.clone(), |columns| cut(text, columns));
                styled(*style, text)
            })
        };
        let rows = self.rows.iter().enumerate();
        rows.flat_map(|(idx, row)| std::iter::once(line(row)).chain(below(idx + 1))).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |idx: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(idx));
            cells.map(|(cell, _)| cell.width()).max().unwrap_or(0)
        };
        (0..n_columns).map(widest).collect()
    }
}

/// Makes the widest columns narrower until they fit. The first one holds names, which are to be
/// typed, so it may be twice as wide as the others.
fn squeeze(widths: &mut [usize], columns: usize) {
    const LEAST: usize = 6;
    loop {
        let n_filled = widths.iter().filter(|width| **width > 0).count();
        let total = widths.iter().sum::<usize>() + Table::GAP * n_filled.saturating_sub(1);
        let weight = |idx: &usize| if *idx == 0 { widths[0] / 2 } else { widths[*idx] };
        let widest = (0..widths.len()).filter(|idx| widths[*idx] > LEAST).max_by_key(weight);
        let Some(widest) = widest.filter(|_| total > columns) else { return };
        widths[widest] -= 1;
    }
}

/// Returns `text` in at most `width` cells of a terminal, with `…` at its end if it is cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut n_left = width.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = n_left.checked_sub(c.width().unwrap_or(0)) else { break };
        n_left = rest;
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_cut_by_cells_of_the_screen_names_last() {
        let mut table = Table::default();
        let plain = Style::new();
        table.row([
            ("● 0001-add-a-login-page", plain),
            ("running", plain),
            ("漢字のタイトルはとても長い", plain),
        ]);
        table.row([("○ 0002-fix", plain), ("planned", plain), ("Fix", plain)]);
        for (columns, want) in [
            (None, "● 0001-add-a-login-page  running  漢字のタイトルはとても長い"),
            (Some(52), "● 0001-add-a-login-page  running  漢字のタイトルは…"),
            (Some(44), "● 0001-add-a-login-page  running  漢字のタ…"),
            (Some(20), "● 000…  runni…  漢字…"),
        ] {
            let lines = table.lines_within(columns);
            assert_eq!(lines[0], want);
            assert!(columns.is_none_or(|columns| lines.iter().all(|line| line.width() <= columns.max(22))));
        }
        assert_eq!(cut("abc", 0), "…");
        assert_eq!(cut("a bcd", 3), "a…");
    }
}
