//! Events of the payment provider, of any bytes, rightly signed and not.

use http::Method;
use memory_shop::stripe::{SECRET, VARIABLES, signature};
use memory_shop::{World, request};
use proptest::prelude::*;

use crate::property::check;

#[test]
fn an_event_of_any_bytes_is_answered() {
    let world = World::preset().with_variables(&VARIABLES);
    check(2_000, (any::<Vec<u8>>(), any::<bool>()), |(body, is_signed)| {
        let header = if is_signed { signature(SECRET, &body, world.now()) } else { "t=1,v1=x".to_owned() };
        let expected = if is_signed { [200, 400] } else { [400, 400] };
        let mut request = request(Method::POST, "/payments/stripe/events", &body);
        request.headers_mut().insert("stripe-signature", header.parse().expect("a header"));
        let answer = world.send(request);
        assert!(expected.contains(&answer.status), "{answer:?}");
    });
}
