//! Digest authentication: a phone that knows its password, and all that others try.

use std::time::{Duration, Instant};

use sip::{Builder, HeaderName, Method, Request, StatusCode, headers::Challenge};
use sip_proxy::{
    Account, Algorithm, Aor, Authentication, AuthenticationSettings, ChallengeBy, Ha1, Proof,
    Quality, Unproven, Verdict,
};

use crate::support::{seconds, start};

const REALM: &str = "samu67.example";
const USER: &str = "arm-67-1";
const PASSWORD: &str = "correct horse";
const URI: &str = "sip:samu67.example";

struct Bench {
    now: Instant,
    authentication: Authentication,
}

/// A phone's answer to a challenge. What a test does not change is right.
#[derive(Clone)]
struct Answer {
    user: String,
    password: String,
    algorithm: Algorithm,
    nonce: String,
    uri: String,
    method: Method,
    /// `nc` and `cnonce`.
    quality: Option<(String, String)>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut AuthenticationSettings)) -> Self {
        let mut settings = AuthenticationSettings::new(REALM, [1, 2]);
        settings.algorithms = Algorithm::ALL.to_vec();
        change(&mut settings);
        let account = |user: &str, aor, password: &str| Account {
            user: user.to_owned(),
            aor: Aor::new(aor),
            secrets: Algorithm::ALL
                .into_iter()
                .map(|algorithm| Ha1::of_password(algorithm, user, REALM, password))
                .collect(),
        };
        let accounts = vec![account(USER, 7, PASSWORD), account("arm-67-2", 8, "other")];
        let now = start();
        Self {
            now,
            authentication: Authentication::new(now, settings, accounts),
        }
    }

    /// The values of the challenges to a request without credentials.
    fn challenges(&mut self, why: Unproven) -> Vec<String> {
        let response = Builder::response(StatusCode::UNAUTHORIZED);
        let challenged =
            self.authentication
                .challenge(self.now, response, ChallengeBy::Server, why);
        let message = challenged.finish();
        message
            .header_values(HeaderName::WwwAuthenticate)
            .map(|value| String::from_utf8(value.to_vec()).unwrap())
            .collect()
    }

    /// A right answer to a fresh challenge.
    fn answer(&mut self) -> Answer {
        let challenge = self.challenges(Unproven::NoCredentials).remove(0);
        let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
        Answer {
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            algorithm: Algorithm::of(&challenge.algorithm().unwrap()).unwrap(),
            nonce: String::from_utf8(challenge.nonce().unwrap().into_owned()).unwrap(),
            uri: URI.to_owned(),
            method: Method::Register,
            quality: Some(("00000001".to_owned(), "abc".to_owned())),
        }
    }

    fn verify(&mut self, answer: &Answer) -> Verdict {
        self.verify_text(&answer.header())
    }

    fn verify_text(&mut self, credentials: &str) -> Verdict {
        let request = register(Some(credentials));
        self.authentication
            .verify(self.now, &request, ChallengeBy::Server)
    }
}

impl Answer {
    fn header(&self) -> String {
        let ha1 = Ha1::of_password(self.algorithm, &self.user, REALM, &self.password);
        let quality = self.quality.as_ref();
        let response = ha1.response(&Proof {
            method: self.method.as_bytes(),
            uri: self.uri.as_bytes(),
            nonce: self.nonce.as_bytes(),
            quality: quality.map(|(nc, cnonce)| Quality {
                nc: nc.as_bytes(),
                cnonce: cnonce.as_bytes(),
            }),
        });
        let quality = quality.map_or_else(String::new, |(nc, cnonce)| {
            format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\"")
        });
        let Self {
            user, nonce, uri, ..
        } = self;
        let algorithm = self.algorithm.name();
        format!(
            "Digest username=\"{user}\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={algorithm}{quality}"
        )
    }

    fn counted(&self, nc: u32) -> Self {
        let quality = Some((format!("{nc:08x}"), "abc".to_owned()));
        Self {
            quality,
            ..self.clone()
        }
    }
}

