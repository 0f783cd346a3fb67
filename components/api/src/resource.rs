//! Which paths there are, and what can be done with each.

use http::Method;

/// What a path names. Path parameters are as the client wrote them: not decoded, and not ids yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `/orders`
    Orders,
    /// `/orders/{order_id}`
    Order(&'a str),
    /// `/orders/{order_id}/pay`
    Pay(&'a str),
    /// `/orders/{order_id}/cancel`
    Cancel(&'a str),
    /// `/orders/{order_id}/history`
    OrderHistory(&'a str),
    /// `/inventory`
    Items,
    /// `/inventory/{item_id}`
    Item(&'a str),
    /// `/inventory/{item_id}/adjustments`
    Adjustments(&'a str),
    /// `/inventory/{item_id}/history`
    ItemHistory(&'a str),
    /// `/books`
    Books,
    /// `/metrics`
    Metrics,
    /// `/health`
    Health,
    /// `/ready`
    Ready,
}

/// What a client wants of a resource. `HEAD` is a [`Verb::Get`]: the server leaves out the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET` and `HEAD`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl<'a> Resource<'a> {
    /// What `path` names, if anything. Slashes at both ends do not count, as in Spin's router.
    pub fn at(path: &'a str) -> Option<Self> {
        let mut segments = path.trim_matches('/').split('/');
        let path = (segments.next()?, segments.next(), segments.next(), segments.next());
        Some(match path {
            ("orders", None, None, None) => Self::Orders,
            ("orders", Some(id), None, None) => Self::Order(id),
            ("orders", Some(id), Some("pay"), None) => Self::Pay(id),
            ("orders", Some(id), Some("cancel"), None) => Self::Cancel(id),
            ("orders", Some(id), Some("history"), None) => Self::OrderHistory(id),
            ("inventory", None, None, None) => Self::Items,
            ("inventory", Some(id), None, None) => Self::Item(id),
            ("inventory", Some(id), Some("adjustments"), None) => Self::Adjustments(id),
            ("inventory", Some(id), Some("history"), None) => Self::ItemHistory(id),
            ("books", None, None, None) => Self::Books,
            ("metrics", None, None, None) => Self::Metrics,
            ("health", None, None, None) => Self::Health,
            ("ready", None, None, None) => Self::Ready,
            _ => return None,
        })
    }

    /// Whether an answer about it has to stay true, also when the store fails over to a copy: the state of an order, and
    /// what an operator has changed. How much there is of an item is true for a moment only.
    pub(crate) fn is_told_for_good(self, verb: Verb) -> bool {
        match self {
            Self::Orders
            | Self::Order(_)
            | Self::Pay(_)
            | Self::Cancel(_)
            | Self::OrderHistory(_)
            | Self::Adjustments(_)
            | Self::ItemHistory(_) => true,
            Self::Item(_) => verb == Verb::Put,
            Self::Items | Self::Books | Self::Metrics | Self::Health | Self::Ready => false,
        }
    }

    /// The value of `allow`: what can be done with it.
    pub fn allow(self) -> &'static str {
        match self {
            Self::Order(_)
            | Self::OrderHistory(_)
            | Self::Items
            | Self::ItemHistory(_)
            | Self::Books
            | Self::Metrics
            | Self::Health
            | Self::Ready => "GET, HEAD, OPTIONS",
            Self::Item(_) => "GET, HEAD, PUT, OPTIONS",
            Self::Orders => "GET, HEAD, POST, OPTIONS",
            Self::Pay(_) | Self::Cancel(_) | Self::Adjustments(_) => "POST, OPTIONS",
        }
    }

    /// What the client wants of it; none where that cannot be done.
    pub fn verb(self, method: &Method) -> Option<Verb> {
        let allowed = self.allow().split(", ").any(|allowed| allowed == method.as_str());
        match *method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            Method::PUT => Some(Verb::Put),
            _ => None,
        }
        .filter(|_| allowed)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Resource, Verb};

    #[test]
    fn slashes_at_both_ends_do_not_count() {
        for path in ["/orders", "/orders/", "orders", "//orders//"] {
            assert_eq!(Resource::at(path), Some(Resource::Orders), "{path}");
        }
        assert_eq!(Resource::at("/orders/a/pay/"), Some(Resource::Pay("a")));
    }

    #[test]
    fn other_paths_name_nothing() {
        for path in
            ["", "/", "/order", "/orders/a/b", "/orders/a/pay/b", "/inventory/../orders", "/health/a", "/Orders"]
        {
            assert_eq!(Resource::at(path), None, "{path}");
        }
    }

    #[test]
    fn a_resource_takes_the_methods_that_it_allows_and_no_others() {
        let order = Resource::Order("a");
        assert_eq!((order.verb(&Method::GET), order.verb(&Method::HEAD)), (Some(Verb::Get), Some(Verb::Get)));
        assert_eq!((order.verb(&Method::POST), order.verb(&Method::DELETE)), (None, None));
        assert_eq!(Resource::Item("a").verb(&Method::PUT), Some(Verb::Put));
        assert_eq!(Resource::Pay("a").verb(&Method::GET), None);
    }
}
