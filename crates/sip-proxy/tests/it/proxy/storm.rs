//! Whatever comes in whatever order: nothing panics, and in the end nothing is left.

use std::time::Duration;

use proptest::prelude::*;

use super::{ANNE, BRUNO, Bench, CALLER, Sent, invite, phone, request};

const URI: &str = "sip:both@samu67.example";

#[derive(Clone, Debug)]
enum Action {
    Invite(u8),
    Message(u8),
    Cancel(u8),
    Answer { which: usize, status: u16 },
    LoseConnection,
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let status = prop::sample::select(vec![100, 180, 183, 200, 302, 401, 407, 486, 487, 503, 603]);
    prop_oneof![
        2 => (0_u8..6).prop_map(Action::Invite),
        1 => (0_u8..6).prop_map(Action::Message),
        1 => (0_u8..6).prop_map(Action::Cancel),
        6 => (any::<usize>(), status).prop_map(|(which, status)| Action::Answer { which, status }),
        1 => Just(Action::LoseConnection),
        2 => (0_u64..200_000).prop_map(Action::Pass),
    ]
}

fn numbered(text: &str, number: u8) -> String {
    text.replace("z9hG4bK-", &format!("z9hG4bK-{number}-"))
        .replace("call-1", &format!("call-{number}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn all_tables_drain(actions in prop::collection::vec(action(), 1..60), serial: bool) {
        let groups = if serial {
            vec![vec![phone("anne", ANNE)], vec![phone("bruno", BRUNO)]]
        } else {
            vec![vec![phone("anne", ANNE), phone("bruno", BRUNO)]]
        };
        let mut bench = Bench::new().with_targets(URI, groups);
        let mut requests: Vec<Sent> = Vec::new();
        for action in actions {
            let sent = match action {
                Action::Invite(number) => bench.receive(CALLER, &numbered(&invite(URI), number)),
                Action::Message(number) => {
                    bench.receive(CALLER, &numbered(&request("MESSAGE", URI, ""), number))
                }
                Action::Cancel(number) => {
                    let cancel = invite(URI).replace("INVITE", "CANCEL")
                        .replace("z9hG4bK-CANCEL", "z9hG4bK-INVITE");
                    bench.receive(CALLER, &numbered(&cancel, number))
                }
                Action::Answer { which, status } => match requests.len() {
                    0 => Vec::new(),
                    len => {
                        let to = requests[which % len].clone();
                        bench.receive(&to.flow.remote.to_string(), &to.answer(status, ""))
                    }
                },
                Action::LoseConnection => {
                    let flow = crate::support::flow(sip::Transport::Udp, ANNE);
                    bench.layer.handle_transport_error(bench.now, flow);
                    bench.pass(Duration::ZERO)
                }
                Action::Pass(millis) => bench.pass(Duration::from_millis(millis)),
            };
            requests.extend(sent.into_iter().filter(|one| {
                one.message.is_request() && one.kind() != "ACK"
            }));
        }
        bench.assert_drains();
    }
}
