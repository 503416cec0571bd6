//! The table against one that is known to be right, and what it keeps room for.

use std::collections::{BTreeMap, VecDeque};

use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{FULL, Pieces, Table, give_back, give_back_map};

const MANY: u64 = 300_000;

proptest! {
    #[test]
    fn it_is_a_table_whatever_is_done_to_it(steps in vec((any::<bool>(), 0..3000_u64, any::<u8>()), 0..6000)) {
        let (mut table, mut oracle) = (Table::<_, _>::default(), BTreeMap::new());
        for (comes, key, value) in steps {
            if comes {
                prop_assert_eq!(table.insert(key, value), oracle.insert(key, value));
            } else {
                prop_assert_eq!(table.remove(&key), oracle.remove(&key));
            }
            prop_assert_eq!(table.get(&key), oracle.get(&key));
            prop_assert_eq!(table.len(), oracle.len());
        }
        let mut keys: Vec<_> = table.keys().copied().collect();
        keys.sort_unstable();
        prop_assert_eq!(keys, oracle.keys().copied().collect::<Vec<_>>());
        prop_assert!(oracle.iter().all(|(key, value)| table.get_mut(key) == Some(&mut value.clone())));
        prop_assert_eq!(table.values().count(), oracle.len());
    }
}

#[test]
fn one_entry_that_stays_does_not_keep_the_room_of_many() {
    for backwards in [false, true] {
        let mut table = Table::<_, _>::default();
        for key in 0..MANY {
            assert_eq!(table.insert(key, key), None);
        }
        let (room, most) = (table.capacity(), 4 * MANY as usize);
        assert!(room < most, "room for {room}");
        for number in 1..MANY {
            let key = if backwards { MANY - number } else { number };
            assert_eq!(table.remove(&key), Some(key));
            // At any moment, not only at the end.
            let bound = 16 * table.len() + 4 * FULL;
            assert!(number % 1000 != 0 || table.capacity() <= bound, "room for {}", table.capacity());
        }
        assert_eq!(table.get(&0), Some(&0));
        assert!(table.capacity() <= 2 * FULL, "room for {}", table.capacity());
        assert_eq!(table.remove(&0), Some(0));
        assert!(table.capacity() <= 32, "room for {}", table.capacity());
    }
}

#[test]
fn no_step_moves_more_than_a_part() {
    let mut table = Table::<_, _>::default();
    for key in 0..MANY {
        table.insert(key, key);
    }
    let largest = |table: &Table<u64, u64>| table.parts.iter().map(std::collections::HashMap::len).max();
    assert!(largest(&table) <= Some(4 * FULL), "{:?}", largest(&table));
    for key in 0..MANY - 10_000 {
        table.remove(&key);
    }
    assert!(largest(&table) <= Some(4 * FULL), "{:?}", largest(&table));
}

#[test]
fn a_map_gives_back_what_it_has_no_use_for() {
    let mut map: std::collections::HashMap<u64, u64> = (0..MANY).map(|key| (key, key)).collect();
    for key in 1..MANY {
        map.remove(&key);
        give_back_map(&mut map, 512);
    }
    assert!(map.get(&0) == Some(&0) && map.capacity() <= 1024, "{}", map.capacity());
}

#[test]
fn a_queue_gives_back_what_it_has_no_use_for() {
    let mut queue: VecDeque<u64> = (0..MANY).collect();
    while queue.len() > 1 {
        queue.pop_front();
        give_back(&mut queue, 512);
        assert!(queue.capacity() <= (4 * queue.len()).max(1024) + 4 || queue.len() as u64 > MANY / 4);
    }
    assert!(queue.capacity() <= 1024, "{}", queue.capacity());
}

/// Whatever is done with it, it holds what the usual queue would.
#[test]
fn pieces_are_a_queue() {
    let (mut pieces, mut usual) = (Pieces::<u64>::default(), VecDeque::new());
    let (mut next, mut seed) = (0, 7_u64);
    for round in 0..200_000_u64 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = (seed >> 33) % 100;
        // It grows in the first half, and goes on to nothing in the second.
        let grows = if round < 100_000 { 55 } else { 40 };
        if dice < grows {
            next += 1 + dice % 3;
            pieces.push_back(next);
            usual.push_back(next);
        } else if dice < grows + 15 {
            assert_eq!(pieces.pop_front(), usual.pop_front());
        } else {
            let key = usual.get((seed >> 7) as usize % usual.len().max(1)).map_or(1, |key| key + dice % 2);
            let at = usual.binary_search(&key).ok();
            assert_eq!(pieces.find(key, |key| *key).copied(), at.map(|at| usual[at]));
            assert_eq!(pieces.count_through(key, |key| *key), usual.partition_point(|other| *other <= key));
            assert_eq!(pieces.remove(key, |key| *key), at.and_then(|at| usual.remove(at)));
        }
        assert_eq!((pieces.len(), pieces.is_empty()), (usual.len(), usual.is_empty()));
        assert_eq!((pieces.front(), pieces.back()), (usual.front(), usual.back()));
        if round % 5000 == 0 {
            assert!(pieces.iter().eq(&usual) && pieces.iter().rev().eq(usual.iter().rev()));
        }
    }
}

/// Neither a new entry nor one that goes from the middle moves many others, and few do not keep the room of many.
#[test]
fn pieces_are_never_moved_all_at_once() {
    let mut pieces = Pieces::<u64>::default();
    for number in 0..100_000 {
        let before = pieces.capacity();
        pieces.push_back(number);
        assert!(pieces.capacity() - before <= 512, "{number}: from {before} to {}", pieces.capacity());
    }
    for number in (0..100_000).filter(|number| number % 100 != 0) {
        assert_eq!(pieces.remove(number, |number| *number), Some(number));
    }
    assert_eq!(pieces.len(), 1000);
    assert!(pieces.capacity() <= 16 * 1000, "{} places", pieces.capacity());
    assert!(pieces.iter().copied().eq((0..100_000).step_by(100)));
    while pieces.pop_front().is_some() {}
    assert!(pieces.capacity() <= 2 * 64, "{} places", pieces.capacity());
}
