//! Maps paths to components by Spin's rules, with the router that Spin uses.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::manifest::Trigger;

/// The host itself answers paths below this one.
pub(crate) const WELL_KNOWN: &str = "/.well-known/spin/";

/// The routes of an application.
pub(crate) struct Router {
    router: routefinder::Router<Route>,
}

/// A route of the manifest.
pub(crate) struct Route {
    pub(crate) component: String,
    /// As written in the manifest.
    pub(crate) raw: String,
    /// With a slash in front and without one at its end: what Spin calls the matched route.
    pub(crate) matched: String,
}

impl Route {
    /// As written in the manifest, without a wildcard at its end.
    pub(crate) fn raw_prefix(&self) -> &str {
        self.raw.strip_suffix("/...").unwrap_or(&self.raw)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.matched.strip_suffix("/...").or_else(|| self.matched.strip_suffix("/*")) {
            Some(prefix) => write!(f, "{prefix} (wildcard)"),
            None => f.write_str(&self.matched),
        }
    }
}

/// A route that a path has matched.
pub(crate) struct Match<'a> {
    pub(crate) route: &'a Route,
    captures: routefinder::Captures<'a, 'a>,
    path: &'a str,
}

impl Match<'_> {
    /// What the `:name` segments have captured, not percent-decoded. Of two with one name the last counts.
    pub(crate) fn named(&self) -> BTreeMap<&str, &str> {
        self.captures.iter().collect()
    }

    /// What a wildcard at the end has captured, with its slashes: the router drops them, Spin puts them back.
    pub(crate) fn wildcard(&self) -> Cow<'_, str> {
        match (self.captures.wildcard(), self.path.ends_with('/')) {
            (None, _) | (Some(""), false) => "".into(),
            (Some(""), true) => "/".into(),
            (Some(rest), false) => format!("/{rest}").into(),
            (Some(rest), true) => format!("/{rest}/").into(),
        }
    }
}

impl Router {
    /// Routes that are private are left out. Where a route is written twice the last one wins, and `warn` is told.
    pub(crate) fn new(triggers: &[Trigger], mut warn: impl FnMut(String)) -> Result<Self, String> {
        let mut routes: Vec<Route> = Vec::new();
        for trigger in triggers {
            let Some(raw) = &trigger.route else { continue };
            let route = Route { component: trigger.component.clone(), raw: raw.clone(), matched: matched(raw) };
            match routes.iter_mut().find(|other| other.raw == *raw) {
                Some(other) => {
                    warn(format!(
                        "route {raw} of component {} is never used: component {} has the same one",
                        other.component, route.component
                    ));
                    *other = route;
                }
                None => routes.push(route),
            }
        }
        let mut router = routefinder::Router::new();
        for route in routes {
            if route.matched.starts_with(WELL_KNOWN) {
                warn(format!("route {} is never used: what is below {WELL_KNOWN} is answered by the host", route.raw));
            }
            let pattern = match route.matched.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => route.matched.clone(),
            };
            let (raw, component) = (route.raw.clone(), route.component.clone());
            router.add(pattern, route).map_err(|error| format!("route {raw} of component {component}: {error}"))?;
        }
        Ok(Self { router })
    }

    /// Exact routes come before `:name` segments, those before wildcards, long ones before short ones.
    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let found = self.router.best_match(path)?;
        Some(Match { route: found.handler(), captures: found.captures(), path })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.router.iter().map(|(_, route)| route)
    }
}

fn matched(raw: &str) -> String {
    let absolute = if raw.starts_with('/') { raw.to_owned() } else { format!("/{raw}") };
    absolute.strip_suffix('/').unwrap_or(&absolute).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A router where every route's component is named as the route, and the warnings.
    fn router(routes: &[&str]) -> (Router, Vec<String>) {
        let pairs: Vec<_> = routes.iter().map(|route| (*route, *route)).collect();
        router_to(&pairs)
    }

    fn router_to(routes: &[(&str, &str)]) -> (Router, Vec<String>) {
        let triggers: Vec<_> = routes
            .iter()
            .map(|(route, component)| Trigger { route: Some((*route).to_owned()), component: (*component).to_owned() })
            .collect();
        let mut warnings = Vec::new();
        let router = Router::new(&triggers, |warning| warnings.push(warning)).unwrap();
        (router, warnings)
    }

    fn component<'a>(router: &'a Router, path: &'a str) -> &'a str {
        router.find(path).map_or("none", |found| &found.route.component)
    }

    #[test]
    fn exact_beats_parameter_beats_wildcard_in_any_order() {
        for routes in [["/...", "/a/:b", "/a/b"], ["/a/b", "/a/:b", "/..."], ["/a/:b", "/...", "/a/b"]] {
            let (router, _) = router(&routes);
            assert_eq!(component(&router, "/a/b"), "/a/b");
            assert_eq!(component(&router, "/a/c"), "/a/:b");
            assert_eq!(component(&router, "/a/c/d"), "/...");
            assert_eq!(component(&router, "/"), "/...");
        }
    }

    #[test]
    fn the_longest_wildcard_wins() {
        let (router, _) = router(&["/a/...", "/a/b/...", "/..."]);
        assert_eq!(component(&router, "/a/b/c"), "/a/b/...");
        assert_eq!(component(&router, "/a/x"), "/a/...");
        assert_eq!(component(&router, "/x"), "/...");
    }

    #[test]
    fn slashes_at_the_end_do_not_matter() {
        let (router, _) = router(&["/orders", "/items/"]);
        for path in ["/orders", "/orders/", "//orders//"] {
            assert_eq!(component(&router, path), "/orders");
        }
        assert_eq!(component(&router, "/items"), "/items/");
        assert_eq!(component(&router, "/orders/x"), "none");
        assert_eq!(component(&router, "/"), "none");
    }

    #[test]
    fn a_parameter_is_not_percent_decoded() {
        let (router, _) = router(&["/orders/:order_id/pay"]);
        let found = router.find("/orders/a%20b/pay").unwrap();
        assert_eq!(found.named(), BTreeMap::from([("order_id", "a%20b")]));
    }

    #[test]
    fn a_wildcard_captures_the_rest_with_its_slashes() {
        let (router, _) = router(&["/a/..."]);
        for (path, rest) in [("/a", ""), ("/a/", "/"), ("/a/b", "/b"), ("/a/b/c/", "/b/c/")] {
            assert_eq!(router.find(path).unwrap().wildcard(), rest);
        }
    }

    #[test]
    fn of_the_same_route_twice_the_last_one_wins_with_a_warning() {
        let (router, warnings) = router_to(&[("/a", "first"), ("/b", "b"), ("/a", "second")]);
        assert_eq!(component(&router, "/a"), "second");
        assert_eq!(warnings, ["route /a of component first is never used: component second has the same one"]);
    }

    #[test]
    fn a_private_route_is_not_routed() {
        let triggers = [Trigger { route: None, component: "hidden".to_owned() }];
        let router = Router::new(&triggers, |warning| panic!("{warning}")).unwrap();
        assert_eq!(router.iter().count(), 0);
        assert_eq!(component(&router, "/hidden"), "none");
    }

    #[test]
    fn a_route_below_the_hosts_own_paths_draws_a_warning() {
        let (_, warnings) = router(&["/.well-known/spin/x", "/.well-known/other"]);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn routes_are_shown_as_spin_shows_them() {
        let (router, _) = router(&["/a/:b", "c/...", "/..."]);
        let mut shown: Vec<_> = router.iter().map(Route::to_string).collect();
        shown.sort();
        assert_eq!(shown, [" (wildcard)", "/a/:b", "/c (wildcard)"]);
    }
}
