//! What operators see: the list of orders, histories, the books.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::client::{Request, Shop, at_once, fresh};
use crate::envelope::Answer;
use crate::server::{with_own_server, with_shop};
use crate::shapes::{Accounts, History, Order, OrderPage, Status};

impl Answer {
    #[track_caller]
    fn page(&self) -> OrderPage {
        self.expect(200);
        let page = OrderPage::parse(&self.body).unwrap_or_else(|error| panic!("{self}\n{error}"));
        assert_eq!(page.next.is_some(), self.next().is_some(), "{self}");
        page
    }

    /// Where the next page is.
    fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let (path, rest) = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link");
        assert_eq!(rest, "; rel=\"next\"", "{self}");
        Some(path.to_owned())
    }

    #[track_caller]
    fn history(&self) -> History {
        self.expect(200);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self}\n{error}"))
    }

    #[track_caller]
    fn accounts(&self) -> Accounts {
        self.expect(200);
        Accounts::parse(&self.body).unwrap_or_else(|error| panic!("{self}\n{error}"))
    }

    /// A 422 about this parameter.
    #[track_caller]
    fn invalid_parameter(&self, name: &str) {
        let problem = self.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["parameter"], name, "{self}");
    }
}

impl Shop {
    fn orders(&self, query: &str) -> Request {
        self.get(format!("/orders{query}")).operator()
    }

    /// Goes from page to page, for as long as there are more and `enough` are not seen.
    pub fn listed(&self, query: &str, enough: impl Fn(&[Order]) -> bool) -> Vec<Order> {
        let mut orders = Vec::new();
        let mut next = Some(format!("/orders{query}"));
        while let Some(path) = next {
            let answer = self.get(path).operator().send();
            orders.extend(answer.page().orders);
            next = answer.next().filter(|_| !enough(&orders));
        }
        orders
    }
}

/// As text with milliseconds apart, so that times differ.
fn a_moment() {
    sleep(Duration::from_millis(5));
}

#[test]
fn orders_and_books_are_for_the_operator_only() {
    with_shop(|shop| {
        let item = shop.new_item(1, 1);
        for path in ["/orders".to_owned(), "/books".into(), "/metrics".into(), format!("/inventory/{item}/history")] {
            shop.get(&path).send().problem(401, "unauthorized");
            shop.get(&path).header("authorization", "Bearer wrong").send().problem(401, "unauthorized");
            shop.get(&path).operator().send().expect(200);
        }
    });
}

#[test]
fn each_order_is_listed_once_in_pages_of_any_size() {
    with_shop(|shop| {
        let item = shop.new_item(100, 1000);
        let buyers = at_once(20, |_| {
            let (shop, item) = (shop.clone(), item.clone());
            shop.place(&item, 1).order_id
        });
        let placed: BTreeSet<_> = buyers.into_iter().collect();
        for limit in [1, 3, 100] {
            let all = |orders: &[Order]| placed.iter().all(|id| orders.iter().any(|order| order.order_id == *id));
            let orders = shop.listed(&format!("?limit={limit}"), all);
            for id in &placed {
                assert_eq!(orders.iter().filter(|order| order.order_id == *id).count(), 1, "{id} by {limit}");
            }
        }
    });
}

#[test]
fn the_list_of_a_shop_begins_with_its_newest_order_and_ends_with_its_oldest() {
    with_own_server(&[], |server| {
        let shop = &server.shop;
        assert_eq!(shop.orders("").send().page(), OrderPage { orders: Vec::new(), next: None });
        let mut placed = Vec::new();
        for _ in 0..7 {
            placed.push(shop.place("item1", 1));
            a_moment();
        }
        placed.reverse();
        assert_eq!(shop.listed("?limit=3", |_| false), placed);
        let first = shop.orders("?limit=3").send().page();
        assert_eq!(first.orders, placed[..3]);
        // An order that comes later is not on the pages after that one.
        shop.place("item1", 1);
        let next = first.next.expect("there are more");
        assert_eq!(shop.orders(&format!("?limit=3&cursor={next}")).send().page().orders, placed[3..6]);
    });
}

#[test]
fn orders_are_listed_by_status() {
    with_own_server(&[("payment_window_seconds", "2")], |server| {
        let shop = &server.shop;
        let (paid, cancelled) = (shop.place_paid("item1", 1), shop.place_cancelled("item1", 1));
        let expired = shop.place("item1", 1);
        sleep(Duration::from_millis(2100));
        let pending = shop.place("item1", 1);
        for (status, order) in
            [("paid", &paid), ("cancelled", &cancelled), ("expired", &expired), ("pending", &pending)]
        {
            let orders = shop.listed(&format!("?status={status}"), |_| false);
            assert_eq!(orders.iter().map(|order| &order.order_id).collect::<Vec<_>>(), [&order.order_id], "{status}");
            assert_eq!(orders[0].order_id, order.order_id);
        }
        assert_eq!(shop.listed("?status=rejected", |_| false), []);
    });
}

