//! As much of a SIP message as the oracle needs, read apart from the product's own parser: what is
//! tested must not judge itself.

/// A message as it stood on the wire.
#[derive(Clone, Debug)]
pub(super) struct Message {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    /// Reads one; `None` for what is no SIP message, or not all of it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        if !start.contains("SIP/2.0") {
            return None;
        }
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            start,
            headers,
            body: body.to_owned(),
        })
    }

    /// The method of a request.
    pub(super) fn method(&self) -> Option<&str> {
        let (method, _) = self.start.split_once(' ')?;
        (method != "SIP/2.0").then_some(method)
    }

    /// The code of a response.
    pub(super) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// What comes after the code of a response.
    pub(super) fn reason(&self) -> &str {
        self.start.get(12..).unwrap_or_default()
    }

    /// The start line.
    pub(super) fn start(&self) -> &str {
        &self.start
    }

    /// The user of the Request-URI.
    pub(super) fn user(&self) -> Option<&str> {
        let uri = self.start.split(' ').nth(1)?;
        Some(uri.split_once("sip:")?.1.split_once('@')?.0)
    }

    /// The number and the method of CSeq.
    pub(super) fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("cseq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    pub(super) fn call_id(&self) -> Option<&str> {
        self.header("call-id")
    }

    pub(super) fn tag_of_from(&self) -> Option<&str> {
        tag(self.header("from")?)
    }

    pub(super) fn tag_of_to(&self) -> Option<&str> {
        tag(self.header("to")?)
    }

    /// The first word of the session's origin: whose description this is. It passes unchanged from
    /// one end of a call to the other, and so says who talks to whom.
    pub(super) fn origin(&self) -> Option<&str> {
        let line = self.body.lines().find_map(|line| line.strip_prefix("o="))?;
        line.split(' ').next()
    }

    /// Whether this begins a dialog.
    pub(super) fn is_first_invite(&self) -> bool {
        self.method() == Some("INVITE") && self.tag_of_to().is_none()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The tag of a From or To.
fn tag(value: &str) -> Option<&str> {
    let parameters = value.rsplit_once('>').map_or(value, |(_, after)| after);
    let (_, tag) = parameters.split_once(";tag=")?;
    tag.split(';').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "SIP/2.0 182 Queued; place 3\r\nFrom: <sip:a;tag=no@b>;tag=f;x=1\r\n\
                          To: \"x\" <sip:15@b>;tag=t\r\nCall-ID: 7\r\nCSeq: 12 INVITE\r\n\r\n\
                          v=0\r\no=a4x99 1 1 IN IP4 127.0.0.1\r\n";

    #[test]
    fn the_parts_are_found() {
        let message = Message::parse(ANSWER).unwrap();
        assert_eq!(message.method(), None);
        assert_eq!(message.status(), Some(182));
        assert_eq!(message.reason(), "Queued; place 3");
        assert_eq!(message.cseq(), Some((12, "INVITE")));
        assert_eq!(
            (message.tag_of_from(), message.tag_of_to()),
            (Some("f"), Some("t"))
        );
        assert_eq!(message.origin(), Some("a4x99"));
        let bye = ANSWER.replace("SIP/2.0 182 Queued; place 3", "BYE sip:arm-1@b SIP/2.0");
        let bye = Message::parse(&bye).unwrap();
        assert_eq!((bye.method(), bye.user()), (Some("BYE"), Some("arm-1")));
        assert!(!bye.is_first_invite());
    }

    #[test]
    fn what_is_cut_or_no_sip_is_none() {
        assert!(Message::parse("SIP/2.0 200 OK\r\nTo: <sip:a>\r\n").is_none());
        assert!(Message::parse("\r\n\r\n").is_none());
    }
}
