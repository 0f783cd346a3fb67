//! Application variables and the templates that give them to components.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::manifest::Manifest;
use crate::outbound::AllowedHost;

/// The variables of one component, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// What variables give to a component.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    pub(crate) variables: Variables,
    /// Where it may connect to.
    pub(crate) hosts: Vec<AllowedHost>,
}

/// Looks up every variable of every component: in `given` first, then as `SPIN_VARIABLE_NAME` in `environment`, then
/// the manifest's default.
pub(crate) fn resolve(
    manifest: &Manifest,
    given: &BTreeMap<String, String>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, Granted>, Error> {
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, default) in &manifest.variables {
        let value = given
            .get(name)
            .cloned()
            .or_else(|| environment(&format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase())))
            .or_else(|| default.clone());
        match value {
            Some(value) => _ = values.insert(name.as_str(), value),
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        return Err(Error::MissingVariables { names: missing.join(", ") });
    }
    let mut resolved = BTreeMap::new();
    for (id, component) in &manifest.components {
        let mut variables = Variables::new();
        for (name, template) in &component.variables {
            let value = expand(template, &values).map_err(|reason| broken(manifest, name, id, &reason))?;
            variables.insert(name.clone(), value);
        }
        let host = |template: &String| {
            // Only variables may leave an entry empty, as in Spin.
            let host = if template.contains("{{") {
                expand(template, &values).and_then(|host| AllowedHost::parse_filled(&host))
            } else {
                AllowedHost::parse(template).map(Some)
            };
            host.map_err(|reason| {
                Error::manifest(
                    &manifest.path,
                    format!("allowed_outbound_hosts {template:?} of component {id}: {reason}"),
                )
            })
        };
        let hosts = component.hosts.iter().filter_map(|template| host(template).transpose());
        let hosts = hosts.collect::<Result<_, _>>()?;
        resolved.insert(id.clone(), Granted { variables, hosts });
    }
    Ok(resolved)
}

/// The variables that components are given.
pub(crate) fn given(manifest: &Manifest) -> Result<BTreeSet<String>, Error> {
    let mut given = BTreeSet::new();
    for (id, component) in &manifest.components {
        for (name, template) in &component.variables {
            let pieces = pieces(template).map_err(|reason| broken(manifest, name, id, &reason))?;
            given.extend(pieces.into_iter().filter_map(|(_, variable)| variable).map(str::to_owned));
        }
    }
    Ok(given)
}

fn broken(manifest: &Manifest, name: &str, component: &str, reason: &str) -> Error {
    Error::manifest(&manifest.path, format!("variable {name} of component {component}: {reason}"))
}

/// Puts the values in for `{{ name }}`; everything else stays as it is.
fn expand(template: &str, values: &BTreeMap<&str, String>) -> Result<String, String> {
    let mut expanded = String::new();
    for (literal, variable) in pieces(template)? {
        expanded.push_str(literal);
        if let Some(name) = variable {
            expanded.push_str(values.get(name).ok_or_else(|| format!("unknown variable {name:?}"))?);
        }
    }
    Ok(expanded)
}

/// The pieces of a template: what is as it is, each with the variable that follows it.
fn pieces(template: &str) -> Result<Vec<(&str, Option<&str>)>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("unmatched '{{' in template")?;
        pieces.push((literal, Some(name.trim())));
        rest = after;
    }
    pieces.push((rest, None));
    Ok(pieces)
}

