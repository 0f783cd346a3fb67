//! Where the Redis is, as the variables say it.

/// A variable that does not say what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the variable {variable} must be {expected}")]
pub struct InvalidAddress {
    variable: &'static str,
    expected: &'static str,
}

/// The URL of a Redis that was put together of variables: `redis_scheme://redis_login redis_host/redis_database`. Each
/// of them may come out of a file with a line break at its end; no part of a URL has white space.
///
/// # Errors
/// If one of them cannot be meant. Whether there is a Redis, the first command tells.
pub fn url(text: &str) -> Result<String, InvalidAddress> {
    let invalid = |variable, expected| InvalidAddress { variable, expected };
    let url: String = text.split_ascii_whitespace().collect();
    let (scheme, rest) = url.split_once("://").ok_or(invalid("redis_scheme", "redis or rediss"))?;
    if !matches!(scheme, "redis" | "rediss") {
        return Err(invalid("redis_scheme", "redis or rediss"));
    }
    let (server, database) = rest.rsplit_once('/').ok_or(invalid("redis_database", "a whole number"))?;
    if database.parse::<u32>().is_err() {
        return Err(invalid("redis_database", "a whole number"));
    }
    let host = server.rsplit_once('@').map_or(server, |(_, host)| host);
    if host.is_empty() || host.contains('/') {
        return Err(invalid("redis_host", "host and port"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn white_space_around_the_parts_does_not_count() {
        for (text, expected) in [
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            (
                "rediss\n://user:pass%2Fword@\nredis.example:6380\n/3\n",
                "rediss://user:pass%2Fword@redis.example:6380/3",
            ),
            (" redis://:pass@\r\n[::1]:6379\r\n/ 12 ", "redis://:pass@[::1]:6379/12"),
        ] {
            assert_eq!(url(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (text, variable) in [
            ("http://127.0.0.1:6379/0", "redis_scheme"),
            ("://127.0.0.1:6379/0", "redis_scheme"),
            ("127.0.0.1:6379/0", "redis_scheme"),
            ("redis://127.0.0.1:6379/", "redis_database"),
            ("redis://127.0.0.1:6379/first", "redis_database"),
            ("redis://127.0.0.1:6379/-1", "redis_database"),
            ("redis:///0", "redis_host"),
            ("redis://:pass@/0", "redis_host"),
            ("redis://127.0.0.1:6379/1/0", "redis_host"),
        ] {
            let error = url(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the variable {variable} must be ")), "{text}: {error}");
        }
    }
}