fn register(credentials: Option<&str>) -> Request {
    Builder::request(&Method::Register, URI.as_bytes())
        .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1")
        .header(HeaderName::From, "<sip:arm-67-1@samu67.example>;tag=1")
        .header(HeaderName::To, "<sip:arm-67-1@samu67.example>")
        .header(HeaderName::CallId, "c1")
        .header(HeaderName::CSeq, "1 REGISTER")
        .header_opt(HeaderName::Authorization, credentials)
        .finish_request()
        .unwrap()
}

const PROVEN: Verdict = Verdict::Proven(Aor::new(7));

#[test]
fn a_phone_that_knows_its_password_proves_it_with_each_algorithm() {
    for algorithm in Algorithm::ALL {
        let mut bench = Bench::new();
        let answer = Answer {
            algorithm,
            ..bench.answer()
        };
        assert_eq!(bench.verify(&answer), PROVEN, "{algorithm:?}");
    }
}

#[test]
fn all_algorithms_are_offered_the_preferred_first() {
    let mut bench = Bench::new();
    let challenges = bench.challenges(Unproven::NoCredentials);
    let algorithms: Vec<_> = challenges
        .iter()
        .map(|one| {
            Challenge::parse(one.as_bytes())
                .unwrap()
                .algorithm()
                .unwrap()
        })
        .collect();
    assert_eq!(algorithms, [&b"SHA-512-256"[..], b"SHA-256", b"MD5"]);
    for challenge in &challenges {
        assert!(challenge.starts_with("Digest realm=\"samu67.example\",nonce=\""));
        assert!(challenge.ends_with("qop=\"auth\""));
    }
    assert!(bench.challenges(Unproven::Stale)[0].ends_with(",stale=true"));
    assert!(!bench.challenges(Unproven::Wrong)[0].contains("stale"));
}

#[test]
fn an_algorithm_that_is_not_offered_is_not_taken() {
    let mut bench = Bench::with(|settings| settings.algorithms = vec![Algorithm::Sha256]);
    let weak = Answer {
        algorithm: Algorithm::Md5,
        ..bench.answer()
    };
    assert_eq!(bench.verify(&weak), Verdict::Unproven(Unproven::Malformed));
    // Without the parameter MD5 is meant.
    let text = weak.header().replace(", algorithm=MD5", "");
    assert_eq!(
        bench.verify_text(&text),
        Verdict::Unproven(Unproven::Malformed)
    );
}

#[test]
fn what_is_not_right_proves_nothing() {
    let mut bench = Bench::new();
    let right = bench.answer();
    let wrong = |change: fn(&mut Answer)| {
        let mut answer = right.clone();
        change(&mut answer);
        answer
    };
    for (answer, why) in [
        (wrong(|one| one.password = "guess".into()), Unproven::Wrong),
        (wrong(|one| one.user = "arm-67-2".into()), Unproven::Wrong),
        (wrong(|one| one.user = "nobody".into()), Unproven::Wrong),
        (wrong(|one| one.method = Method::Invite), Unproven::Wrong),
        (
            wrong(|one| one.uri = "sip:somebody@samu67.example".into()),
            Unproven::OtherUri,
        ),
        (wrong(|one| one.nonce = "0".repeat(64)), Unproven::Stale),
        (
            wrong(|one| one.quality = Some(("1".into(), "abc".into()))),
            Unproven::Malformed,
        ),
    ] {
        assert_eq!(bench.verify(&answer), Verdict::Unproven(why));
    }
    for text in [
        "Digest",
        "Basic YXJtOnB3",
        "Digest realm=\"samu67.example\"",
        "Digest username=\"arm-67-1\", realm=\"elsewhere\", nonce=\"1\", uri=\"u\", response=\"1\"",
    ] {
        let verdict = bench.verify_text(text);
        assert!(
            matches!(
                verdict,
                Verdict::Unproven(Unproven::NoCredentials | Unproven::Malformed)
            ),
            "{text}: {verdict:?}"
        );
    }
    assert_eq!(
        bench.verify(&right),
        PROVEN,
        "none of it has cost the nonce"
    );
}

