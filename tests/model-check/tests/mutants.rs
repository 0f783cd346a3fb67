//! The checker can fail: rules that are wrong in one place, in ways that look harmless, are searched by the same
//! program.
//!
//! A mutant is a copy of the shipped rules below `target/mutants` with a few lines replaced. The copies form a
//! workspace of their own, so that all are built at once; the product has no switch for any of this.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use toml::{Table, Value};

use crate::labels::Change::{Before, Replace};
use crate::labels::{Change, changed, labels};

/// Rules that differ from the shipped ones.
struct Mutant {
    name: &'static str,
    patches: &'static [Patch],
}

/// One change of the shipped rules: of the element behind this label, in whichever file it is.
struct Patch(&'static str, Change);

/// A mapping is written for each key at once, where the shipped rules wait for sixteen: more than a small case has.
const MAPPINGS_ONE_BY_ONE: Patch = Patch("full-records-map-every-key", Replace("let mappings = 1;"));

/// The guards are read before the item too, and these stale ones are there to be misused.
const STALE_GUARDS: Patch = Patch(
    "guards-are-read-after-the-item",
    Before(
        "let mut none = std::iter::empty::<(&Item, usize)>();
        let stale = self.read_guards(&mut none, &keys, self.environment.now()).await;
        let Ok(stale) = stale else { return };",
    ),
);

/// A request that is short looks at expired holds only.
const SHORT_LOOKS_AT_EXPIRED: Patch = Patch(
    "short-requests-look-at-others",
    Replace("pub const SHORT: Self = Self { expired: 64, others: 0, decisions: 64 };"),
);

/// A full record settles only in the swap of a change.
const FULL_RECORDS_DO_NOT_SETTLE_ALONE: Patch = Patch("full-records-settle-alone", Replace("let helped = false;"));

const MUTANTS: &[Mutant] = &[
    // Not wrong: what the mutants below that have to do with mappings are held against.
    Mutant { name: "mappings_one_by_one", patches: &[MAPPINGS_ONE_BY_ONE] },
    Mutant {
        name: "states_that_come_back",
        patches: &[
            Patch("versions-differ", Replace("")),
            // So do accounts, and an adjustment that is remembered.
            Patch("accounts-are-written", Replace("let accounts = false;")),
            Patch("adjustments-are-remembered", Replace("pub const REMEMBERED_ADJUSTMENTS: usize = 0;")),
        ],
    },
    Mutant {
        name: "payment_read_before_item",
        patches: &[
            STALE_GUARDS,
            Patch("guards-decide", Replace("let _ = guards; let outcome = request.hold(item, &stale, &mut room);")),
        ],
    },
    Mutant {
        name: "what_a_batch_held_is_forgotten_where_one_is_short",
        patches: &[Patch(
            "holds-of-a-short-batch-are-written",
            Replace("let nothing_changed = !more && settled.dropped == 0; let _ = changed;"),
        )],
    },
    Mutant {
        name: "create_by_get_and_set",
        patches: &[Patch(
            "claims-are-swapped",
            Replace(
                "let claim = [(entry.physical_key, token.0.to_le_bytes().to_vec())];
            let swap = self.bucket.set_many(&claim).await.map(|()| Swap::Swapped);",
            ),
        )],
    },
    Mutant {
        name: "hold_released_before_the_order_is_cancelled",
        patches: &[Patch("decided-before-released", Before("self.release_all(&order, released).await;"))],
    },
    Mutant {
        name: "lost_answer_of_an_adjustment_taken_for_failure",
        patches: &[Patch("adjustments-are-made-once", Replace("let made = item.adjustment(&key).filter(|_| keyed);"))],
    },
    Mutant {
        name: "lost_answer_of_a_claim_taken_for_failure",
        patches: &[Patch(
            "claims-are-looked-up",
            Before(
                "if swap != Ok(Swap::Swapped) {
                self.bucket.delete_many(&[physical_key]).await?;
                return Ok(Creation::Exists);
            }",
            ),
        )],
    },
    Mutant {
        name: "numbers_allocated_although_another_was_faster",
        patches: &[Patch("numbers-are-allocated-once", Replace("Ok(Swap::Conflict) => return Ok(first..next)"))],
    },
    Mutant {
        name: "sale_that_is_not_counted",
        patches: &[Patch("sales-are-counted", Replace("Settlement::Sold => (self.available, self.sold)"))],
    },
    Mutant {
        name: "helper_that_rejects",
        patches: &[Patch(
            "helpers-do-not-reject",
            Replace(
                "let outcome = self.hold(&order, line, None, false).await;
            if let Err(Error::InsufficientStock { .. }) = outcome {
                self.reject(&order, &state).await?;
            }",
            ),
        )],
    },
    Mutant {
        name: "helper_that_does_not_confirm",
        patches: &[Patch("helpers-confirm", Replace("let confirmed = true;"))],
    },
    Mutant {
        name: "mapping_read_before_item",
        patches: &[
            MAPPINGS_ONE_BY_ONE,
            STALE_GUARDS,
            Patch(
                "guards-decide",
                Replace("let outcome = request.hold(item, &guards.with_mappings_of(&stale), &mut room);"),
            ),
            Patch(
                "guards",
                Before(
                    "impl Guards {
    pub(crate) fn with_mappings_of(&self, stale: &Self) -> Self {
        let is_mapping = |(key, _): &&(Key, Found)| matches!(key, Key::Idempotency(_));
        let others = self.0.iter().filter(|found| !is_mapping(found));
        Self(others.chain(stale.0.iter().filter(is_mapping)).cloned().collect())
    }
}
",
                ),
            ),
        ],
    },
    Mutant {
        name: "key_not_looked_up_before_the_hold",
        patches: &[Patch(
            "keys-are-looked-up-before-the-hold",
            Replace("let taken = used.filter(|other| *other != order_id && self.order.lines().is_empty());"),
        )],
    },
    Mutant {
        name: "key_not_looked_up_before_a_refusal",
        patches: &[Patch("keys-are-looked-up-before-a-refusal", Replace("let other = None;"))],
    },
    Mutant {
        name: "key_forgotten_with_its_hold",
        patches: &[Patch(
            "settled-keys-stay-until-mapped",
            Replace("let keeps_key = settlement == (Settlement::Released { key_reusable: true });"),
        )],
    },
    Mutant {
        name: "key_dropped_without_its_mapping",
        patches: &[
            MAPPINGS_ONE_BY_ONE,
            Patch("mappings-before-keys-go", Replace("let _: Vec<(Key, Vec<u8>)> = mappings;")),
        ],
    },
    Mutant {
        name: "expired_hold_counted_as_free",
        patches: &[
            Patch(
                "hold-takes-from-available",
                Replace(
                    "let window = 900_000;
        let now = u64::from(hold.expires_at).saturating_sub(window);
        let expired = self.holds.iter().filter(|(_, held)| u64::from(held.expires_at) <= now);
        let free = self.available + expired.map(|(_, held)| held.quantity.get()).sum::<u64>();
        let left = free.checked_sub(hold.quantity.get()).map(|_| self.available).ok_or(shortage)?;
        let left = left.saturating_sub(hold.quantity.get());",
                ),
            ),
            // What is on hand does not become more by that.
            Patch("on-hand-is-a-sum", Replace("self.received.saturating_sub(self.sold)")),
            Patch("plan-within-stock-and-room", Replace("let fits = units <= item.on_hand() && bytes <= *room;")),
        ],
    },
    Mutant {
        name: "expired_hold_dropped_undecided",
        patches: &[Patch(
            "overdue-holds-are-decided",
            Replace(
                "match state.record.apply(Event::Expire { at: now }, expires_at) {
            Ok(expired) => {
                let value = crate::engine::codec::encode(&expired)?;
                *found = Ok(Some(crate::store::Entry::new(state.entry.physical_key.clone(), value)));
                Ok(expired.settlement())
            }
            Err(_) => Ok(None),
        }",
            ),
        )],
    },
    Mutant {
        name: "settled_by_the_change_that_holds_it",
        patches: &[MAPPINGS_ONE_BY_ONE, Patch("own-holds-are-not-settled", Replace("let is_own = false;"))],
    },
    Mutant {
        name: "conflict_at_expiry_taken_for_expired",
        patches: &[Patch(
            "conflict-at-expiry-is-left-alone",
            Replace(
                "Transition::Retry(Retry::Stale) | Transition::Illegal =>
                Ok(Some(Settlement::Released { key_reusable: false }))",
            ),
        )],
    },
    Mutant {
        name: "paid_without_a_look_at_the_holds",
        patches: &[Patch("payment-needs-every-hold", Replace("let held = index.is_some();"))],
    },
    Mutant {
        name: "holds_up_to_the_limit_of_the_record",
        patches: &[
            Patch("holds-leave-a-reserve", Replace("self.record_bytes")),
            // And keys are written out sixteen at a time, also where the record is large.
            Patch("full-records-map-every-key", Replace("let mappings = limits.mappings_per_write;")),
            FULL_RECORDS_DO_NOT_SETTLE_ALONE,
            Patch("plan-within-stock-and-room", Replace("let _ = room; let fits = units <= item.available();")),
            Patch("holds-need-room", Replace("let is_full = false;")),
        ],
    },
    Mutant { name: "settled_only_with_a_change", patches: &[FULL_RECORDS_DO_NOT_SETTLE_ALONE] },
    Mutant { name: "short_of_stock_and_looks_at_expired_holds_only", patches: &[SHORT_LOOKS_AT_EXPIRED] },
    Mutant {
        name: "creator_of_a_cancelled_order_releases_nothing",
        patches: &[
            Patch(
                "closed-order-releases-what-it-holds",
                Replace(
                    "let released = state.settlement().filter(|settlement| {
                        *settlement == Settlement::Released { key_reusable: true }
                    });",
                ),
            ),
            SHORT_LOOKS_AT_EXPIRED,
        ],
    },
    Mutant {
        name: "expiry_told_by_the_clock",
        patches: &[Patch(
            "expiry-is-decided",
            Before(
                "if let Ok(record) = state.record.apply(Event::Expire { at }, order.expires_at) {
                return Ok(Read { entry: state.entry, record });
            }",
            ),
        )],
    },
    Mutant { name: "answers_that_are_not_confirmed", patches: &[Patch("answers-are-confirmed", Replace("Ok(())"))] },
    Mutant {
        name: "order_withdrawn_although_it_was_told_of",
        patches: &[Patch(
            "told-orders-are-not-withdrawn",
            Replace("let rejected = Ok::<_, Error>(Transition::Done(state.clone()));"),
        )],
    },
    Mutant {
        name: "withdrawn_order_taken_for_damage",
        patches: &[Patch("withdrawn-is-not-damage", Replace("let missing = || Error::inconsistent_order(id);"))],
    },
    Mutant {
        name: "cache_that_is_asked_again",
        patches: &[Patch(
            "claims-are-asked-once",
            Replace(
                "let mut claims = claims.collect::<Vec<_>>().into_iter();
        let physical_key = |key: &Key| match key.is_created() {
            false => Ok(Some(key.to_string())),
            true => {
                let claim = claims.next().unwrap_or(Ok(None))?;
                let again = claim.and_then(|_| self.cache.claim(&self::cell(key)));
                Ok(again.map(|token| token.physical_key(key)))
            }
        };",
            ),
        )],
    },
    Mutant {
        name: "price_looked_at_before_the_hold_only",
        patches: &[Patch("prices-are-looked-at-with-the-hold", Replace("let repriced = false;"))],
    },
    Mutant {
        name: "price_looked_at_with_the_hold_only",
        patches: &[Patch("orders-are-planned-at-the-expected-price", Replace("let as_expected = true;"))],
    },
    Mutant {
        name: "hold_of_a_removed_order_kept",
        patches: &[Patch(
            "holds-of-removed-orders-go",
            Replace("let _: Vec<OrderId> = without_state; let removed = Vec::<OrderId>::new();"),
        )],
    },
    Mutant {
        name: "mapping_of_a_removed_order_kept",
        patches: &[Patch("mappings-of-removed-orders-are-replaced", Replace("let freed = Vec::<Key>::new();"))],
    },
    Mutant {
        name: "removed_order_taken_for_damage",
        patches: &[Patch(
            "keys-of-removed-orders-are-free",
            Replace("let _ = self.free_key(order_id, key, request); return Err(Error::inconsistent_order(order_id));"),
        )],
    },
    Mutant {
        name: "paid_order_removed",
        patches: &[Patch(
            "paid-orders-are-not-removed",
            Replace("None if state.payment().is_some() => Due::Removal(Box::new(order))"),
        )],
    },
    Mutant {
        name: "mapping_of_another_order_removed",
        patches: &[Patch("mappings-of-other-orders-stay", Replace("let is_own = true;"))],
    },
    Mutant {
        name: "mapping_removed_whatever_it_says",
        patches: &[Patch(
            "mappings-are-removed-unchanged",
            Replace("self.bucket.delete_many(&[read.physical_key.clone()]).await.map(|()| Swap::Swapped)"),
        )],
    },
    Mutant {
        name: "mapping_that_replaces_another",
        patches: &[Patch(
            "mappings-stay",
            Replace("let stays = found.is_none() && false; absent.push((key.clone(), value));"),
        )],
    },
    Mutant {
        name: "session_handed_out_before_it_is_on_record",
        patches: &[Patch(
            "sessions-are-recorded-first",
            Replace(
                "let handed_out = Attempt::Done(Box::new(at_provider(order.clone(), &state.record, open.clone())));
        let Ok(recorded) = self.transition(&state, event, order.expires_at).await else { return Ok(handed_out) };
        if !matches!(recorded, Transition::Done(_)) {
            return Ok(handed_out);
        }",
            ),
        )],
    },
    Mutant {
        name: "order_closed_before_its_session",
        patches: &[Patch(
            "sessions-are-closed-first",
            Replace(
                "let closed = crate::model::session::SessionState::Closed;
                    let finding = crate::model::session::Finding::of(session, closed, &order);
                    let finding = finding.map_err(Error::WrongCharge)?;
                    let answered = self.answered(&order, &state, finding, true).await?;",
            ),
        )],
    },
    Mutant {
        name: "error_of_close_taken_for_closed",
        patches: &[Patch(
            "an-error-is-not-closed",
            Replace("let answer = self.provider()?.close(session).await.unwrap_or(SessionState::Closed);"),
        )],
    },
    Mutant {
        name: "return_of_the_buyer_taken_for_paid",
        patches: &[Patch(
            "paid-is-what-the-provider-says",
            Replace(
                "let answer = match self.provider()?.look(session).await? {
            SessionState::Open(_) => SessionState::Paid(crate::Charge {
                id: \"forged\".parse().expect(\"an id\"),
                order: None,
                amount: order.total(),
                currency: order.currency.clone(),
                method: crate::PaymentMethod::unspecified(),
                charged_at: self.environment.now(),
            }),
            answer => answer,
        };",
            ),
        )],
    },
    Mutant {
        name: "session_opened_while_another_is_open",
        patches: &[Patch(
            "open-sessions-are-used",
            Replace(
                "Answered::Open(_) => {
                    let closed = crate::model::session::SessionState::Closed;
                    let finding = crate::model::session::Finding::of(session, closed, &order);
                    let finding = finding.map_err(Error::WrongCharge)?;
                    let _ = self.answered(&order, &state, finding, false).await?;
                    Attempt::Changed
                }",
            ),
        )],
    },
    Mutant {
        name: "attempts_that_are_not_counted",
        patches: &[Patch("attempts-are-counted", Replace("let attempt = Some(attempt).ok_or(Illegal)?;"))],
    },
    Mutant {
        name: "amount_of_a_charge_not_compared",
        patches: &[Patch("charges-are-compared", Replace("let is_right = true;"))],
    },
    Mutant {
        name: "refund_under_a_fresh_name",
        patches: &[Patch(
            "refunds-have-one-name",
            Replace(
                "let fresh = self.environment.random_name();
        let name: crate::RefundId = fresh.parse().expect(\"an id\");",
            ),
        )],
    },
    Mutant {
        name: "refund_made_before_it_is_on_record",
        patches: &[Patch(
            "refunds-are-claimed-first",
            Before(
                "let name = crate::RefundId::of_late_charge(&session);
            let (charge, amount, currency) = (late.charge(), late.amount(), &order.currency);
            let repayment = crate::Repayment { order: order.order_id, charge, amount, currency, refund: &name };
            let _ = self.provider()?.refund(repayment).await?;",
            ),
        )],
    },
    Mutant {
        name: "refund_made_again_without_a_look",
        patches: &[Patch("refunds-are-looked-for", Replace("let _ = is_new; let made = None;"))],
    },
    Mutant { name: "refund_that_is_not_listed", patches: &[Patch("refunds-are-listed-first", Replace(""))] },
    Mutant {
        name: "wrong_charge_that_is_not_listed",
        patches: &[Patch("wrong-charges-are-listed-first", Replace(""))],
    },
    Mutant {
        name: "wrong_charge_that_is_not_claimed",
        patches: &[Patch(
            "wrong-charges-are-claimed-as-the-session-ends",
            Replace("return Ok(Self { state, ..self.clone() });"),
        )],
    },
    Mutant {
        name: "refund_made_again_under_its_name",
        patches: &[Patch("retries-have-names-of-their-own", Replace("let id = before.id.clone();"))],
    },
    Mutant {
        name: "finished_refund_not_looked_at_again",
        patches: &[Patch("finished-refunds-are-looked-at-again", Replace("let found = None;"))],
    },
    Mutant {
        name: "order_abandoned_after_any_error",
        patches: &[Patch(
            "only-what-helps-nobody-is-abandoned",
            Replace(
                "Err(_) if abandoned.is_some() => {
                    let event = Event::Abandon { session: session.clone(), at: self.environment.now() };
                    Answered::Changed(self.transition(&state, event, order.expires_at).await?)
                }",
            ),
        )],
    },
    Mutant {
        name: "attempt_of_a_refunded_session_used_again",
        patches: &[Patch("attempts-with-a-refund-are-over", Replace("State::Unpaid { .. } => self.state.clone(),"))],
    },
    Mutant {
        name: "order_at_the_provider_expired_by_the_clock",
        patches: &[
            Patch(
                "only-unpaid-orders-expire-by-the-clock",
                Replace(
                    "(State::Unpaid { .. } | State::AtProvider { .. }, Event::Expire { at }) if at >= expires_at => {
                closed(CloseReason::Expired, at)
            }",
                ),
            ),
            Patch("only-unpaid-orders-are-overdue", Replace("let expires = self.settlement().is_none();")),
        ],
    },
    Mutant {
        name: "hold_of_an_order_at_the_provider_settled",
        patches: &[Patch(
            "undecided-orders-keep-their-holds",
            Replace(
                "State::Unpaid { .. } => None,
            State::AtProvider { .. } => Some(Settlement::Released { key_reusable: false })",
            ),
        )],
    },
    Mutant {
        name: "more_is_refunded_than_was_paid",
        patches: &[Patch("no-more-is-refunded-than-was-paid", Replace(""))],
    },
    Mutant {
        name: "refund_of_a_payment_made_before_it_is_on_record",
        patches: &[Patch(
            "refunds-of-payments-are-claimed-first",
            Before(
                "if let (Some(listed), AfterSaleEvent::ClaimRefund { request, .. }) = (&listed, &event) {
                let claim = state.record.after_sale().claim(request, order.lines(), payment.amount);
                if let (Ok(claim), Some(reference)) = (claim, &payment.reference) {
                    let (amount, currency) = (claim.amount, &order.currency);
                    let (charge, refund) = (&reference.charge, &listed.refund);
                    let repayment = crate::Repayment { order: order_id, charge, amount, currency, refund };
                    let _ = self.provider()?.refund(repayment).await?;
                }
            }",
            ),
        )],
    },
    Mutant {
        name: "refund_of_a_payment_that_is_not_listed",
        patches: &[Patch("refunds-of-payments-are-listed-first", Replace(""))],
    },
    Mutant {
        name: "refund_taken_off_the_list_and_not_given_up",
        patches: &[Patch(
            "what-a-sweep-takes-off-the-list-is-given-up",
            Replace("if listed.order == order.order_id { return Ok(Followed::Vain); }"),
        )],
    },
    Mutant {
        name: "more_comes_back_than_was_sold",
        patches: &[Patch("no-more-comes-back-than-was-sold", Replace("let left = sold;"))],
    },
    Mutant {
        name: "return_put_back_without_a_look_at_the_item",
        patches: &[Patch("returns-are-put-back-once", Replace("let is_back = done;"))],
    },
    Mutant {
        name: "return_looked_up_before_the_item",
        patches: &[Patch(
            "returns-are-looked-up-after-the-item",
            Replace("let _ = is_done(guards, order, one.id); let done = one.done;"),
        )],
    },
    Mutant {
        name: "return_forgotten_before_it_is_done",
        patches: &[Patch("returns-are-forgotten-once-done", Replace("state.is_some()"))],
    },
    Mutant {
        name: "return_that_no_item_forgets",
        patches: &[Patch(
            "remembered-returns-are-looked-up",
            Replace("let returns = item.returns().iter().map(|(_, order)| *order).take(0);"),
        )],
    },
    Mutant {
        name: "return_done_before_it_is_back",
        patches: &[Patch(
            "returns-are-done-once-they-are-back",
            Before("state = self.finish_return(order, one.id, state).await?;"),
        )],
    },
];

