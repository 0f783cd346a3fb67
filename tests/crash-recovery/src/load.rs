//! Clients that keep a server busy until it is gone, and note what they are told.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use harness::Request;
use harness::observed::{Line, PRICE, Reply, Servers, Status};
use harness::provider::Remote;

use crate::after_sale::{Asked, Kind, body};
use crate::books::{Adjustment, Books, Decision, ITEMS, Order, SCARCE};

const CLIENTS: usize = 8;
const MAX_LINES: usize = 3;
const MAX_PER_LINE: u64 = 3;

/// Clients ask for one of this number of the latest orders.
pub const RECENT: usize = 100;

/// Most buyers are at this number of the latest pages, or have one of this number of the latest orders: in the others
/// there is little left to pay.
const LATEST: usize = 16;

/// The number of buyers who are at the provider while the shop is down is less than this.
const MAX_BUYERS: usize = 20;

/// What the provider does wrong now and then.
const FAULTS: [&str; 25] = [
    "drop-before*2",
    "drop-after*2",
    "drop-after@create*2",
    "drop-after@expire*1",
    "error-before*1",
    "error-after*1",
    "unavailable*3",
    "rate-limit*2",
    "slow=50*4",
    "late=100*3",
    "cut-off*2",
    "nonsense*2",
    "unknown*2",
    "early*5",
    "thrice*10",
    "delayed=300*10",
    "held*5",
    "never*5",
    "never@checkout.session.completed*3",
    "drop-before@refund*2",
    "drop-after@refund*4",
    "error-before@refund*1",
    "error-after@refund*2",
    "refund-pending*5",
    "refund-fails*2",
];

/// It says that a session is closed, and charges its buyer all the same: that money has to go back.
pub const LIE: &str = "closed-yet-payable@expire*4";

/// The server is killed after such a number of answers and a random time, so that it is not always between two.
const ANSWERS: RangeInclusive<usize> = 1..=250;
/// The same where buyers pay at a provider, which takes them several requests: so that some have paid by then.
const ANSWERS_WITH_PROVIDER: RangeInclusive<usize> = 100..=600;
const MAX_DELAY: Duration = Duration::from_millis(5);

/// Lets clients loose on the server, and kills it at a random moment. Each of them stops when it is not answered; where
/// there is a payment provider, which may be dead, only if no server answers at all. How many more answers `kill` can
/// wait for, or until no client is left.
pub fn until_killed(
    servers: &Servers,
    provider: Option<&Remote>,
    books: &mut Books,
    rng: &mut Rng,
    kill: impl FnOnce(&dyn Fn(usize)) -> Result<()>,
) -> Result<()> {
    let (books, over) = (Mutex::new(books), AtomicBool::new(false));
    let (answered, answers) = mpsc::channel();
    let is_there = || provider.is_some() && servers.ask(&Request::get("/health")).is_some();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (books, over, is_there, mut rng, answered) = (&books, &over, &is_there, rng.fork(), answered.clone());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let is_answered = match (provider, rng.u32(..100)) {
                        (Some(provider), ..35) => at_provider(provider, books, &mut rng),
                        (Some(_), 35..50) => ask_to_pay(servers, books, &mut rng),
                        (_, 80..) => operate(servers, books, &mut rng),
                        _ => request(servers, books, &mut rng),
                    };
                    if is_answered {
                        // The one who counts may have enough.
                        let _ = answered.send(());
                    } else if !is_there() {
                        break;
                    }
                }
            });
        }
        // Once no client is left, there is nothing to wait for.
        drop(answered);
        let wait_for = |count| answers.iter().take(count).for_each(drop);
        wait_for(rng.usize(if provider.is_some() { ANSWERS_WITH_PROVIDER } else { ANSWERS }));
        sleep(MAX_DELAY.mul_f64(rng.f64()));
        let killed = kill(&wait_for);
        // A client that could go on all the same ends now.
        over.store(true, Ordering::Relaxed);
        killed
    })
}

/// Some buyers who are at the provider, whatever the shop does meanwhile.
pub fn buyers(provider: &Remote, books: &mut Books, rng: &mut Rng) {
    let books = Mutex::new(books);
    for _ in 0..rng.usize(..MAX_BUYERS) {
        at_provider(provider, &books, rng);
    }
}

