//! Plots with logarithmic axes, as SVG.

use std::fmt::Write as _;

/// One panel.
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// What the first axis counts.
    pub(super) across: &'static str,
    pub(super) lines: Vec<Line>,
}

pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) colour: &'static str,
    pub(super) dashed: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// Size of a panel's field, and what is left free beside it.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 40.0;
const PANEL: f64 = WIDTH + LEFT + 24.0;
/// Below a field: the numbers of its axis, then a line of legend each.
const BELOW: f64 = 40.0;
const LEGEND: f64 = 18.0;

/// The panels side by side.
pub(super) fn svg(plots: &[Plot]) -> String {
    let most = plots.iter().map(|plot| plot.lines.len()).max().unwrap_or(0);
    let height = TOP + HEIGHT + BELOW + LEGEND * (most as f64 + 1.0);
    let width = PANEL * plots.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, plot) in plots.iter().enumerate() {
        let x = PANEL * place as f64 + LEFT;
        add(&mut out, &format!("<g transform=\"translate({x} {TOP})\">"));
        panel(plot, &mut out);
        add(&mut out, "</g>");
    }
    add(&mut out, "</svg>");
    out
}

fn add(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    _ = writeln!(out, "{line}");
}

/// An axis from one power of ten to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    from: i32,
    to: i32,
    length: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, length: f64) -> Self {
        let logs = values.filter(|value| *value > 0.0).map(f64::log10);
        let (least, most) = logs.fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(v), m.max(v)));
        #[expect(clippy::cast_possible_truncation, reason = "a power of ten of a float is small")]
        let (from, to) =
            if least > most { (0, 1) } else { (least.floor() as i32, most.ceil() as i32) };
        Self { from, to: to.max(from + 1), length }
    }

    fn place(self, value: f64) -> f64 {
        (value.log10() - f64::from(self.from)) / f64::from(self.to - self.from) * self.length
    }

    fn powers(self) -> impl Iterator<Item = (f64, f64)> {
        (self.from..=self.to).map(move |power| {
            let value = 10_f64.powi(power);
            (value, self.place(value))
        })
    }
}

fn panel(plot: &Plot, out: &mut String) {
    let all = || plot.lines.iter().flat_map(|line| &line.points);
    let across = Axis::of(all().map(|(x, _)| *x), WIDTH);
    let up = Axis::of(all().map(|(_, y)| *y), HEIGHT);
    add(out, &format!("<text y=\"-16\" font-weight=\"bold\">{}</text>", plot.title));
    for (value, x) in across.powers() {
        add(out, &format!("<path d=\"M{x:.1} 0V{HEIGHT}\" stroke=\"#ddd\"/>"));
        let y = HEIGHT + 18.0;
        add(
            out,
            &format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", short(value)),
        );
    }
    for (value, height) in up.powers() {
        let y = HEIGHT - height;
        add(out, &format!("<path d=\"M0 {y:.1}H{WIDTH}\" stroke=\"#ddd\"/>"));
        let text = short(value);
        add(out, &format!("<text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", y + 4.0));
    }
    let (x, y) = (WIDTH, HEIGHT + 34.0);
    add(out, &format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>", plot.across));
    for (number, line) in plot.lines.iter().enumerate() {
        draw(line, across, up, out);
        legend(line, HEIGHT + BELOW + LEGEND * (number as f64 + 1.0), out);
    }
}

fn draw(line: &Line, across: Axis, up: Axis, out: &mut String) {
    let seen = line.points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0);
    let places: Vec<(f64, f64)> =
        seen.map(|(x, y)| (across.place(*x), HEIGHT - up.place(*y))).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    add(out, &format!("<polyline points=\"{}\" {}/>", path.join(" "), stroke(line)));
    for (x, y) in places {
        add(
            out,
            &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{}\"/>", line.colour),
        );
    }
}

fn legend(line: &Line, y: f64, out: &mut String) {
    add(out, &format!("<path d=\"M0 {y}H28\" {}/>", stroke(line)));
    add(out, &format!("<text x=\"36\" y=\"{}\">{}</text>", y + 4.0, line.name));
}

fn stroke(line: &Line) -> String {
    let dashes = if line.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
    format!("fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{dashes}", line.colour)
}

/// A power of ten as people write it.
fn short(value: f64) -> String {
    for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= unit {
            return format!("{}{name}", value / unit);
        }
    }
    if value < 1e-3 { format!("{:.0} µ", value * 1e6) } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_go_from_power_to_power_and_leave_out_what_has_no_logarithm() {
        let axis = Axis::of([0.0, f64::NAN, 0.02, 3.0].into_iter(), 300.0);
        assert_eq!(axis, Axis { from: -2, to: 1, length: 300.0 });
        assert!((axis.place(0.1) - 100.0).abs() < 1e-9);
        assert_eq!(Axis::of([].into_iter(), 1.0).to, 1);
    }

    #[test]
    fn numbers_on_an_axis_are_short() {
        assert_eq!(
            ["1k", "100k", "1G", "0.01", "100 µ"],
            [1e3, 1e5, 1e9, 0.01, 1e-4].map(short).each_ref().map(String::as_str)
        );
    }
}
