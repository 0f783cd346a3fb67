//! The life of orders, in the order in which a client lives it.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::shop::Shop;

/// A version 4 UUID that is never drawn.
const NO_ORDER: &str = "00000000-0000-4000-8000-000000000000";

/// The most pages of a list that are turned; in a busy shop an order is further back after a moment.
const PAGES: usize = 20;

/// By so much a list of orders may be out of sequence.
const A_MOMENT: Duration = Duration::from_secs(10);

/// The units that have to be there: one that is bought, and two in an order that is cancelled.
const NEEDED: u64 = 3;

/// What is ordered: tea and cups, or what goes for them where the walk has no items of its own.
struct Goods {
    tea: String,
    cup: String,
    /// No other client knows these items: what is in stock is what the walk has left there.
    own: bool,
}

pub fn walk(shop: &Shop) -> Result<()> {
    let has_provider = look_around(shop)?;
    let goods = if shop.has_operator() { bring_goods(shop)? } else { pick_goods(shop)? };
    let paid = pay_an_order(shop, &goods, has_provider)?;
    let cancelled = cancel_an_order(shop, &goods, has_provider)?;
    send_an_order_twice(shop, &goods)?;
    ask_for_too_much(shop, &goods)?;
    make_mistakes(shop, &goods)?;
    read_histories(shop, &paid, &cancelled)?;
    if shop.has_operator() {
        look_orders_up(shop, &paid)?;
        send_and_take_back(shop, &goods, &paid)?;
        give_back(shop, &paid)?;
        look_into_the_books(shop, &goods)?;
        clear_away(shop, &goods)?;
    } else {
        shop.note("Skipped, for lack of the operator's token: list of orders, history of an item, books and metrics.");
    }
    Ok(())
}

/// Looks at the shop, and says whether it is paid at a payment provider.
fn look_around(shop: &Shop) -> Result<bool> {
    shop.chapter("The shop");
    shop.get("The process answers", "/health").expect(200)?.is("/status", "ok")?;
    shop.get("The store is there, and really is atomic", "/ready").expect(200)?.is("/status", "ready")?;
    let stock = shop.get("All items", "/inventory").expect(200)?;
    for index in 0..stock.list_at("/items")?.len() {
        adds_up(&stock, &format!("/items/{index}"))?;
    }
    let payments = shop.get("Whether paying moves money", "/payments").expect(200)?;
    if payments.text_at("/provider")? == "none" {
        payments.is("/test_mode", false)?;
        return Ok(false);
    }
    payments.is("/provider", "stripe")?;
    if *payments.at("/test_mode")? != true {
        bail!("here buyers pay real money, and the walk pays for an order: it needs a provider in test mode, or none");
    }
    Ok(true)
}

/// Makes two items, and sees how the operator changes them: 12 of the tea at 9.00, and 5 cups at 2.50.
fn bring_goods(shop: &Shop) -> Result<Goods> {
    shop.chapter("The operator");
    let name = |what: &str| format!("walkthrough-{what}-{:016x}", fastrand::u64(..));
    let goods = Goods { tea: name("tea"), cup: name("cup"), own: true };
    let (tea, cup) = (format!("/inventory/{}", goods.tea), format!("/inventory/{}", goods.cup));
    let adjustments = format!("{tea}/adjustments");

    let put = |title, path: &str, body| shop.put(title, path).by_operator().json(body);
    let item = put("A new item", &tea, json!({ "unit_price": 800, "on_hand": 10 })).expect(201)?;
    item.is("/item_id", goods.tea.as_str())?.is("/on_hand", 10)?.is("/available", 10)?.is("/unit_price", 800)?;
    put("Another one", &cup, json!({ "unit_price": 250, "on_hand": 5 })).expect(201)?.is("/available", 5)?;
    let again = put("A new item of that name: there is one", &tea, json!({ "unit_price": 800, "on_hand": 10 }));
    again.refused(409, "item_exists")?;
    put("Another price, for orders from now on", &tea, json!({ "unit_price": 900 }))
        .expect(200)?
        .is("/unit_price", 900)?;

    let adjust = |title, body| shop.post(title, &adjustments).by_operator().json(body);
    adjust("A delivery", json!({ "delta": 5, "reason": "delivery" }))
        .key(&fresh_key())
        .expect(200)?
        .is("/on_hand", 15)?;
    let (key, damaged) = (fresh_key(), json!({ "delta": -3, "reason": "damaged" }));
    adjust("A loss", damaged.clone()).key(&key).expect(200)?.is("/on_hand", 12)?;
    let again = adjust("Sent again, it is taken once", damaged).key(&key).expect(200)?;
    again.is("/on_hand", 12)?.has_header("idempotent-replayed", "true")?;
    adjust("Another loss under that key", json!({ "delta": -4 })).key(&key).refused(422, "idempotency_key_reused")?;
    adjust("More is lost than there is", json!({ "delta": -13 })).refused(409, "insufficient_stock")?;
    has_available(shop, &goods, "12 are left: 10 + 5 - 3", &goods.tea, 12)?;
    Ok(goods)
}

