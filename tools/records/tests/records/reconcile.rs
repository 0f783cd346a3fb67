//! A shop's records and the books of a stand-in for Stripe, compared by the program: each record that is broken by hand
//! is found, in a store and over HTTP.

use std::fs;
use std::process::{Command, Output};

use harness::{Client, Request};
use rusqlite::Connection;
use serde_json::{Value, json};
use stripe_stand_in::{Options, SECRET_KEY, StandIn};
use tempfile::TempDir;

use crate::served::{Mood, Served, TOKEN};

const PAID: &str = "00000000-0000-4000-8000-000000000001";
const OPEN: &str = "00000000-0000-4000-8000-000000000002";
const VOID: &str = "00000000-0000-4000-8000-000000000003";

/// More than one page of Stripe's lists.
const MANY: u128 = 101;

fn put(store: &Connection, key: &str, record: &Value) {
    store.execute("REPLACE INTO records VALUES (?1, ?2)", (key, record.to_string().into_bytes())).unwrap();
}

/// The state of an order that is paid.
fn paid(amount: u64, session: &str, charge: &str) -> Value {
    json!({ "state": "paid", "amount": amount, "method": "card", "paid_at": 2, "session": session, "charge": charge })
}

/// The state of an order that was cancelled, and charged too late.
fn late(session: &str, charge: &str, refund: Option<&str>) -> Value {
    let mut late = json!({ "session": session, "charge": charge, "amount": 2000, "at": 3 });
    if let Some(refund) = refund {
        late["refund"] = refund.into();
    }
    json!({ "state": "void", "reason": "cancelled", "at": 2, "late": [late] })
}

struct Shop {
    folder: TempDir,
    stripe: StandIn,
}

impl Shop {
    /// One order is paid, one is at the provider, and one is void.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), format!("{SECRET_KEY}\n")).unwrap();
        let file = Connection::open(folder.path().join("shop.db")).unwrap();
        file.execute("CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB NOT NULL)", []).unwrap();
        let shop = Self { folder, stripe: StandIn::start(Options::default()).unwrap() };
        let (session, charge) = shop.charged(PAID);
        shop.order(PAID, &paid(2000, &session, &charge));
        shop.order(OPEN, &json!({ "state": "at_provider", "session": shop.opened(OPEN) }));
        shop.order(VOID, &json!({ "state": "void", "reason": "cancelled", "at": 2 }));
        shop
    }

    fn file(&self) -> Connection {
        Connection::open(self.folder.path().join("shop.db")).unwrap()
    }

    fn put(&self, key: &str, record: &Value) {
        put(&self.file(), key, record);
    }

    fn remove(&self, key: &str) {
        self.file().execute("DELETE FROM records WHERE key = ?1", [key]).unwrap();
    }

    fn order(&self, id: &str, state: &Value) {
        self.put(&format!("order:{id}"), &json!({ "order_id": id, "lines": [], "total": 2000, "currency": "CNY" }));
        self.put(&format!("payment:{id}"), state);
    }

    fn stripe(&self, path: &str, form: &str) -> Value {
        let request = Request::post(path).header("authorization", format!("Bearer {SECRET_KEY}"));
        let request = request.body("application/x-www-form-urlencoded", form);
        Client::new(&self.stripe.url(), None).unwrap().send(&request).unwrap().json()
    }

    /// A session in which an order can be paid.
    fn opened(&self, order: &str) -> String {
        let form = format!(
            "mode=payment&success_url=http://shop.example/&client_reference_id={order}&\
             payment_intent_data[metadata][order_id]={order}&line_items[0][quantity]=2&\
             line_items[0][price_data][currency]=cny&line_items[0][price_data][unit_amount]=1000&\
             line_items[0][price_data][product_data][name]=a"
        );
        let session = self.stripe("/v1/checkout/sessions", &form.replace('[', "%5B").replace(']', "%5D"));
        session["id"].as_str().unwrap().to_owned()
    }

    /// A session in which it was paid, and what the payment is called.
    fn charged(&self, order: &str) -> (String, String) {
        let session = self.opened(order);
        self.stripe.pay(&session).unwrap();
        (session, self.stripe.charges().pop().unwrap().intent)
    }

    /// The program, with this file as the key.
    fn command(&self, key: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_records"));
        command.args(["reconcile", "--key", key, "--api", &self.stripe.url(), "--wait", "0"]);
        command.env("OPERATOR_TOKEN", TOKEN).env_remove("STRIPE_SECRET_KEY").current_dir(self.folder.path());
        command
    }

    /// What it says of the store.
    fn run(&self, key: &str) -> Output {
        self.command(key).args(["--store", "shop.db"]).output().unwrap()
    }

    /// What it says of the shop that is served, with these arguments more.
    fn asked(&self, arguments: &[&str]) -> Output {
        let served = Served::start(&self.folder.path().join("shop.db"));
        self.command("key").args(["--shop", &served.url]).args(arguments).output().unwrap()
    }

    /// The lines, which are the same whichever way the shop is read, where the exit code is this.
    #[track_caller]
    fn said(&self, code: i32) -> Vec<String> {
        let lines = |output: Output| {
            assert_eq!(output.status.code(), Some(code), "{output:?}");
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let said = lines(self.run("key"));
        assert_eq!(lines(self.asked(&[])), said);
        said
    }

    /// The one difference that there is.
    #[track_caller]
    fn differs(&self, expected: &str) {
        let said = self.said(2);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains(expected), "{said:?}");
    }
}

