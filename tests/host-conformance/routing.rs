//! The route that a path takes, and the header fields that tell the component about it.

use serde_json::Value;

use crate::client::{Answer, get, request};

/// The values of the headers with this name, in their order.
pub fn headers(echo: &Value, name: &str) -> Vec<String> {
    let headers = echo["headers"].as_array().expect("an echo has headers").iter();
    let named = headers.filter(|header| header[0] == name);
    named.map(|header| header[1].as_str().expect("a text").to_owned()).collect()
}

/// The only value of a header.
fn header(echo: &Value, name: &str) -> String {
    let values = headers(echo, name);
    assert_eq!(values.len(), 1, "{name} in {echo}");
    values.concat()
}

/// Asserts for each path which route of the manifest it takes.
fn routed(paths: &[(&str, &str)]) {
    for (path, route) in paths {
        assert_eq!(header(&get(path).json(), "spin-raw-component-route"), *route, "{path}");
    }
}

fn empty_404(answer: &Answer) {
    assert_eq!(answer.empty(), (404, 0), "{answer:?}");
}

#[test]
fn exact_segments_beat_parameters_beat_wildcards_whatever_their_order_in_the_manifest() {
    routed(&[
        ("/routes/a", "/routes/a"),
        ("/routes/x", "/routes/:first"),
        ("/routes/a/b", "/routes/a/b"),
        ("/routes/a/x", "/routes/a/:second"),
        ("/routes/x/b", "/routes/:first/b"),
        ("/routes/x/y", "/routes/:first/:second"),
        ("/routes/a/x/y", "/routes/a/..."),
        ("/routes/x/y/z", "/routes/..."),
        ("/routes", "/routes/..."),
    ]);
}

#[test]
fn slashes_at_either_end_do_not_count() {
    routed(&[
        ("/routes/a/", "/routes/a"),
        ("//routes/a//", "/routes/a"),
        ("/routes/a/b///", "/routes/a/b"),
        ("/slash", "/slash/"),
        ("/slash/", "/slash/"),
        ("/no-slash/1/", "no-slash/:id"),
    ]);
}

#[test]
fn a_query_plays_no_part() {
    routed(&[("/routes/a?/b", "/routes/a"), ("/routes/a/b?", "/routes/a/b"), ("/slash/?x=/y", "/slash/")]);
}

#[test]
fn methods_play_no_part() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let echo = request(method, "/routes/a", "", b"").json();
        assert_eq!(echo["method"], method);
        assert_eq!(header(&echo, "spin-raw-component-route"), "/routes/a", "{method}");
    }
}

#[test]
fn a_path_without_a_route_is_an_empty_404() {
    for path in ["/", "/nothing", "/Routes/a", "/slash/x", "/twice/x", "/no-slash", "/same/x", "/same/x/y/z"] {
        empty_404(&get(path));
    }
}

#[test]
fn a_private_component_has_no_route() {
    for path in ["/private", "/private/", "/private/x"] {
        empty_404(&get(path));
    }
}

#[test]
fn of_the_same_route_twice_the_last_one_wins() {
    assert_eq!(get("/twice").json()["component"], "stranger");
    assert_eq!(get("/routes/a").json()["component"], "probe");
}

#[test]
fn nothing_in_a_path_is_decoded_or_resolved() {
    for (path, order_id, rest) in [
        ("/orders/a%20b/x", "a%20b", "/x"),
        ("/orders/a%2Fb/x%2e%2e%2fy", "a%2Fb", "/x%2e%2e%2fy"),
        ("/orders/%F0%9F%A6%80/%00", "%F0%9F%A6%80", "/%00"),
        ("/orders/../x/./y", "..", "/x/./y"),
        ("/orders/a;b=c,d@e:f/~!$&'()*+", "a;b=c,d@e:f", "/~!$&'()*+"),
        ("/orders/%/x", "%", "/x"),
    ] {
        let echo = get(path).json();
        assert_eq!(echo["path"], path);
        assert_eq!(header(&echo, "spin-path-match-order-id"), order_id);
        assert_eq!(header(&echo, "spin-path-info"), rest);
    }
    empty_404(&get("/%6frders/a/x"));
    empty_404(&get("/routes%2Fa"));
}

#[test]
fn a_component_is_told_which_route_was_taken() {
    // The path, the route as it is written, without a wildcard, and as it is matched, and what a wildcard took.
    for (path, raw, prefix, matched, rest) in [
        ("/routes/a", "/routes/a", "/routes/a", "/routes/a", ""),
        ("/routes/x/", "/routes/:first", "/routes/:first", "/routes/:first", ""),
        ("/routes", "/routes/...", "/routes", "/routes/...", ""),
        ("/routes/", "/routes/...", "/routes", "/routes/...", "/"),
        ("/routes/x/y/z", "/routes/...", "/routes", "/routes/...", "/x/y/z"),
        ("/routes/x//y/z/", "/routes/...", "/routes", "/routes/...", "/x//y/z/"),
        ("/orders/1/x", "/orders/:order_id/...", "/orders/:order_id", "/orders/:order_id/...", "/x"),
        ("/star/x", "/star/*", "/star/*", "/star/*", "/x"),
        ("/slash", "/slash/", "/slash/", "/slash", ""),
        ("/no-slash/1", "no-slash/:id", "no-slash/:id", "/no-slash/:id", ""),
    ] {
        let echo = get(path).json();
        assert_eq!(header(&echo, "spin-raw-component-route"), raw, "{path}");
        assert_eq!(header(&echo, "spin-component-route"), prefix, "{path}");
        assert_eq!(header(&echo, "spin-matched-route"), matched, "{path}");
        assert_eq!(header(&echo, "spin-path-info"), rest, "{path}");
        assert_eq!(header(&echo, "spin-base-path"), "/", "{path}");
    }
}

#[test]
fn of_two_parameters_of_one_name_a_component_is_told_the_last() {
    assert_eq!(header(&get("/same/x/y").json(), "spin-path-match-name"), "y");
}

#[test]
fn parameters_that_a_route_has_not_are_not_there() {
    let echo = get("/routes/x/y").json();
    assert_eq!(header(&echo, "spin-path-match-first"), "x");
    assert_eq!(header(&echo, "spin-path-match-second"), "y");
    assert!(headers(&get("/routes/a/b").json(), "spin-path-match-second").is_empty());
}

#[test]
fn the_paths_of_the_server_itself_come_before_all_routes() {
    assert_eq!(get("/.well-known/spin/health").body, b"OK");
    let info = get("/.well-known/spin/info");
    assert_eq!(info.header("content-type"), Some("application/json"));
    assert_eq!((&info.json()["name"], &info.json()["version"]), (&"host-conformance".into(), &"1.2.3".into()));
    empty_404(&get("/.well-known/spin/other"));
    empty_404(&get("/.well-known/other"));
}
