//! Plots over the hours.

use anyhow::anyhow;
use plotters::prelude::*;

use crate::language::Language;

const SIZE: (u32, u32) = (1200, 300);
const ALONE: RGBColor = RGBColor(0xb3, 0x58, 0x06);
const AIDED: RGBColor = RGBColor(0x21, 0x66, 0xac);

const DAYS_EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAYS_FR: [&str; 7] = ["lun", "mar", "mer", "jeu", "ven", "sam", "dim"];

/// Two curves over the hours from Monday at midnight: each centre alone, and with mutual aid. SVG.
pub(super) fn hours(
    title: &str,
    curves: &[Vec<f64>; 2],
    language: Language,
) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw(&mut svg, title, curves, language).map_err(|error| anyhow!("{title}: {error}"))?;
    Ok(svg)
}

fn draw(
    svg: &mut String,
    title: &str,
    curves: &[Vec<f64>; 2],
    language: Language,
) -> Result<(), Box<dyn std::error::Error>> {
    let count = curves[0].len();
    let highest = curves.iter().flatten().copied().fold(0.0, f64::max);
    let top = if highest > 0.0 { highest * 1.05 } else { 1.0 };
    let step = if count > 48 { 24 } else { 3 };
    let marks = (0..count).step_by(step).collect();
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d((0..count).with_key_points(marks), 0.0..top)?;
    let names = language_days(language);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(count)
        .x_label_formatter(&|hour| match hour % 24 {
            0 => names[hour / 24 % 7].to_owned(),
            hour => format!("{hour} h"),
        })
        .draw()?;
    for (curve, colour) in curves.iter().zip([ALONE, AIDED]) {
        let points = curve.iter().copied().enumerate();
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    root.present()?;
    Ok(())
}

const fn language_days(language: Language) -> [&'static str; 7] {
    match language {
        Language::En => DAYS_EN,
        Language::Fr => DAYS_FR,
    }
}