#[test]
fn one_order_is_listed_by_its_id() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let (order, other) = (shop.place_paid(&item, 1), shop.place(&item, 1));
        let listed = |query: String| shop.orders(&query).send().page();
        let alone = OrderPage { orders: vec![order.clone()], next: None };
        assert_eq!(listed(format!("?order_id={}", order.order_id)), alone);
        assert_eq!(listed(format!("?order_id={}&status=paid&limit=1", order.order_id.to_uppercase())), alone);
        let none = OrderPage { orders: Vec::new(), next: None };
        assert_eq!(listed(format!("?order_id={}&status=paid", other.order_id)), none);
        assert_eq!(listed("?order_id=00000000-0000-4000-8000-000000000000".to_owned()), none);
        for wrong in ["", "a", "00000000000040008000000000000000"] {
            shop.orders(&format!("?order_id={wrong}")).send().invalid_parameter("order_id");
        }
        let csv = shop.orders(&format!("?order_id={}&format=csv", order.order_id)).send();
        let csv = csv.expect(200);
        assert_eq!(rows(&csv.body).len(), 1);
        shop.get(format!("/orders?order_id={}", order.order_id)).send().problem(401, "unauthorized");
    });
}

#[test]
fn orders_are_listed_by_customer_item_and_day_and_oldest_first_in_any_combination() {
    with_own_server(&[], |server| {
        let shop = &server.shop;
        let customer = "Anna & Bo, \"the > first\"; \u{5b89}\u{5a1c} 100%";
        let encoded = "Anna%20%26%20Bo%2C%20%22the%20%3E%20first%22%3B%20%E5%AE%89%E5%A8%9C%20100%25";
        let place = |item: &str, customer: Option<&str>| {
            a_moment();
            shop.order(json!({"item_id": item, "quantity": 1, "customer_id": customer})).send().order(201)
        };
        let mut placed = Vec::new();
        for round in 0..4 {
            placed.push(place("item1", Some(customer)));
            placed.push(place("item2", Some(customer)));
            placed.push(place("item1", None));
            if round % 2 == 0 {
                let order = placed.remove(3 * round);
                placed.insert(3 * round, shop.pay(&order.order_id).send().order(200));
            }
        }
        let (first, last) = (placed[0].placed_at.day(), placed[11].placed_at.day());
        let of = |numbers: &[usize]| numbers.iter().map(|number| placed[*number].order_id.clone()).collect::<Vec<_>>();
        let all: Vec<_> = (0..12).collect();
        for (query, numbers) in [
            (String::new(), &all[..]),
            (format!("&customer_id={encoded}"), &[0, 1, 3, 4, 6, 7, 9, 10]),
            ("&item_id=item1".into(), &[0, 2, 3, 5, 6, 8, 9, 11]),
            ("&item_id=item3".into(), &[]),
            ("&customer_id=anna".into(), &[]),
            ("&status=paid".into(), &[0, 6]),
            (format!("&customer_id={encoded}&item_id=item1&status=pending"), &[3, 9]),
            (format!("&placed_from={first}&placed_until={last}&item_id=item2"), &[1, 4, 7, 10]),
            (format!("&placed_from={first}&customer_id={encoded}&status=paid"), &[0, 6]),
            ("&placed_on=2026-01-01".into(), &[]),
            ("&placed_until=2026-01-01".into(), &[]),
        ] {
            for order in ["", "&order=newest", "&order=oldest"] {
                let mut wanted = of(numbers);
                if order != "&order=oldest" {
                    wanted.reverse();
                }
                for limit in [1, 3, 100] {
                    let listed = shop.listed(&format!("?limit={limit}{query}{order}"), |_| false);
                    let listed: Vec<_> = listed.into_iter().map(|order| order.order_id).collect();
                    assert_eq!(listed, wanted, "{query}{order} by {limit}");
                }
                let csv = shop.orders(&format!("?format=csv{query}{order}")).send();
                let listed: Vec<_> = rows(&csv.expect(200).body).into_iter().map(|row| row[0].clone()).collect();
                assert_eq!(listed, wanted, "{query}{order}");
                let text = shop.orders(&format!("?format=ndjson{query}{order}")).send();
                let listed: Vec<_> = lines(&text.expect(200).body).into_iter().map(|order| order.order_id).collect();
                assert_eq!(listed, wanted, "{query}{order}");
            }
        }
        // The file is named by what is in it; a cursor goes on in its order, and in no other.
        let file = shop.orders(&format!("?format=csv&status=paid&placed_from={first}&order=oldest")).send();
        let name = format!("attachment; filename=\"orders-paid-{first}.csv\"");
        assert_eq!(file.header("content-disposition"), Some(name.as_str()), "{file}");
        let next = shop.orders("?limit=1&order=oldest").send().page().next.expect("there is more");
        let page = shop.orders(&format!("?limit=2&cursor={next}")).send().page();
        assert_eq!(page.orders.iter().map(|order| order.order_id.clone()).collect::<Vec<_>>(), of(&[1, 2]));
        shop.orders(&format!("?cursor={next}&order=newest")).send().invalid_parameter("cursor");
    });
}