#[test]
fn credentials_for_the_same_place_by_another_name_hold() {
    let mut bench = Bench::new();
    for uri in ["sip:SAMU67.example;transport=tcp", "sip:192.0.2.1:5060"] {
        let answer = Answer {
            uri: uri.to_owned(),
            ..bench.answer()
        };
        assert_eq!(bench.verify(&answer), PROVEN, "{uri}");
    }
}

#[test]
fn what_was_overheard_is_good_for_nothing() {
    let mut bench = Bench::new();
    let answer = bench.answer();
    assert_eq!(bench.verify(&answer), PROVEN);
    let replayed = Verdict::Unproven(Unproven::Replayed);
    assert_eq!(bench.verify(&answer), replayed);
    assert_eq!(bench.verify(&answer.counted(2)), PROVEN);
    assert_eq!(bench.verify(&answer.counted(9)), PROVEN);
    for count in [0, 1, 2, 8, 9] {
        assert_eq!(bench.verify(&answer.counted(count)), replayed, "{count}");
    }
}

#[test]
fn a_phone_that_does_not_count_uses_each_nonce_once() {
    let mut bench = Bench::new();
    let answer = Answer {
        algorithm: Algorithm::Md5,
        quality: None,
        ..bench.answer()
    };
    assert_eq!(bench.verify(&answer), PROVEN);
    assert_eq!(bench.verify(&answer), Verdict::Unproven(Unproven::Replayed));
}

#[test]
fn a_nonce_ends_after_its_lifetime_used_or_not() {
    let mut bench = Bench::with(|settings| settings.nonce_lifetime = seconds(60));
    let (used, unused) = (bench.answer(), bench.answer());
    assert_eq!(bench.verify(&used), PROVEN);
    bench.now += seconds(60);
    assert_eq!(bench.verify(&used.counted(2)), PROVEN);
    bench.now += Duration::from_millis(1);
    let stale = Verdict::Unproven(Unproven::Stale);
    assert_eq!(bench.verify(&used.counted(3)), stale);
    assert_eq!(bench.verify(&unused), stale);
    let fresh = bench.answer();
    assert_eq!(bench.verify(&fresh), PROVEN);
}

#[test]
fn more_nonces_than_are_remembered_are_too_old_and_never_free_to_replay() {
    let mut bench = Bench::with(|settings| settings.nonces_max = 2);
    let answers: Vec<_> = (0..3).map(|_| bench.answer()).collect();
    for answer in &answers {
        assert_eq!(bench.verify(answer), PROVEN);
    }
    assert_eq!(
        bench.verify(&answers[0].counted(1)),
        Verdict::Unproven(Unproven::Stale)
    );
    assert_eq!(
        bench.verify(&answers[1]),
        Verdict::Unproven(Unproven::Replayed)
    );
}

#[test]
fn a_nonce_of_another_start_is_stale() {
    let mut old = Bench::new();
    let answer = old.answer();
    let mut new = Bench::with(|settings| settings.key = [3, 4]);
    assert_eq!(
        new.verify(&answer),
        Verdict::Unproven(Unproven::Stale),
        "the password is right: the phone need not ask its owner"
    );
}

#[test]
fn proxies_ask_by_their_own_headers() {
    let mut bench = Bench::new();
    let response = Builder::response(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    let (now, why) = (bench.now, Unproven::NoCredentials);
    let challenged = bench
        .authentication
        .challenge(now, response, ChallengeBy::Proxy, why)
        .finish();
    assert_eq!(
        challenged
            .header_values(HeaderName::ProxyAuthenticate)
            .count(),
        3
    );
    let answer = bench.answer().header();
    let request = register(Some(&answer));
    assert_eq!(
        bench
            .authentication
            .verify(now, &request, ChallengeBy::Proxy),
        Verdict::Unproven(Unproven::NoCredentials)
    );
}
