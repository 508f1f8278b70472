//! Who must prove who they are, and who never must.

use engine::{
    Event,
    sip::{Message, headers::Challenge},
    sip_proxy::{Algorithm, Ha1, Proof, Quality},
};
use sim::Weather;

use super::{
    AFTER_20_S, Bench, PHONES, Site, address, configuration,
    requests::{LINE, RAW, STRANGER, Wire, request, status},
    seconds,
};

const ARM_1: &str = "sip:arm-1@samu.example";

/// One site with two agents whose phones have passwords.
fn wire() -> Wire {
    wire_with("")
}

/// The same with more in its configuration.
fn wire_with(more: &str) -> Wire {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1", "arm-2"],
    };
    let text = configuration(&[site], AFTER_20_S)
        + "[authentication]\nrealm = \"samu\"\nalgorithms = [\"SHA-256\", \"MD5\"]\n\
           credentials = { env = \"TEST\" }\n"
        + more;
    let md5 = Ha1::of_password(Algorithm::Md5, "arm-2", "samu", "two");
    let credentials = format!("arm-1 password one\narm-2 MD5 {}\n", md5.expose());
    Wire::over(Bench::with_secrets(&text, &credentials, 1, Weather::CALM))
}

/// A request of an agent's phone.
fn of_agent(agent: &str, method: &str, uri: &str, branch: &str, lines: &str) -> String {
    request(PHONES, method, uri, branch, lines).replace(
        &format!("From: <sip:someone@{PHONES}>"),
        &format!("From: <sip:{agent}@samu.example>"),
    )
}

/// The phones of a centre behind one NAT, after a power cut.
#[test]
fn phones_that_all_come_at_once_are_asked_and_not_banned() {
    let from = "203.0.113.40:5060";
    let register = |branch: &str, lines: &str| {
        of_agent("arm-1", "REGISTER", ARM_1, branch, lines).replace(PHONES, from)
    };
    let mut wire = wire();
    let mut asked = String::new();
    for number in 0..30 {
        let answers = wire.ask(from, &register(&format!("first{number}"), ""));
        assert_eq!(status(&answers), ["401 Unauthorized"]);
        asked.clone_from(&answers[0]);
    }
    let proof = credentials(&asked, "arm-1", "one", "REGISTER", ARM_1);
    let answers = wire.ask(from, &register("proven", &proof));
    assert_eq!(status(&answers), ["200 OK"]);

    // Who is asked for ever and proves nothing is none of them.
    let mut wire = self::wire();
    let node = wire.bench.node;
    for number in 0..450 {
        let text = register(&format!("never{number}"), "");
        wire.bench.world.send(address(from), node, text);
    }
    wire.bench.world.run_for(seconds(0.5));
    // Twenty offences' worth, and the one by which the source is banned.
    assert_eq!(wire.got(from).len(), 401);
}

/// The header that answers the challenge of an answer.
fn credentials(answer: &str, user: &str, password: &str, method: &str, uri: &str) -> String {
    let message = Message::parse(answer.to_owned().into(), &Default::default()).unwrap();
    let (name, challenge) = message
        .headers()
        .find_map(|header| match header.name.as_str() {
            "WWW-Authenticate" => Some(("Authorization", header.value.to_vec())),
            "Proxy-Authenticate" => Some(("Proxy-Authorization", header.value.to_vec())),
            _ => None,
        })
        .unwrap_or_else(|| panic!("no challenge in {answer}"));
    let challenge = Challenge::parse(&challenge).unwrap();
    let algorithm = Algorithm::of(&challenge.algorithm().unwrap()).unwrap();
    let nonce = challenge.nonce().unwrap();
    let response = Ha1::of_password(algorithm, user, "samu", password).response(&Proof {
        method: method.as_bytes(),
        uri: uri.as_bytes(),
        nonce: &nonce,
        quality: Some(Quality {
            nc: b"00000001",
            cnonce: b"c",
        }),
    });
    format!(
        "{name}: Digest username=\"{user}\", realm=\"samu\", nonce=\"{}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm={}, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
        String::from_utf8_lossy(&nonce),
        algorithm.name()
    )
}