/// The rows of a CSV, without the one with the names.
#[track_caller]
fn rows(csv: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(csv).expect("it is UTF-8");
    let text = text.strip_prefix('\u{feff}').expect("a spreadsheet is told so");
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'), "a row ends with both");
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            character => cell.push(character),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted, "the last row has its end: {cell:?}");
    let names = rows.remove(0).join(",");
    let expected =
        "order_id,status,placed_at,expires_at,customer_id,items,total,currency,method,paid_at,refunded,disputed";
    assert_eq!(names, expected);
    rows.iter().for_each(|row| assert_eq!(row.len(), 12, "{row:?}"));
    rows
}

/// The orders of lines of JSON.
#[track_caller]
fn lines(ndjson: &[u8]) -> Vec<Order> {
    let text = std::str::from_utf8(ndjson).expect("it is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has its end");
    text.lines().map(|line| Order::parse(line.as_bytes()).expect("an order")).collect()
}

#[test]
fn orders_come_as_csv_and_as_lines_of_json() {
    with_own_server(&[], |server| {
        let shop = &server.shop;
        let customer = "=anna, \"the first\"; 安娜";
        let body = json!({"items": [{"item_id": "item1", "quantity": 2}, {"item_id": "item2", "quantity": 1}],
            "customer_id": customer});
        let order = shop.order(body).send().order(201);
        let order = shop.pay(&order.order_id).json(json!({"method": "-2-3"})).send().order(200);
        let answer = shop.orders("?format=ndjson").send();
        assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"orders.ndjson\""), "{answer}");
        assert_eq!(lines(&answer.expect(200).body), std::slice::from_ref(&order));

        let answer = shop.orders("?format=csv&limit=1&status=paid").send();
        assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"orders-paid.csv\""), "{answer}");
        let row = rows(&answer.expect(200).body).remove(0);
        assert_eq!(row[..2], [order.order_id.as_str(), "paid"], "{answer}");
        // No formulas, and one cell each.
        assert_eq!(row[4], format!("'{customer}"), "{answer}");
        assert_eq!(row[5..9], ["2 x item1 + 1 x item2", "4000", "CNY", "'-2-3"], "{answer}");
        assert_eq!(row[10], "", "{answer}");
        let some = shop.post(format!("/orders/{}/refunds", order.order_id)).json(json!({"amount": 1500}));
        some.operator().key("some").send().expect(201);
        let refunded = shop.orders("?format=csv&status=paid").send();
        assert_eq!(rows(&refunded.expect(200).body)[0][10], "1500", "{refunded}");
        // The next page is in the same form.
        shop.place("item1", 1);
        let next = shop.orders("?format=csv&limit=1").send().next().expect("there is more");
        assert!(next.contains("format=csv") && next.contains("limit=1"), "{next}");
        assert_eq!(rows(&shop.get(next).operator().send().expect(200).body)[0][0], order.order_id);
        // As JSON there is no file.
        assert_eq!(shop.orders("").send().header("content-disposition"), None);
    });
}