/// Without a token: the two items of which there is most.
fn pick_goods(shop: &Shop) -> Result<Goods> {
    shop.note("Skipped, for lack of the operator's token: new items, prices and adjustments.");
    shop.note("Stock is not compared either: others may order these items meanwhile.");
    let stock = shop.get("What is there most of?", "/inventory").expect(200)?;
    let available = |item: &&Value| item["available"].as_u64().unwrap_or_default();
    let mut items: Vec<_> = stock.list_at("/items")?.iter().filter(|item| available(item) >= NEEDED).collect();
    items.sort_by_key(|item| std::cmp::Reverse(available(item)));
    match items[..] {
        [tea, cup, ..] => {
            let name = |item: &Value| item["item_id"].as_str().unwrap_or_default().to_owned();
            Ok(Goods { tea: name(tea), cup: name(cup), own: false })
        }
        _ => bail!(
            "there are no two items of which {NEEDED} are available; with the operator's token the walk makes its own"
        ),
    }
}

/// Places an order of one line, reads it, pays it, and finds that it stays so.
fn pay_an_order(shop: &Shop, goods: &Goods, has_provider: bool) -> Result<Answer> {
    shop.chapter("An order that is paid");
    let line = json!({ "item_id": goods.tea, "quantity": 1 });
    let placed = shop.post("Place it", "/orders").key(&fresh_key()).json(line.clone()).expect(201)?;
    let path = shop.path_of(placed.header("location").unwrap_or_default());
    is_order(&placed, "pending", &[line])?;
    has_available(shop, goods, "It is held", &goods.tea, 11)?;
    let shown = shop.get("Show it, where it is said to be", path).expect(200)?;
    shown.is("", placed.body.clone())?;
    shop.get("Show it if it has changed", path).if_changed_since(&shown).unchanged()?;

    let pay = |title, amount: u64| {
        shop.post(title, format!("{path}/pay")).json(json!({ "method": "card", "amount": amount }))
    };
    let total = placed.number_at("/total")?;
    pay("Pay too much", total + 1).refused(422, "amount_mismatch")?;
    shop.get("It is still unpaid", path).if_changed_since(&shown).unchanged()?;
    if has_provider {
        pay_at_provider(shop, path, total)?;
    }
    let paid = pay("Pay what it costs", total).expect(200)?;
    paid.is("/status", "paid")?.is("/items", placed.body["items"].clone())?.is("/total", total)?;
    paid.is("/payment/amount", total)?.is("/payment/method", "card")?;
    paid.is("/payment/charged", has_provider)?;
    pay("Pay again: the same answer, and paid once", total).expect(200)?.is("", paid.body.clone())?;
    shop.get("Now it has changed", path).if_changed_since(&shown).expect(200)?.is("", paid.body.clone())?;

    let cancel = shop.post("It can no longer be cancelled", format!("{path}/cancel"));
    cancel.refused(409, "order_not_cancellable")?.is("/order_status", "paid")?;
    has_available(shop, goods, "One is sold", &goods.tea, 11)?;
    Ok(paid)
}

