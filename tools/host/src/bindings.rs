//! The interfaces of `wit/host.wit`, as traits for [`crate::guest`] to implement.

wasmtime::component::bindgen!({
    path: "wit",
    world: "imports",
    imports: { default: trappable },
    with: {
        "wasi:keyvalue/store.bucket": crate::keyvalue::OpenBucket,
        "wasi:keyvalue/atomics.cas": crate::keyvalue::Cas,
        "spin:key-value/key-value.store": crate::keyvalue::OpenBucket,
        "spin:redis/redis.connection": crate::redis::Connection,
        "fermyon:spin/sqlite.connection": crate::sqlite::Connection,
    },
});
