//! Callers who give up: the list of those to call back, and what a caller finds who calls again.

use std::time::Duration;

use acd::{AbandonedState, CallId, Condition, Event, Input, Settings, Want};

use crate::{
    country::{Country, rejects, seconds},
    desk::Desk,
};

fn nobody_there() -> Desk {
    desk_with(Settings::default())
}

fn desk_with(settings: Settings) -> Desk {
    let mut desk = Desk::with(&Country::one_site(&["a"]), settings);
    desk.want("a", Want::LoggedOut);
    desk
}

fn gives_up(desk: &mut Desk, caller: u64, after: u64) -> CallId {
    let call = desk.call_of("A-15", caller);
    desk.wait(seconds(after));
    desk.end(call);
    call
}

#[test]
fn one_caller_is_one_entry_for_ten_minutes() {
    let mut desk = nobody_there();
    let first = gives_up(&mut desk, 7, 12);
    desk.wait(seconds(300));
    let second = gives_up(&mut desk, 7, 40);
    gives_up(&mut desk, 8, 3);
    desk.wait(seconds(601));
    gives_up(&mut desk, 7, 5);
    let entries: Vec<_> = desk.acd.abandoned().map(|(_, entry)| entry).collect();
    let told = entries
        .iter()
        .map(|entry| (entry.attempts, entry.longest_wait));
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(2, seconds(40)), (1, seconds(3)), (1, seconds(5))]);
    assert_eq!(entries[0].calls, [first, second]);
}

/// Nobody is on duty, and the last step turns away; who calls again so soon has their place.
fn turns_away(when: Condition, resume_within: Duration) -> Desk {
    let mut country = Country::two_sites(Duration::ZERO, vec![rejects(when)]);
    country.lines[0].resume_within = resume_within;
    Desk::new(&country)
}

/// Nobody would call back while the entry says that the caller is in a call.
#[test]
fn who_comes_back_and_is_turned_away_is_called_back() {
    let mut desk = turns_away(Condition::After(seconds(10)), Duration::ZERO);
    let first = gives_up(&mut desk, 7, 5);
    let again = desk.call_of("A-15", 7);
    desk.wait(seconds(20));
    assert!(desk.acd.call(again).is_none(), "it is turned away");
    let (_, entry) = desk.acd.abandoned().next().unwrap();
    assert_eq!((entry.attempts, entry.came_back), (2, None));
    assert_eq!(entry.state, AbandonedState::ToCallBack);
    assert_eq!(entry.calls, [first, again]);
}

/// An answer of the node, and nobody who could have heard the caller.
#[test]
fn who_is_turned_away_is_called_back_and_has_their_place_when_they_call_again() {
    let mut desk = turns_away(Condition::After(seconds(10)), seconds(120));
    let first = desk.call_of("A-15", 7);
    desk.wait(seconds(10));
    assert!(desk.acd.call(first).is_none(), "it is turned away");
    let (_, entry) = desk.acd.abandoned().next().unwrap();
    assert_eq!((entry.attempts, entry.longest_wait), (1, seconds(10)));
    let other = desk.call_of("A-15", 8);
    let again = desk.call_of("A-15", 7);
    assert_eq!(
        (desk.acd.place(again), desk.acd.place(other)),
        (Some(1), Some(2))
    );
}

/// A wait of before is none of the line's.
#[test]
fn who_was_turned_away_because_the_first_waited_so_long_is_not_for_their_own_old_place() {
    let mut desk = turns_away(Condition::OldestWaitOver(seconds(60)), seconds(120));
    let first = desk.call_of("A-15", 7);
    desk.wait(seconds(60));
    assert!(desk.acd.call(first).is_none(), "it is turned away");
    desk.wait(seconds(10));
    let again = desk.call_of("A-15", 7);
    desk.wait(seconds(59));
    assert!(desk.acd.call(again).is_some(), "it waits");
    // Who comes now is behind somebody who has waited for so long.
    let other = desk.call_of("A-15", 8);
    assert!(desk.acd.call(other).is_none(), "it is turned away");
    desk.wait(seconds(1));
    assert!(desk.acd.call(again).is_none(), "it is turned away");
}

/// They have waited long enough to be turned away, all calls together; but somebody is free now.
#[test]
fn who_comes_back_to_their_old_place_is_not_turned_away_for_it() {
    let mut desk = turns_away(Condition::After(seconds(10)), seconds(120));
    gives_up(&mut desk, 7, 5);
    desk.wait(seconds(20));
    let again = desk.call_of("A-15", 7);
    desk.wait(seconds(9));
    assert!(desk.acd.call(again).is_some(), "it waits");
    desk.wait(seconds(2));
    assert!(desk.acd.call(again).is_none(), "it is turned away");
}

