//! The routes: one table, which the handlers, `allow`, the OpenAPI document and the tests of the manifests read.

use http::Method;

/// What a client wants of a route. `HEAD` is a [`Verb::Get`]: the server leaves out the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET` and `HEAD`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

/// The names that a verb has in `allow`.
macro_rules! methods {
    (Get) => {
        "GET, HEAD, "
    };
    (Post) => {
        "POST, "
    };
    (Put) => {
        "PUT, "
    };
}

macro_rules! routes {
    ($($route:ident $(($parameter:ident))? = $path:literal, $component:literal, [$($verb:ident),+];)+) => {
        /// A path of the contract. Its parameter is as the client wrote it: not decoded, and not checked to be an id.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Route<'a> {
            $(#[doc = concat!("`", $path, "`")] $route $((parameter!($parameter 'a)))?,)+
        }

        impl Route<'static> {
            /// Every route, each with the name of its parameter in place of a value.
            pub const ALL: &[Self] = &[$(Self::$route $((concat!("{", stringify!($parameter), "}")))?),+];
        }

        impl<'a> Route<'a> {
            /// The route that `path` takes, if any. It may end with a slash.
            pub fn parse(path: &'a str) -> Option<Self> {
                static ROUTES: &[(&str, for<'b> fn(&'b str) -> Route<'b>)] = &[
                    $(($path, |_value| Route::$route $(({ let $parameter = _value; $parameter }))?),)+
                ];
                let path = segments(path)?;
                ROUTES.iter().find_map(|(template, route)| parameter(template, path).map(route))
            }

            /// The path, with the name of its parameter in braces.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$route $((parameter!($parameter)))? => $path,)+ }
            }

            /// The component that serves it, as the manifests name it.
            pub const fn component(self) -> &'static str {
                match self { $(Self::$route $((parameter!($parameter)))? => $component,)+ }
            }

            /// What can be done with it.
            pub const fn verbs(self) -> &'static [Verb] {
                match self { $(Self::$route $((parameter!($parameter)))? => &[$(Verb::$verb),+],)+ }
            }

            /// The value of the header `allow`.
            pub const fn allow(self) -> &'static str {
                match self {
                    $(Self::$route $((parameter!($parameter)))? => concat!($(methods!($verb),)+ "OPTIONS"),)+
                }
            }
        }
    };
}

/// The type of a route's parameter, or a pattern that takes any.
macro_rules! parameter {
    ($parameter:ident $lifetime:lifetime) => { &$lifetime str };
    ($parameter:ident) => { _ };
}

// The path, the component that serves it, and what can be done with it.
routes! {
    Orders = "/orders", "orders", [Get, Post];
    Order(order_id) = "/orders/{order_id}", "orders", [Get];
    Pay(order_id) = "/orders/{order_id}/pay", "payments", [Post];
    Cancel(order_id) = "/orders/{order_id}/cancel", "payments", [Post];
    Abandon(order_id) = "/orders/{order_id}/abandon", "payments", [Post];
    Payments = "/payments", "payments", [Get];
    StripeEvents = "/payments/stripe/events", "payments", [Post];
    Refunds(order_id) = "/orders/{order_id}/refunds", "after-sale", [Get, Post];
    RetryRefunds(order_id) = "/orders/{order_id}/refunds/retry", "after-sale", [Post];
    Returns(order_id) = "/orders/{order_id}/returns", "after-sale", [Get, Post];
    Fulfilment(order_id) = "/orders/{order_id}/fulfilment", "after-sale", [Put];
    OrderHistory(order_id) = "/orders/{order_id}/history", "reports", [Get];
    Items = "/inventory", "inventory", [Get];
    Item(item_id) = "/inventory/{item_id}", "inventory", [Get, Put];
    Adjustments(item_id) = "/inventory/{item_id}/adjustments", "inventory", [Post];
    ItemHistory(item_id) = "/inventory/{item_id}/history", "reports", [Get];
    Books = "/books", "reports", [Get];
    Metrics = "/metrics", "reports", [Get];
    Sweep = "/sweep", "sweep", [Post];
    Health = "/health", "inventory", [Get];
    Ready = "/ready", "inventory", [Get];
}

/// What is between the first slash of a path and one at its end; none for a path with an empty segment. Spin's router
/// passes over all slashes at both ends, so that a rule of a gateway for exactly `/ready` would not hold for `//ready`:
/// such a path names nothing here.
pub(crate) fn segments(path: &str) -> Option<&str> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some(path);
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').all(|segment| !segment.is_empty()).then_some(path)
}