/// What a program was refused for. No secret is in it.
#[track_caller]
fn refused(output: &Output, expected: &str) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{said}");
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("sk_test") && !said.contains(TOKEN) && !said.contains("secret-of"), "{said}");
}

#[test]
fn a_shop_that_is_as_its_provider_says_has_no_difference() {
    assert_eq!(Shop::new().said(0), ["3 orders, 1 charges, 0 differences"]);
}

#[test]
fn each_record_that_is_broken_by_hand_is_found() {
    let shop = Shop::new();
    let session = shop.opened(PAID);
    shop.order(PAID, &json!({ "state": "at_provider", "session": session }));
    shop.differs(&format!(
        "order {PAID}: charged and not paid. Shop: it waits for 2000 CNY in {session}. Provider: pi_"
    ));
    shop.order(PAID, &json!({ "state": "unpaid" }));
    shop.differs("Shop: it waits for 2000 CNY, and not at the provider. Provider: pi_");
    shop.order(PAID, &json!({ "state": "void", "reason": "expired", "at": 3 }));
    shop.differs(&format!("order {PAID}: void, charged and not refunded. Shop: it has come to nothing. Provider: pi_"));

    let shop = Shop::new();
    shop.order(OPEN, &paid(2000, "cs_test_a", "pi_a"));
    shop.differs(&format!(
        "order {OPEN}: paid and not charged. Shop: it is paid with 2000 CNY by pi_a. Provider: it has no"
    ));
    shop.order(OPEN, &json!({ "state": "paid", "amount": 2000, "method": "card", "paid_at": 2 }));
    shop.differs("it is paid with 2000 CNY, without a provider");
    shop.order(OPEN, &json!({ "state": "at_provider", "session": "cs_test_a" }));
    shop.differs(&format!(
        "order {OPEN}: in a session that the provider does not have. Shop: it waits for 2000 CNY in cs_test_a"
    ));

    let shop = Shop::new();
    shop.put(&format!("order:{PAID}"), &json!({ "order_id": PAID, "lines": [], "total": 2100, "currency": "CNY" }));
    shop.differs("charged another amount. Shop: it is paid with 2000 CNY by pi_");
    shop.put(&format!("order:{PAID}"), &json!({ "order_id": PAID, "lines": [], "total": 2000, "currency": "EUR" }));
    shop.differs("charged in another currency");
    shop.put(&format!("order:{PAID}"), &json!("no order"));
    shop.differs(&format!("order {PAID}: its records cannot be read. Shop: its records cannot be read. Provider: pi_"));
    shop.remove(&format!("order:{PAID}"));
    shop.differs(&format!("order {PAID}: its records cannot be read"));
    shop.remove(&format!("payment:{PAID}"));
    shop.differs(&format!(
        "order {PAID}: charged, and the shop has no such order. Shop: it has no such order. Provider: pi_"
    ));

    let shop = Shop::new();
    let (session, charge) = shop.charged(OPEN);
    shop.order(OPEN, &paid(2000, &session, &charge));
    let of_the_other = shop.stripe.charges()[0].intent.clone();
    shop.order(OPEN, &paid(2000, &session, &of_the_other));
    shop.differs(&format!("order {OPEN}: paid by the charge of another order"));
}