/// What a buyer does on the page of the provider, or what makes the provider another one. False if it was not answered.
fn at_provider(provider: &Remote, books: &Mutex<&mut Books>, rng: &mut Rng) -> bool {
    let act = match rng.u32(..100) {
        ..5 => return set_faults(provider, rng),
        5..10 => return settle_refund(provider, books, rng).unwrap_or(true),
        10..60 => "pay",
        60..70 => "decline",
        70..80 => "pay-later",
        80..87 => "fail-later",
        87..90 => "settle",
        90..93 => "fail",
        // The buyer looks at it, and leaves.
        _ => "",
    };
    let Some(page) = recent_page(&lock(books), rng) else { return false };
    let Some(path) = page.strip_prefix(&provider.client().url()) else {
        lock(books).contradiction(format!("{page} is no page of the provider"));
        return false;
    };
    let request = if act.is_empty() { Request::get(path) } else { Request::post(format!("{path}/{act}")) };
    let Ok(answer) = provider.client().send(&request) else { return false };
    // A buyer who could not pay is led back to the page.
    let has_paid = act == "pay" && answer.header("location").is_some_and(|to| !to.starts_with("/pay/"));
    if has_paid {
        lock(books).paid_on.push(page);
    }
    true
}

/// A refund of one of the latest orders comes to its end, or fails after all. None if there is none.
fn settle_refund(provider: &Remote, books: &Mutex<&mut Books>, rng: &mut Rng) -> Option<bool> {
    let (_, order) = recent(&lock(books), rng, |order| order.after_sale.refund_ids().next().is_some())?;
    let Ok(refunds) = provider.refunds() else { return Some(false) };
    let refunds = refunds.iter().filter(|refund| refund.order == order.id);
    let refund = rng.choice(refunds.collect::<Vec<_>>())?;
    // One that is at its end stays as it is.
    let _ = provider.settle_refund(&refund.id, rng.u32(..3) > 0);
    Some(true)
}

/// Has the provider do something wrong a few times, in place of what it did wrong before.
fn set_faults(provider: &Remote, rng: &mut Rng) -> bool {
    let faults = rng.choice(FAULTS).into_iter().chain(rng.bool().then_some(LIE));
    provider.set_faults(&faults.collect::<Vec<_>>()).is_ok()
}

/// Sends a decision about an order that was placed.
pub fn decide(servers: &Servers, order: &Order, decision: Decision) -> Option<Reply> {
    let id = order.id.as_deref()?;
    match decision {
        Decision::Pay => servers.ask(&Request::pay(id)),
        Decision::Cancel => servers.ask(&Request::cancel(id)),
    }
}

/// The buyer of one of the latest orders wants to pay it; false if that was not answered.
fn ask_to_pay(servers: &Servers, books: &Mutex<&mut Books>, rng: &mut Rng) -> bool {
    let order = {
        let books = lock(books);
        let first = books.orders.len().saturating_sub(LATEST);
        rng.choice(first..books.orders.len()).map(|number| (number, books.orders[number].clone()))
    };
    let Some((number, order)) = order.filter(|(_, order)| order.id.is_some()) else { return false };
    let answer = decide(servers, &order, Decision::Pay);
    lock(books).asked(number, order.status, Decision::Pay, &answer);
    answer.is_some()
}

/// An operator gives money back, takes goods back or sends goods, or asks again for what was not answered, or for what
/// was; false if that was not answered.
fn operate(servers: &Servers, books: &Mutex<&mut Books>, rng: &mut Rng) -> bool {
    let asked = match rng.u32(..10) {
        ..3 => take_one(&mut lock(books).open, rng),
        3 => rng.choice(&lock(books).made).cloned(),
        _ => None,
    };
    match asked.or_else(|| asks(servers, &mut lock(books), rng)) {
        Some(asked) => ask(servers, books, asked),
        None => request(servers, books, rng),
    }
}

fn take_one(open: &mut Vec<Asked>, rng: &mut Rng) -> Option<Asked> {
    (!open.is_empty()).then(|| open.swap_remove(rng.usize(..open.len())))
}

