//! The account by itself.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Account, Charge, Purpose, Share, Short};

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
    assert_eq!(other.resize(51), Err(Short { share: Share::Frames, limit: 300 }));
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
    assert_eq!(account.short_of(Purpose::Keys, 101), Some(Short { share: Share::Queues, limit: 700 }));
}

#[test]
fn one_goes_beyond_the_share_and_the_others_wait_for_room() {
    let account = Arc::new(Account::new(1600));
    let mut held = Charge::new(Arc::clone(&account), Purpose::Frames);
    held.force(300);
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(Arc::clone(&account).room(Purpose::Frames, 100))).collect();
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