/// The value of the parameter of `template` in `path`, empty if it has none; `None` if the path is another one.
fn parameter<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    let (mut names, mut segments) = (template.trim_matches('/').split('/'), path.split('/'));
    let mut value = "";
    loop {
        match (names.next(), segments.next()) {
            (None, None) => return Some(value),
            (Some(name), Some(segment)) if name.starts_with('{') => value = segment,
            (Some(name), Some(segment)) if name == segment => {}
            _ => return None,
        }
    }
}

impl Route<'_> {
    /// Whether an answer has to hold when the store fails over to a replica: that of the state of an order, and of what
    /// an operator has changed. Stock changes at any moment, so an answer about it promises nothing.
    pub(crate) fn is_lasting(self, verb: Verb) -> bool {
        match self {
            Self::Orders
            | Self::Order(_)
            | Self::Pay(_)
            | Self::Cancel(_)
            | Self::Abandon(_)
            | Self::Refunds(_)
            | Self::RetryRefunds(_)
            | Self::Returns(_)
            | Self::Fulfilment(_)
            | Self::OrderHistory(_)
            | Self::Adjustments(_)
            | Self::ItemHistory(_)
            | Self::StripeEvents => true,
            Self::Item(_) => verb == Verb::Put,
            Self::Payments | Self::Items | Self::Books | Self::Metrics | Self::Sweep | Self::Health | Self::Ready => {
                false
            }
        }
    }

    /// Whether this is for the operator, who has the token.
    pub(crate) fn is_operators(self, verb: Verb) -> bool {
        match self {
            Self::Orders => verb == Verb::Get,
            Self::Item(_) => verb == Verb::Put,
            Self::Abandon(_)
            | Self::Refunds(_)
            | Self::RetryRefunds(_)
            | Self::Returns(_)
            | Self::Fulfilment(_)
            | Self::Adjustments(_)
            | Self::ItemHistory(_)
            | Self::Books
            | Self::Metrics
            | Self::Sweep => true,
            Self::Order(_)
            | Self::Pay(_)
            | Self::Cancel(_)
            | Self::OrderHistory(_)
            | Self::Payments
            | Self::StripeEvents
            | Self::Items
            | Self::Health
            | Self::Ready => false,
        }
    }

    /// Whether this is for the payment provider, who signs what it sends.
    pub(crate) fn is_providers(self) -> bool {
        self == Self::StripeEvents
    }

    /// The verb of a method; none if the route does not have it.
    pub fn verb(self, method: &Method) -> Option<Verb> {
        let verb = match *method {
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Post,
            Method::PUT => Verb::Put,
            _ => return None,
        };
        self.verbs().contains(&verb).then_some(verb)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Route, Verb, segments};

    #[test]
    fn a_path_may_end_with_a_slash() {
        for path in ["/orders", "/orders/"] {
            assert_eq!(Route::parse(path), Some(Route::Orders), "{path}");
        }
        assert_eq!(Route::parse("/orders/a/pay/"), Some(Route::Pay("a")));
    }

    #[test]
    fn a_path_with_an_empty_segment_names_nothing() {
        for path in
            ["//orders", "/orders//", "//orders/a/pay", "/orders//a", "/orders//pay", "/orders/a/pay//", "orders", "*"]
        {
            assert_eq!(Route::parse(path), None, "{path}");
        }
        for (path, known) in [("/", Some("")), ("//", None), ("///", None), ("/docs/", Some("docs")), ("/docs//", None)]
        {
            assert_eq!(segments(path), known, "{path}");
        }
    }

    #[test]
    fn other_paths_name_nothing() {
        for path in
            ["", "/", "/order", "/orders/a/b", "/orders/a/pay/b", "/inventory/../orders", "/health/a", "/Orders"]
        {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_route_takes_the_methods_that_it_allows_and_no_others() {
        let order = Route::Order("a");
        assert_eq!((order.verb(&Method::GET), order.verb(&Method::HEAD)), (Some(Verb::Get), Some(Verb::Get)));
        assert_eq!((order.verb(&Method::POST), order.verb(&Method::DELETE)), (None, None));
        assert_eq!(Route::Item("a").verb(&Method::PUT), Some(Verb::Put));
        assert_eq!(Route::Pay("a").verb(&Method::GET), None);
    }
}