#[test]
fn csv_and_lines_of_json_have_all_orders_and_a_page_where_a_limit_is_given() {
    // Two pages and a half.
    const ORDERS: usize = 250;
    with_own_server(&[], |server| {
        let shop = &server.shop;
        let item = shop.new_item(1000, 1);
        let placed = at_once(10, |number| {
            let place =
                |round| if (number + round) % 5 == 0 { shop.place_paid(&item, 1) } else { shop.place(&item, 1) };
            (0..ORDERS / 10).map(place).collect::<Vec<_>>()
        });
        let placed: Vec<_> = placed.into_iter().flatten().collect();
        let ids = |paid: bool| -> BTreeSet<_> {
            let wanted = placed.iter().filter(|order| !paid || order.status == Status::Paid);
            wanted.map(|order| order.order_id.clone()).collect()
        };
        let (all, paid) = (ids(false), ids(true));
        assert_eq!((all.len(), paid.len()), (ORDERS, ORDERS / 5));
        for (query, expected) in [("", &all), ("&status=paid", &paid), ("&status=cancelled", &BTreeSet::new())] {
            for format in ["csv", "ndjson"] {
                let answer = shop.orders(&format!("?format={format}{query}")).send();
                assert_eq!(answer.next(), None, "{format}{query}");
                let body = &answer.expect(200).body;
                let listed: Vec<_> = match format {
                    "csv" => rows(body).into_iter().map(|row| row[0].clone()).collect(),
                    _ => lines(body).into_iter().map(|order| order.order_id).collect(),
                };
                assert_eq!(listed.len(), expected.len(), "{format}{query}");
                assert_eq!(&listed.into_iter().collect::<BTreeSet<_>>(), expected, "{format}{query}");
                let head = shop.head(format!("/orders?format={format}{query}")).operator().send();
                for name in ["content-type", "content-disposition", "content-length"] {
                    assert_eq!(head.header(name), answer.header(name), "{format}{query}");
                }
            }
        }
        let page = shop.orders("?format=csv&limit=7").send();
        assert_eq!((rows(&page.expect(200).body).len(), page.next().is_some()), (7, true));
        // From a cursor on, it is the rest.
        let first = shop.orders("?limit=100").send().page();
        let rest = shop.orders(&format!("?format=ndjson&cursor={}", first.next.expect("there are more"))).send();
        assert_eq!(lines(&rest.expect(200).body).len(), ORDERS - 100);
        shop.get("/orders?format=csv").send().problem(401, "unauthorized");
        shop.orders("?format=csv&cursor=made-up").send().invalid_parameter("cursor");
    });
}

#[test]
fn a_list_that_makes_no_sense_is_refused() {
    with_shop(|shop| {
        for (query, parameter) in [
            ("?limit=0", "limit"),
            ("?limit=101", "limit"),
            ("?limit=ten", "limit"),
            ("?limit=-1", "limit"),
            ("?limit=+5", "limit"),
            ("?limit=05", "limit"),
            ("?limit=1&limit=2", "limit"),
            ("?status=lost", "status"),
            ("?status=", "status"),
            ("?format=xml", "format"),
            ("?cursor=", "cursor"),
            ("?cursor=made-up", "cursor"),
            ("?cursor=00000000000000000000000000000000-1-0", "cursor"),
            ("?cursor=00000000000000000000000000000000-1-0-2", "cursor"),
            ("?order=", "order"),
            ("?order=newest&order=oldest", "order"),
            ("?order=Oldest", "order"),
            ("?customer_id=", "customer_id"),
            ("?customer_id=%ff", "customer_id"),
            ("?customer_id=a&customer_id=a", "customer_id"),
            ("?item_id=", "item_id"),
            ("?item_id=..", "item_id"),
            ("?item_id=no%20item", "item_id"),
            ("?item_id=item1&item_id=item2", "item_id"),
            ("?placed_on=", "placed_on"),
            ("?placed_on=today", "placed_on"),
            ("?placed_on=2026-02-29", "placed_on"),
            ("?placed_on=2026-11-28T00:00:00Z", "placed_on"),
            ("?placed_on=1969-12-31", "placed_on"),
            ("?placed_on=2026-11-28&placed_on=2026-11-28", "placed_on"),
            ("?placed_on=2026-11-28&placed_until=2026-11-28", "placed_on"),
            ("?placed_on=2026-11-28&placed_from=2026-11-28", "placed_on"),
            ("?placed_from=2026-13-01", "placed_from"),
            ("?placed_until=2026-1-1", "placed_until"),
            ("?placed_from=2026-11-02&placed_until=2026-11-01", "placed_until"),
            ("?page=2", "page"),
            ("?%00=1", "%00"),
        ] {
            shop.orders(query).send().invalid_parameter(parameter);
        }
    });
}

#[test]
fn a_cursor_of_another_store_is_refused() {
    with_own_server(&[], |server| {
        let shop = &server.shop;
        shop.place("item1", 1);
        shop.place("item1", 1);
        let cursor = shop.orders("?limit=1").send().page().next.expect("there is more");
        with_own_server(&[], |server| {
            let shop = &server.shop;
            shop.place("item1", 1);
            shop.orders(&format!("?cursor={cursor}")).send().invalid_parameter("cursor");
        });
    });
}

