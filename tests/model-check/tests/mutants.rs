//! The checker can fail: rules that are wrong in one place, in ways that look harmless, are searched by the same program.
//!
//! A mutant is a copy of the shipped rules below `target/mutants` with a few lines replaced. The copies form a workspace of
//! their own, so that all are built at once; the product has no switch for any of this.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use toml::{Table, Value};

/// Rules that differ from the shipped ones.
struct Mutant {
    name: &'static str,
    /// File below `components/`, what stands there (once), and what takes its place.
    patches: &'static [(&'static str, &'static str, &'static str)],
}

const ITEM: &str = "domain/src/item.rs";
const ITEM_RECORD: &str = "domain/src/item_record.rs";
const ORDERS: &str = "domain/src/orders.rs";
const PLACING: &str = "domain/src/placing.rs";
const PAYMENTS: &str = "domain/src/payments.rs";
const INVENTORY: &str = "domain/src/inventory.rs";
const LEDGER: &str = "domain/src/ledger.rs";
const SETTLEMENT: &str = "domain/src/settlement.rs";
const SHOP: &str = "domain/src/shop.rs";
const KEY_VALUE: &str = "keyvalue-store/src/lib.rs";

/// A mapping is written for each key at once, where the shipped rules wait for sixteen: more than a small case has.
const MAPPINGS_ONE_BY_ONE: (&str, &str, &str) =
    (SHOP, "reserved_bytes: 16_000, mappings_per_write: 16 }", "reserved_bytes: 16_000, mappings_per_write: 1 }");

