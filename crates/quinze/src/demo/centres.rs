//! The demo's three centres: names, shares of the calls, agents, configuration.

use std::{fmt::Write as _, net::SocketAddr};

/// A centre of the demo.
pub(super) struct Centre {
    pub(super) site: &'static str,
    pub(super) name: &'static str,
    pub(super) number: &'static str,
    neighbours: &'static str,
    /// Its share of all calls.
    share: f64,
    /// Agents for each call a second of the whole demo. Strasbourg has fewer than its share of the
    /// calls needs: its callers overflow.
    agents_per_cps: f64,
}

pub(super) const CENTRES: [Centre; 3] = [
    Centre {
        site: "FR570",
        name: "Samu 57 Metz",
        number: "+33387550015",
        neighbours: "\"FR670\"",
        share: 0.25,
        agents_per_cps: 4.0,
    },
    Centre {
        site: "FR670",
        name: "Samu 67 Strasbourg",
        number: "+33369670015",
        neighbours: "\"FR570\", \"FR680\"",
        share: 0.50,
        agents_per_cps: 2.5,
    },
    Centre {
        site: "FR680",
        name: "Samu 68 Mulhouse",
        number: "+33389640015",
        neighbours: "\"FR670\"",
        share: 0.25,
        agents_per_cps: 4.0,
    },
];

/// The centre that a number from 0 to 1 falls on.
pub(super) fn drawn(mut at: f64) -> usize {
    for (index, centre) in CENTRES.iter().enumerate() {
        if at < centre.share {
            return index;
        }
        at -= centre.share;
    }
    CENTRES.len() - 1
}

/// The node's configuration, as a file would have it.
pub(super) fn configuration(cps: f64, phones: SocketAddr) -> String {
    let mut text = String::from(HEAD);
    for centre in &CENTRES {
        let Centre {
            site,
            name,
            number,
            neighbours,
            ..
        } = centre;
        let agents = (centre.agents_per_cps * cps).ceil().max(1.0);
        let mut put = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line)
                .expect("writing to a string does not fail");
        };
        put(format_args!(
            "[[site]]\nid = \"{site}\"\nname = \"{name}\"\nregion = \"Grand Est\"\nzone = \"Est\"\n\
             neighbours = [{neighbours}]\nreserve = 1\n\n\
             [[line]]\nid = \"{site}-15-Samu-Px-F01\"\nsite = \"{site}\"\nnumbers = [\"{number}\"]\n\
             skills = {{ amu = 1 }}\npriority = 2\nservice_level = \"30s\"\n\
             selection = \"longest-idle\"\nring_time = \"10s\"\nwrap_up = \"2s\"\n\
             overflow = \"mutual-aid\"\n\n"
        ));
        let mut index = 1.0;
        while index <= agents {
            put(format_args!(
                "[[agent]]\nid = \"arm-{site}-{index}\"\nsite = \"{site}\"\nskills = {{ amu = 5 }}\n\
                 contact = \"sip:arm-{site}-{index}@{phones}\"\nstart = \"ready\"\n\n"
            ));
            index += 1.0;
        }
    }
    text
}

const HEAD: &str = r#"
[node]
name = "demo-1"
domain = "samu.example"
default_line = "FR670-15-Samu-Px-F01"

[[listen]]
transport = "udp"
address = "127.0.0.1:0"

[http]
address = "127.0.0.1:0"

[[trunk]]
name = "operator"
sources = ["127.0.0.0/8"]

[[overflow]]
name = "mutual-aid"
home_advantage = "5s"
[[overflow.step]]
after = "3s"
widen = ["neighbours"]
[[overflow.step]]
when = "no-agent-on-duty"
widen = ["neighbours"]
[[overflow.step]]
after = "8s"
widen = ["region"]

"#;
