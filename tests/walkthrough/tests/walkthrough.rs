//! The walk on a shop, and on what is none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use harness::server::Settings;
use harness::{Request, Server, Store, TOKEN, Target, provider};
use stripe_stand_in::StandIn;

struct Shop {
    server: Server,
    _store: Store,
    provider: Option<StandIn>,
}

impl Shop {
    /// A fresh shop with this token, or without an operator where it is empty.
    fn open(token: &str) -> Self {
        Self::serve(None, &[("operator_token", token)])
    }

    /// A fresh shop that is paid at a stand-in for Stripe.
    fn open_with_provider(variables: &[(&str, &str)]) -> Self {
        let provider = provider::start().unwrap_or_else(|error| panic!("{error}"));
        Self::serve(Some(provider), variables)
    }

    fn serve(provider: Option<StandIn>, variables: &[(&str, &str)]) -> Self {
        let (store, settings) =
            (Store::new(Target::Local).expect("there is a store"), Settings::with_variables(variables));
        let server = match &provider {
            Some(provider) => Server::start_paid_at(provider, &store, settings),
            None => Server::start(&store, settings),
        };
        Self { server: server.unwrap_or_else(|error| panic!("{error}")), _store: store, provider }
    }

    fn address(&self) -> SocketAddr {
        self.server.host.address()
    }

    /// The named number of each item.
    fn stock(&self, number: &str) -> Vec<(String, u64)> {
        let stock = self.server.client.send(&Request::get("/inventory")).expect("the server answers").json();
        let items = stock["items"].as_array().expect("a list of items").iter();
        items.map(|item| (item["item_id"].as_str().unwrap().to_owned(), item[number].as_u64().unwrap())).collect()
    }
}

struct Walked {
    code: Option<i32>,
    out: String,
    err: String,
}

fn walk(to: SocketAddr, arguments: &[&str]) -> Walked {
    walk_with(to, arguments, &[])
}

