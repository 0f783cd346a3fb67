//! Servers that race for the last units on a store that is not what it says.

use std::thread;

use harness::Request;
use host::StoreFault;

use crate::books::Books;
use crate::requests;
use crate::shop::Store;
use crate::stops::Context;

/// Three servers sell five units of one item and one of another, and an honest one comes after them.
pub fn race(store: &Store, fault: StoreFault) {
    let buyer = |server: usize| {
        let shop = store.open_faulty(fault);
        let mut told = Vec::new();
        for number in 0..4 {
            let place = Request::place(&[("last", 1), ("new", 1)][number % 2..])
                .key(requests::key(&format!("{server}-{number}")));
            let placed = shop.send(&place);
            let pay = (placed.status == 201).then(|| requests::pay(placed.order()));
            told.push((place, placed));
            if let Some(pay) = pay {
                let paid = shop.send(&pay);
                told.push((pay, paid));
            }
        }
        told
    };
    let told: Vec<_> = thread::scope(|scope| {
        let buyers = [0, 1, 2].map(|server| scope.spawn(move || buyer(server)));
        buyers.into_iter().flat_map(|buyer| buyer.join().expect("a buyer is answered")).collect()
    });
    let _context = Context(format!("{fault:?}: {told:#?}"));
    let mut books = Books::default();
    for (request, answer) in &told {
        assert!(answer.status < 500 || answer.status == 503);
        books.told(request, answer);
    }
    books.check(store);
    books.sell_everything(store, &store.open());
}