/// What is wrong with `name` as the name of a variable, if anything.
pub(crate) fn invalid_name(name: &str) -> Option<String> {
    let valid = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    let reason = if name.is_empty() {
        "must not be empty".to_owned()
    } else if let Some(invalid) = name.chars().find(|character| !valid(*character)) {
        format!(
            "invalid character {invalid:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        )
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        "must start with a lowercase ASCII letter".to_owned()
    } else if name.ends_with('_') {
        "must end with a lowercase ASCII letter or digit".to_owned()
    } else if name.contains("__") {
        "must not contain multiple consecutive underscores".to_owned()
    } else {
        return None;
    };
    Some(format!("{name:?}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        application = { name = "test" }
        trigger = {}
        [variables]
        host = { default = "localhost" }
        port = { required = true }
        [component.web]
        source = "web.wasm"
        variables = { url = "http://{{ host }}:{{port}}/", plain = "as it is }}" }
        [component.other]
        source = "other.wasm"
    "#;

    fn resolved(
        manifest: &str,
        given: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<BTreeMap<String, Variables>, Error> {
        let granted = granted(manifest, given, environment)?;
        Ok(granted.into_iter().map(|(id, granted)| (id, granted.variables)).collect())
    }

    fn granted(
        manifest: &str,
        given: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<BTreeMap<String, Granted>, Error> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        resolve(&Manifest::parse(manifest)?, &given, |name| environment.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn templates_are_filled_in_and_literal_text_stays() {
        let variables = resolved(MANIFEST, &[("port", "80")], &[]).unwrap();
        assert_eq!(variables["web"]["url"], "http://localhost:80/");
        assert_eq!(variables["web"]["plain"], "as it is }}");
        assert!(variables["other"].is_empty());
    }

    #[test]
    fn the_command_line_beats_the_environment_beats_the_default() {
        let environment = [("SPIN_VARIABLE_HOST", "from-environment"), ("SPIN_VARIABLE_PORT", "1")];
        let variables = resolved(MANIFEST, &[("port", "2")], &environment).unwrap();
        assert_eq!(variables["web"]["url"], "http://from-environment:2/");
    }

    #[test]
    fn an_empty_value_is_a_value() {
        let variables = resolved(MANIFEST, &[("port", ""), ("host", "")], &[]).unwrap();
        assert_eq!(variables["web"]["url"], "http://:/");
    }

    #[test]
    fn hosts_that_a_component_may_connect_to_are_templates_too() {
        let lets_out = format!("{MANIFEST}allowed_outbound_hosts = ['redis://{{{{ host }}}}:{{{{ port }}}}']");
        let hosts = |port| granted(&lets_out, &[("port", port)], &[]).map(|mut all| all.remove("other").unwrap().hosts);
        assert_eq!(hosts("80").unwrap(), [AllowedHost::parse("redis://localhost:80").unwrap()]);
        let error = hosts("x").unwrap_err().to_string();
        assert!(error.contains("of component other: port \"x\" is not a number"), "{error}");
    }

    #[test]
    fn a_host_that_variables_leave_empty_is_none_and_an_empty_one_in_the_manifest_is_an_error() {
        let hosts = |entry| {
            let manifest = format!("{MANIFEST}allowed_outbound_hosts = ['{entry}', 'https://other.example']");
            granted(&manifest, &[("port", "80"), ("host", "")], &[]).map(|mut all| all.remove("other").unwrap().hosts)
        };
        let other = [AllowedHost::parse("https://other.example").unwrap()];
        assert_eq!(hosts("{{ host }}").unwrap(), other);
        assert_eq!(hosts("https://{{ host }}").unwrap(), other);
        for wrong in ["", "https://", "https://{{ host }}:80"] {
            assert!(hosts(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_no_component_is_given_is_told_apart() {
        let unused = MANIFEST.replace("[variables]", "[variables]\nunused = { default = '' }");
        let given = given(&Manifest::parse(&unused).unwrap()).unwrap();
        assert_eq!(given.into_iter().collect::<Vec<_>>(), ["host", "port"]);
    }

    #[test]
    fn a_value_is_not_a_template() {
        let variables = resolved(MANIFEST, &[("port", "{{ host }}")], &[]).unwrap();
        assert_eq!(variables["web"]["url"], "http://localhost:{{ host }}/");
    }

    #[test]
    fn a_missing_required_variable_is_named() {
        let error = resolved(MANIFEST, &[], &[]).unwrap_err();
        assert!(error.to_string().starts_with("no value for required variable(s) port:"));
    }

    #[test]
    fn a_name_that_the_manifest_does_not_have_is_passed_over() {
        assert!(resolved(MANIFEST, &[("port", "80"), ("typo", "1")], &[]).is_ok());
    }

    #[test]
    fn broken_templates_are_errors_that_name_the_component() {
        for (template, reason) in [("{{ unknown }}", "unknown variable \"unknown\""), ("{{ host", "unmatched '{{'")] {
            let manifest = MANIFEST.replace("as it is }}", template);
            let error = resolved(&manifest, &[("port", "80")], &[]).unwrap_err().to_string();
            assert!(error.contains("variable plain of component web") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn names_are_lower_snake_case() {
        for valid in ["a", "a1", "payment_window_seconds"] {
            assert_eq!(invalid_name(valid), None);
        }
        for invalid in ["", "A", "a-b", "1a", "_a", "a_", "a__b", "ä"] {
            assert!(invalid_name(invalid).is_some(), "{invalid}");
        }
    }
}
