//! A shop's records and the books of a stand-in for Stripe, compared by the program: each record that is broken by hand
//! is found.

use std::fs;
use std::process::{Command, Output};

use harness::{Client, Request};
use rusqlite::Connection;
use serde_json::{Value, json};
use stripe_stand_in::{Options, SECRET_KEY, StandIn};
use tempfile::TempDir;

const PAID: &str = "00000000-0000-4000-8000-000000000001";
const OPEN: &str = "00000000-0000-4000-8000-000000000002";
const VOID: &str = "00000000-0000-4000-8000-000000000003";

/// More than one page of Stripe's lists.
const MANY: u128 = 101;

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
        shop.order(PAID, &json!({ "state": "paid", "amount": 2000, "method": "card", "paid_at": 2, "session": session, "charge": charge }));
        shop.order(OPEN, &json!({ "state": "at_provider", "session": shop.opened(OPEN) }));
        shop.order(VOID, &json!({ "state": "void", "reason": "cancelled", "at": 2 }));
        shop
    }

    fn put(&self, key: &str, record: &Value) {
        let file = Connection::open(self.folder.path().join("shop.db")).unwrap();
        file.execute("REPLACE INTO records VALUES (?1, ?2)", (key, record.to_string().into_bytes())).unwrap();
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

    fn run(&self, key: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_records"));
        command.args(["reconcile", "--store", "shop.db", "--key", key, "--api", &self.stripe.url()]);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    /// The lines, where the exit code is this.
    fn said(&self, code: i32) -> Vec<String> {
        let output = self.run("key");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// The one difference that there is.
    #[track_caller]
    fn differs(&self, expected: &str) {
        let said = self.said(2);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains(expected), "{said:?}");
    }
}

#[test]
fn a_shop_that_is_as_its_provider_says_has_no_difference() {
    assert_eq!(Shop::new().said(0), ["3 orders, 1 charges, 0 differences"]);
}

#[test]
fn each_record_that_is_broken_by_hand_is_found() {
    let shop = Shop::new();
    shop.order(PAID, &json!({ "state": "at_provider", "session": "cs_test_a" }));
    shop.differs(&format!("order {PAID}: charged and not paid: 2000 CNY, and the order is in cs_test_a"));
    shop.order(PAID, &json!({ "state": "void", "reason": "expired", "at": 3 }));
    shop.differs(&format!("order {PAID}: void, charged and not refunded: 2000 CNY (pi_"));

    let shop = Shop::new();
    shop.order(OPEN, &json!({ "state": "paid", "amount": 2000, "method": "card", "paid_at": 2, "session": "cs_test_a", "charge": "pi_a" }));
    shop.differs(&format!("order {OPEN}: paid and not charged: there is no charge pi_a of it"));

    let shop = Shop::new();
    shop.put(&format!("order:{PAID}"), &json!({ "order_id": PAID, "lines": [], "total": 2100, "currency": "CNY" }));
    shop.differs("charged another amount: 2000 CNY, and it costs 2100 CNY");
    shop.put(&format!("order:{PAID}"), &json!({ "order_id": PAID, "lines": [], "total": 2000, "currency": "EUR" }));
    shop.differs("charged in another currency");
}

#[test]
fn each_charge_that_the_shop_does_not_know_is_found() {
    let shop = Shop::new();
    shop.charged(PAID);
    shop.differs(&format!("order {PAID}: charged twice: 2 times"));

    let shop = Shop::new();
    let (_, charge) = shop.charged(VOID);
    shop.differs(&format!("order {VOID}: void, charged and not refunded: 2000 CNY ({charge})"));
    shop.stripe.add_fault("refund-pending".parse::<stripe_stand_in::Rule>().unwrap());
    shop.stripe("/v1/refunds", &format!("payment_intent={charge}"));
    shop.differs(&format!("order {VOID}: the refund is unfinished"));
    shop.stripe.settle_refund(&shop.stripe.refunds()[0].id, true).unwrap();
    assert_eq!(shop.said(0), ["3 orders, 2 charges, 0 differences"]);

    let shop = Shop::new();
    shop.charged("00000000-0000-4000-8000-000000000009");
    shop.differs("charged, and the shop has no such order");
}

#[test]
fn charges_on_many_pages_are_compared() {
    let shop = Shop::new();
    for order in 1000..1000 + MANY {
        let id = uuid::Uuid::from_u128(order).to_string();
        let (session, charge) = shop.charged(&id);
        shop.order(&id, &json!({ "state": "paid", "amount": 2000, "method": "card", "paid_at": 2, "session": session, "charge": charge }));
    }
    assert_eq!(shop.said(0), ["104 orders, 102 charges, 0 differences"]);
}

#[test]
fn a_provider_that_does_not_answer_is_no_shop_in_order() {
    let shop = Shop::new();
    fs::write(shop.folder.path().join("wrong"), "sk_test_wrong").unwrap();
    for (key, expected) in [("wrong", "does not accept the key"), ("none", "none: No such file")] {
        let output = shop.run(key);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected) && !said.contains("sk_test"), "{said}");
    }
    shop.stripe.add_fault("nonsense".parse::<stripe_stand_in::Rule>().unwrap());
    assert_eq!(shop.run("key").status.code(), Some(1));
}