/// Goes the way of a buyer who is sent to the page of a payment provider, is declined there, and pays by a means that
/// takes a while.
fn pay_at_provider(shop: &Shop, path: &str, total: u64) -> Result<()> {
    let pay = |title| shop.post(title, format!("{path}/pay")).json(json!({ "amount": total }));
    let cancel = |title| shop.post(title, format!("{path}/cancel"));
    let open = pay("Pay: the buyer is sent to the payment provider").expect(202)?;
    open.is("/status", "pending")?.is("/payment/status", "open")?;
    let page = open.text_at("/payment/url")?;
    if !page.starts_with("http://") {
        cancel("Cancel it: the walk cannot pay there").expect(200)?;
        bail!("{page} is for a person: the walk pays at a stand-in, as with `cargo run -- --with-provider`");
    }
    pay("Again: the same page").expect(202)?.is("", open.body.clone())?;
    let at_provider = json!({ "status": "at_provider", "provider": "stripe" });
    shop.get("Show it: the page is not told", path).expect(200)?.is("/payment", at_provider)?;

    shop.visit("The buyer comes to the page", page)?.expect_as(200, "text/html")?;
    shop.press("The buyer is declined", page, "decline")?.send()?.has_status(303)?;
    pay("It can still be paid there").expect(202)?.is("", open.body.clone())?;
    let later = shop.press("The buyer pays by a means that takes a while", page, "pay-later")?.send()?;
    later.has_status(303)?;
    let back = later.header("location").unwrap_or_default();
    let order = open.text_at("/order_id")?;
    if ![format!("order={order}"), "payment=returned".to_owned()].iter().all(|part| back.contains(part)) {
        return Err(later.contradicts(format!("the way back to the shop, with the order {order}"), back));
    }
    let processing = pay("Back in the shop, which looks: it is processed").expect(202)?;
    processing.is("/payment/status", "processing")?.has_header("retry-after", "5")?;
    cancel("Money is on its way, so it cannot be cancelled").refused(409, "payment_processing")?;

    shop.press("The money arrives", page, "settle")?.send()?.has_status(303)?;
    shop.wait_for("The provider has sent a webhook, and it is paid", path, "/status", "paid")?;
    Ok(())
}

/// Places an order of several lines, and cancels it. With a payment provider its buyer was already sent there.
fn cancel_an_order(shop: &Shop, goods: &Goods, has_provider: bool) -> Result<Answer> {
    shop.chapter("An order that is cancelled");
    let lines = [json!({ "item_id": goods.tea, "quantity": 2 }), json!({ "item_id": goods.cup, "quantity": 1 })];
    let place = shop.post("Place it, with two lines", "/orders").key(&fresh_key());
    let placed = place.json(json!({ "items": lines, "customer_id": "walkthrough" })).expect(201)?;
    let path = path_of(&placed)?;
    is_order(&placed, "pending", &lines)?;
    placed.is("/customer_id", "walkthrough")?;
    has_available(shop, goods, "Two are held", &goods.tea, 9)?;
    has_available(shop, goods, "And one", &goods.cup, 4)?;

    let pay = |title| shop.post(title, format!("{path}/pay"));
    let open = has_provider.then(|| pay("Its buyer is sent to the payment provider").expect(202)).transpose()?;
    let cancelled = shop.post("Cancel it", format!("{path}/cancel")).expect(200)?;
    is_order(&cancelled, "cancelled", &lines)?;
    if let Some(open) = open {
        let page = open.text_at("/payment/url")?;
        shop.press("The buyer wants to pay all the same", page, "pay")?.send()?.has_status(303)?;
        shop.get("The page was closed before: nothing was paid", &path).expect(200)?.is("", cancelled.body.clone())?;
    }
    shop.post("Again: the same answer", format!("{path}/cancel")).expect(200)?.is("", cancelled.body.clone())?;
    has_available(shop, goods, "Its stock is free at once", &goods.tea, 11)?;
    has_available(shop, goods, "All of it", &goods.cup, 5)?;
    let pay = pay("It can no longer be paid");
    pay.refused(409, "order_not_payable")?.is("/order_status", "cancelled")?;
    Ok(cancelled)
}