/// What an operator asks of one of the latest orders that are paid; none where there is none.
fn asks(servers: &Servers, books: &mut Books, rng: &mut Rng) -> Option<Asked> {
    let kind = match rng.u32(..10) {
        ..5 => Kind::Refund,
        5..8 => Kind::Return,
        _ => Kind::Fulfilment,
    };
    let can = |order: &Order| order.status == Status::Paid && order.after_sale.can_ask(kind);
    let (order, Order { lines, .. }) = recent(books, rng, can)?;
    let key = format!("operator-{:016x}", rng.u64(..));
    let line = rng.choice(&lines)?;
    let (item, quantity) = (servers.items.name(line.item), rng.u64(1..=line.quantity));
    let body = match (kind, rng.u32(..8)) {
        (Kind::Refund, ..4) => body::amount(rng.u64(1..=PRICE)),
        (Kind::Refund, 4..7) => body::items(&item, quantity, rng.bool()),
        (Kind::Refund, _) => body::rest(rng.bool()),
        (Kind::Return, ..6) => body::goods(&item, quantity, "stock"),
        (Kind::Return, _) => body::goods(&item, quantity, "written_off"),
        (Kind::Fulfilment, share) => body::shipment(&key, share == 0),
    };
    books.orders[order].after_sale.asks(kind);
    Some(Asked { order, kind, key, body })
}

/// Sends what an operator asks for; false if that was not answered.
pub fn ask(servers: &Servers, books: &Mutex<&mut Books>, asked: Asked) -> bool {
    let (request, before) = {
        let order = &lock(books).orders[asked.order];
        (asked.request(order.id.as_deref().unwrap_or_default()), order.after_sale.progress(&asked.key))
    };
    let answer = servers.answer(&request);
    lock(books).operated(asked, before, &answer);
    answer.is_some()
}

/// Makes one request, whichever comes to mind; false if it was not answered.
fn request(servers: &Servers, books: &Mutex<&mut Books>, rng: &mut Rng) -> bool {
    let key = format!("client-{:016x}", rng.u64(..));
    let recent = recent(&lock(books), rng, |_| true);
    let answer = match (rng.u32(..100), recent) {
        (40..60, Some((number, order))) => {
            let decision = if rng.bool() { Decision::Pay } else { Decision::Cancel };
            let answer = decide(servers, &order, decision);
            lock(books).asked(number, order.status, decision, &answer);
            answer
        }
        (60..75, Some((number, order))) => {
            let answer = order.id.as_deref().and_then(|id| servers.ask(&Request::show_order(id)));
            lock(books).seen(number, order.status, &answer);
            answer
        }
        (75..85, _) => servers.ask(&servers.items.show(rng.usize(..ITEMS))),
        (85.., _) => {
            let delta = if rng.bool() { rng.i64(1..=3) } else { rng.i64(-3..=-1) };
            let adjustment = Adjustment { item: rng.usize(..ITEMS), delta, key };
            let answer = servers.ask(&servers.items.adjust(adjustment.item, delta, Some(&adjustment.key)));
            lock(books).adjusted(adjustment, &answer);
            answer
        }
        _ => {
            let key = rng.bool().then_some(key);
            // What cannot be asked for again is not asked of what is scarce: an order that is cut off while it is being
            // refused would hold whatever it happened to.
            let items = if key.is_some() { ITEMS } else { SCARCE };
            let lines = rng.usize(1..=MAX_LINES);
            let mut items = rng.choose_multiple(0..items, lines);
            items.sort_unstable();
            let lines: Vec<_> =
                items.into_iter().map(|item| Line { item, quantity: rng.u64(1..=MAX_PER_LINE) }).collect();
            let answer = servers.ask(&servers.items.place(&lines, key.as_deref()));
            lock(books).placed(lines, key, &answer);
            answer
        }
    };
    answer.is_some()
}

/// One of the latest orders that were acknowledged and are like this.
fn recent(books: &Books, rng: &mut Rng, is_like_this: impl Fn(&Order) -> bool) -> Option<(usize, Order)> {
    let first = books.orders.len().saturating_sub(RECENT);
    let of_these = |(_, order): &(usize, &Order)| order.id.is_some() && is_like_this(order);
    let orders: Vec<_> = books.orders.iter().enumerate().skip(first).filter(of_these).collect();
    rng.choice(orders).map(|(number, order)| (number, order.clone()))
}

/// The page of one of the latest orders whose buyers were sent to one.
fn recent_page(books: &Books, rng: &mut Rng) -> Option<String> {
    let first = books.orders.len().saturating_sub(RECENT);
    let pages: Vec<_> = books.orders[first..].iter().filter_map(|order| order.page.as_ref()).collect();
    let first = if rng.u32(..4) > 0 { pages.len().saturating_sub(LATEST) } else { 0 };
    rng.choice(&pages[first..]).map(|page| (*page).clone())
}

fn lock<'a, 'b>(books: &'a Mutex<&'b mut Books>) -> MutexGuard<'a, &'b mut Books> {
    books.lock().expect("no client panics")
}