#[test]
fn each_charge_that_the_shop_does_not_know_is_found() {
    let shop = Shop::new();
    shop.charged(PAID);
    shop.differs(&format!("order {PAID}: charged twice."));

    let shop = Shop::new();
    let (_, charge) = shop.charged(VOID);
    shop.differs(&format!(
        "order {VOID}: void, charged and not refunded. Shop: it has come to nothing. Provider: {charge}"
    ));
    shop.stripe.add_fault("refund-pending".parse::<stripe_stand_in::Rule>().unwrap());
    shop.stripe("/v1/refunds", &format!("payment_intent={charge}"));
    shop.differs(&format!("order {VOID}: the refund is unfinished"));
    shop.stripe.settle_refund(&shop.stripe.refunds()[0].id, true).unwrap();
    assert_eq!(shop.said(0), ["3 orders, 2 charges, 0 differences"]);
    shop.order(VOID, &late("cs_test_late", &charge, Some("pending")));
    shop.differs(&format!("order {VOID}: refunded at the provider, and not on record"));
    shop.order(VOID, &late("cs_test_late", &charge, Some("succeeded")));
    assert_eq!(shop.said(0), ["3 orders, 2 charges, 0 differences"]);
    shop.order(VOID, &late("cs_test_late", "pi_none", Some("succeeded")));
    shop.differs(&format!("order {VOID}: refunded on record, and not at the provider"));

    let shop = Shop::new();
    let (_, charge) = shop.charged(VOID);
    shop.order(VOID, &late("cs_test_late", &charge, None));
    let said = shop.said(2);
    let kinds = ["void, charged and not refunded", "the refund is unfinished"];
    assert_eq!(
        (said.len(), kinds.map(|kind| said.iter().any(|line| line.contains(kind)))),
        (3, [true, true]),
        "{said:?}"
    );

    let shop = Shop::new();
    shop.stripe("/v1/refunds", &format!("payment_intent={}&amount=500", shop.stripe.charges()[0].intent));
    shop.differs(&format!("order {PAID}: paid, and the money has gone back"));
}

#[test]
fn a_charge_of_no_shop_that_is_named_is_found_and_one_of_another_shop_is_not() {
    let (one, other) = (Shop::new(), tempfile::tempdir().unwrap());
    let theirs = "00000000-0000-4000-8000-000000000009";
    let (session, charge) = one.charged(theirs);
    one.differs(&format!("order {theirs}: charged, and the shop has no such order"));
    let file = other.path().join("other.db");
    fs::copy(one.folder.path().join("shop.db"), &file).unwrap();
    let store = Connection::open(&file).unwrap();
    let together = |url: &str| one.command("key").args(["--store", "shop.db", "--shop", url]).output().unwrap();
    let served = Served::start(&file);
    refused(&together(&served.url), "is in two of the shops");
    store.execute("DELETE FROM records", []).unwrap();
    put(
        &store,
        &format!("order:{theirs}"),
        &json!({ "order_id": theirs, "lines": [], "total": 2000, "currency": "CNY" }),
    );
    put(&store, &format!("payment:{theirs}"), &paid(2000, &session, &charge));
    let output = together(&served.url);
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"4 orders, 2 charges, 0 differences\n".as_slice())
    );
}

#[test]
fn differences_are_told_as_json() {
    let shop = Shop::new();
    let (_, charge) = shop.charged(VOID);
    let output = shop.asked(&["--json"]);
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((output.status.code(), lines.len()), (Some(2), 2));
    assert_eq!((&lines[0]["order_id"], &lines[0]["kind"]), (&json!(VOID), &json!("void_and_charged")));
    assert_eq!(lines[0]["charge_id"], json!(charge));
    for member in ["shop", "provider", "advice"] {
        assert!(lines[0][member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
    }
    assert_eq!(lines[1], json!({ "orders": 3, "charges": 2, "differences": 1 }));
}

#[test]
fn what_changes_while_it_is_read_is_no_difference() {
    let shop = Shop::new();
    let (session, charge) = shop.charged(OPEN);
    // The list is read, and by the time that the order is read again it is paid.
    let store = shop.folder.path().join("shop.db");
    let state = paid(2000, &session, &charge);
    let served = Served::start_with(&store, {
        let store = store.clone();
        move |path: &str| {
            if path.contains("order_id=") {
                put(&Connection::open(&store).unwrap(), &format!("payment:{OPEN}"), &state);
            }
        }
    });
    let output = shop.command("key").args(["--shop", &served.url]).output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"3 orders, 2 charges, 0 differences\n".as_slice())
    );
    assert!(served.paths().iter().any(|path| path.contains("order_id=")), "{:?}", served.paths());
}