/// Places an order as a client does that has lost the answer.
fn send_an_order_twice(shop: &Shop, goods: &Goods) -> Result<()> {
    shop.chapter("An order that is sent twice");
    let key = fresh_key();
    let order = |title, quantity| {
        shop.post(title, "/orders").key(&key).json(json!({ "item_id": goods.tea, "quantity": quantity }))
    };
    let placed = order("Place it, under a key", 1).expect(201)?;
    let again = order("Place it again", 1).expect(201)?;
    again.is("", placed.body.clone())?.has_header("idempotent-replayed", "true")?;
    if placed.header("idempotent-replayed").is_some() {
        return Err(placed.contradicts("a new order", "one that is said to be a repeat"));
    }
    has_available(shop, goods, "It is held once", &goods.tea, 10)?;
    order("Another order under that key", 2).refused(422, "idempotency_key_reused")?;

    let cancel = shop.post("Cancel the one there is", format!("{}/cancel", path_of(&placed)?));
    let cancelled = cancel.expect(200)?;
    let again = order("Place it once more: still that order, as it is now", 1).expect(201)?;
    again.is("", cancelled.body.clone())?.has_header("idempotent-replayed", "true")?;
    has_available(shop, goods, "Nothing is held", &goods.tea, 11)
}

fn ask_for_too_much(shop: &Shop, goods: &Goods) -> Result<()> {
    shop.chapter("More than there is");
    let most = 1_000_000;
    let item = shop.get("How much is there?", format!("/inventory/{}", goods.tea)).expect(200)?;
    if item.number_at("/available")? >= most {
        shop.note("There is as much as an order may ask for: nothing can be too much.");
        return Ok(());
    }
    let lines = [json!({ "item_id": goods.cup, "quantity": 1 }), json!({ "item_id": goods.tea, "quantity": most })];
    let refused = shop.post("One line has too much", "/orders").json(json!({ "items": lines }));
    let refused = refused.refused(409, "insufficient_stock")?;
    refused.is("/item_id", goods.tea.as_str())?.is("/requested", most)?;
    if goods.own {
        refused.is("/available", 11)?;
    }
    has_available(shop, goods, "The other line is not held either", &goods.cup, 5)
}

fn make_mistakes(shop: &Shop, goods: &Goods) -> Result<()> {
    shop.chapter("Mistakes");
    let tea = goods.tea.as_str();
    shop.get("No such path", "/walkthrough/nowhere").refused(404, "not_found")?;
    shop.get("No such item", "/inventory/walkthrough-no-such-item").refused(404, "item_not_found")?;
    let lines = json!([{ "item_id": tea, "quantity": 1 }, { "item_id": "walkthrough-no-such-item", "quantity": 1 }]);
    let order = shop.post("An order of it", "/orders").json(json!({ "items": lines }));
    order.refused(404, "item_not_found")?;
    let no_order = format!("/orders/{NO_ORDER}");
    shop.get("No such order", &no_order).refused(404, "order_not_found")?;
    shop.post("To pay, either", format!("{no_order}/pay")).refused(404, "order_not_found")?;
    shop.post("To cancel, either", format!("{no_order}/cancel")).refused(404, "order_not_found")?;

    let order = |title| shop.post(title, "/orders");
    order("Half a body").raw("application/json", "{\"item_id\":").refused(400, "malformed_json")?;
    order("A body that is not said to be JSON").raw("text/plain", "tea").refused(415, "unsupported_media_type")?;
    order("No lines").json(json!({ "items": [] })).invalid("pointer", &["/items"])?;
    let wrong = json!({ "items": [{ "item_id": tea, "quantity": 0 }, { "item_id": "not an id", "quantity": 1.5 }], "discount": 10 });
    let places = ["/discount", "/items/0/quantity", "/items/1/item_id", "/items/1/quantity"];
    order("Four mistakes, each named").json(wrong).invalid("pointer", &places)?;
    let one = json!({ "item_id": tea, "quantity": 1 });
    order("A key of two words")
        .header("idempotency-key", "two words")
        .json(one)
        .invalid("header", &["idempotency-key"])?;

    let price = shop.put("A price, by somebody who is not the operator", format!("/inventory/{tea}"));
    let refused = price.json(json!({ "unit_price": 1 })).send()?;
    match refused.status {
        // A shop that has no operator.
        403 if !goods.own => refused.is("/code", "operator_disabled")?,
        _ => {
            refused.has_status(401)?;
            refused.is("/code", "unauthorized")?
        }
    };
    has_available(shop, goods, "None of it has changed anything", tea, 11)
}