#[test]
fn who_comes_back_and_is_answered_needs_no_call_back() {
    let mut desk = nobody_there();
    gives_up(&mut desk, 7, 12);
    let again = desk.call_of("A-15", 7);
    let standing = |desk: &Desk| {
        let (_, entry) = desk.acd.abandoned().next().unwrap();
        (entry.came_back, entry.state)
    };
    assert_eq!(standing(&desk), (Some(again), AbandonedState::ToCallBack));
    desk.want("a", Want::Ready);
    desk.answer(again);
    assert_eq!(standing(&desk), (Some(again), AbandonedState::Resolved));
    let changed = desk
        .events()
        .filter(|(_, event)| matches!(event, Event::AbandonedChanged { .. }));
    assert_eq!(changed.count(), 1);
}

/// Nothing is left of a person for longer than somebody may want to call back.
#[test]
fn after_a_day_an_entry_is_forgotten_however_it_stands() {
    let mut desk = nobody_there();
    gives_up(&mut desk, 7, 12);
    desk.wait(seconds(23 * 3600));
    gives_up(&mut desk, 8, 3);
    assert_eq!(desk.acd.abandoned_len(), 2);
    desk.wait(seconds(3600));
    let left = desk.acd.abandoned().map(|(_, entry)| entry.attempts);
    assert_eq!(
        left.collect::<Vec<_>>(),
        [1],
        "the second, and nobody asked"
    );
    let forgotten = desk
        .events()
        .filter(|(_, event)| matches!(event, Event::AbandonedForgotten { .. }));
    assert_eq!(forgotten.count(), 1);
    desk.wait(seconds(24 * 3600));
    assert_eq!(desk.acd.abandoned_len(), 0);
    assert_eq!(desk.acd.poll_timeout(), None, "nothing is armed for ever");
}

#[test]
fn a_person_says_how_an_entry_stands() {
    let mut desk = nobody_there();
    gives_up(&mut desk, 7, 12);
    let (entry, _) = desk.acd.abandoned().next().unwrap();
    let state = AbandonedState::Called;
    desk.input(Input::AbandonedHandled { entry, state });
    assert_eq!(desk.acd.abandoned().next().unwrap().1.state, state);
    // Who gives up again is to be called back again.
    gives_up(&mut desk, 7, 12);
    let state = desk.acd.abandoned().next().unwrap().1.state;
    assert_eq!(state, AbandonedState::ToCallBack);
    let unknown = acd::AbandonedId::new(99);
    desk.input(Input::AbandonedHandled {
        entry: unknown,
        state,
    });
    let ignored = desk.events().last().map(|(_, event)| event.clone());
    let what = acd::Ignored::Abandoned(unknown);
    assert_eq!(ignored, Some(Event::Ignored { what }));
}

#[test]
fn who_calls_again_soon_has_the_first_calls_place() {
    let mut country = Country::one_site(&["a"]);
    country.lines[0].resume_within = seconds(60);
    let mut desk = Desk::new(&country);
    desk.want("a", Want::LoggedOut);
    gives_up(&mut desk, 7, 30);
    let other = desk.call_of("A-15", 8);
    desk.wait(seconds(20));
    let again = desk.call_of("A-15", 7);
    assert_eq!(
        [desk.acd.place(again), desk.acd.place(other)],
        [Some(1), Some(2)]
    );
    desk.wait(seconds(10));
    desk.end(again);
    // A chain of such calls keeps the first arrival; whoever is gone too long does not.
    let third = desk.call_of("A-15", 7);
    assert_eq!(desk.acd.place(third), Some(1));
    desk.end(third);
    desk.wait(seconds(61));
    let fourth = desk.call_of("A-15", 7);
    assert_eq!(
        [desk.acd.place(other), desk.acd.place(fourth)],
        [Some(1), Some(2)]
    );
}

#[test]
fn a_full_list_forgets_what_is_dealt_with_first() {
    let mut desk = desk_with(Settings {
        abandoned_max: 2,
        ..Settings::default()
    });
    gives_up(&mut desk, 1, 1);
    gives_up(&mut desk, 2, 1);
    let second = desk.acd.abandoned().nth(1).unwrap().0;
    let state = AbandonedState::Resolved;
    desk.input(Input::AbandonedHandled {
        entry: second,
        state,
    });
    gives_up(&mut desk, 3, 1);
    gives_up(&mut desk, 4, 1);
    let callers = desk
        .acd
        .abandoned()
        .map(|(_, entry)| entry.caller.unwrap().value());
    assert_eq!(callers.collect::<Vec<_>>(), [3, 4]);
}
