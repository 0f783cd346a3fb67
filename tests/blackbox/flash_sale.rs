//! More customers than goods, all at once.

use std::collections::BTreeMap;

use serde_json::json;

use crate::books::{self, Reply, Sale, Told, Wish};
use crate::client::{Request, at_once, fresh, twice_at_once};
use crate::envelope::Answer;
use crate::server::with_shop;

#[test]
fn two_hundred_customers_at_once_share_a_hundred_pieces() {
    with_shop(|shop| {
        let item_id = shop.new_item(100, 1000);
        let (client, item) = (shop.clone(), item_id.clone());
        // Every fourth wants two. Half have a key: they ask twice at the same time, and once more when they know.
        let results = at_once(200, move |n| {
            let quantity = if n % 4 == 0 { 2 } else { 1 };
            let customer = format!("customer {n}");
            let body = json!({"item_id": item, "quantity": quantity, "customer_id": customer});
            let key = (n % 8 < 4).then(|| fresh("key"));
            let request = client.order(body);
            {
                let (told, answers) = match key {
                    None => (Vec::new(), vec![request.send()]),
                    Some(key) => ask_three_times(request.key(&key), &key),
                };
                for answer in answers.iter().filter(|answer| answer.status == 201) {
                    assert_eq!(answer.order(201).customer_id.as_deref(), Some(customer.as_str()), "another's order");
                }
                (told, Wish { quantity, replies: answers.iter().map(reply).collect() })
            }
        });

        let (told, wishes): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        assert_eq!(books::key_violations(&told.concat()), Vec::<String>::new());
        let mut read = BTreeMap::new();
        for reply in wishes.iter().flat_map(|wish| &wish.replies) {
            if let Reply::Placed(order) = reply {
                read.insert(order.order_id.clone(), shop.order_now(&order.order_id));
            }
        }
        let left = shop.available(&item_id);
        let sale = Sale { item_id, stock: 100, wishes, read, left };
        assert_eq!(books::sale_violations(&sale), Vec::<String>::new());
    });
}

fn ask_three_times(request: Request, key: &str) -> (Vec<Told>, Vec<Answer>) {
    let [first, second] = twice_at_once(&request);
    let answers = vec![first, second, request.send()];
    let told = answers.iter().filter(|answer| answer.status == 201).map(|answer| Told::of(key, answer)).collect();
    (told, answers)
}

fn reply(answer: &Answer) -> Reply {
    if answer.status == 201 {
        return Reply::Placed(Box::new(answer.order(201)));
    }
    let problem = answer.problem(409, "insufficient_stock");
    let number = |name: &str| problem[name].as_u64().unwrap_or_else(|| panic!("{answer}\nno {name}"));
    Reply::Refused { available: number("available"), requested: number("requested") }
}

#[test]
fn baskets_that_overlap_are_sold_whole_or_not_at_all() {
    with_shop(|shop| {
        let items = [shop.new_item(20, 1), shop.new_item(20, 1), shop.new_item(20, 1)];
        let (client, ids) = (shop.clone(), items.clone());
        // Each basket has two of the three items, in either order: a ring in which all could wait for each other.
        let answers = at_once(60, move |n| {
            let (a, b) = (&ids[n % 3], &ids[(n + 1 + n / 3 % 2) % 3]);
            client.order(json!({"items": [{"item_id": a, "quantity": 1}, {"item_id": b, "quantity": 1}]})).send()
        });
        let mut orders = Vec::new();
        for answer in &answers {
            match answer.status {
                201 => orders.push(shop.order_now(&answer.order(201).order_id)),
                _ => drop(answer.problem(409, "insufficient_stock")),
            }
        }
        let mut now = Vec::new();
        for item in &items {
            now.push(shop.item(item));
        }
        let supply = books::Supply { initial: 20, adjusted: 0 };
        let supplies = items.iter().map(|item| (item.clone(), supply)).collect();
        assert_eq!(books::imbalances(&supplies, &now, &orders), Vec::<String>::new());
        assert!(orders.iter().all(|order| order.items.len() == 2));

        // A basket that was refused while others held what they then gave back can be had now, if anything is left.
        while now.iter().filter(|item| item.available > 0).count() > 1 {
            now.sort_by_key(|item| std::cmp::Reverse(item.available));
            let lines = [0, 1].map(|n| json!({"item_id": now[n].item_id, "quantity": 1}));
            shop.order(json!({"items": lines})).send().order(201);
            for item in &mut now {
                *item = shop.item(&item.item_id);
            }
        }
    });
}