fn read_histories(shop: &Shop, paid: &Answer, cancelled: &Answer) -> Result<()> {
    shop.chapter("What became of the orders");
    for (order, fate) in [(paid, "paid"), (cancelled, "cancelled")] {
        let title = format!("The one that was {fate}");
        let history = shop.get(title, format!("{}/history", path_of(order)?)).expect(200)?;
        history.is("/order_id", order.at("/order_id")?.clone())?.is("/status", fate)?;
        let events: Vec<_> = history.list_at("/events")?.iter().map(|event| event["event"].clone()).collect();
        if events != ["placed", fate] {
            return Err(history.contradicts(format!("the events placed and {fate}"), json!(events).to_string()));
        }
        history.is("/events/0/at", order.at("/placed_at")?.clone())?;
    }
    let none = shop.get("Nothing became of one that is not there", format!("/orders/{NO_ORDER}/history"));
    none.refused(404, "order_not_found")?;
    Ok(())
}

fn look_orders_up(shop: &Shop, paid: &Answer) -> Result<()> {
    shop.chapter("The operator looks an order up");
    let order_id = paid.text_at("/order_id")?;
    look_up(shop, "Paid orders", "status=paid&limit=100", "application/json", order_id)?;
    look_up(shop, "Paid orders as CSV", "status=paid&limit=100&format=csv", "text/csv", order_id)?;
    look_up(shop, "Paid orders as lines", "status=paid&limit=100&format=ndjson", "application/x-ndjson", order_id)?;
    look_up(shop, "All orders, one a page", "limit=1", "application/json", order_id)?;
    let day = paid.text_at("/placed_at")?.chars().take(10).collect::<String>();
    let of_day = format!("placed_from={day}&placed_until={day}&status=paid&limit=100");
    look_up(shop, "Paid orders of a day", &of_day, "application/json", order_id)?;
    let list = |title, query: &str| shop.get(title, format!("/orders?{query}")).by_operator();
    list("A page of none", "limit=0").invalid("parameter", &["limit"])?;
    list("A status that is none", "status=lost").invalid("parameter", &["status"])?;
    list("A day that there is not", "placed_on=2026-02-29").invalid("parameter", &["placed_on"])?;
    list("A cursor that is made up", "cursor=made-up").invalid("parameter", &["cursor"])?;
    shop.get("The list, for somebody who is not the operator", "/orders").refused(401, "unauthorized")?;
    Ok(())
}

/// Turns the pages of a list until this order is there.
fn look_up(shop: &Shop, what: &str, query: &str, content_type: &str, order_id: &str) -> Result<()> {
    let mut path = format!("/orders?{query}");
    for page in 1..=PAGES {
        let list = shop.get(format!("{what}: page {page}"), path.as_str());
        let list = list.by_operator().expect_as(200, content_type)?;
        let next = next_page(&list)?;
        if content_type == "application/json" {
            is_newest_first(&list)?;
            let other = list.list_at("/orders")?.iter().find(|order| order["status"] != "paid");
            if let Some(other) = other.filter(|_| query.contains("status=paid")) {
                return Err(list.contradicts("paid orders only", other.to_string()));
            }
            if list.at("/next")?.is_null() != next.is_none() {
                return Err(list.contradicts("a cursor and a link, or neither", "one without the other"));
            }
        }
        match next {
            _ if list.text.contains(order_id) => return Ok(()),
            Some(next) => path = shop.path_of(next).to_owned(),
            None => {
                return Err(list.contradicts(format!("{order_id} on one of the pages"), "the last page, without it"));
            }
        }
    }
    shop.note(&format!("Not on the first {PAGES} pages: others order faster than this walk turns them."));
    Ok(())
}

/// Where the list goes on (RFC 8288).
fn next_page(list: &Answer) -> Result<Option<&str>> {
    let Some(link) = list.header("link") else { return Ok(None) };
    let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
    target.map(Some).ok_or_else(|| list.contradicts("link: <…>; rel=\"next\"", link))
}

/// Servers that number orders by themselves, each with a clock of its own, agree on their sequence but for a moment.
fn is_newest_first(list: &Answer) -> Result<()> {
    let placed = |order: &Value| humantime::parse_rfc3339(order["placed_at"].as_str()?).ok();
    let mut newer = None;
    for order in list.list_at("/orders")? {
        let Some(at) = placed(order) else { return Err(list.contradicts("a time in placed_at", order.to_string())) };
        if newer.is_some_and(|newer| at > newer + A_MOMENT) {
            return Err(list.contradicts("the newest order first", format!("{order} after an older one")));
        }
        newer = Some(at);
    }
    Ok(())
}

