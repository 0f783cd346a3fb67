//! The names of header fields. As plain texts they are smaller than those of the crate `http`, with which every
//! component would have the names of all fields that there are.

/// Makes a constant for each name.
macro_rules! names {
    ($($name:ident = $text:literal;)+) => {
        $(pub(crate) const $name: &str = $text;)+
    };
}

names! {
    ACCEPT = "accept";
    ACCEPT_ENCODING = "accept-encoding";
    ACCESS_CONTROL_ALLOW_HEADERS = "access-control-allow-headers";
    ACCESS_CONTROL_ALLOW_METHODS = "access-control-allow-methods";
    ACCESS_CONTROL_ALLOW_ORIGIN = "access-control-allow-origin";
    ACCESS_CONTROL_EXPOSE_HEADERS = "access-control-expose-headers";
    ACCESS_CONTROL_MAX_AGE = "access-control-max-age";
    ACCESS_CONTROL_REQUEST_METHOD = "access-control-request-method";
    ALLOW = "allow";
    AUTHORIZATION = "authorization";
    CACHE_CONTROL = "cache-control";
    CONTENT_DISPOSITION = "content-disposition";
    CONTENT_ENCODING = "content-encoding";
    CONTENT_LENGTH = "content-length";
    CONTENT_RANGE = "content-range";
    CONTENT_SECURITY_POLICY = "content-security-policy";
    CONTENT_TYPE = "content-type";
    ETAG = "etag";
    EXPECT = "expect";
    IF_MATCH = "if-match";
    IF_NONE_MATCH = "if-none-match";
    LINK = "link";
    LOCATION = "location";
    ORIGIN = "origin";
    REFERRER_POLICY = "referrer-policy";
    RETRY_AFTER = "retry-after";
    STRIPE_SIGNATURE = "stripe-signature";
    VARY = "vary";
    WWW_AUTHENTICATE = "www-authenticate";
    X_CONTENT_TYPE_OPTIONS = "x-content-type-options";
}