/// What the searching program finds in a mutant, in the cases with this in their name.
fn search(mutant: &str, case: &str) -> (bool, String) {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    let searched = Command::new(BUILT.join(mutant)).arg(case).output().expect("the mutant runs");
    (searched.status.success(), String::from_utf8_lossy(&searched.stdout).into_owned())
}

#[track_caller]
fn caught(mutant: &str, case: &str, rule: &str) {
    let (held, found) = search(mutant, case);
    assert!(!held, "{mutant} breaks no promise:\n{found}");
    assert!(found.contains(&format!("{rule} is broken")), "{mutant} breaks another promise than {rule}:\n{found}");
}

/// The program of a mutant: with less to build than the one with a command line.
const PROGRAM: &str = r"
use std::process::ExitCode;

fn main() -> ExitCode {
    let case = std::env::args().nth(1).unwrap_or_default();
    if model_check::exhaustive::exhaustive(&case, 0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
";

/// Writes and builds all mutants: the folder with their programs.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project is there");
    let workspace = root.join("target/mutants");
    let mut manifest = read(&root.join("Cargo.toml"));
    let packages = || PACKAGES.into_iter().chain(["model-check"]);
    let members = MUTANTS.iter().flat_map(|mutant| packages().map(|package| format!("{}/{package}", mutant.name)));
    let members = members.map(Value::from).collect();
    let shared = manifest["workspace"].as_table_mut().expect("it is a workspace");
    shared.insert("members".to_owned(), Value::Array(members));
    shared.remove("default-members");
    // What is not copied is where it was.
    for (_, dependency) in shared["dependencies"].as_table_mut().expect("there are dependencies") {
        if let Some(path) = dependency.get_mut("path") {
            let there = root.join(path.as_str().expect("a path"));
            *path = there.display().to_string().into();
        }
    }
    // It is building that takes the time: each search is short, and what all mutants share is built once.
    let profile = "[dev]\ndebug = false\n[dev.package.\"*\"]\nopt-level = 1";
    manifest.insert("profile".to_owned(), profile.parse::<Table>().expect("TOML").into());
    write(&workspace.join("Cargo.toml"), &manifest.to_string());
    write(&workspace.join("Cargo.lock"), &fs::read_to_string(root.join("Cargo.lock")).expect("it is there"));
    for mutant in MUTANTS {
        mutant.write(&root, &workspace.join(mutant.name));
    }
    let target = workspace.join("target");
    let built = Command::new("cargo")
        // Only programs, whose names differ. The libraries of all mutants have one name: cargo would copy each over the
        // last one, and two that finish together remove the same file.
        .args(["build", "--workspace", "--bins", "--quiet", "--offline", "--target-dir"])
        .arg(&target)
        // Each is built once. What a second build could use again would take 4 GB.
        .env("CARGO_INCREMENTAL", "0")
        // A mutant leaves code unused: where one is not built, its error is what is to be seen.
        .env("RUSTFLAGS", "--cap-lints=allow")
        .current_dir(&workspace)
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug")
}

/// The packages that a mutant has a copy of.
const PACKAGES: [&str; 2] = ["domain", "keyvalue-store"];

/// The source files of the packages that are copied: where each is below `components/`, and its text.
fn sources(root: &Path) -> Vec<(String, String)> {
    fn collect(components: &Path, folder: &Path, sources: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("there are sources") {
            let path = entry.expect("there are sources").path();
            if path.is_dir() {
                collect(components, &path, sources);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source file can be read");
            let file = path.strip_prefix(components).expect("it is below the folder");
            sources.push((file.to_str().expect("it has a name").to_owned(), text));
        }
    }
    let components = root.join("components");
    let mut sources = Vec::new();
    PACKAGES.iter().for_each(|package| collect(&components, &components.join(package).join("src"), &mut sources));
    sources
}

impl Mutant {
    fn write(&self, root: &Path, to: &Path) {
        let mut sources = sources(root);
        for patch in self.patches {
            let Patch(label, change) = patch;
            let changed = |text: &String| changed(text, label, *change);
            let found = sources.iter_mut().find_map(|(_, text)| changed(text).map(|changed| (text, changed)));
            let (text, changed) = found.unwrap_or_else(|| panic!("there is no label {label}"));
            *text = changed;
        }
        for (file, text) in sources {
            write(&to.join(file), &text);
        }
        for package in PACKAGES {
            let mut manifest = read(&root.join("components").join(package).join("Cargo.toml"));
            self.rename(&mut manifest, package);
            write(&to.join(package).join("Cargo.toml"), &manifest.to_string());
        }
        let program = root.join("tests/model-check");
        let mut manifest = read(&program.join("Cargo.toml"));
        self.rename(&mut manifest, "model-check");
        manifest["lib"]["path"] = program.join("src/lib.rs").display().to_string().into();
        manifest["dependencies"]["records"]["path"] = root.join("tools/records").display().to_string().into();
        let mut bin = Table::new();
        bin.insert("name".to_owned(), self.name.into());
        bin.insert("path".to_owned(), "main.rs".into());
        write(&to.join("model-check/main.rs"), PROGRAM);
        manifest.insert("bin".to_owned(), Value::Array(vec![bin.into()]));
        write(&to.join("model-check/Cargo.toml"), &manifest.to_string());
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
        // They belong to the tests and to the command line.
        dependencies.remove("toml");
        dependencies.remove("clap");
        for (name, dependency) in dependencies {
            if PACKAGES.contains(&name.as_str()) {
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
fn each_label_in_the_rules_is_there_once_and_used_and_each_that_is_used_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sources = sources(&root);
    let mut there: Vec<_> = sources.iter().flat_map(|(_, text)| labels(text)).collect();
    let mut used: Vec<_> = MUTANTS.iter().flat_map(|mutant| mutant.patches).map(|Patch(label, _)| *label).collect();
    there.sort_unstable();
    used.sort_unstable();
    used.dedup();
    assert_eq!(there, used);
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
    caught("hold_released_before_the_order_is_cancelled", "pay_against_cancel", "ToldIsTrue");
}

#[test]
fn a_lost_answer_that_is_taken_for_failure_is_caught() {
    caught("lost_answer_of_an_adjustment_taken_for_failure", "with_pay_and_settlement", "Conservation");
    caught("lost_answer_of_a_claim_taken_for_failure", "two_creators_of_one_item", "NoFalseAlarm");
}

#[test]
fn numbers_that_two_instances_take_are_caught() {
    // Two orders are inserted under one name, which the store notices before any promise is broken.
    let (held, found) = search("numbers_allocated_although_another_was_faster", "take_numbers");
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
fn a_key_that_is_not_looked_up_before_a_refusal_is_caught() {
    caught("key_not_looked_up_before_a_refusal", "a_claimant_behind", "RetryIsSafe");
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
    caught("settled_only_with_a_change", "an_earlier_version_filled", "NothingStuck");
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
}

#[test]
fn an_order_that_vanishes_is_caught() {
    caught("order_withdrawn_although_it_was_told_of", "one_key_in_the_list", "OneFate");
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
fn a_price_that_is_looked_at_at_one_moment_only_is_caught() {
    caught("price_looked_at_before_the_hold_only", "a_price_changes", "AtItsPrice");
    caught("price_looked_at_with_the_hold_only", "a_price_changes", "AtItsPrice");
}

#[test]
fn a_hold_of_a_removed_order_that_is_kept_is_caught() {
    caught("hold_of_a_removed_order_kept", "a_slow_request_holds", "NothingStuck");
}

#[test]
fn a_mapping_of_a_removed_order_that_is_kept_is_caught() {
    caught("mapping_of_a_removed_order_kept", "a_slow_request_maps", "RetryIsSafe");
}

#[test]
fn a_removed_order_that_is_taken_for_damage_is_caught() {
    caught("removed_order_taken_for_damage", "swept", "NoFalseAlarm");
}

#[test]
fn a_paid_order_that_is_removed_is_caught() {
    caught("paid_order_removed", "a_sweep_while", "Conservation");
}

#[test]
fn a_mapping_of_another_order_that_is_removed_is_caught() {
    caught("mapping_of_another_order_removed", "stopped_halfway", "RetryIsSafe");
}

#[test]
fn a_mapping_that_is_removed_whatever_it_says_is_caught() {
    caught("mapping_removed_whatever_it_says", "a_slow_sweep", "RetryIsSafe");
}

#[test]
fn mappings_that_are_written_one_by_one_break_no_promise() {
    for case in ["two_claimants", "an_idempotent_repeat", "one_order_by_two_executors"] {
        let (held, found) = search("mappings_one_by_one", case);
        assert!(held, "{found}");
    }
}

#[test]
fn a_session_that_is_handed_out_before_it_is_on_record_is_caught() {
    caught("session_handed_out_before_it_is_on_record", "two_payers_at_the_provider_and", "ChargedOnce");
}

#[test]
fn an_order_that_is_closed_before_its_session_is_caught() {
    caught("order_closed_before_its_session", "two_payers_at_the_provider_and", "ChargedOnce");
    caught("error_of_close_taken_for_closed", "whose_calls_fail", "ChargedOnce");
}

#[test]
fn a_return_of_the_buyer_that_is_taken_for_paid_is_caught() {
    caught("return_of_the_buyer_taken_for_paid", "two_payers_at_the_provider_and", "ChargedMeansSold");
}

#[test]
fn a_second_open_session_is_caught() {
    caught("session_opened_while_another_is_open", "two_payers_at_the_provider_and", "ChargedOnce");
}

#[test]
fn attempts_that_are_not_counted_are_caught() {
    caught("attempts_that_are_not_counted", "two_payers_at_the_provider_and", "NothingStuck");
}

#[test]
fn an_amount_that_is_not_compared_is_caught() {
    caught("amount_of_a_charge_not_compared", "a_charge_of_another_amount", "ChargedMeansSold");
}

#[test]
fn a_refund_that_is_made_twice_or_on_no_record_is_caught() {
    caught("refund_under_a_fresh_name", "session_that_was_closed", "RefundsAddUp");
    caught("refund_made_again_without_a_look", "session_that_was_closed", "RefundsAddUp");
    caught("refund_made_before_it_is_on_record", "session_that_was_closed", "RefundsAddUp");
}

#[test]
fn more_that_is_given_back_than_was_paid_is_caught() {
    caught("more_is_refunded_than_was_paid", "two_refunds_of_more_than_was_paid", "RefundsAddUp");
    caught("refund_of_a_payment_made_before_it_is_on_record", "two_refunds_of_more_than_was_paid", "RefundsAddUp");
}

#[test]
fn a_refund_of_a_payment_that_is_made_twice_is_caught() {
    caught("refund_under_a_fresh_name", "a_refund_that_is_sent_twice", "RefundsAddUp");
    caught("refund_made_again_without_a_look", "whose_answers_are_lost", "RefundsAddUp");
}

#[test]
fn a_refund_of_a_payment_that_no_sweep_finds_is_caught() {
    caught("refund_of_a_payment_that_is_not_listed", "whose_answers_are_lost", "NothingStuck");
    caught("refund_taken_off_the_list_and_not_given_up", "whose_answers_are_lost", "NothingStuck");
    caught("finished_refund_not_looked_at_again", "another_of_the_same_money", "RefundsAddUp");
}

#[test]
fn an_order_that_is_paid_in_a_session_whose_charge_went_back_is_caught() {
    caught("attempt_of_a_refunded_session_used_again", "session_that_is_on_no_record", "ChargedMeansSold");
}

#[test]
fn more_that_comes_back_than_was_sold_is_caught() {
    caught("more_comes_back_than_was_sold", "of_more_than_was_sold", "ReturnsAddUp");
}

#[test]
fn a_return_that_is_put_back_twice_is_caught() {
    // An item remembers it twice, which is no item, before any promise is looked at.
    let (held, found) = search("return_put_back_without_a_look_at_the_item", "an_adjustment_that_settles");
    assert!(!held, "{found}");
    caught("return_looked_up_before_the_item", "an_adjustment_that_settles", "ReturnsAddUp");
    caught("return_forgotten_before_it_is_done", "an_adjustment_that_settles", "ReturnsAddUp");
}

#[test]
fn a_return_that_is_never_put_back_or_never_forgotten_is_caught() {
    caught("return_done_before_it_is_back", "an_adjustment_that_settles", "ReturnsAddUp");
    caught("return_that_no_item_forgets", "an_adjustment_that_settles", "NothingStuck");
}

#[test]
fn an_overdue_order_at_the_provider_that_loses_its_goods_is_caught() {
    caught("order_at_the_provider_expired_by_the_clock", "short_while_a_payment_is_overdue", "ChargedOnce");
    caught("hold_of_an_order_at_the_provider_settled", "short_while_a_payment_is_overdue", "ToldIsTrue");
}

#[test]
fn a_refund_that_no_sweep_finds_is_caught() {
    caught("refund_that_is_not_listed", "session_that_was_closed", "NothingStuck");
    caught("wrong_charge_that_is_not_listed", "a_charge_of_another_amount", "NothingStuck");
}

#[test]
fn a_wrong_charge_that_is_kept_is_caught() {
    caught("wrong_charge_that_is_not_claimed", "a_charge_of_another_amount", "ChargedMeansSold");
}

#[test]
fn a_refund_that_fails_and_is_not_made_again_is_caught() {
    // A record with one name twice cannot be read.
    caught("refund_made_again_under_its_name", "fails_later_and_is_made_again", "NothingStuck");
    caught("finished_refund_not_looked_at_again", "fails_later_and_is_made_again", "ChargedMeansSold");
}

#[test]
fn an_order_that_is_given_up_while_its_buyer_can_pay_is_caught() {
    caught("order_abandoned_after_any_error", "an_order_whose_session_is_lost", "ChargedOnce");
}
