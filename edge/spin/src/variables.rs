//! The variables of the edge, from the environment or from Spin.

use std::collections::BTreeMap;

use sn17_aws::settings::{Role, Variable};
use spin_sdk::variables;

/// Reads what this host says of each variable of the edge.
///
/// A host that gives the component an environment (`wasmtime serve --env`) needs to know nothing of Spin's variables. In
/// Spin the environment is part of the manifest, no place for secrets, and has no table.
pub(crate) async fn read() -> BTreeMap<&'static str, String> {
    let names = Role::Edge.variables().iter().map(|variable| variable.name());
    if std::env::var_os(Variable::Table.name()).is_some() {
        return names.filter_map(|name| Some((name, std::env::var(name).ok()?))).collect();
    }
    let mut read = BTreeMap::new();
    for name in names {
        match variables::get(name.to_ascii_lowercase()).await {
            Ok(value) => {
                read.insert(name, value);
            }
            Err(variables::Error::Undefined(_)) => {}
            Err(error) => tracing::error!(variable = name, %error, "cannot read a variable"),
        }
    }
    read
}
