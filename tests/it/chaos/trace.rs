//! SIPp's log of messages: what one far end itself sent and received, and when.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};

use super::message::Message;

/// Which way a message went, as the end sees it whose log this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Sent,
    Received,
}

/// One message of a log.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    /// Since the beginning of 1970, on the machine's clock.
    pub(super) at: Duration,
    pub(super) way: Way,
    pub(super) message: Message,
}

/// Reads a whole log. The last message may be cut, where SIPp was ended while it wrote.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Logged>> {
    let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
    parse(&String::from_utf8_lossy(&bytes)).with_context(|| format!("{}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Logged>> {
    let blocks: Vec<_> = text.split(RULE).skip(1).collect();
    let mut log = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        match entry(block) {
            Some(logged) => log.push(logged),
            None => ensure!(
                index + 1 == blocks.len() || !block.contains("SIP/2.0"),
                "cannot read this message of the log:\n{block}"
            ),
        }
    }
    Ok(log)
}

fn entry(block: &str) -> Option<Logged> {
    let (time, rest) = block.split_once('\n')?;
    let (title, rest) = rest.split_once('\n')?;
    let way = if title.contains(" sent ") {
        Way::Sent
    } else if title.contains(" received ") {
        Way::Received
    } else {
        return None;
    };
    // An empty line stands before each message, and the end of a line after it.
    let message = rest.strip_prefix('\n')?;
    let message = message.strip_suffix('\n').unwrap_or(message);
    Some(Logged {
        at: moment(time.trim())?,
        way,
        message: Message::parse(message)?,
    })
}

/// `2026-11-26 14:23:28.607054`.
fn moment(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once([' ', '\t'])?;
    let numbers = |text: &str, by| {
        text.split(by)
            .map(|number| number.parse::<u64>().ok())
            .collect::<Option<Vec<_>>>()
    };
    let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
    let (time, micros) = time.split(['\t', ' ']).next()?.split_once('.')?;
    let [hour, minute, second] = numbers(time, ':')?.try_into().ok()?;
    let seconds = ((days(year, month, day)? * 24 + hour) * 60 + minute) * 60 + second;
    Some(Duration::from_secs(seconds) + Duration::from_micros(micros.parse().ok()?))
}

/// Days since the beginning of 1970. A year begins in March here, so that its last day is the one
/// that may be missing.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    (before + (153 * month + 2) / 5 + day).checked_sub(719_469)
}

/// Stands before each message.
const RULE: &str = "----------------------------------------------- ";

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "----------------------------------------------- 2026-11-26 14:23:28.607054\n\
        UDP message sent (509 bytes):\n\nBYE sip:a@b SIP/2.0\r\nTo: <sip:a@b>;tag=x\r\n\r\n\n\
        ----------------------------------------------- 2026-11-26 14:23:28.607306\n\
        UDP message received [309] bytes :\n\nSIP/2.0 200 OK\r\nCall-ID: 5\r\n\r\n\n\
        ----------------------------------------------- 2026-11-26 14:23:29.0\nUDP mess";

    #[test]
    fn a_log_is_read_up_to_what_is_cut() {
        let log = parse(LOG).unwrap();
        assert_eq!(log.len(), 2);
        assert_eq!((log[0].way, log[1].way), (Way::Sent, Way::Received));
        assert_eq!(log[0].message.tag_of_to(), Some("x"));
        assert_eq!(log[1].at - log[0].at, Duration::from_micros(252));
        assert_eq!(log[0].at.as_secs(), 1_795_703_008);
    }

    #[test]
    fn what_cannot_be_read_in_the_middle_is_an_error() {
        assert!(parse(&LOG.replacen("Call-ID: 5\r\n\r\n", "Call-ID 5", 1)).is_err());
    }
}