/// Sends the goods of a paid order, and takes them back: nothing of it can be sold again.
fn send_and_take_back(shop: &Shop, goods: &Goods, paid: &Answer) -> Result<()> {
    shop.chapter("Goods go out, and come back");
    let path = path_of(paid)?;
    let fulfil = |title, body: Value| shop.put(title, format!("{path}/fulfilment")).by_operator().json(body);
    let sent = fulfil("They are on their way", json!({ "carrier": "DHL", "tracking_number": "1" })).expect(200)?;
    sent.is("/status", "fulfilled")?.is("/fulfilment/carrier", "DHL")?;
    let delivered = fulfil("They are delivered", json!({ "carrier": "DHL", "delivered": true })).expect(200)?;
    delivered.is("/fulfilment/fulfilled_at", sent.text_at("/fulfilment/fulfilled_at")?)?;
    fulfil("Then that stays so", json!({ "carrier": "UPS" })).refused(409, "order_delivered")?;

    let key = fresh_key();
    let take_back = |title, key: &str, quantity: u64| {
        let lines = [json!({ "item_id": goods.tea, "quantity": quantity })];
        let body = json!({ "items": lines, "to": "written_off", "reason": "opened" });
        shop.post(title, format!("{path}/returns")).by_operator().key(key).json(body)
    };
    let back = take_back("One comes back", &key, 1).expect(201)?;
    back.is("/done", true)?.is("/to", "written_off")?.is("/reason", "opened")?;
    let again = take_back("Sent again: it came back once", &key, 1).expect(201)?;
    again.is("", back.body.clone())?.has_header("idempotent-replayed", "true")?;
    let more = take_back("More than was sold does not", &fresh_key(), 1).refused(409, "return_exceeds_sale")?;
    more.is("/sold", 1)?.is("/returnable", 0)?;
    shop.get("What came back", format!("{path}/returns"))
        .by_operator()
        .expect(200)?
        .is("/returns/0", back.body.clone())?;
    has_available(shop, goods, "It cannot be sold again", &goods.tea, 11)
}

/// Gives the money of that order back.
fn give_back(shop: &Shop, paid: &Answer) -> Result<()> {
    shop.chapter("Money goes back");
    let path = path_of(paid)?;
    let key = fresh_key();
    let refund =
        |title, key: &str, body: Value| shop.post(title, format!("{path}/refunds")).by_operator().key(key).json(body);
    let total = paid.number_at("/total")?;
    let some = refund("Something off", &key, json!({ "amount": 1, "reason": "opened" })).expect(201)?;
    some.is("/amount", 1)?.is("/reason", "opened")?.is("/of", "payment")?;
    let again =
        refund("Sent again: it goes back once", &key, json!({ "amount": 1, "reason": "opened" })).expect(201)?;
    again.has_header("idempotent-replayed", "true")?.is("/refund_id", some.text_at("/refund_id")?)?;
    let more = json!({ "amount": total });
    let more = refund("More than was paid does not", &fresh_key(), more).refused(409, "refund_exceeds_payment")?;
    more.is("/refundable", total - 1)?;
    refund("All that is left", &fresh_key(), json!({})).expect(201)?.is("/amount", total - 1)?;
    let order = shop.get("The order says so", path.clone()).expect(200)?;
    order.is("/status", "refunded")?.is("/refunded", total)?;
    let all = shop.get("What was given back", format!("{path}/refunds")).by_operator().expect(200)?;
    all.is("/refunded", total)?.is("/refunds/0/amount", 1)?;
    Ok(())
}

