//! The node of a script: two centres that help each other, and their agents.

use std::sync::OnceLock;

use engine::Config;

use super::messages::NODE;

/// The agents: two with phones of a fixed address over UDP, one over TCP, one whose phone registers.
pub(super) const AGENTS: [&str; 4] = ["a1", "a2", "a3", "a4"];

/// Two sites, one of which helps the other, and four agents. Read once: a fuzzer runs thousands.
pub(super) fn configuration() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let text = format!(
            "[node]\nname = \"hostile-1\"\ndomain = \"samu.example\"\ndefault_line = \"L1\"\n\
             [[listen]]\ntransport = \"udp\"\naddress = \"{NODE}\"\n\
             [[listen]]\ntransport = \"tcp\"\naddress = \"{NODE}\"\n\
             [http]\naddress = \"127.0.0.1:8015\"\n\
             [[trunk]]\nname = \"one\"\nsources = [\"198.51.100.1/32\"]\n\
             [[trunk]]\nname = \"two\"\nsources = [\"198.51.100.2/32\"]\n{}{}{}{}{}{}{PLAN}",
            centre(
                "FR670",
                "L1",
                "FR680",
                "\"+33300000001\", \"urn:service:sos\""
            ),
            centre("FR680", "L2", "FR670", "\"+33300000002\""),
            agent(
                "a1",
                "FR670",
                "contact = \"sip:a1@203.0.113.1:5060\"\nstart = \"ready\""
            ),
            agent(
                "a2",
                "FR680",
                "contact = \"sip:a2@203.0.113.1:5060\"\nstart = \"ready\""
            ),
            agent(
                "a3",
                "FR670",
                "contact = \"sip:a3@203.0.113.3:5060;transport=tcp\"\nstart = \"not-ready\""
            ),
            agent("a4", "FR670", "start = \"ready\""),
        );
        match config::load("hostile.toml".as_ref(), &text, [1, 2, 3, 4]) {
            Ok(loaded) => loaded.engine,
            Err(errors) => panic!("{errors}"),
        }
    })
}

const PLAN: &str = "[[overflow]]\nname = \"aid\"\nhome_advantage = \"10s\"\n\
                    [[overflow.step]]\nafter = \"5s\"\nwiden = [\"neighbours\"]\n\
                    [[overflow.step]]\nafter = \"30s\"\nwiden = [\"nation\"]\n";

fn centre(site: &str, line: &str, neighbour: &str, numbers: &str) -> String {
    format!(
        "[[site]]\nid = \"{site}\"\nname = \"{site}\"\nregion = \"Est\"\nzone = \"Est\"\n\
         neighbours = [\"{neighbour}\"]\nreserve = 0\n\
         [[line]]\nid = \"{line}\"\nsite = \"{site}\"\nnumbers = [{numbers}]\n\
         skills = {{ amu = 1 }}\npriority = 2\nservice_level = \"30s\"\n\
         selection = \"longest-idle\"\nring_time = \"15s\"\nwrap_up = \"5s\"\noverflow = \"aid\"\n"
    )
}

fn agent(id: &str, site: &str, more: &str) -> String {
    format!("[[agent]]\nid = \"{id}\"\nsite = \"{site}\"\nskills = {{ amu = 5 }}\n{more}\n")
}
