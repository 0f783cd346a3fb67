//! How long an instance of a component lives, and which requests share it.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::get;
use crate::keyvalue::{delete, fresh, open, run, value_of};

/// Which instance answered, and the number of the request in it.
fn instance(component: &str) -> (String, u64) {
    let answer = get(&format!("/{component}/instance")).json();
    let instance = answer["instance"].as_str().expect("an instance has a name").to_owned();
    (instance, answer["request"].as_u64().expect("requests are counted"))
}

/// A request that holds in an instance until the store no longer has `key`.
struct Hold {
    key: String,
    request: thread::JoinHandle<(u16, usize)>,
    /// Where it holds.
    instance: String,
    /// How many held there when it came, itself included.
    holding: u64,
}

impl Hold {
    /// Starts to hold, and waits until it does.
    fn start(component: &str) -> Self {
        let key = fresh();
        let path = format!("/{component}/hold?{key}");
        let request = thread::spawn(move || {
            let answer = get(&path);
            (answer.status, answer.body.len())
        });
        let holding: Value = loop {
            if let Some(value) = value_of(&key) {
                break serde_json::from_slice(&value).expect("the probe writes JSON");
            }
            assert!(!request.is_finished(), "the request holds");
            thread::yield_now();
        };
        let instance = holding["instance"].as_str().expect("an instance has a name").to_owned();
        Self { key, request, instance, holding: holding["holding"].as_u64().expect("holding requests are counted") }
    }

    fn release(&self) {
        run(&[open("b"), delete("b", &self.key)]);
    }

    /// Status and length of the answer, once it is there.
    fn answer(self) -> (u16, usize) {
        self.request.join().expect("there is an answer")
    }
}

#[test]
fn an_instance_serves_128_requests_and_then_no_more() {
    let mut served = Vec::new();
    let veteran = loop {
        let (instance, request) = instance("lifetime");
        served.push(request);
        if request >= 128 {
            break instance;
        }
        // An instance may not be ready again when the next request comes, so that another takes it.
        assert!(served.len() < 10_000, "no instance gets to its last request: {served:?}");
    };
    for _ in 0..10 {
        served.push(instance("lifetime").1);
        assert_ne!(instance("lifetime").0, veteran);
    }
    assert_eq!(served.iter().max(), Some(&128));
}

#[test]
fn an_instance_without_a_request_is_gone_after_a_second() {
    let (before, _) = instance("idle");
    // It ends a second after its last request, or later on a busy machine.
    let mut pauses = (1..6).map(|power| Duration::from_secs(1 << power));
    let replaced = pauses.any(|pause| {
        thread::sleep(pause);
        instance("idle").0 != before
    });
    assert!(replaced, "the instance stays");
}

#[test]
fn an_instance_that_refuses_new_requests_gets_none_and_no_request_waits_for_it() {
    for _ in 0..100 {
        let (before, last) = (instance("last").0, get("/last/last").json());
        let left = last["instance"].as_str().expect("an instance has a name");
        let after: Vec<_> = (0..3).map(|_| instance("last").0).collect();
        assert!(!after.iter().any(|instance| instance == left), "{before} {last} {after:?}");
    }
}

#[test]
fn of_many_requests_none_waits_for_an_instance_that_refuses_new_requests() {
    let clients: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(|| {
                (0..100)
                    .map(|number| get(if number % 3 == 0 { "/last/last" } else { "/last/instance" }).status)
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("all are answered"), [200; 100]);
    }
}

#[test]
fn an_instance_serves_16_requests_at_once_and_no_more() {
    let mut holds: Vec<Hold> = Vec::new();
    let full = loop {
        let hold = Hold::start("crowd");
        let (instance, holding) = (hold.instance.clone(), hold.holding);
        holds.push(hold);
        if holding >= 16 {
            break instance;
        }
        // An instance that is not ready leaves the request to another one, but does get one in the end.
        assert!(holds.len() < 200, "no instance is ever full");
    };
    let before = holds.len();
    holds.extend((0..5).map(|_| Hold::start("crowd")));
    assert!(holds[before..].iter().all(|hold| hold.instance != full), "a full instance has taken another request");
    assert_eq!(holds.iter().map(|hold| hold.holding).max(), Some(16));
    holds.iter().for_each(Hold::release);
    assert!(holds.into_iter().all(|hold| hold.answer() == (200, 2)));
}

#[test]
fn a_panic_takes_the_other_requests_of_its_instance_with_it() {
    let hold = Hold::start("crash");
    let instance_before = hold.instance.clone();
    // Which instance takes a request is the server's choice: panics are sent until one has hit.
    for panics in 0.. {
        if hold.request.is_finished() {
            break;
        }
        assert!(panics < 200, "the request still holds");
        assert_eq!(get("/crash/panic").empty(), (500, 0));
    }
    hold.release();
    assert_eq!(hold.answer(), (500, 0));
    let (instance, _) = instance("crash");
    assert_ne!(instance, instance_before);
}

#[test]
fn a_panic_leaves_the_other_instances_alone() {
    let hold = Hold::start("crowd");
    for _ in 0..20 {
        assert_eq!(get("/crash/panic").empty(), (500, 0));
    }
    hold.release();
    assert_eq!(hold.answer(), (200, json!({}).to_string().len()));
}
