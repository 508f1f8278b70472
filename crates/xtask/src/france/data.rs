//! The data: centres, who is next to whom, calls, and the hours of a week.

use std::{collections::BTreeMap, fs::File, path::Path};

use anyhow::{Context as _, ensure};
use csv::{Reader, StringRecord};

/// Everything that is read.
#[derive(Debug)]
pub(super) struct Data {
    /// In the order of their ids.
    pub(super) centres: Vec<Centre>,
    /// Calls in each hour of the week, Monday at midnight first, mean 1.
    pub(super) week: Vec<f64>,
}

/// A centre (CRRA).
#[derive(Debug)]
pub(super) struct Centre {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) zone: String,
    pub(super) position: (f64, f64),
    pub(super) calls_per_day: f64,
    /// The nearest first.
    pub(super) neighbours: Vec<String>,
}

impl Data {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let volumes = rows(folder, "volumes_estimes.csv", |row| {
            Ok((text(row, 0)?, number(row, 5)?))
        })?;
        let volumes: BTreeMap<_, _> = volumes.into_iter().collect();
        let mut centres = rows(folder, "crra.csv", |row| {
            let departments = text(row, 2)?;
            let calls = departments.split('+').map(|code| {
                let calls = volumes.get(code).copied();
                calls.with_context(|| format!("no volume of department {code}"))
            });
            Ok(Centre {
                id: text(row, 0)?,
                name: text(row, 1)?,
                region: text(row, 3)?,
                zone: text(row, 4)?,
                position: (number(row, 6)?, number(row, 7)?),
                calls_per_day: calls.sum::<anyhow::Result<f64>>()?,
                neighbours: Vec::new(),
            })
        })?;
        centres.sort_by(|a, b| a.id.cmp(&b.id));
        for file in ["crra_adjacency.csv", "crra_logical_links.csv"] {
            for (one, other) in rows(folder, file, |row| Ok((text(row, 0)?, text(row, 1)?)))? {
                link(&mut centres, &one, &other)?;
                link(&mut centres, &other, &one)?;
            }
        }
        sort_neighbours(&mut centres);
        let week = rows(folder, "hourly_profile.csv", |row| number(row, 2))?;
        ensure!(
            week.len() == 168,
            "a week has 168 hours, not {}",
            week.len()
        );
        Ok(Self { centres, week })
    }
}

fn link(centres: &mut [Centre], one: &str, other: &str) -> anyhow::Result<()> {
    let found = centres.iter_mut().find(|centre| centre.id == one);
    let centre = found.with_context(|| format!("there is no centre {one}"))?;
    if !centre.neighbours.iter().any(|known| known == other) {
        centre.neighbours.push(other.to_owned());
    }
    Ok(())
}

fn sort_neighbours(centres: &mut [Centre]) {
    let positions: BTreeMap<_, _> = centres
        .iter()
        .map(|centre| (centre.id.clone(), centre.position))
        .collect();
    for centre in centres {
        let here = centre.position;
        centre.neighbours.sort_by(|a, b| {
            let far = |id: &String| distance(here, positions[id]);
            far(a).total_cmp(&far(b)).then(a.cmp(b))
        });
    }
}

/// A number that grows with the distance on the sphere: the haversine of the angle.
fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let cosines = a.0.to_radians().cos() * b.0.to_radians().cos();
    half_sine(b.0 - a.0) + cosines * half_sine(b.1 - a.1)
}

fn rows<T>(
    folder: &Path,
    file: &str,
    read: impl Fn(&StringRecord) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let path = folder.join(file);
    let mut reader: Reader<File> =
        Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows = reader.records().map(|row| read(&row?));
    rows.collect::<anyhow::Result<_>>()
        .with_context(|| file.to_owned())
}

fn text(row: &StringRecord, column: usize) -> anyhow::Result<String> {
    let cell = row.get(column);
    let cell = cell.with_context(|| format!("no column {column} in {row:?}"))?;
    Ok(cell.to_owned())
}

fn number(row: &StringRecord, column: usize) -> anyhow::Result<f64> {
    let cell = text(row, column)?;
    cell.parse()
        .with_context(|| format!("`{cell}` is no number, in {row:?}"))
}
