//! `spin:variables/variables`, and `fermyon:spin/variables` for components of WASI 0.2.

use wasmtime::component::Accessor;

use crate::bindings::fermyon::spin::variables as variables_of_wasi_2;
use crate::bindings::spin::variables::variables;
use crate::guest::Guest;
use crate::variables::invalid_name;

impl Guest {
    fn variable(&self, name: &str) -> Result<String, variables::Error> {
        if let Some(reason) = invalid_name(name) {
            return Err(variables::Error::InvalidName(reason));
        }
        let undefined = || variables::Error::Undefined(format!("no variable for {:?}.{name:?}", self.grants.component));
        self.grants.variables.get(name).cloned().ok_or_else(undefined)
    }
}

impl variables::Host for Guest {}

impl<T: Send> variables::HostWithStore<T> for Guest {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        Ok(accessor.with(|mut access| access.get().variable(&name)))
    }
}

impl variables_of_wasi_2::Host for Guest {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables_of_wasi_2::Error>> {
        Ok(self.variable(&name).map_err(|error| match error {
            variables::Error::InvalidName(reason) => variables_of_wasi_2::Error::InvalidName(reason),
            variables::Error::Undefined(reason) => variables_of_wasi_2::Error::Undefined(reason),
            variables::Error::Provider(reason) => variables_of_wasi_2::Error::Provider(reason),
            variables::Error::Other(reason) => variables_of_wasi_2::Error::Other(reason),
        }))
    }
}
