//! Single records are found by the names that the rules know them by.

use harness::RedisServer;
use records::Item;
use records::location::{Location, Source, Target};

#[test]
fn records_are_found_by_their_names_in_each_store() {
    let folder = tempfile::tempdir().unwrap();
    let redis = RedisServer::start().unwrap();
    let item = Item { on_hand: 7, ..Item::default() }.encode();
    for place in [
        Location::KeyValue(folder.path().join("key-value.db")),
        Location::Sqlite(folder.path().join("sqlite.db")),
        Location::Redis(redis.url()),
    ] {
        let mut target = Target::open(&place).unwrap();
        target.put("inventory:tea", item.clone()).unwrap();
        target.put("placed:0000000000000000", b"[]".to_vec()).unwrap();
        target.finish().unwrap();
        let keys = ["placed:0000000000000000", "inventory:coffee", "inventory:tea", "ledger", "order:1"];
        let found = Source::open(&place).unwrap().get(&keys.map(str::to_owned)).unwrap();
        assert_eq!(found, [Some(b"[]".to_vec()), None, Some(item.clone()), None, None], "{place}");
        assert!(Source::open(&place).unwrap().get(&[]).unwrap().is_empty(), "{place}");
    }
}
