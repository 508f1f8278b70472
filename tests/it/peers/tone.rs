//! What a phone without a microphone says: a tone, as a WAV file.

use std::{f64::consts::TAU, fs, path::Path};

const SAMPLE_RATE: u32 = 8000;
/// Longer than any call of a test: baresip ends one whose sound is over.
const SECONDS: u32 = 180;
const FREQUENCY: f64 = 400.0;
const AMPLITUDE: f64 = 8000.0;

/// Writes it: one channel of 16 bits, as G.711 is sampled.
pub(super) fn write(path: &Path) -> anyhow::Result<()> {
    let bytes = SAMPLE_RATE * SECONDS * 2;
    let mut wave = Vec::new();
    wave.extend(b"RIFF");
    wave.extend((36 + bytes).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    wave.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    wave.extend([1, 0, 1, 0]);
    wave.extend(SAMPLE_RATE.to_le_bytes());
    wave.extend((SAMPLE_RATE * 2).to_le_bytes());
    // Two bytes for each sample, 16 bits.
    wave.extend([2, 0, 16, 0]);
    wave.extend(b"data");
    wave.extend(bytes.to_le_bytes());
    for at in 0..SAMPLE_RATE * SECONDS {
        let phase = TAU * FREQUENCY * f64::from(at) / f64::from(SAMPLE_RATE);
        #[expect(clippy::cast_possible_truncation, reason = "below the amplitude")]
        let sample = (AMPLITUDE * phase.sin()) as i16;
        wave.extend(sample.to_le_bytes());
    }
    Ok(fs::write(path, wave)?)
}
