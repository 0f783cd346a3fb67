//! Pages and files: what is part of the program.

use crate::client::Shop;
use crate::server::with_shop;

/// What a browser needs for the first look.
const FILES: [&str; 3] = ["/", "/docs", "/openapi.json"];

fn plain(shop: &Shop, path: &str) -> String {
    let answer = shop.get(path).send();
    answer.expect(200);
    assert_eq!(answer.header("content-encoding"), None, "{answer}");
    String::from_utf8(answer.body.to_vec()).expect("text")
}

#[test]
fn pages_may_do_nothing_but_what_the_shop_serves() {
    with_shop(|shop| {
        for path in FILES {
            let answer = shop.get(path).send();
            let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{answer}")).to_owned();
            for part in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
                assert!(policy.split("; ").any(|found| found == part), "{part} is not in {policy}");
            }
            // A browser takes the headers of this answer for those of the page that it has kept.
            let tag = answer.header("etag").expect("a tag");
            let again = shop.get(path).header("if-none-match", tag).send();
            assert_eq!(again.expect(304).header("content-security-policy"), Some(policy.as_str()), "{again}");
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer}");
        }
    });
}

#[test]
fn pages_have_no_script_of_their_own_and_all_that_they_name_is_there() {
    with_shop(|shop| {
        for path in ["/", "/docs"] {
            let page = plain(&shop, path);
            assert!(page.starts_with("<!doctype html>"), "{page}");
            let mut named = 0;
            for tag in page.split('<').filter(|tag| tag.starts_with("script") || tag.starts_with("link ")) {
                let name = tag.split(['"']).find(|name| name.starts_with('/')).unwrap_or_else(|| panic!("{tag}"));
                assert!(!tag.starts_with("script") || tag.ends_with('>'), "a script in the page itself: {tag}");
                shop.get(name).send().expect(200);
                named += 1;
            }
            assert!(named >= 2, "{path} names {named} files");
            for handler in [" onclick=", " onload=", " style=", "javascript:", "http://", "https://"] {
                assert!(!page.contains(handler), "{handler} in {path}");
            }
        }
    });
}

#[test]
fn files_are_compressed_for_whoever_can_read_that_and_sent_once() {
    with_shop(|shop| {
        for path in FILES {
            let plain = plain(&shop, path);
            let answer = shop.get(path).header("accept-encoding", "gzip, br").send();
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
            assert!(answer.body.starts_with(&[0x1f, 0x8b]) && answer.body.len() < plain.len(), "{path}");
            let tag = answer.header("etag").expect("a tag").to_owned();
            let again = shop.get(path).header("accept-encoding", "gzip").header("if-none-match", tag).send();
            again.expect(304);
        }
    });
}