fn look_into_the_books(shop: &Shop, goods: &Goods) -> Result<()> {
    shop.chapter("The operator looks into the books");
    let tea = goods.tea.as_str();
    let history =
        shop.get("What was done to the tea", format!("/inventory/{tea}/history")).by_operator().expect(200)?;
    history.is("/item_id", tea)?.is("/events/0/delta", -3)?.is("/events/0/reason", "damaged")?;
    history.is("/events/1/delta", 5)?.is("/events/1/reason", "delivery")?;

    let books = shop.get("The books", "/books").by_operator().expect(200)?;
    let items = books.list_at("/items")?;
    let Some(index) = items.iter().position(|item| item["item_id"] == tea) else {
        return Err(books.contradicts(format!("an entry of {tea}"), "none"));
    };
    let number = |name: &str| books.number_at(&format!("/items/{index}/{name}"));
    // What is sold is on hand until a later request settles it.
    if number("on_hand")? + number("sold")? != 12 {
        return Err(books.contradicts("12 of it on hand and sold", items[index].to_string()));
    }
    books.is(&format!("/items/{index}/received"), 12)?.is(&format!("/items/{index}/available"), 11)?;
    books.is(&format!("/items/{index}/balanced"), true)?.is("/balanced", true)?;

    let metrics = shop.get("The same for Prometheus", "/metrics").by_operator().expect_as(200, "text/plain")?;
    if !metrics.text.contains(tea) {
        return Err(metrics.contradicts(format!("a sample of {tea}"), "none"));
    }
    shop.get("The books, for somebody who is not the operator", "/books").refused(401, "unauthorized")?;

    let swept = shop.post("Sweep: ask the provider about overdue payments, and clear up", "/sweep").by_operator();
    let swept = swept.expect(200)?;
    for count in ["decided_payments", "unanswered", "failed_refunds", "settled_items", "removed_orders"] {
        swept.number_at(&format!("/{count}"))?;
    }
    shop.post("A sweep without the operator's token", "/sweep").refused(401, "unauthorized")?;
    Ok(())
}

/// Takes what is left out of sale. An item itself stays: nothing deletes it.
fn clear_away(shop: &Shop, goods: &Goods) -> Result<()> {
    shop.chapter("The operator clears away");
    for (item, left) in [(&goods.tea, 11), (&goods.cup, 5)] {
        let adjust = shop.post(format!("Take the {left} that are left"), format!("/inventory/{item}/adjustments"));
        let body = json!({ "delta": -left, "reason": "end of the walk" });
        adjust.by_operator().key(&fresh_key()).json(body).expect(200)?.is("/available", 0)?;
    }
    Ok(())
}

/// Shows an item, of which so much has to be available; how much that is of an item that others order too is not known.
fn has_available(shop: &Shop, goods: &Goods, title: &str, item: &str, available: u64) -> Result<()> {
    if goods.own {
        let shown = shop.get(title, format!("/inventory/{item}")).expect(200)?;
        adds_up(&shown, "")?;
        shown.is("/available", available)?;
    }
    Ok(())
}

/// What is on hand and not reserved is available.
fn adds_up(stock: &Answer, pointer: &str) -> Result<()> {
    let number = |name: &str| stock.number_at(&format!("{pointer}/{name}"));
    let (on_hand, reserved, available) = (number("on_hand")?, number("reserved")?, number("available")?);
    if on_hand.checked_sub(reserved) == Some(available) {
        return Ok(());
    }
    Err(stock.contradicts("available = on_hand - reserved", format!("{available} = {on_hand} - {reserved}")))
}

/// An order with this status and these lines, whose total is that of its lines.
fn is_order(answer: &Answer, status: &str, lines: &[Value]) -> Result<()> {
    answer.is("/status", status)?;
    let items = answer.list_at("/items")?;
    let mut total = 0;
    for index in 0..items.len() {
        let number = |name: &str| answer.number_at(&format!("/items/{index}/{name}"));
        total += number("quantity")? * number("unit_price")?;
    }
    answer.is("/total", total)?;
    let ordered = items.iter().map(|item| json!({ "item_id": item["item_id"], "quantity": item["quantity"] }));
    let (ordered, expected) = (sorted(ordered), sorted(lines.iter().cloned()));
    if ordered != expected {
        return Err(answer.contradicts(format!("the lines {}", json!(expected)), json!(ordered).to_string()));
    }
    // Times of one form sort as texts.
    if answer.text_at("/placed_at")? >= answer.text_at("/expires_at")? {
        return Err(answer.contradicts("expires_at after placed_at", answer.text_at("/expires_at")?));
    }
    Ok(())
}

fn sorted(lines: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_by_key(Value::to_string);
    lines
}

fn path_of(order: &Answer) -> Result<String> {
    Ok(format!("/orders/{}", order.text_at("/order_id")?))
}

fn fresh_key() -> String {
    format!("walkthrough-{:032x}", fastrand::u128(..))
}