#[test]
fn a_shop_that_cannot_for_a_moment_is_asked_again_where_it_was() {
    let shop = Shop::new();
    for order in 1000..1000 + MANY {
        shop.order(&uuid::Uuid::from_u128(order).to_string(), &json!({ "state": "unpaid" }));
    }
    let served = Served::start(&shop.folder.path().join("shop.db"));
    *served.busy.lock().unwrap() = 2;
    let output = shop.command("key").args(["--shop", &served.url]).output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), b"104 orders, 1 charges, 0 differences\n".as_slice())
    );
    let pages = served.paths().iter().filter(|path| path.starts_with("/orders?limit=100&cursor=")).count();
    assert_eq!(pages, 1);
}

#[test]
fn a_shop_that_cannot_be_asked_is_named_without_a_secret() {
    let shop = Shop::new();
    let served = Served::start(&shop.folder.path().join("shop.db"));
    let run = |url: &str| shop.command("key").args(["--shop", url]).output().unwrap();
    refused(
        &shop.command("key").args(["--shop", &served.url]).env("OPERATOR_TOKEN", "a wrong").output().unwrap(),
        "white space",
    );
    let wrong = shop.command("key").args(["--shop", &served.url]).env("OPERATOR_TOKEN", "secret-of-another").output();
    refused(&wrong.unwrap(), "does not accept the secret");
    refused(
        &shop.command("key").args(["--shop", &served.url]).env_remove("OPERATOR_TOKEN").output().unwrap(),
        "OPERATOR_TOKEN",
    );
    refused(&shop.asked(&["--token", TOKEN]), "the file of --token cannot be read");
    refused(&run("http://shop.example"), "must begin with https://");
    refused(&run("https://login:secret-of-it@shop.example"), "must have no login");
    refused(&run("http://127.0.0.1:1"), "does not answer");
    for (mood, expected) in [
        (Mood::NoProvider, "has no payment provider"),
        (Mood::Live, "is in live mode, and the key of test mode"),
        (Mood::Redirects, "redirects (307"),
        (Mood::NoShop, "is no shop of this kind"),
        (Mood::Nonsense, "has not what is expected there"),
        (Mood::Disabled, "operator_disabled"),
        (Mood::Endless, "leads nowhere"),
    ] {
        *served.mood.lock().unwrap() = mood;
        refused(&run(&served.url), expected);
    }
    *served.mood.lock().unwrap() = Mood::Entries;
    let output = run(&served.url);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("1 entries of the list of orders cannot be read"), "{said}");
}

#[test]
fn arguments_that_are_wrong_are_no_difference() {
    let shop = Shop::new();
    let output = shop.command("key").arg("--unknown").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn charges_on_many_pages_are_compared() {
    let shop = Shop::new();
    for order in 1000..1000 + MANY {
        let id = uuid::Uuid::from_u128(order).to_string();
        let (session, charge) = shop.charged(&id);
        shop.order(&id, &paid(2000, &session, &charge));
    }
    assert_eq!(shop.said(0), ["104 orders, 102 charges, 0 differences"]);
}

#[test]
fn a_provider_that_does_not_answer_is_no_shop_in_order() {
    let shop = Shop::new();
    for (name, key) in [("wrong", "sk_test_wrong"), ("public", "pk_test_secret-of"), ("empty", "")] {
        fs::write(shop.folder.path().join(name), key).unwrap();
    }
    for (key, expected) in [
        ("wrong", "does not accept the secret"),
        ("public", "must begin with sk_ or rk_"),
        ("empty", "must begin with sk_ or rk_"),
        ("sk_test_in_place_of_a_file", "the file of --key cannot be read: No such file"),
    ] {
        refused(&shop.run(key), expected);
    }
    let no_key = Command::new(env!("CARGO_BIN_EXE_records")).arg("reconcile").env_remove("STRIPE_SECRET_KEY").output();
    refused(&no_key.unwrap(), "STRIPE_SECRET_KEY");
    shop.stripe.add_fault("nonsense".parse::<stripe_stand_in::Rule>().unwrap());
    assert_eq!(shop.run("key").status.code(), Some(1));
}

#[test]
fn a_dispute_that_the_shop_has_not_heard_of_is_found() {
    let shop = Shop::new();
    let charged = shop.stripe.charges().pop().unwrap();
    let dispute = shop.stripe.dispute(&charged.session, Some(300), false).unwrap();
    shop.differs("disputed otherwise than on record");
    let mut state = paid(2000, &charged.session, &charged.intent);
    state["disputes"] = json!([{
        "id": dispute, "charge": charged.intent, "amount": 300, "status": "open", "opened_at": 3
    }]);
    shop.order(PAID, &state);
    assert_eq!(shop.said(0).len(), 1);
    shop.stripe.close_dispute(&dispute, false).unwrap();
    shop.differs("disputed otherwise than on record");
}