/// What is wanted beside an item is read before it, if the item was not read already.
const READ_BEFORE: &str = "        let mut none = std::iter::empty::<(&Item, usize)>();
        let stale = self.read_beside(&mut none, &wanted, self.environment.now()).await;
        let Ok(stale) = stale else { return };
        let outcomes = self\n            .update_read_item(";

const MUTANTS: &[Mutant] = &[
    // Not wrong: what the mutants below that have to do with mappings are held against.
    Mutant { name: "mappings_one_by_one", patches: &[MAPPINGS_ONE_BY_ONE] },
    Mutant {
        name: "states_that_come_back",
        patches: &[
            (SETTLEMENT, "item.version = item.version.wrapping_add(1);", ""),
            // So do accounts, and an adjustment that is remembered.
            (ITEM_RECORD, "item.sold > 0 || item.received != item.on_hand.get();", "false;"),
            (ITEM, "pub const REMEMBERED_ADJUSTMENTS: usize = 64;", "pub const REMEMBERED_ADJUSTMENTS: usize = 0;"),
        ],
    },
    Mutant {
        name: "payment_read_before_item",
        patches: &[
            (PLACING, "        let outcomes = self\n            .update_read_item(", READ_BEFORE),
            (PLACING, "holder.hold(item, beside, &mut room)", "holder.hold(item, &stale, &mut room)"),
            // The shipped name of what is read beside an item has no use here.
            (PLACING, "attempts, |item, beside, mut room| {", "attempts, |item, _, mut room| {"),
        ],
    },
    Mutant {
        name: "what_a_batch_held_is_forgotten_where_one_is_short",
        patches: &[(
            SETTLEMENT,
            "if !changed && !more && settled.dropped == 0 {",
            "if !more && settled.dropped == 0 {",
        )],
    },
    Mutant {
        name: "create_by_get_and_set",
        patches: &[(
            KEY_VALUE,
            "let swap = self.swap(&entry, token.0.to_le_bytes().to_vec()).await;",
            "let claim = [(entry.physical_key, token.0.to_le_bytes().to_vec())];
            let swap = self.calls.set_many(&claim).await.map(|()| Swap::Swapped);",
        )],
    },
    Mutant {
        name: "hold_released_before_payment_is_void",
        patches: &[(
            ORDERS,
            "            let void = Payment::Void { reason: Void::Cancelled, at: self.environment.now() };",
            "            self.release_all(&order, Settlement::Released).await;
            let void = Payment::Void { reason: Void::Cancelled, at: self.environment.now() };",
        )],
    },
    Mutant {
        name: "lost_answer_of_an_adjustment_taken_for_failure",
        patches: &[(INVENTORY, "match item.adjustment(&key) {", "match item.adjustment(&key).filter(|_| keyed) {")],
    },
    Mutant {
        name: "lost_answer_of_a_claim_taken_for_failure",
        patches: &[(
            KEY_VALUE,
            "            // Another failure may be a lost answer",
            "            if swap != Ok(Swap::Swapped) {
                self.calls.delete_many(&[physical_key]).await?;
                return Ok(Creation::Exists);
            }
            // Another failure may be a lost answer",
        )],
    },
    Mutant {
        name: "numbers_taken_although_somebody_was_faster",
        patches: &[(
            LEDGER,
            "Ok(Swap::Conflict) => attempts.again(Ok(Swap::Conflict)).await?,",
            "Ok(Swap::Conflict) => return Ok(first),",
        )],
    },
    Mutant {
        name: "sale_that_is_not_counted",
        patches: &[(ITEM, "self.sold = self.sold.saturating_add(hold.quantity.get());", "")],
    },
    Mutant {
        name: "helper_that_rejects",
        patches: &[(
            PLACING,
            "            match self.hold(&order, line, None).await? {",
            "            let holding = self.hold(&order, line, None).await;
            if let Err(Error::InsufficientStock { .. }) = holding {
                self.reject(&order, &payment.entry).await;
            }
            match holding? {",
        )],
    },
    Mutant {
        name: "helper_that_does_not_confirm",
        patches: &[(PLACING, "let next = Payment::Unpaid { confirmed: true };", "let next = payment.record.clone();")],
    },
    Mutant {
        name: "mapping_read_before_item",
        patches: &[
            MAPPINGS_ONE_BY_ONE,
            (PLACING, "        let outcomes = self\n            .update_read_item(", READ_BEFORE),
            (PLACING, "holder.hold(item, beside, &mut room)", "holder.hold(item, beside, &stale, &mut room)"),
            (
                PLACING,
                "item: &mut Item, beside: &Beside, room: &mut usize)",
                "item: &mut Item, beside: &Beside, stale: &Beside, room: &mut usize)",
            ),
            (PLACING, "mapped(beside, key)", "mapped(stale, key)"),
        ],
    },
    Mutant {
        name: "key_not_looked_up_before_the_hold",
        patches: &[(PLACING, "&& other != order_id", "&& other != order_id && self.order.lines.is_empty()")],
    },
    Mutant {
        name: "key_forgotten_with_its_hold",
        patches: &[(ITEM, "Settlement::Sold | Settlement::Released) = (hold", "Settlement::Forgotten) = (hold")],
    },
    Mutant {
        name: "key_dropped_without_its_mapping",
        patches: &[
            MAPPINGS_ONE_BY_ONE,
            (
                SETTLEMENT,
                "Ok(self.store.put(mappings).await?)",
                "let _: Vec<(Key, Vec<u8>)> = mappings;
        Ok(())",
            ),
        ],
    },
    Mutant {
        name: "expired_hold_counted_as_free",
        patches: &[
            (
                ITEM,
                "        let available = self.available();
        if hold",
                "        let window = 900_000;
        let now = u64::from(hold.expires_at).saturating_sub(window);
        let held = self.holds.iter().filter(|(_, held)| u64::from(held.expires_at) > now);
        let available = self.on_hand.get().saturating_sub(held.map(|(_, held)| held.quantity.get()).sum());
        if hold",
            ),
            (PLACING, "(item.record.available().saturating_sub(*taken), room", "(item.record.on_hand.get(), room"),
        ],
    },
    Mutant {
        name: "expired_hold_dropped_undecided",
        patches: &[(
            SETTLEMENT,
            "match self.store.swap(&payment.entry, bytes.clone()).await? {",
            "match Swap::Swapped {",
        )],
    },
    Mutant {
        name: "settled_by_the_change_that_holds_it",
        patches: &[MAPPINGS_ONE_BY_ONE, (SETTLEMENT, "if wanted.contains(&Key::OrderState(order)) {", "if false {")],
    },
    Mutant {
        name: "conflict_at_expiry_taken_for_expired",
        patches: &[(SETTLEMENT, "Swap::Conflict => None,", "Swap::Conflict => void.settlement(),")],
    },
    Mutant {
        name: "paid_without_a_look_at_the_holds",
        patches: &[(PAYMENTS, "if !held {", "if !held && order.lines.is_empty() {")],
    },
    Mutant {
        name: "holds_up_to_the_limit_of_the_record",
        patches: &[
            (SHOP, "self.record_bytes.saturating_sub(self.reserved_bytes)", "self.record_bytes"),
            // And keys are written out sixteen at a time, also where the record is large.
            (SETTLEMENT, "if full { 1 } else { limits.mappings_per_write }", "limits.mappings_per_write"),
            (SETTLEMENT, "|| !self.settle_alone(item_id).await?", "|| !item_id.as_str().is_empty()"),
            (PLACING, "if available < hold.quantity.get() || room.is_none() {", "if available < hold.quantity.get() {"),
            (PLACING, "if bytes > *room && hold", "if bytes > usize::MAX && hold"),
        ],
    },
    Mutant {
        name: "settled_only_beside_a_change",
        patches: &[(SETTLEMENT, "|| !self.settle_alone(item_id).await?", "|| !item_id.as_str().is_empty()")],
    },
    Mutant {
        name: "short_of_stock_and_looks_at_expired_holds_only",
        patches: &[(
            ITEM,
            "Self { expired: 64, others: 64, decisions: 64 };",
            "Self { expired: 64, others: 0, decisions: 64 };",
        )],
    },
    Mutant {
        name: "creator_of_a_cancelled_order_releases_nothing",
        patches: &[
            (
                PLACING,
                "if let Some(settlement @ (Settlement::Released | Settlement::Forgotten)) = settlement {",
                "if let Some(settlement @ Settlement::Forgotten) = settlement {",
            ),
            (
                ITEM,
                "Self { expired: 64, others: 64, decisions: 64 };",
                "Self { expired: 64, others: 0, decisions: 64 };",
            ),
        ],
    },
    Mutant {
        name: "expiry_told_by_the_clock",
        patches: &[(
            SHOP,
            "match self.store.swap(&payment.entry, value.clone()).await {",
            "match Ok::<_, StoreError>(Swap::Swapped) {",
        )],
    },
    Mutant { name: "answers_that_are_not_confirmed", patches: &[(SHOP, "Ok(self.store.confirm().await?)", "Ok(())")] },
    Mutant {
        name: "order_withdrawn_whatever_was_told_of_it",
        patches: &[(
            PLACING,
            "if self.swap_rejected(payment).await == Some(Swap::Swapped) {",
            "let _ = payment;
        {",
        )],
    },
    Mutant {
        name: "withdrawn_order_taken_for_damage",
        patches: &[(
            SHOP,
            "decode(self.read_one(Key::OrderState(id)).await?.ok_or(Error::OrderNotFound)?)",
            "decode(self.read_one(Key::OrderState(id)).await?.ok_or_else(|| Error::inconsistent_order(id))?)",
        )],
    },
    Mutant {
        name: "cache_that_is_asked_again",
        patches: &[
            (
                KEY_VALUE,
                "        let physical_key = |key: &Key| match key.is_created() {",
                "        let mut claims = claims.collect::<Vec<Claim>>().into_iter();
        let physical_key = |key: &Key| match key.is_created() {",
            ),
            (
                KEY_VALUE,
                "Ok(claims.next().unwrap_or(Ok(None))?.map(|token| token.physical_key(key)))",
                "Ok(claims.next().unwrap_or(Ok(None))?.and_then(|_| self.memory.claim(&self::cell(key))).map(|token| token.physical_key(key)))",
            ),
        ],
    },
    Mutant {
        name: "mapping_that_replaces_another",
        patches: &[(KEY_VALUE, "records.retain(|(key, _)| !is_there(key));", "let _ = is_there;")],
    },
];

/// What the searching program finds in a mutant, in the cases with this in their name.
fn search(mutant: &str, case: &str) -> (bool, String) {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    let searched = Command::new(BUILT.join(mutant)).args(["exhaustive", case]).output().expect("the mutant runs");
    (searched.status.success(), String::from_utf8_lossy(&searched.stdout).into_owned())
}

#[track_caller]
fn caught(mutant: &str, case: &str, rule: &str) {
    let (held, found) = search(mutant, case);
    assert!(!held, "{mutant} breaks no promise:\n{found}");
    assert!(found.contains(&format!("{rule} is broken")), "{mutant} breaks another promise than {rule}:\n{found}");
}

/// Writes and builds all mutants: the folder with their programs.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project is there");
    let workspace = root.join("target/mutants");
    let mut manifest = read(&root.join("Cargo.toml"));
    let members = MUTANTS.iter().map(|mutant| Value::from(format!("{}/*", mutant.name))).collect();
    let shared = manifest["workspace"].as_table_mut().expect("it is a workspace");
    shared.insert("members".to_owned(), Value::Array(members));
    shared.remove("default-members");
    manifest.insert("profile".to_owned(), "[dev]\ndebug = false\nopt-level = 1".parse::<Table>().expect("TOML").into());
    write(&workspace.join("Cargo.toml"), &manifest.to_string());
    write(&workspace.join("Cargo.lock"), &fs::read_to_string(root.join("Cargo.lock")).expect("it is there"));
    for mutant in MUTANTS {
        mutant.write(&root, &workspace.join(mutant.name));
    }
    let target = workspace.join("target");
    let built = Command::new("cargo")
        .args(["build", "--workspace", "--quiet", "--offline", "--target-dir"])
        .arg(&target)
        .current_dir(&workspace)
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug")
}

impl Mutant {
    fn write(&self, root: &Path, to: &Path) {
        for (file, from, _) in self.patches {
            let text = fs::read_to_string(root.join("components").join(file)).expect("a source file can be read");
            assert_eq!(text.matches(from).count(), 1, "what {} replaces stands in {file} once", self.name);
        }
        for package in ["domain", "keyvalue-store"] {
            let from = root.join("components").join(package);
            let mut manifest = read(&from.join("Cargo.toml"));
            self.rename(&mut manifest, package);
            write(&to.join(package).join("Cargo.toml"), &manifest.to_string());
            for source in fs::read_dir(from.join("src")).expect("there are sources") {
                let source = source.expect("there are sources").path();
                let name = source.file_name().and_then(|name| name.to_str()).expect("it has a name");
                let text = fs::read_to_string(&source).expect("a source file can be read");
                let patches = self.patches.iter().filter(|(file, ..)| *file == format!("{package}/src/{name}"));
                let text = patches.fold(text, |text, (_, from, to)| text.replace(from, to));
                write(&to.join(package).join("src").join(name), &text);
            }
        }
        let program = root.join("tests/model-check");
        let mut manifest = read(&program.join("Cargo.toml"));
        self.rename(&mut manifest, "interleavings");
        manifest["lib"]["path"] = program.join("src/lib.rs").display().to_string().into();
        manifest["dependencies"]["records"]["path"] = root.join("tools/records").display().to_string().into();
        let mut bin = Table::new();
        bin.insert("name".to_owned(), self.name.into());
        bin.insert("path".to_owned(), program.join("src/main.rs").display().to_string().into());
        manifest.insert("bin".to_owned(), Value::Array(vec![bin.into()]));
        write(&to.join("interleavings/Cargo.toml"), &manifest.to_string());
    }

    /// Gives a package a name of its own, and has it depend on the mutant's packages.
    fn rename(&self, manifest: &mut Table, package: &str) {
        manifest["package"]["name"] = format!("{package}-{}", self.name).into();
        let lib = manifest.entry("lib").or_insert_with(|| Table::new().into());
        lib.as_table_mut().expect("a table").insert("name".to_owned(), package.replace('-', "_").into());
        // Tests and lints stay behind.
        for section in ["test", "lints", "dev-dependencies"] {
            manifest.remove(section);
        }
        let dependencies = manifest["dependencies"].as_table_mut().expect("there are dependencies");
        dependencies.remove("toml");
        for (name, dependency) in dependencies {
            if ["domain", "keyvalue-store"].contains(&name.as_str()) {
                let mut copy = Table::new();
                copy.insert("path".to_owned(), format!("../{name}").into());
                copy.insert("package".to_owned(), format!("{name}-{}", self.name).into());
                *dependency = copy.into();
            }
        }
    }
}

fn read(manifest: &Path) -> Table {
    fs::read_to_string(manifest).expect("a manifest can be read").parse().expect("it is TOML")
}

/// Writes a file, unless it is there: so nothing is built again that has not changed.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}

#[test]
fn states_of_an_item_that_come_back_are_caught() {
    caught("states_that_come_back", "one_order_by_two_executors", "Conservation");
}

#[test]
fn a_payment_that_is_read_before_its_item_is_caught() {
    caught("payment_read_before_item", "one_order_by_two_executors", "Conservation");
}

#[test]
fn holds_that_a_batch_is_told_of_and_that_are_not_written_are_caught() {
    caught("what_a_batch_held_is_forgotten_where_one_is_short", "want_the_last_two", "ToldIsTrue");
}

#[test]
fn a_create_made_of_get_and_set_is_caught() {
    caught("create_by_get_and_set", "two_creators_of_one_item", "Conservation");
    caught("create_by_get_and_set", "preset_items", "ToldIsTrue");
}

#[test]
fn a_hold_that_is_released_before_its_payment_is_void_is_caught() {
    caught("hold_released_before_payment_is_void", "pay_against_cancel", "ToldIsTrue");
}

#[test]
fn a_lost_answer_that_is_taken_for_failure_is_caught() {
    caught("lost_answer_of_an_adjustment_taken_for_failure", "with_pay_and_settlement", "Conservation");
    caught("lost_answer_of_a_claim_taken_for_failure", "two_creators_of_one_item", "NoFalseAlarm");
}

#[test]
fn numbers_that_two_instances_take_are_caught() {
    // Two orders are inserted under one name, which the store notices before any promise is broken.
    let (held, found) = search("numbers_taken_although_somebody_was_faster", "take_numbers");
    assert!(!held, "{found}");
}

#[test]
fn a_sale_that_is_not_counted_is_caught() {
    caught("sale_that_is_not_counted", "one_order_by_two_executors", "Conservation");
}

#[test]
fn a_helper_that_rejects_is_caught() {
    caught("helper_that_rejects", "a_helper_completes", "ToldIsTrue");
}

#[test]
fn a_helper_that_does_not_confirm_is_caught() {
    caught("helper_that_does_not_confirm", "a_helper_completes", "ToldIsTrue");
}

#[test]
fn a_mapping_that_is_read_before_its_item_is_caught() {
    caught("mapping_read_before_item", "two_claimants", "RetryIsSafe");
}

#[test]
fn a_key_that_is_not_looked_up_before_the_hold_is_caught() {
    caught("key_not_looked_up_before_the_hold", "two_claimants", "RetryIsSafe");
}

#[test]
fn a_key_that_is_forgotten_with_its_hold_is_caught() {
    caught("key_forgotten_with_its_hold", "two_claimants", "RetryIsSafe");
}

#[test]
fn a_key_that_is_dropped_without_its_mapping_is_caught() {
    caught("key_dropped_without_its_mapping", "two_claimants", "RetryIsSafe");
}

#[test]
fn an_expired_hold_that_is_counted_as_free_is_caught() {
    caught("expired_hold_counted_as_free", "two_buyers", "NoOversell");
}

#[test]
fn an_expired_hold_that_is_dropped_undecided_is_caught() {
    caught("expired_hold_dropped_undecided", "two_buyers", "ToldIsTrue");
}

#[test]
fn an_expiry_that_came_too_late_and_is_taken_for_decided_is_caught() {
    caught("conflict_at_expiry_taken_for_expired", "two_buyers", "Conservation");
}

#[test]
fn an_order_that_is_settled_by_the_change_that_holds_it_is_caught() {
    // A key is mapped to two orders, which the store notices before any promise is broken.
    let (held, found) = search("settled_by_the_change_that_holds_it", "two_claimants_of_one_key_while");
    assert!(!held, "{found}");
}

#[test]
fn a_payment_without_a_look_at_the_holds_is_caught() {
    caught("paid_without_a_look_at_the_holds", "pay_against_cancel", "Conservation");
}

#[test]
fn a_record_that_takes_holds_up_to_its_limit_is_caught() {
    caught("holds_up_to_the_limit_of_the_record", "room_for_three_holds", "NothingStuck");
    caught("settled_only_beside_a_change", "an_earlier_version_filled", "NothingStuck");
}

#[test]
fn stock_that_stays_with_cancelled_orders_is_caught() {
    caught("short_of_stock_and_looks_at_expired_holds_only", "cancels_that_cannot_release", "NothingStuck");
    caught("creator_of_a_cancelled_order_releases_nothing", "pay_against_cancel", "NothingStuck");
}

#[test]
fn an_expiry_that_is_told_and_not_decided_is_caught() {
    caught("expiry_told_by_the_clock", "clocks_differ", "OneFate");
}

#[test]
fn an_answer_that_rests_on_what_no_replica_has_is_caught() {
    caught("answers_that_are_not_confirmed", "a_payment_that_no_replica_has", "OneFate");
    caught("answers_that_are_not_confirmed", "an_order_that_no_replica_has", "ToldIsTrue");
}

#[test]
fn an_order_that_vanishes_is_caught() {
    caught("order_withdrawn_whatever_was_told_of_it", "one_key_in_the_list", "OneFate");
    caught("withdrawn_order_taken_for_damage", "one_key_in_the_list", "NoFalseAlarm");
}

#[test]
fn a_cache_that_changes_an_answer_is_caught() {
    caught("cache_that_is_asked_again", "a_cache_with_one_place", "NoFalseAlarm");
}

#[test]
fn a_key_that_stands_for_another_order_later_is_caught() {
    caught("mapping_that_replaces_another", "one_key_with_two_first_items", "RetryIsSafe");
}

#[test]
fn mappings_that_are_written_one_by_one_break_no_promise() {
    for case in ["two_claimants", "an_idempotent_repeat", "one_order_by_two_executors"] {
        let (held, found) = search("mappings_one_by_one", case);
        assert!(held, "{found}");
    }
}