#[test]
fn an_order_tells_what_became_of_it_and_when() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let pending = shop.place(&item, 2);
        let path = |order: &Order| format!("/orders/{}/history", order.order_id);
        let history = shop.get(path(&pending)).send().history();
        assert_eq!((history.order_id.as_ref(), history.status), (Some(&pending.order_id), Some(Status::Pending)));
        let told: Vec<_> = history.events.iter().map(|event| (event.at, event.event.as_str())).collect();
        assert_eq!(told, [(pending.placed_at, "placed")]);
        assert_eq!(history.events[0].text, format!("Placed: 2 of {item}."));
        let paid = shop.place_paid(&item, 1);
        let history = shop.get(path(&paid)).send().history();
        let told: Vec<_> = history.events.iter().map(|event| (event.at, event.event.as_str())).collect();
        let paid_at = paid.payment.as_ref().expect("it is paid").paid_at;
        assert_eq!(told, [(paid.placed_at, "placed"), (paid_at, "paid")]);
        let cancelled = shop.place_cancelled(&item, 1);
        let history = shop.get(path(&cancelled)).send().history();
        assert_eq!(history.events.last().expect("something happened").event, "cancelled");
        shop.get("/orders/none/history").send().problem(404, "order_not_found");
    });
}

#[test]
fn an_item_tells_its_adjustments_newest_first_each_once() {
    with_shop(|shop| {
        let item = shop.new_item(10, 1000);
        let path = format!("/inventory/{item}/history");
        assert_eq!(shop.get(&path).operator().send().history().events, []);
        let key = fresh("key");
        let adjust = |delta: i64, reason: &str| {
            shop.post(format!("/inventory/{item}/adjustments"))
                .operator()
                .json(json!({"delta": delta, "reason": reason}))
                .key(format!("{key}{delta}"))
        };
        for (delta, reason) in [(5, "delivered"), (-3, "<b>damaged</b>"), (5, "delivered")] {
            adjust(delta, reason).send().item(200);
            a_moment();
        }
        adjust(-1000, "stolen").send().problem(409, "insufficient_stock");
        let events = shop.get(&path).operator().send().history().events;
        let told: Vec<_> = events.iter().map(|event| (event.delta, event.reason.as_deref())).collect();
        assert_eq!(told, [(Some(-3), Some("<b>damaged</b>")), (Some(5), Some("delivered"))]);
        assert!(events[0].at > events[1].at);
        assert_eq!(events[0].text, "3 taken out: <b>damaged</b>.");
        shop.get("/inventory/none-of-these/history").operator().send().problem(404, "item_not_found");
    });
}

#[test]
fn the_books_are_balanced_at_every_moment() {
    with_own_server(&[], |server| {
        let shop = &server.shop;
        at_once(8, |number| {
            let shop = shop.clone();
            {
                for round in 0..5 {
                    match (number + round) % 4 {
                        0 => _ = shop.place_paid("item1", 1),
                        1 => _ = shop.place_cancelled("item1", 1),
                        2 => _ = shop.adjust("item1", 1).send().item(200),
                        _ => _ = shop.place("item1", 1),
                    }
                    assert!(shop.get("/books").operator().send().accounts().balanced);
                }
            }
        });
        let accounts = shop.get("/books").operator().send().accounts();
        let item1 = accounts.items.iter().find(|account| account.item_id == "item1").expect("it is there");
        assert_eq!((item1.received, item1.sold, item1.reserved), (100 + 10, 10, 10));
        let metrics = shop.get("/metrics").operator().send();
        let metrics = String::from_utf8(metrics.expect(200).body.to_vec()).expect("text");
        for line in ["stock_received{item=\"item1\"} 110", "stock_sold{item=\"item1\"} 10", "# TYPE stock_sold gauge"] {
            assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
        }
    });
}

#[test]
fn the_list_can_be_read_while_orders_come_under_the_same_keys() {
    with_shop(|shop| {
        let item = shop.new_item(10_000, 1);
        at_once(12, |client| {
            let (shop, item) = (shop.clone(), item.clone());
            {
                for round in 0..15 {
                    if client % 3 == 0 {
                        let page = shop.orders("?limit=100").send().page();
                        for order in page.orders.iter().take(5) {
                            let asked = shop.get(format!("/orders/{}", order.order_id)).send();
                            if asked.status != 200 {
                                asked.problem(404, "order_not_found");
                            }
                        }
                    } else {
                        let order = json!({"item_id": item, "quantity": 1});
                        shop.order(order).key(format!("{item}-{round}")).send().order(201);
                    }
                }
            }
        });
        // Fifteen keys, fifteen orders.
        assert_eq!(shop.available(&item), 10_000 - 15);
    });
}