fn drops(wire: &Wire) -> Vec<&'static str> {
    wire.bench
        .world
        .events()
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Dropped { reason } => Some(reason.label()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_phone_registers_with_its_password() {
    let mut wire = wire();
    let register = of_agent("arm-1", "REGISTER", ARM_1, "r1", "");
    let asked = wire.ask(PHONES, &register);
    assert_eq!(status(&asked), ["401 Unauthorized"]);
    assert!(asked[0].contains("algorithm=SHA-256") && asked[0].contains("algorithm=MD5"));
    let proof = credentials(&asked[0], "arm-1", "one", "REGISTER", ARM_1);
    let register = of_agent("arm-1", "REGISTER", ARM_1, "r2", &proof);
    assert_eq!(status(&wire.ask(PHONES, &register)), ["200 OK"]);
    assert!(drops(&wire).is_empty(), "a first try is no fault");
    assert_eq!(
        wire.bench
            .world
            .node(wire.bench.node)
            .status(wire.bench.world.now())
            .registered,
        1
    );
}

#[test]
fn a_wrong_password_a_replay_and_a_foreign_name_register_nothing() {
    let mut wire = wire();
    let asked = wire.ask(PHONES, &of_agent("arm-1", "REGISTER", ARM_1, "r1", ""));
    let guess = credentials(&asked[0], "arm-1", "guess", "REGISTER", ARM_1);
    let guessed = wire.ask(PHONES, &of_agent("arm-1", "REGISTER", ARM_1, "r2", &guess));
    assert_eq!(status(&guessed), ["401 Unauthorized"]);
    assert!(!guessed[0].contains("stale"));

    let proof = credentials(&guessed[0], "arm-1", "one", "REGISTER", ARM_1);
    let other = "sip:arm-2@samu.example";
    let foreign = of_agent("arm-2", "REGISTER", other, "r3", &proof).replacen(
        &format!("REGISTER {other}"),
        &format!("REGISTER {ARM_1}"),
        1,
    );
    assert_eq!(status(&wire.ask(PHONES, &foreign)), ["403 Forbidden"]);

    let replayed = of_agent("arm-1", "REGISTER", ARM_1, "r4", &proof);
    let replayed = wire.ask(PHONES, &replayed);
    assert_eq!(status(&replayed), ["401 Unauthorized"]);
    assert!(replayed[0].contains("stale=true"));
    assert_eq!(
        drops(&wire),
        [
            "credentials-wrong",
            "other-identity",
            "credentials-replayed"
        ]
    );
    let unknown = of_agent("nobody", "REGISTER", "sip:nobody@samu.example", "r5", "");
    assert_eq!(
        status(&wire.ask(PHONES, &unknown)),
        ["401 Unauthorized"],
        "whether a name exists is nobody's business"
    );
    assert_eq!(
        wire.bench
            .world
            .node(wire.bench.node)
            .status(wire.bench.world.now())
            .registered,
        0
    );
}

#[test]
fn an_agents_call_is_challenged_and_its_credentials_go_no_further() {
    let mut wire = wire();
    let callee = "sip:arm-2@samu.example";
    let asserted = "P-Asserted-Identity: <tel:+33600000000>\r\n";
    let call = of_agent("arm-1", "INVITE", callee, "i1", asserted);
    let asked = wire.ask(PHONES, &call);
    assert_eq!(status(&asked), ["407 Proxy Authentication Required"]);
    let proof = credentials(&asked[0], "arm-1", "one", "INVITE", callee);
    let call = of_agent("arm-1", "INVITE", callee, "i2", &(proof + asserted));
    let seen = wire.ask(PHONES, &call);
    let forwarded = seen.iter().find(|text| text.starts_with("INVITE")).unwrap();
    assert!(!forwarded.contains("Proxy-Authorization"), "{forwarded}");
    assert!(!forwarded.contains("P-Asserted-Identity"), "{forwarded}");
}

#[test]
fn claims_are_taken_off_however_many_lines_the_node_is_told_to_take() {
    let mut wire = wire_with("[limits]\nheaders = 1024\n");
    let callee = "sip:arm-2@samu.example";
    let asserted = "P-Asserted-Identity: <tel:+33600000000>\r\n".to_owned();
    let lines = asserted + &"X-Line: x\r\n".repeat(400);
    let asked = wire.ask(PHONES, &of_agent("arm-1", "INVITE", callee, "i1", &lines));
    let proof = credentials(&asked[0], "arm-1", "one", "INVITE", callee);
    let call = of_agent("arm-1", "INVITE", callee, "i2", &(proof + &lines));
    let seen = wire.ask(PHONES, &call);
    let forwarded = seen.iter().find(|text| text.starts_with("INVITE")).unwrap();
    assert_eq!(forwarded.matches("X-Line").count(), 400);
    assert!(!forwarded.contains("Proxy-Authorization"), "{forwarded}");
    assert!(!forwarded.contains("P-Asserted-Identity"), "{forwarded}");
}

#[test]
fn an_operator_is_never_asked_whatever_it_says_of_itself() {
    let mut wire = wire();
    let as_agent = request(RAW, "INVITE", LINE, "op1", "").replace(
        &format!("From: <sip:someone@{RAW}>"),
        &format!("From: <{ARM_1}>"),
    );
    assert_eq!(status(&wire.ask(RAW, &as_agent))[0], "100 Trying");
    let odd = request(
        RAW,
        "INVITE",
        LINE,
        "op2",
        "Authorization: Digest nonsense\r\nIdentity: broken\r\nP-Asserted-Identity: ???\r\n",
    );
    assert_eq!(status(&wire.ask(RAW, &odd))[0], "100 Trying");
    assert!(drops(&wire).is_empty());
}

#[test]
fn a_stranger_is_refused_and_one_who_claims_to_be_an_agent_is_asked() {
    let mut wire = wire();
    let call = request(STRANGER, "INVITE", LINE, "s1", "");
    assert_eq!(status(&wire.ask(STRANGER, &call)), ["403 Forbidden"]);
    let claim = call
        .replace("z9hG4bKs1", "z9hG4bKs2")
        .replace("Call-ID: s1", "Call-ID: s2")
        .replace(
            &format!("From: <sip:someone@{STRANGER}>"),
            &format!("From: <{ARM_1}>"),
        );
    assert_eq!(
        status(&wire.ask(STRANGER, &claim)),
        ["407 Proxy Authentication Required"]
    );
    // With the password an agent may call from anywhere.
    let asked = wire.ask(
        STRANGER,
        &claim
            .replace("z9hG4bKs2", "z9hG4bKs3")
            .replace("s2\r", "s3\r"),
    );
    let proof = credentials(&asked[0], "arm-1", "one", "INVITE", LINE);
    let proven = claim
        .replace("z9hG4bKs2", "z9hG4bKs4")
        .replace("s2\r", "s4\r")
        .replace("Contact:", &format!("{proof}Contact:"));
    assert_eq!(status(&wire.ask(STRANGER, &proven))[0], "100 Trying");
}