fn walk_with(to: SocketAddr, arguments: &[&str], variables: &[(&str, &str)]) -> Walked {
    let mut command = Command::new(env!("CARGO_BIN_EXE_walkthrough"));
    for variable in ["OPERATOR_TOKEN", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    let run = command.arg(format!("http://{to}")).args(arguments).envs(variables.iter().copied()).output();
    let Output { status, stdout, stderr } = run.expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    Walked { code: status.code(), out: text(stdout), err: text(stderr) }
}

impl Walked {
    fn passes(&self) -> &Self {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        assert!(self.out.lines().last().is_some_and(|line| line.contains("were answered as the contract says")));
        self
    }

    /// Stops at this step, with this to say about it.
    fn stops(&self, at: &str, expected: &str, came: &str) {
        assert_eq!(self.code, Some(1), "{}", self.out);
        let message = format!("{at}: not as the contract says\n  expected  {expected}\n  came      {came}\n  > ");
        assert!(self.err.starts_with(&message), "{message}\n---\n{}", self.err);
    }
}

#[test]
fn an_operator_walks_as_often_as_they_like_and_leaves_the_other_items_alone() {
    let shop = Shop::open(TOKEN);
    let (on_hand, orders) = (shop.stock("on_hand"), 3);
    for _ in 0..orders {
        walk(shop.address(), &["--operator-token", TOKEN]).passes();
    }
    let presets = |stock: Vec<(String, u64)>| -> Vec<_> {
        stock.into_iter().filter(|(item, _)| !item.starts_with("walkthrough-")).collect()
    };
    assert_eq!(presets(shop.stock("on_hand")), presets(on_hand));
    assert!(shop.stock("available").iter().all(|(item, left)| !item.starts_with("walkthrough-") || *left == 0));
    assert!(presets(shop.stock("reserved")).iter().all(|(_, reserved)| *reserved == 0));
}

#[test]
fn at_a_payment_provider_a_walk_pays_for_one_order_as_a_buyer_does() {
    // An operator gives the money back, in two parts.
    for (arguments, refunds) in [(&["--operator-token", TOKEN][..], 2), (&[], 0)] {
        let shop = Shop::open_with_provider(&[("operator_token", TOKEN)]);
        for walks in 1..=2 {
            let walked = walk(shop.address(), arguments);
            assert!(walked.passes().out.contains("  > POST http://127.0.0.1:"), "{}", walked.out);
            let provider = shop.provider.as_ref().expect("it has one");
            assert_eq!((provider.charges().len(), provider.refunds().len()), (walks, walks * refunds));
        }
    }
}

#[test]
fn where_money_is_real_nothing_is_ordered() {
    let live = [("stripe_secret_key", "sk_live_51Made0Up0Made0Up"), ("return_url", "https://shop.example/")];
    let shop = Shop::serve(None, &[&live[..], &[("operator_token", TOKEN)]].concat());
    let walked = walk(shop.address(), &["--operator-token", TOKEN]);
    assert_eq!(walked.code, Some(1), "{}", walked.out);
    assert!(walked.err.starts_with("here buyers pay real money"), "{}", walked.err);
    assert!(!walked.out.contains("> P"), "{}", walked.out);
}

#[test]
fn the_token_can_be_in_the_environment_and_is_not_printed() {
    let shop = Shop::open(TOKEN);
    let walked = walk_with(shop.address(), &[], &[("OPERATOR_TOKEN", TOKEN)]);
    assert!(walked.passes().out.contains("authorization: Bearer …"));
    assert!(!walked.out.contains(TOKEN) && !walked.out.contains("Skipped"), "{}", walked.out);
}

#[test]
fn somebody_without_a_token_buys_one_and_is_told_what_is_left_out() {
    for token in [TOKEN, ""] {
        let shop = Shop::open(token);
        let before: u64 = shop.stock("available").iter().map(|(_, available)| available).sum();
        let walked = walk(shop.address(), &[]);
        assert_eq!(walked.passes().out.matches("(Skipped, for lack of the operator's token: ").count(), 2);
        let after: u64 = shop.stock("available").iter().map(|(_, available)| available).sum();
        assert_eq!(after, before - 1);
    }
}

#[test]
fn walks_at_once_do_not_disturb_each_other() {
    let shop = Shop::open(TOKEN);
    let address = shop.address();
    thread::scope(|scope| {
        for arguments in [&[][..], &["--operator-token", TOKEN], &["--quiet"], &["--operator-token", TOKEN, "--quiet"]]
        {
            scope.spawn(move || {
                walk(address, arguments).passes();
            });
        }
    });
}

#[test]
fn quiet_is_a_line_and_what_is_wrong() {
    let shop = Shop::open(TOKEN);
    assert_eq!(walk(shop.address(), &["--quiet"]).passes().out.lines().count(), 1);
    let stopped = walk(shop.address(), &["--quiet", "--operator-token", "another"]);
    stopped.stops("A new item", "status 201", "status 401 unauthorized");
    assert_eq!(stopped.out.lines().count(), 1);
}

#[test]
fn colours_are_for_terminals() {
    let shop = Shop::open(TOKEN);
    let coloured = |variables: &[_]| walk_with(shop.address(), &[], variables).passes().out.contains('\x1b');
    assert!(!coloured(&[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn another_token_is_refused() {
    let shop = Shop::open(TOKEN);
    let walked = walk(shop.address(), &["--operator-token", "another"]);
    walked.stops("A new item", "status 201", "status 401 unauthorized");
    assert!(!walked.err.contains("another"), "{}", walked.err);
}

#[test]
fn nobody_there_is_no_answer() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    drop(listener);
    let walked = walk(address, &[]);
    assert_eq!(walked.code, Some(1));
    assert!(walked.err.starts_with("The process answers: no answer: "), "{}", walked.err);
}

#[test]
fn what_is_no_shop_is_not_taken_for_one() {
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    let answers = [
        (format!("{json}2\r\n\r\n{{}}"), "something at /status", "nothing there"),
        (format!("{json}15\r\n\r\n{{\"status\":\"no\"}}"), "\"ok\" at /status", "\"no\""),
        (format!("{json}1\r\n\r\n{{"), "JSON", "EOF while parsing an object at line 1 column 1"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "content-type: application/json",
            "no content-type",
        ),
        ("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n".to_owned(), "status 200", "status 302"),
    ];
    for (answer, expected, came) in answers {
        let address = listen(move |mut client| {
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(answer.as_bytes());
        });
        walk(address, &[]).stops("The process answers", expected, came);
    }
}

#[test]
fn a_shop_that_lies_is_found_out() {
    // As long as the truth, so that the length of the body is still right.
    let lies = [
        ("\"on_hand\":75", "\"on_hand\":74", "All items"),
        ("\"unit_price\":900", "\"unit_price\":901", "Another price, for orders from now on"),
        ("idempotent-replayed: true", "idempotent-replayed: trve", "Sent again, it is taken once"),
        ("\"available\":12", "\"available\":13", "12 are left: 10 + 5 - 3"),
        ("\"total\":900", "\"total\":901", "Place it"),
        ("amount_mismatch", "amount_mistaken", "Pay too much"),
        ("\"status\":\"paid\"", "\"status\":\"pald\"", "Pay what it costs"),
        ("\"available\":9", "\"available\":8", "Two are held"),
        ("\"quantity\":2", "\"quantity\":3", "Place it, with two lines"),
        ("/items/1/item_id", "/items/1/item_no", "Four mistakes, each named"),
        ("\"event\":\"cancelled\"", "\"event\":\"cancelleD\"", "The one that was cancelled"),
        ("rel=\"next\"", "rel=\"prev\"", "All orders, one a page: page 1"),
        ("\"received\":12", "\"received\":13", "The books"),
    ];
    let lies_of_payments = [
        ("\"charged\":true", "\"charged\":null", "Pay what it costs"),
        ("\"status\":\"open\"", "\"status\":\"shut\"", "Pay: the buyer is sent to the payment provider"),
        ("\"status\":\"processing\"", "\"status\":\"procrastin\"", "Back in the shop, which looks: it is processed"),
        ("payment_processing", "payment_procession", "Money is on its way, so it cannot be cancelled"),
        (
            "\"decided_payments\":0",
            "\"decided_payment5\":0",
            "Sweep: ask the provider about overdue payments, and clear up",
        ),
    ];
    let without = lies.map(|lie| (lie, false));
    for ((truth, lie, step), has_provider) in without.into_iter().chain(lies_of_payments.map(|lie| (lie, true))) {
        assert_eq!(truth.len(), lie.len());
        let token = [("operator_token", TOKEN)];
        let shop = if has_provider { Shop::open_with_provider(&token) } else { Shop::open(TOKEN) };
        let walked = walk(falsifying(shop.address(), truth, lie), &["--operator-token", TOKEN]);
        assert_eq!(walked.code, Some(1), "{lie} is believed");
        assert!(walked.err.starts_with(&format!("{step}: not as the contract says")), "{lie}: {}", walked.err);
    }
}

/// Passes requests on to a shop, and its answers back with something false in them.
fn falsifying(shop: SocketAddr, truth: &'static str, falsehood: &'static str) -> SocketAddr {
    listen(move |mut client| {
        let mut server = TcpStream::connect(shop).expect("the shop listens");
        let (mut requests, mut to_shop) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut requests, &mut to_shop);
            let _ = to_shop.shutdown(Shutdown::Write);
        });
        // The shop sends an answer at once, head and body; what is larger than this is left as it is.
        let mut answer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = server.read(&mut answer) {
            let text = String::from_utf8_lossy(&answer[..length]).replace(truth, falsehood);
            if client.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// Serves connections, each on a thread of its own, until the test ends.
fn listen(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(client));
        }
    });
    address
}
