//! The shop's records in a Redis.

use std::cell::OnceCell;
use std::rc::Rc;

use api::Problem;
use redis_store::{RedisStore, Shared, SpinRedis, address};

use crate::SpinEnvironment;
use crate::shop::variable;

/// The store of a component.
pub type Store = RedisStore<SpinRedis, SpinEnvironment>;

/// Reads the address of the Redis, once for each instance. The first command connects to it.
pub(crate) async fn open() -> Result<Store, Problem> {
    thread_local! {
        static REDIS: OnceCell<(Rc<Shared<SpinRedis>>, u32)> = const { OnceCell::new() };
    }
    let (shared, replicas) = match REDIS.with(|redis| redis.get().cloned()) {
        Some(redis) => redis,
        None => {
            let url = variable("redis_url").await?;
            let url = address::url(&url).map_err(|error| Problem::misconfigured(&error))?;
            let replicas = variable("redis_replicas").await?;
            let replicas = replicas.parse().map_err(|_| {
                Problem::misconfigured(
                    &"the variable redis_replicas must be a whole number: how many replicas a write waits for",
                )
            })?;
            let shared = || Rc::new(Shared::new(SpinRedis::new(url)));
            REDIS.with(|redis| redis.get_or_init(|| (shared(), replicas)).clone())
        }
    };
    Ok(RedisStore::new(shared, SpinEnvironment, replicas))
}
