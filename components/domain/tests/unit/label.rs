//! What people are shown of an item: its name and its image.

use domain::item::{Change, Offer};
use domain::{Condition, Error, ImageUrl, ItemName, ItemView, Limits, PutOutcome};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{LIMITS, World, id, run};

fn offer(price: u64, name: Change<ItemName>, image: Change<ImageUrl>) -> Offer {
    Offer { name, image, ..Offer::at(price.try_into().unwrap()) }
}

fn named(name: &str) -> Offer {
    offer(1000, Change::Set(name.parse().unwrap()), Change::Keep)
}

fn put(world: &World, item: &str, offer: &Offer) -> Result<(ItemView, PutOutcome), Error> {
    run(world.shop().put_item_if(&Condition::default(), &id(item), offer, None))
}

fn shown(world: &World, item: &str) -> (Option<String>, Option<String>) {
    let view = run(world.shop().show_item(&id(item))).unwrap();
    (view.name.map(String::from), view.image.map(String::from))
}

fn some(name: &str, image: &str) -> (Option<String>, Option<String>) {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (text(name), text(image))
}

#[wasm_bindgen_test(unsupported = test)]
fn a_name_is_any_text_of_1_to_100_characters_that_is_seen() {
    for name in [
        "a",
        " Teapot, blue ",
        "\u{8336}\u{58f6}",
        "\u{0634}\u{0627}\u{06cc}",
        "a\u{200d}b",
        "\u{2764}\u{fe0f}",
        "<b>\"&'</b>",
        &"\u{1f980}".repeat(100),
    ] {
        assert_eq!(name.parse::<ItemName>().unwrap().as_str(), name);
    }
    let blank = ["", " ", "\u{a0}\u{3000}", "\u{200b}", "\u{200d}", "\u{ad}", "\u{2800}", "\u{3164}", "\u{fe0f}"];
    let moving =
        ["a\nb", "\ta", "a\u{0}", "\u{7f}", "a\u{202e}b", "\u{2066}a\u{2069}", "a\u{200f}", "\u{feff}a", "a\u{85}"];
    for name in blank.into_iter().chain(moving).chain([&*"a".repeat(101), &*"\u{1f980}".repeat(101)]) {
        assert!(name.parse::<ItemName>().is_err(), "{name:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_image_is_at_an_https_address_or_on_the_same_machine() {
    let longest = format!("https://a.example/{}", "b".repeat(237));
    for image in [
        "https://shop.example/teapot.jpg",
        "https://shop.example",
        "https://Shop.example:8443/a%20b?size=2&of=%E8%8C%B6",
        "http://localhost:3000/a.png",
        "http://127.0.0.1/a.png",
        "http://[::1]:3000/a.png",
        &longest,
    ] {
        assert_eq!(image.parse::<ImageUrl>().unwrap().as_str(), image);
    }
    for image in [
        "",
        "teapot.jpg",
        "/teapot.jpg",
        "//shop.example/teapot.jpg",
        "http://shop.example/teapot.jpg",
        "http://localhost.example/a.png",
        "javascript:alert(1)",
        "javascript://localhost/%0aalert(1)",
        "data:image/png;base64,AAAA",
        "blob:https://shop.example/a",
        "file:///etc/passwd",
        "ftp://shop.example/a",
        "HTTPS://shop.example/a",
        " https://shop.example/a",
        "https://shop.example/a ",
        "https://shop.example/a b",
        "https://shop.example/a\n",
        "https://shop.example/\u{202e}gpj",
        "https://shop.example/\u{8336}",
        "https://user:word@shop.example/a",
        "https://user@shop.example/a",
        "https://shop.example/a#b",
        "https://shop.example\\a",
        "https://shop.example/\"onerror=",
        "https://shop.example/<script>",
        "https:///a",
        "https://",
        "https://shop.example:0/a",
        &format!("{longest}b"),
    ] {
        assert!(image.parse::<ImageUrl>().is_err(), "{image:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_name_and_an_image_are_set_kept_changed_and_taken_away_each_for_itself() {
    let world = World::new();
    let (one, other) = ("https://a.example/1", "https://a.example/2");
    let name = |name: &str| Change::Set(name.parse().unwrap());
    let image = |image: &str| Change::Set(image.parse().unwrap());
    assert_eq!(shown(&world, "item1"), some("", ""));
    for (offer, after, writes) in [
        (offer(1000, name("Tea"), Change::Keep), some("Tea", ""), 1),
        (offer(1000, name("Tea"), Change::Keep), some("Tea", ""), 0),
        (offer(1000, Change::Keep, image(one)), some("Tea", one), 1),
        // Another price alone.
        (offer(7, Change::Keep, Change::Keep), some("Tea", one), 1),
        (offer(7, name("Black tea"), image(other)), some("Black tea", other), 1),
        (offer(7, Change::Remove, Change::Keep), some("", other), 1),
        (offer(7, Change::Remove, Change::Remove), some("", ""), 1),
        (offer(7, Change::Remove, Change::Remove), some("", ""), 0),
    ] {
        let ((_, outcome), written) = world.writes(|| put(&world, "item1", &offer).unwrap());
        assert_eq!((outcome, written, shown(&world, "item1")), (PutOutcome::Priced, writes, after), "{offer:?}");
    }
    // Of a new item there is nothing to take away.
    let (view, outcome) = put(&world, "teapot", &offer(7, name("Teapot"), Change::Remove)).unwrap();
    assert_eq!((view.name.unwrap().as_str(), view.image, outcome), ("Teapot", None, PutOutcome::Created));
    assert_eq!(shown(&world, "teapot"), some("Teapot", ""));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_order_keeps_the_name_that_was_sold_and_costs_no_more_calls_of_the_store() {
    let world = World::new();
    let names = |order: &domain::order::Order| -> Vec<Option<String>> {
        order.lines().iter().map(|line| line.name.clone().map(String::from)).collect()
    };
    let lines = [("item1", 2), ("item2", 1)];
    let (unnamed, writes) = world.writes(|| world.place_with_key(&lines, "the first key").unwrap());
    put(&world, "item1", &named("Tea")).unwrap();
    let (tea, as_many) = world.writes(|| world.place_with_key(&lines, "the second key").unwrap());
    assert_eq!(as_many, writes);
    put(&world, "item1", &named("Coffee")).unwrap();
    assert_eq!(names(&world.show(&unnamed).order), [None, None]);
    assert_eq!(names(&world.show(&tea).order), [Some("Tea".to_owned()), None]);
    // A repeat asks for the same thing, whatever it is called by now.
    let again = world.place_with_key(&lines, "the second key").unwrap();
    assert!(again.replayed);
    assert_eq!(names(&again.view.order), [Some("Tea".to_owned()), None]);
    assert_eq!(names(&world.pay(&tea).unwrap().order), [Some("Tea".to_owned()), None]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_item_that_is_full_of_holds_takes_the_longest_name_and_image_and_then_no_more_orders() {
    let (name, image) = ("\u{1f980}".repeat(100), format!("https://a.example/{}", "b".repeat(237)));
    let longest = offer(1000, Change::Set(name.parse().unwrap()), Change::Set(image.parse().unwrap()));
    let limits = Limits { record_bytes: 3_500, reserved_bytes: 3_000, ..LIMITS };
    let world = World { limits, ..World::new() };
    let placed: Vec<_> = std::iter::from_fn(|| world.place(&[("item1", 1)]).ok()).take(100).collect();
    assert!((3..100).contains(&placed.len()), "{}", placed.len());
    for _ in 0..64 {
        world.adjust("item1", 1).unwrap();
    }
    put(&world, "item1", &longest).unwrap();
    assert_eq!(shown(&world, "item1"), some(&name, &image));
    assert!(world.place(&[("item1", 1)]).is_err());
    for placed in &placed {
        world.pay(placed).unwrap();
    }
    put(&world, "item1", &offer(1000, Change::Remove, Change::Remove)).unwrap();
    world.place(&[("item1", 1)]).unwrap();
}
