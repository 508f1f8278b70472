//! What a trunk may send.

use sip_proxy::{BeyondLimit, Trunk, TrunkId, TrunkLimits, TrunkLoads, Trunks};

use crate::support::{seconds, start};

const ONE: TrunkId = TrunkId::new(0);
const OTHER: TrunkId = TrunkId::new(1);

fn loads(limits: TrunkLimits) -> TrunkLoads {
    let trunk = |limits| Trunk {
        limits,
        ..Trunk::named("operator")
    };
    TrunkLoads::new(&Trunks::new(vec![
        trunk(limits),
        trunk(TrunkLimits::default()),
    ]))
}

#[test]
fn calls_at_a_time() {
    let mut loads = loads(TrunkLimits {
        calls_max: Some(2),
        ..TrunkLimits::default()
    });
    let now = start();
    assert_eq!(loads.begin(now, ONE), Ok(()));
    assert_eq!(loads.begin(now, ONE), Ok(()));
    assert_eq!(loads.begin(now, ONE), Err(BeyondLimit::Calls));
    assert_eq!(loads.begin(now, OTHER), Ok(()), "another has its own");
    loads.end(ONE);
    assert_eq!(loads.begin(now, ONE), Ok(()));
    assert_eq!((loads.calls(ONE), loads.calls(OTHER)), (2, 1));
}

#[test]
fn calls_a_second() {
    let mut loads = loads(TrunkLimits {
        calls_per_second: Some(10),
        ..TrunkLimits::default()
    });
    let mut now = start();
    let mut admitted = || (0..100).filter(|_| loads.begin(now, ONE).is_ok()).count();
    assert_eq!(admitted(), 10, "at once, after a quiet time");
    assert_eq!(loads.begin(now, ONE), Err(BeyondLimit::Rate));
    let mut later = 0;
    for _ in 0..100 {
        now += seconds(1) / 20;
        later += usize::from(loads.begin(now, ONE).is_ok());
    }
    assert_eq!(later, 50, "twenty offered a second, ten taken, for five");
    now += seconds(60);
    let burst = (0..100).filter(|_| loads.begin(now, ONE).is_ok()).count();
    assert_eq!(burst, 10);
}
