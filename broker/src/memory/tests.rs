//! The account by itself.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Account, Charge, Holder, Holders, Kind, Purpose, Share, Short, Turn};

#[test]
fn the_shares_are_the_whole() {
    assert_eq!(Share::ALL.into_iter().map(Share::sixteenths).sum::<u64>(), 16);
    let account = Account::new(1600);
    assert_eq!(Share::ALL.into_iter().map(|share| account.limit(share)).sum::<u64>(), 1600);
}

#[test]
fn what_is_taken_is_given_back_and_never_more_than_the_share() {
    let account = Arc::new(Account::new(1600));
    let mut one = Charge::new(Arc::clone(&account), Purpose::Frames);
    let mut other = Charge::new(Arc::clone(&account), Purpose::Frames);
    assert_eq!(one.resize(250), Ok(()));
    assert_eq!(other.resize(51), Err(Short { share: Share::Frames, limit: 300, holder: None }));
    assert_eq!((other.bytes(), account.used(Purpose::Frames)), (0, 250));
    assert_eq!(other.resize(50), Ok(()));
    other.force(80);
    assert_eq!((account.used(Purpose::Frames), account.all_used()), (330, 330));
    assert_eq!(account.take(Purpose::Transactions, 1), Ok(()), "each share is its own");
    account.give(Purpose::Transactions, 1);
    drop((one, other));
    assert_eq!(account.all_used(), 0);
}

#[test]
fn the_purposes_of_queues_share_one_bound() {
    let account = Account::new(1600);
    account.set(Purpose::Bodies, 300);
    account.add(Purpose::Messages, 300);
    assert!(account.has_room(Purpose::Terms, 100) && !account.has_room(Purpose::Terms, 101));
    assert_eq!(account.short_of(Purpose::Keys, 101), Some(Short { share: Share::Queues, limit: 700, holder: None }));
}

#[test]
fn one_goes_beyond_the_share_and_the_others_wait_for_room() {
    let account = Arc::new(Account::new(1600));
    let mut held = Charge::new(Arc::clone(&account), Purpose::Frames);
    held.force(300);
    let one = Charge::new(Arc::clone(&account), Purpose::Frames);
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(one.room(100, None))).collect();
    let mut poll = |which: usize| waits[which].as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Some(turn)) = poll(0) else { panic!("the first in line goes on") };
    assert!(poll(1).is_pending() && poll(2).is_pending());
    held.force(250);
    assert!(poll(1).is_pending(), "that is not enough");
    drop(turn);
    let Poll::Ready(Some(turn)) = poll(1) else { panic!("it is the first in line now") };
    assert!(poll(2).is_pending());
    held.force(200);
    assert!(matches!(poll(2), Poll::Ready(None)), "there is room");
    drop(turn);
}

fn user_at(account: &Arc<Account>, user: &Arc<Holder>, address: &Arc<Holder>) -> Charge {
    let mut charge = Charge::new(Arc::clone(account), Purpose::Frames);
    charge.belong_to(Holders::of(Arc::clone(user), Arc::clone(address)));
    charge
}

/// Takes as much as there is, in pieces of that size.
fn fill(charge: &mut Charge, piece: u64) -> Short {
    loop {
        if let Err(short) = charge.resize(charge.bytes() + piece) {
            return short;
        }
    }
}

#[test]
fn nobody_has_all_of_a_share_and_there_is_always_something_for_one_more() {
    // A share of 48,000 bytes.
    let account = Arc::new(Account::new(256_000));
    let of = |kind| Arc::new(Holder::new(kind));
    let (home, work) = (of(Kind::Address), of(Kind::Address));
    let mut one = user_at(&account, &of(Kind::User), &home);
    let short = fill(&mut one, 10);
    assert_eq!((one.bytes(), short.holder), (24_000, Some(Kind::User)), "one alone has half");
    assert_eq!(
        short.to_string(),
        "memory for frames that are not complete or have to wait is used up by this user: at most half of 48000 bytes of \
         limits.memory.total"
    );
    let mut other = user_at(&account, &of(Kind::User), &home);
    let short = fill(&mut other, 10);
    assert_eq!(
        (other.bytes(), short.holder),
        (12_000, Some(Kind::User)),
        "what is left is shared out by the same rule"
    );
    // With another user still the address has as much as one may have, and others go on.
    assert_eq!(fill(&mut user_at(&account, &of(Kind::User), &home), 10).holder, Some(Kind::Address));
    assert_eq!(home.used(Purpose::Frames), 36_000);
    let mut elsewhere = user_at(&account, &of(Kind::User), &work);
    fill(&mut elsewhere, 10);
    assert_eq!(elsewhere.bytes(), 6_000);
    drop(one);
    fill(&mut elsewhere, 10);
    assert_eq!(elsewhere.bytes(), 18_000, "as much as the other, and as much as is free");
    drop((other, elsewhere));
    assert_eq!((account.all_used(), home.used(Purpose::Frames), work.used(Purpose::Frames)), (0, 0, 0));
}

#[test]
fn of_one_user_one_goes_beyond_its_part_and_the_line_for_the_share_is_in_turns() {
    let account = Arc::new(Account::new(1600));
    let of = |kind| Arc::new(Holder::new(kind));
    let (greedy, good, home) = (of(Kind::User), of(Kind::User), of(Kind::Address));
    let mut held = user_at(&account, &greedy, &home);
    held.force(200);
    let mut frames: Vec<_> = (0..3).map(|_| user_at(&account, &greedy, &home)).collect();
    let poll = |wait: &mut std::pin::Pin<Box<dyn Future<Output = Option<Turn>>>>| {
        wait.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    let mut waits: Vec<std::pin::Pin<Box<dyn Future<Output = Option<Turn>>>>> =
        frames.iter().map(|frame| Box::pin(frame.room(40, None)) as _).collect();
    let Poll::Ready(Some(turn)) = poll(&mut waits[0]) else { panic!("the first of the user goes on") };
    assert!(poll(&mut waits[1]).is_pending() && poll(&mut waits[2]).is_pending());
    assert_eq!(frames[0].resize_in(Some(&turn), 40), Ok(()), "within the share");
    // There is room for another, who waits for nobody.
    let mut fine = user_at(&account, &good, &of(Kind::Address));
    assert_eq!(fine.resize(20), Ok(()));
    // Now the share is used up. The first of each user stands in line for it, and no other.
    held.force(240);
    assert!(frames[0].resize_in(Some(&turn), 80).is_err(), "not beyond the share");
    let mut wait: std::pin::Pin<Box<dyn Future<Output = Option<Turn>>>> = Box::pin(frames[0].room(40, Some(turn)));
    let Poll::Ready(Some(turn)) = poll(&mut wait) else { panic!("nobody is before it") };
    assert_eq!(frames[0].resize_in(Some(&turn), 80), Ok(()), "beyond the share");
    let mut next: std::pin::Pin<Box<dyn Future<Output = Option<Turn>>>> = Box::pin(fine.room(20, None));
    assert!(poll(&mut next).is_pending() && poll(&mut waits[1]).is_pending());
    drop(turn);
    assert!(poll(&mut waits[1]).is_pending(), "it is the first of its user now, and behind the other in the line");
    let Poll::Ready(Some(turn)) = poll(&mut next) else { panic!("it waited first") };
    assert_eq!(fine.resize_in(Some(&turn), 40), Ok(()));
}
