//! What a new process makes of what an old one left.

use super::{World, send};

#[test]
fn what_an_unclean_stop_has_marked_stays_marked_however_many_clean_ones_follow() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/queue/a", "before"));
    world.sync();
    world.engine = world.replayed(false);
    world.engine.reserve_ids(&mut world.effects);
    let client = world.client("c");
    world.ask(client, send("/queue/a", "behind"));
    world.sync();
    for _ in 0..2 {
        world.engine = world.replayed(true);
        let marks: Vec<_> = world.engine.queues()[0].entries.iter().map(|entry| entry.handed_out).collect();
        assert_eq!(marks, [true, false], "what came later was not handed out");
    }
}
