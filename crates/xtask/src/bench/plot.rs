//! The curves: what a call costs and how long it takes, over the rate.

use std::collections::BTreeSet;

use anyhow::anyhow;
use plotters::{coord::Shift, prelude::*};

use super::outcome::{Curve, Point};

const SIZE: (u32, u32) = (1200, 420);

/// One for each system.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x21, 0x66, 0xac),
    RGBColor(0xb3, 0x58, 0x06),
    RGBColor(0x77, 0x77, 0x77),
    RGBColor(0x1b, 0x78, 0x37),
];

/// Both curves of all systems beside each other. SVG.
pub(super) fn curves(points: &[Point]) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw(&mut svg, points).map_err(|error| anyhow!("the curves: {error}"))?;
    Ok(svg)
}

fn draw(svg: &mut String, points: &[Point]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let halves = root.split_evenly((1, 2));
    chart(
        &halves[0],
        points,
        Curve::Processor,
        "CPU per proxied call, µs",
    )?;
    chart(
        &halves[1],
        points,
        Curve::P99,
        "INVITE in to INVITE out, p99, µs",
    )?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn chart(
    area: &Area<'_>,
    points: &[Point],
    curve: Curve,
    title: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let points: Vec<_> = points.iter().filter(|point| point.curve == curve).collect();
    let highest = points.iter().map(|point| point.value).fold(0.0, f64::max);
    let last = points.iter().map(|point| point.rate).max().unwrap_or(1);
    // So that an empty chart has an axis too.
    let top = if highest > 0.0 { highest * 1.1 } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0..last + last / 10, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("calls a second")
        .draw()?;
    let systems: BTreeSet<_> = points.iter().map(|point| point.system.as_str()).collect();
    for (system, colour) in systems.into_iter().zip(COLOURS) {
        let mut line: Vec<_> = points
            .iter()
            .filter(|point| point.system == system)
            .map(|point| (point.rate, point.value))
            .collect();
        line.sort_unstable_by_key(|(rate, _)| *rate);
        let marks = line.iter().map(|at| Circle::new(*at, 3, colour.filled()));
        chart.draw_series(marks)?;
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(system)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_named_in_the_chart_of_its_curve() {
        let point = |system: &str, curve, rate, value| Point {
            system: system.to_owned(),
            curve,
            rate,
            value,
        };
        let points = [
            point("Quinze", Curve::Processor, 2000, 50.0),
            point("Quinze", Curve::Processor, 1000, 60.0),
            point("kamailio", Curve::P99, 1000, 900.0),
        ];
        let svg = curves(&points).unwrap();
        assert_eq!(svg.matches("Quinze").count(), 1);
        assert_eq!(svg.matches("kamailio").count(), 1);
        assert!(curves(&[]).unwrap().contains("calls a second"));
    }
}
